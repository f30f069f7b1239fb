#include "vln_csv_write.h"

#include <criterion/criterion.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_csv.h"

enum { ROWS = 4 };

static vln_table_t *
make_table(void)
{
    static const double numbers[ROWS] = {0.1, -1e-300, DBL_MAX, 3};
    static const char *const texts[ROWS] = {"plain", "a, \"b\"", "line\nend", "NA"};
    vln_table_t *table = vln_table_new();
    vln_table_add(table, "x", VLN_TYPE_F64);
    vln_table_add(table, "n", VLN_TYPE_I64);
    vln_table_add(table, "yes", VLN_TYPE_BOOL);
    vln_table_add(table, "city, home", VLN_TYPE_STRING);
    vln_table_set_rows(table, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        vln_column_set_f64(vln_table_edit(table, 0), i, numbers[i]);
        vln_column_set_i64(vln_table_edit(table, 1), i, INT64_MIN + (int64_t)i);
        if (i != 2) {
            vln_column_set_bool(vln_table_edit(table, 2), i, i == 1);
        }
        vln_column_set_text(vln_table_edit(table, 3), i, texts[i], strlen(texts[i]));
    }
    return table;
}

Test(csv_write, is_read_back_to_the_same_values)
{
    static const size_t order[ROWS] = {3, 1, 2, 0};
    vln_table_t *table = make_table();
    vln_csv_text_t text = vln_csv_write(table, order, ROWS);
    vln_table_t *back = NULL;
    vln_csv_refusal_t refusal;
    const vln_csv_options_t options = {.infer = true, .max_bytes = 4096};
    cr_assert_eq(vln_csv_read(&options, text.bytes, text.size, &back, &refusal), VLN_OK, "%s",
                 refusal.text);
    for (size_t i = 0; i < ROWS; i++) {
        size_t row = order[i];
        cr_assert_eq(vln_table_at(back, 0)->f64[i], vln_table_at(table, 0)->f64[row]);
        cr_assert_eq(vln_table_at(back, 1)->i64[i], vln_table_at(table, 1)->i64[row]);
        cr_assert_eq(vln_column_has(vln_table_at(back, 2), i),
                     vln_column_has(vln_table_at(table, 2), row));
        cr_assert_str_eq(vln_column_text(vln_table_at(back, 3), i),
                         vln_column_text(vln_table_at(table, 3), row));
    }
    cr_assert_str_eq(vln_table_at(back, 3)->name, "city, home");
    free(text.bytes);
    vln_table_destroy(&back);
    vln_table_destroy(&table);
}

Test(csv_write, writes_no_more_digits_than_needed)
{
    vln_table_t *table = vln_table_new();
    vln_table_add(table, "x", VLN_TYPE_F64);
    vln_table_set_rows(table, 2);
    vln_column_set_f64(vln_table_edit(table, 0), 0, 0.1);
    vln_column_set_f64(vln_table_edit(table, 0), 1, 1.0 / 3);
    vln_csv_text_t text = vln_csv_write(table, (const size_t[]){0, 1}, 2);
    static const char wanted[] = "x\n0.1\n0.3333333333333333\n";
    cr_assert_eq(text.size, sizeof wanted - 1);
    cr_assert_arr_eq(text.bytes, wanted, text.size);
    free(text.bytes);
    vln_table_destroy(&table);
}

Test(csv_write, writes_every_number_as_the_c_library_does)
{
    static const double numbers[] = {0,
                                     -0.0,
                                     1,
                                     -1,
                                     7,
                                     10,
                                     255,
                                     -1000000,
                                     2.5,
                                     123456789012345,
                                     999999999999999,
                                     1e15,
                                     -1e15,
                                     1e16,
                                     9.3e18,
                                     -1e300,
                                     1e-5,
                                     0.999,
                                     -99.5,
                                     1e14,
                                     99999999999999.5};
    enum { COUNT = sizeof numbers / sizeof numbers[0] };
    char wanted[1024] = "x\n";
    size_t rows[COUNT];
    vln_table_t *table = vln_table_new();
    vln_table_add(table, "x", VLN_TYPE_F64);
    vln_table_set_rows(table, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        rows[i] = i;
        vln_column_set_f64(vln_table_edit(table, 0), i, numbers[i]);
        size_t used = strlen(wanted);
        snprintf(wanted + used, sizeof wanted - used, "%.15g\n", numbers[i]);
    }
    vln_csv_text_t text = vln_csv_write(table, rows, COUNT);
    cr_assert_eq(text.size, strlen(wanted), "%.*s", (int)text.size, (const char *)text.bytes);
    cr_assert_arr_eq(text.bytes, wanted, text.size, "%.*s", (int)text.size,
                     (const char *)text.bytes);
    free(text.bytes);
    vln_table_destroy(&table);
}
