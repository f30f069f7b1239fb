#include "made_up.h"

#include <string.h>

#include "vln_err.h"
#include "vln_types.h"

/* splitmix64 (Steele, Lea & Flood, OOPSLA 2014). */
static uint64_t
draw(uint64_t *state)
{
    uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* Three uniform numbers, shifted and stretched: nearly normal, of mean 0 and deviation 1. */
static double
draw_number(uint64_t *state)
{
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        sum += (double)(draw(state) >> 11) * 0x1p-53;
    }
    return 2 * sum - 3;
}

static void
fill_text(const Valion__V1__Column *input, uint64_t number, vln_column_t *out, size_t row)
{
    static const char *const letters[] = {"a", "b", "c"};
    const char *text = input->n_categories > 0 ? input->categories[number % input->n_categories]
                                               : letters[number % VLN_COUNT(letters)];
    vln_column_set_text(out, row, text, strlen(text));
}

static void
fill_cell(const Valion__V1__Column *input, uint64_t *state, vln_column_t *out, size_t row)
{
    switch (out->type) {
    case VLN_TYPE_F64:
        vln_column_set_f64(out, row, draw_number(state));
        break;
    case VLN_TYPE_I64:
        vln_column_set_i64(out, row, (int64_t)(draw(state) % 10));
        break;
    case VLN_TYPE_BOOL:
        vln_column_set_bool(out, row, draw(state) % 2 == 1);
        break;
    case VLN_TYPE_STRING:
        fill_text(input, draw(state), out, row);
        break;
    }
}

vln_table_t *
made_up_rows(const Valion__V1__Signature *signature, size_t rows, uint64_t seed)
{
    vln_table_t *table = vln_table_new();
    vln_table_set_rows(table, rows);
    for (size_t i = 0; i < signature->n_inputs; i++) {
        const Valion__V1__Column *input = signature->inputs[i];
        uint64_t state = seed ^ ((uint64_t)i << 32); /* a column does not move the others */
        vln_column_t *column =
            vln_table_add(table, input->name, vln_type_from_contract(input->type));
        for (size_t row = 0; column && row < rows; row++) {
            fill_cell(input, &state, column, row);
        }
    }
    return table;
}
