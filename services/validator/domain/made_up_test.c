#include "made_up.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static char name_n[] = "n";
static char name_t[] = "t";
static char red[] = "red";
static char blue[] = "blue";
static char *categories[] = {red, blue};

static void
begin(Valion__V1__Signature *self, Valion__V1__Column *columns, Valion__V1__Column **list)
{
    valion__v1__signature__init(self);
    for (size_t i = 0; i < 2; i++) {
        valion__v1__column__init(&columns[i]);
        list[i] = &columns[i];
    }
    columns[0].name = name_n;
    columns[0].type = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT32;
    columns[1].name = name_t;
    columns[1].type = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING;
    columns[1].categories = categories;
    columns[1].n_categories = 2;
    self->inputs = list;
    self->n_inputs = 2;
}

Test(made_up, rows_are_the_same_for_the_same_seed_and_of_what_the_inputs_take)
{
    Valion__V1__Signature signature;
    Valion__V1__Column columns[2];
    Valion__V1__Column *list[2];
    begin(&signature, columns, list);
    vln_table_t *first = made_up_rows(&signature, 64, 42);
    vln_table_t *again = made_up_rows(&signature, 64, 42);
    vln_table_t *other = made_up_rows(&signature, 64, 43);
    const double *numbers = vln_table_at(first, 0)->f64;
    cr_expect_arr_eq(numbers, vln_table_at(again, 0)->f64, 64 * sizeof(double));
    cr_expect_neq(memcmp(numbers, vln_table_at(other, 0)->f64, 64 * sizeof(double)), 0);
    for (size_t row = 0; row < 64; row++) {
        const char *text = vln_column_text(vln_table_at(first, 1), row);
        cr_expect(fabs(numbers[row]) <= 3);
        cr_expect(strcmp(text, red) == 0 || strcmp(text, blue) == 0);
    }
    cr_expect_eq(vln_dict_count(vln_table_at(first, 1)->words), 2);
    vln_table_destroy(&first);
    vln_table_destroy(&again);
    vln_table_destroy(&other);
}
