#include "trainer_prepare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_model.h"
#include "vln_table.h"

enum { OWN_NAME = 64, SUFFIX = 16 };

size_t
trainer_prepare_width(const trainer_preparation_t *self)
{
    size_t width = self->number_count;
    for (size_t i = 0; i < self->text_count; i++) {
        width += self->texts[i].one_hot ? encoding_width(&self->texts[i].encoding) : 1;
    }
    return width;
}

/* ---- names ---- */

typedef struct naming {
    const char **names;
    size_t count;
    vln_dict_t *taken;
    vln_arena_t *arena;
} naming_t;

/* At most `max` bytes of it, cut between characters; what a line cannot show is "_". */
static size_t
copy_plain(char *out, const char *text, size_t max)
{
    size_t size = strlen(text);
    if (size > max) {
        size = max;
        while (size > 0 && ((uint8_t)text[size] & 0xc0) == 0x80) {
            size--;
        }
    }
    memcpy(out, text, size);
    out[size] = '\0';
    for (size_t i = 0; i < size; i++) {
        if ((uint8_t)out[i] < 0x20 || out[i] == 0x7f) {
            out[i] = '_';
        }
    }
    return size;
}

static void
add_name(naming_t *self, const char *text)
{
    char name[VLN_TABLE_NAME_MAX + 1];
    size_t size = copy_plain(name, text, VLN_TABLE_NAME_MAX);
    for (size_t i = 2; vln_dict_find(self->taken, name, size) >= 0; i++) {
        size = copy_plain(name, text, VLN_TABLE_NAME_MAX - SUFFIX);
        size += (size_t)snprintf(name + size, SUFFIX, "#%zu", i);
    }
    vln_dict_add(self->taken, name, size);
    self->names[self->count++] = vln_arena_strdup(self->arena, name);
}

/* A category may be a long text: its beginning is enough. */
static void
add_category(naming_t *self, const char *column, const char *category)
{
    char name[2 * VLN_TABLE_NAME_MAX + 2] = "";
    size_t size = copy_plain(name, column, VLN_TABLE_NAME_MAX);
    name[size++] = '=';
    copy_plain(name + size, category, VLN_TABLE_NAME_MAX);
    add_name(self, name);
}

static void
add_encoded(naming_t *self, const trainer_encoder_t *text)
{
    if (!text->one_hot) {
        add_name(self, text->column);
        return;
    }
    for (size_t i = 0; i < text->encoding.count; i++) {
        add_category(self, text->column, text->encoding.categories[i]);
    }
    if (text->encoding.has_rest) {
        add_category(self, text->column, "(rest)");
    }
}

const char **
trainer_prepare_names(const trainer_preparation_t *self, const char *reserved, vln_arena_t *arena)
{
    naming_t naming = {.arena = arena, .taken = vln_dict_new()};
    naming.names = vln_arena_alloc(arena, (trainer_prepare_width(self) + 1) * sizeof *naming.names);
    if (reserved) {
        vln_dict_add(naming.taken, reserved, strlen(reserved));
    }
    for (size_t i = 0; i < self->number_count; i++) {
        add_name(&naming, self->numbers[i].column);
    }
    for (size_t i = 0; i < self->text_count; i++) {
        add_encoded(&naming, &self->texts[i]);
    }
    vln_dict_destroy(&naming.taken);
    return naming.names;
}

/* ---- nodes of a column of text ---- */

/* A column's name may hold what parts a list, so vln_part_node() is not for it. */
static vln_part_t
encoder_node(const char *op, const char *from, const char *to)
{
    vln_part_t node = {0};
    vln_part_text(&node, 1, from);
    vln_part_text(&node, 2, to);
    vln_part_text(&node, 4, op);
    vln_part_text(&node, 7, "ai.onnx.ml");
    return node;
}

/* Texts to codes; what fills a missing cell is what the empty text has the code of. */
static vln_part_t
code_node(const trainer_encoder_t *self, const char *to)
{
    const encoding_t *encoding = &self->encoding;
    const char **keys = vln_calloc(encoding->count + 2, sizeof *keys);
    float *codes = vln_calloc(encoding->count + 1, sizeof *codes);
    size_t count = 0;
    for (; count < encoding->count; count++) {
        keys[count] = encoding->categories[count];
        codes[count] = (float)count;
    }
    long missing = encoding->fill ? encoding_code(encoding, "") : -1;
    if (missing >= 0 && (size_t)missing < encoding->count) {
        keys[count] = "";
        codes[count++] = (float)missing;
    }
    vln_part_t node = encoder_node("LabelEncoder", self->column, to);
    vln_part_message(&node, 5, vln_part_texts("keys_strings", keys));
    vln_part_message(&node, 5, vln_part_floats("values_floats", codes, count));
    float other = encoding->has_rest ? (float)encoding->count : -1.0F;
    vln_part_message(&node, 5, vln_part_number("default_float", other));
    free(keys);
    free(codes);
    return node;
}

static vln_part_t
spread_codes_node(const trainer_encoder_t *self, const char *from, const char *to)
{
    size_t width = encoding_width(&self->encoding);
    int64_t *codes = vln_calloc(width + 1, sizeof *codes);
    for (size_t i = 0; i < width; i++) {
        codes[i] = (int64_t)i;
    }
    vln_part_t node = encoder_node("OneHotEncoder", from, to);
    vln_part_message(&node, 5, vln_part_ints("cats_int64s", codes, width));
    vln_part_message(&node, 5, vln_part_int("zeros", 1));
    free(codes);
    return node;
}

static vln_part_t
spread_texts_node(const trainer_encoder_t *self, const char *to)
{
    const encoding_t *encoding = &self->encoding;
    const char **texts = vln_calloc(encoding->count + 1, sizeof *texts);
    memcpy(texts, encoding->categories, encoding->count * sizeof *texts);
    vln_part_t node = encoder_node("OneHotEncoder", self->column, to);
    vln_part_message(&node, 5, vln_part_texts("cats_strings", texts));
    vln_part_message(&node, 5, vln_part_int("zeros", 1));
    free(texts);
    return node;
}

static void
own_name(char out[OWN_NAME], const char *what, size_t index)
{
    snprintf(out, OWN_NAME, TRAINER_PREPARE_OWN "%s/%zu", what, index);
}

/* A third dimension, of the categories, becomes the second. */
static void
add_flattening(vln_part_t *graph, size_t index, size_t width, const char *from, const char *to)
{
    char shape[OWN_NAME];
    char inputs[2 * OWN_NAME];
    own_name(shape, "shape", index);
    snprintf(inputs, sizeof inputs, "%s,%s", from, shape);
    const int64_t dims[] = {-1, (int64_t)width};
    vln_part_message(graph, 1, vln_part_node("Reshape", "", inputs, to));
    vln_part_message(graph, 5, vln_part_wholes(shape, dims, 2));
}

static void
add_text(vln_part_t *graph, const trainer_encoder_t *text, size_t index)
{
    char code[OWN_NAME];
    char spread[OWN_NAME];
    char out[OWN_NAME];
    own_name(code, "code", index);
    own_name(spread, "spread", index);
    own_name(out, "text", index);
    if (!text->one_hot) {
        vln_part_message(graph, 1, code_node(text, out));
        return;
    }
    if (text->encoding.has_rest || text->encoding.fill) {
        vln_part_message(graph, 1, code_node(text, code));
        vln_part_message(graph, 1, spread_codes_node(text, code, spread));
    } else {
        vln_part_message(graph, 1, spread_texts_node(text, spread));
    }
    add_flattening(graph, index, encoding_width(&text->encoding), spread, out);
}

/* ---- the file ---- */

static const char output[] = TRAINER_PREPARE_OWN "prepared";
static const char numbers[] = TRAINER_PREPARE_OWN "numbers";

static void
add_concat(vln_part_t *graph, const trainer_preparation_t *self)
{
    char name[OWN_NAME];
    vln_part_t node = {0};
    if (self->number_count > 0) {
        vln_part_text(&node, 1, numbers);
    }
    for (size_t i = 0; i < self->text_count; i++) {
        own_name(name, "text", i);
        vln_part_text(&node, 1, name);
    }
    vln_part_text(&node, 2, output);
    vln_part_text(&node, 4, "Concat");
    vln_part_message(&node, 5, vln_part_int("axis", 1));
    vln_part_message(graph, 1, node);
}

static void
add_inputs(vln_part_t *graph, const trainer_preparation_t *self)
{
    static const int64_t one[] = {-1, 1};
    for (size_t i = 0; i < self->number_count; i++) {
        vln_part_message(graph, 11,
                         vln_part_value(self->numbers[i].column, VLN_TENSOR_FLOAT, one, 2));
    }
    for (size_t i = 0; i < self->text_count; i++) {
        vln_part_message(graph, 11,
                         vln_part_value(self->texts[i].column, VLN_TENSOR_STRING, one, 2));
    }
}

vln_part_t
trainer_prepare_build(const trainer_preparation_t *self, const char *const *names)
{
    vln_part_t graph = {0};
    size_t width = trainer_prepare_width(self);
    if (self->number_count > 0) {
        trainer_scaler_add(&graph, self->numbers, self->number_count,
                           self->text_count > 0 ? numbers : output);
    }
    for (size_t i = 0; i < self->text_count; i++) {
        add_text(&graph, &self->texts[i], i);
    }
    if (self->text_count > 0) {
        add_concat(&graph, self);
    }
    vln_part_text(&graph, 2, "preprocessor");
    add_inputs(&graph, self);
    const int64_t all[] = {-1, (int64_t)width};
    vln_part_message(&graph, 12, vln_part_value(output, VLN_TENSOR_FLOAT, all, 2));
    vln_part_t model = vln_part_model("valion", graph);
    vln_part_name_columns(&model, names, width);
    return model;
}
