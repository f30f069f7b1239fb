#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_model.h"
#include "vln_model_inside.h"

enum { CONVERTED_MAX = 1024 };

/* ---- names ---- */

/* True for characters that are no part of a word and lie outside ASCII: signs, punctuation, arrows,
 * currencies, emoji. What converters call a word character is Unicode's; letters of all scripts
 * are. */
static bool
is_sign(uint32_t character)
{
    static const uint32_t ranges[][2] = {
        {0x80, 0xa9},     {0xab, 0xb1},     {0xb4, 0xb4},       {0xb6, 0xb8},     {0xbb, 0xbb},
        {0xbf, 0xbf},     {0xd7, 0xd7},     {0xf7, 0xf7},       {0x2000, 0x206f}, {0x207a, 0x207e},
        {0x208a, 0x208e}, {0x20a0, 0x20cf}, {0x2100, 0x2101},   {0x2103, 0x2106}, {0x2108, 0x2109},
        {0x2116, 0x2118}, {0x2190, 0x245f}, {0x2500, 0x2775},   {0x2794, 0x2bff}, {0x3000, 0x3004},
        {0x3008, 0x3020}, {0xfe50, 0xfe6b}, {0x1f000, 0x1faff},
    };
    for (size_t i = 0; i < VLN_COUNT(ranges); i++) {
        if (character >= ranges[i][0] && character <= ranges[i][1]) {
            return true;
        }
    }
    return false;
}

/* The next character of valid UTF-8; *size is its bytes. */
static uint32_t
character_at(const char *text, size_t *size)
{
    const uint8_t *at = (const uint8_t *)text;
    *size = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t value = *size == 1 ? at[0] : at[0] & (0xffu >> (*size + 1));
    for (size_t i = 1; i < *size && at[i]; i++) {
        value = value << 6 | (at[i] & 0x3fu);
    }
    return value;
}

static bool
is_word(uint32_t c)
{
    if (c < 0x80) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '_' || c == '+';
    }
    return !is_sign(c);
}

/* The name that ONNX converters give the input of a column: what is neither of a word nor "+"
 * becomes "_". */
static void
convert_name(const char *name, char out[CONVERTED_MAX])
{
    size_t used = 0;
    size_t size = 0;
    size_t length = strlen(name);
    for (size_t at = 0; at < length && used + 5 < CONVERTED_MAX; at += size) {
        uint32_t character = character_at(name + at, &size);
        size = size > length - at ? length - at : size;
        if (is_word(character)) {
            memcpy(out + used, name + at, size);
            used += size;
        } else {
            out[used++] = '_';
        }
    }
    out[used] = '\0';
}

/* True for the name of an input that has none: "…[i]". */
static bool
is_placeholder(const char *name, size_t i)
{
    char end[32];
    int size = snprintf(end, sizeof end, "[%zu]", i);
    size_t length = strlen(name);
    return length > (size_t)size && strcmp(name + length - (size_t)size, end) == 0;
}

/* ---- finding a column by name, among many ---- */

typedef struct entry {
    const char *name;
    size_t column;
} entry_t;

static int
compare_entries(const void *a, const void *b)
{
    const entry_t *left = a;
    const entry_t *right = b;
    int order = strcmp(left->name, right->name);
    if (order != 0) {
        return order;
    }
    return left->column < right->column ? -1 : left->column > right->column;
}

static entry_t *
sorted_names(const vln_model_column_t *columns, size_t count, bool converted, vln_arena_t *arena)
{
    entry_t *entries = vln_arena_alloc(arena, (count + 1) * sizeof *entries);
    char name[CONVERTED_MAX];
    for (size_t i = 0; i < count; i++) {
        entries[i] = (entry_t){.name = columns[i].name, .column = i};
        if (converted) {
            convert_name(columns[i].name, name);
            entries[i].name = vln_arena_strdup(arena, name);
        }
    }
    qsort(entries, count, sizeof *entries, compare_entries);
    return entries;
}

/* The first entry of that name, or NULL. */
static const entry_t *
find_name(const entry_t *entries, size_t count, const char *name)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(entries[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && strcmp(entries[low].name, name) == 0 ? &entries[low] : NULL;
}

static bool
is_double(const entry_t *entries, size_t count, const entry_t *found)
{
    const entry_t *next = found + 1;
    return next < entries + count && strcmp(next->name, found->name) == 0;
}

/* ---- types ---- */

static bool
is_whole(Valion__V1__ColumnType type)
{
    return type == VALION__V1__COLUMN_TYPE__COLUMN_TYPE_INT64 ||
           type == VALION__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL;
}

static const char *
type_word(Valion__V1__ColumnType type)
{
    if (type == VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING) {
        return "text";
    }
    return is_whole(type) ? "whole numbers" : "numbers";
}

static bool
type_fits(const Valion__V1__Column *input, const vln_model_column_t *column)
{
    bool input_text = input->type == VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING;
    bool column_text = column->type == VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING;
    if (input_text || column_text) {
        return input_text == column_text;
    }
    return !is_whole(input->type) || is_whole(column->type);
}

static vln_err_t
take_column(const Valion__V1__Column *input, const vln_model_column_t *column, size_t at, char *why)
{
    if (type_fits(input, column)) {
        return VLN_OK;
    }
    return vln_model_refuse(
        why, VLN_INVALID_ARGUMENT,
        "column \"%.128s\" holds %s; the model's input %zu, \"%.128s\", takes %s", column->name,
        type_word(column->type), at + 1, input->name, type_word(input->type));
}

/* ---- binding ---- */

typedef struct names {
    const entry_t *exact;
    const entry_t *converted;
    size_t count;
} names_t;

static vln_err_t
find_column(const names_t *names, const char *input, size_t *column, char *why)
{
    const entry_t *found = find_name(names->exact, names->count, input);
    const entry_t *list = names->exact;
    if (!found) {
        found = find_name(names->converted, names->count, input);
        list = names->converted;
    }
    if (!found) {
        return vln_model_refuse(why, VLN_INVALID_ARGUMENT,
                                "the model's input \"%.200s\" is not among the columns", input);
    }
    if (is_double(list, names->count, found)) {
        return vln_model_refuse(why, VLN_INVALID_ARGUMENT,
                                "two columns fit the model's input \"%.200s\"", input);
    }
    *column = found->column;
    return VLN_OK;
}

static vln_err_t
bind_by_name(const Valion__V1__Signature *signature, const vln_model_column_t *columns,
             const names_t *names, vln_model_binding_t *out, char *why)
{
    for (size_t i = 0; i < out->count; i++) {
        const Valion__V1__Column *input = signature->inputs[i];
        vln_err_t err = find_column(names, input->name, &out->columns[i], why);
        if (err == VLN_OK) {
            err = take_column(input, &columns[out->columns[i]], i, why);
        }
        if (err != VLN_OK) {
            return err;
        }
    }
    return VLN_OK;
}

static vln_err_t
bind_by_order(const Valion__V1__Signature *signature, const vln_model_column_t *columns,
              size_t count, vln_model_binding_t *out, char *why)
{
    if (count != out->count) {
        const char *which = count > out->count ? columns[out->count].name : NULL;
        return vln_model_refuse(
            why, VLN_INVALID_ARGUMENT,
            "the model names no inputs, so columns are taken in order: it takes %zu, there are "
            "%zu%s%.128s%s",
            out->count, count, which ? "; the first too many is \"" : "", which ? which : "",
            which ? "\"" : "");
    }
    out->order_assumed = true;
    for (size_t i = 0; i < count; i++) {
        out->columns[i] = i;
        vln_err_t err = take_column(signature->inputs[i], &columns[i], i, why);
        if (err != VLN_OK) {
            return err;
        }
    }
    return VLN_OK;
}

static bool
has_names(const Valion__V1__Signature *signature)
{
    for (size_t i = 0; i < signature->n_inputs; i++) {
        if (!is_placeholder(signature->inputs[i]->name, i)) {
            return true;
        }
    }
    return false;
}

static size_t
count_unused(const vln_model_binding_t *binding, size_t count, vln_arena_t *arena)
{
    bool *used = vln_arena_alloc(arena, count + 1);
    size_t unused = count;
    for (size_t i = 0; i < binding->count; i++) {
        unused -= used[binding->columns[i]] ? 0 : 1;
        used[binding->columns[i]] = true;
    }
    return unused;
}

vln_err_t
vln_model_bind(const Valion__V1__Signature *signature, const vln_model_column_t *columns,
               size_t count, vln_arena_t *arena, vln_model_binding_t *out, char why[VLN_MODEL_WHY])
{
    *out = (vln_model_binding_t){.count = signature->n_inputs};
    why[0] = '\0';
    if (out->count == 0) {
        return vln_model_refuse(why, VLN_INVALID_ARGUMENT,
                                "the model does not say how many inputs it takes");
    }
    for (size_t i = 0; i < out->count; i++) {
        if (!signature->inputs[i]->name) {
            return vln_model_refuse(why, VLN_INVALID_ARGUMENT,
                                    "input %zu of the signature has no name", i + 1);
        }
    }
    out->columns = vln_arena_alloc(arena, out->count * sizeof *out->columns);
    names_t names = {
        .exact = sorted_names(columns, count, false, arena),
        .converted = sorted_names(columns, count, true, arena),
        .count = count,
    };
    /* A data set may well have a column "x[0]": names that are all there are names. */
    bool by_name = has_names(signature) ||
                   find_name(names.exact, names.count, signature->inputs[0]->name) != NULL;
    vln_err_t err = by_name ? bind_by_name(signature, columns, &names, out, why)
                            : bind_by_order(signature, columns, count, out, why);
    if (err == VLN_OK) {
        out->ignored = count_unused(out, count, arena);
    }
    return err;
}
