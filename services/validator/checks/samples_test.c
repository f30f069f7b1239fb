#include "samples.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "vln_csv.h"

enum { MANY = 1024 * 1024 };

static vln_table_t *
table_of(const char *text)
{
    vln_table_t *table = NULL;
    vln_csv_refusal_t refusal = {0};
    const vln_csv_options_t options = {.infer = true, .max_bytes = MANY};
    cr_assert(vln_csv_read(&options, text, strlen(text), &table, &refusal) == VLN_OK);
    return table;
}

Test(samples, a_column_is_sorted_once_for_all_who_ask)
{
    vln_table_t *table = table_of("a,b\n3,1\n1,2\n,3\n2,4\n");
    samples_t *self = samples_new(MANY);
    const vln_sample_t *first = samples_hold(self, vln_table_at(table, 0), 4);
    const vln_sample_t *second = samples_hold(self, vln_table_at(table, 0), 4);
    cr_expect(first == second && first->n == 3 && first->missing == 1);
    cr_expect(first->sorted[0] == 1 && first->sorted[2] == 3);
    samples_release(self, first);
    samples_release(self, second);
    samples_release(self, samples_hold(self, vln_table_at(table, 0), 4));
    cr_expect(samples_sorted(self) == 1);
    const vln_sample_t *part = samples_hold(self, vln_table_at(table, 0), 2);
    cr_expect(part->n == 2 && samples_sorted(self) == 2);
    samples_release(self, part);
    samples_destroy(&self);
    cr_expect(self == NULL);
    vln_table_destroy(&table);
}

Test(samples, beyond_the_budget_the_oldest_that_nobody_holds_goes)
{
    vln_table_t *table = table_of("a,b,c\n3,1,5\n1,2,6\n");
    samples_t *self = samples_new(2 * 2 * sizeof(double));
    const vln_sample_t *held = samples_hold(self, vln_table_at(table, 0), 2);
    samples_release(self, samples_hold(self, vln_table_at(table, 1), 2));
    samples_release(self, samples_hold(self, vln_table_at(table, 2), 2));
    cr_expect(samples_sorted(self) == 3);
    cr_expect(samples_hold(self, vln_table_at(table, 0), 2) == held && samples_sorted(self) == 3);
    samples_release(self, held);
    samples_release(self, held);
    samples_release(self, samples_hold(self, vln_table_at(table, 2), 2));
    cr_expect(samples_sorted(self) == 3);
    samples_release(self, samples_hold(self, vln_table_at(table, 1), 2)); /* it had gone */
    cr_expect(samples_sorted(self) == 4);
    samples_destroy(&self);
    vln_table_destroy(&table);
}

Test(samples, columns_are_sorted_beforehand_as_far_as_the_budget_goes)
{
    vln_table_t *table = table_of("a,t,b,c\n3,x,1,5\n1,y,2,6\n");
    const vln_column_t *columns[] = {vln_table_at(table, 0), vln_table_at(table, 1),
                                     vln_table_at(table, 2), vln_table_at(table, 3)};
    samples_t *self = samples_new(2 * 2 * sizeof(double));
    samples_prepare(self, columns, 4, 2, 3);
    cr_expect(samples_sorted(self) == 2);
    const vln_sample_t *sample = samples_hold(self, columns[2], 2);
    cr_expect(samples_sorted(self) == 2 && sample->sorted[0] == 1 && sample->sorted[1] == 2);
    samples_release(self, sample);
    samples_prepare(self, columns, 4, 2, 3);
    cr_expect(samples_sorted(self) == 2); /* there is no room for more */
    samples_destroy(&self);
    vln_table_destroy(&table);
}

Test(samples, nobody_has_to_keep_them)
{
    vln_table_t *table = table_of("a\n3\n1\n");
    const vln_sample_t *sample = samples_hold(NULL, vln_table_at(table, 0), 2);
    cr_expect(sample->n == 2 && sample->sorted[0] == 1);
    samples_release(NULL, sample);
    samples_t *none = NULL;
    samples_destroy(&none);
    vln_table_destroy(&table);
}
