#include "vln_rows.h"

#include <criterion/criterion.h>
#include <string.h>

static vln_table_t *
make(size_t rows, const char *const *names, const vln_type_t *types, size_t count, double from)
{
    vln_table_t *table = vln_table_new();
    vln_table_set_rows(table, rows);
    for (size_t i = 0; i < count; i++) {
        vln_column_t *column = vln_table_add(table, names[i], types[i]);
        for (size_t row = 0; row < rows; row++) {
            double value = from + (double)row;
            if (types[i] == VLN_TYPE_F64) {
                vln_column_set_f64(column, row, value);
            } else if (types[i] == VLN_TYPE_I64) {
                vln_column_set_i64(column, row, (int64_t)value);
            } else if (types[i] == VLN_TYPE_STRING) {
                vln_column_set_text(column, row, value > 2 ? "b" : "a", 1);
            }
        }
    }
    return table;
}

Test(vln_rows, are_joined_by_name_in_the_order_of_the_first)
{
    static const char *const names[] = {"x", "t"};
    static const char *const turned[] = {"t", "x"};
    static const vln_type_t types[] = {VLN_TYPE_I64, VLN_TYPE_STRING};
    static const vln_type_t other[] = {VLN_TYPE_STRING, VLN_TYPE_F64};
    vln_table_t *first = make(3, names, types, 2, 1);
    vln_table_t *second = make(4, turned, other, 2, 0.5);
    const vln_rows_part_t parts[] = {{first, 1, 2, "first"}, {second, 0, 4, "second"}};
    vln_table_t *out = NULL;
    char why[VLN_ROWS_WHY];
    cr_assert_eq(vln_rows_join(parts, 2, 5, &out, why), VLN_OK);
    cr_expect_eq(vln_table_rows(out), 5);
    const vln_column_t *x = vln_table_at(out, 0);
    static const double values[] = {2, 3, 0.5, 1.5, 2.5};
    cr_expect_eq(x->type, VLN_TYPE_F64); /* whole numbers and fractions together */
    cr_expect_arr_eq(x->f64, values, sizeof values);
    cr_expect_str_eq(vln_column_text(vln_table_at(out, 1), 1), "b");
    cr_expect_str_eq(vln_column_text(vln_table_at(out, 1), 2), "a");
    vln_table_destroy(&out);
    vln_table_destroy(&first);
    vln_table_destroy(&second);
}

Test(vln_rows, of_other_columns_are_refused_either_way_round)
{
    static const char *const names[] = {"x", "t"};
    static const vln_type_t types[] = {VLN_TYPE_F64, VLN_TYPE_STRING};
    static const vln_type_t texts[] = {VLN_TYPE_STRING, VLN_TYPE_STRING};
    vln_table_t *both = make(2, names, types, 2, 0);
    vln_table_t *one = make(2, names, types, 1, 0);
    vln_table_t *worded = make(2, names, texts, 2, 0);
    vln_table_t *out = NULL;
    char why[VLN_ROWS_WHY];
    const vln_rows_part_t less[] = {{both, 0, 2, "both"}, {one, 0, 2, "one"}};
    cr_expect_eq(vln_rows_join(less, 2, SIZE_MAX, &out, why), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "'both' has 't', and 'one' does not"), "%s", why);
    const vln_rows_part_t more[] = {{one, 0, 2, "one"}, {both, 0, 2, "both"}};
    cr_expect_eq(vln_rows_join(more, 2, SIZE_MAX, &out, why), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "'both' has 't', and 'one' does not"), "%s", why);
    const vln_rows_part_t mixed[] = {{both, 0, 2, "both"}, {worded, 0, 2, "worded"}};
    cr_expect_eq(vln_rows_join(mixed, 2, SIZE_MAX, &out, why), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "holds text in 'worded' and numbers in 'both'"), "%s", why);
    cr_expect_null(out);
    vln_table_destroy(&both);
    vln_table_destroy(&one);
    vln_table_destroy(&worded);
}
