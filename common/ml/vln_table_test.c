#include "vln_table.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

Test(vln_table, new_cells_have_no_value)
{
    vln_table_t *table = vln_table_new();
    vln_column_t *number = vln_table_add(table, "number", VLN_TYPE_F64);
    vln_table_set_rows(table, 3);
    vln_column_t *text = vln_table_add(table, "text", VLN_TYPE_STRING);
    vln_column_t *whole = vln_table_add(table, "whole", VLN_TYPE_I64);
    vln_column_t *flag = vln_table_add(table, "flag", VLN_TYPE_BOOL);
    for (size_t row = 0; row < 3; row++) {
        cr_expect(isnan(number->f64[row]) && text->codes[row] == -1);
        cr_expect(whole->i64[row] == 0 && flag->boolean[row] == 0);
        cr_expect(not(vln_column_has(number, row)));
        cr_expect(eq(ptr, (void *)vln_column_text(text, row), NULL));
    }
    cr_expect(eq(sz, vln_column_missing(flag, 3), 3));
    cr_expect(eq(sz, vln_table_rows(table), 3));
    cr_expect(eq(sz, vln_table_columns(table), 4));
    vln_table_destroy(&table);
    vln_table_destroy(&table);
    cr_expect(eq(ptr, table, NULL));
}

Test(vln_table, cells_keep_their_values_while_it_grows)
{
    vln_table_t *table = vln_table_new();
    vln_column_t *whole = vln_table_add(table, "whole", VLN_TYPE_I64);
    vln_column_t *text = vln_table_add(table, "text", VLN_TYPE_STRING);
    for (size_t row = 0; row < 1000; row++) {
        vln_table_set_rows(table, row + 1);
        if (row % 3) {
            vln_column_set_i64(whole, row, (int64_t)row);
            vln_column_set_text(text, row, row % 2 ? "odd" : "even", row % 2 ? 3 : 4);
        }
    }
    for (size_t row = 0; row < 1000; row++) {
        cr_expect(vln_column_has(whole, row) == (row % 3 != 0));
        cr_expect(row % 3 == 0 || whole->i64[row] == (int64_t)row);
    }
    cr_expect(eq(str, (char *)vln_column_text(text, 998), "even"));
    cr_expect(eq(sz, vln_column_missing(whole, 1000), 334));
    cr_expect(eq(sz, vln_dict_count(text->words), 2));
    vln_table_destroy(&table);
}

Test(vln_table, what_is_cut_off_does_not_come_back)
{
    vln_table_t *table = vln_table_new();
    vln_column_t *number = vln_table_add(table, "number", VLN_TYPE_F64);
    vln_table_set_rows(table, 10);
    vln_column_set_f64(number, 9, 4);
    vln_table_set_rows(table, 5);
    vln_table_set_rows(table, 10);
    cr_expect(not(vln_column_has(number, 9)));
    cr_expect(isnan(number->f64[9]));
    vln_table_destroy(&table);
}

Test(vln_table, columns_are_found_by_name_and_names_are_unique)
{
    vln_table_t *table = vln_table_new();
    char name[300];
    memset(name, 'n', sizeof name);
    name[251] = '\0';
    cr_expect(eq(ptr, vln_table_add(table, name, VLN_TYPE_F64), NULL));
    cr_expect(eq(ptr, vln_table_add(table, "", VLN_TYPE_F64), NULL));
    name[250] = '\0';
    cr_expect(ne(ptr, vln_table_add(table, name, VLN_TYPE_F64), NULL));
    cr_expect(eq(ptr, vln_table_add(table, name, VLN_TYPE_I64), NULL));
    for (int i = 1; i < VLN_TABLE_COLUMNS_MAX; i++) {
        snprintf(name, sizeof name, "column %d", i);
        cr_assert(ne(ptr, vln_table_add(table, name, VLN_TYPE_BOOL), NULL));
    }
    cr_expect(eq(ptr, vln_table_add(table, "one too many", VLN_TYPE_F64), NULL));
    const vln_column_t *found = vln_table_find(table, "column 4000");
    cr_expect(found == vln_table_at(table, 4000));
    cr_expect(eq(ptr, (void *)vln_table_find(table, "column"), NULL));
    vln_table_destroy(&table);
}

Test(vln_table, columns_become_numbers_where_they_are)
{
    vln_table_t *table = vln_table_new();
    vln_table_set_rows(table, 2);
    vln_column_t *flag = vln_table_add(table, "flag", VLN_TYPE_BOOL);
    vln_column_t *whole = vln_table_add(table, "whole", VLN_TYPE_I64);
    vln_column_t *text = vln_table_add(table, "text", VLN_TYPE_STRING);
    vln_column_set_bool(flag, 0, true);
    vln_column_set_i64(whole, 1, -7);
    double out[2];
    cr_expect(vln_column_numbers(flag, 2, out));
    cr_expect(out[0] == 1 && isnan(out[1]));
    cr_expect(vln_column_numbers(whole, 2, out));
    cr_expect(isnan(out[0]) && out[1] == -7);
    cr_expect(not(vln_column_numbers(text, 2, out)));
    vln_table_destroy(&table);
}

Test(vln_table, duplicates_are_equal_in_every_cell)
{
    vln_table_t *table = vln_table_new();
    vln_column_t *number = vln_table_add(table, "number", VLN_TYPE_F64);
    vln_column_t *text = vln_table_add(table, "text", VLN_TYPE_STRING);
    vln_column_t *whole = vln_table_add(table, "whole", VLN_TYPE_I64);
    vln_table_set_rows(table, 8);
    static const double numbers[] = {0.0, -0.0, 0.0, 1, 1, 1, 0, 0};
    static const char *const texts[] = {"a", "a", "b", "a", "a", NULL, NULL, NULL};
    for (size_t row = 0; row < 8; row++) {
        if (row != 5) {
            vln_column_set_f64(number, row, numbers[row]);
        }
        if (texts[row]) {
            vln_column_set_text(text, row, texts[row], 1);
        }
    }
    vln_column_set_i64(whole, 6, 0); /* a zero is not a missing cell */
    cr_expect(eq(sz, vln_table_count_duplicates(table), 2));
    vln_table_set_rows(table, 1);
    cr_expect(eq(sz, vln_table_count_duplicates(table), 0));
    vln_table_destroy(&table);
}

Test(vln_table, many_duplicates_are_counted_once_each)
{
    vln_table_t *table = vln_table_new();
    vln_column_t *number = vln_table_add(table, "number", VLN_TYPE_F64);
    vln_table_set_rows(table, 50000);
    for (size_t row = 0; row < 50000; row++) {
        vln_column_set_f64(number, row, (double)(row % 1234) / 7);
    }
    cr_expect(eq(sz, vln_table_count_duplicates(table), 50000 - 1234));
    vln_table_destroy(&table);
}

Test(vln_table, types_have_names)
{
    vln_type_t type = VLN_TYPE_F64;
    for (int i = VLN_TYPE_F64; i <= VLN_TYPE_STRING; i++) {
        cr_expect(vln_type_parse(vln_type_name((vln_type_t)i), &type));
        cr_expect(eq(int, (int)type, i));
    }
    cr_expect(not(vln_type_parse("float", &type)));
}
