/* Operators of an ONNX graph that make numbers of categories: OneHotEncoder, LabelEncoder. */
#include <stdlib.h>
#include <string.h>

#include "vln_native_graph.h"

/* The only input, if it is one column of that kind. */
static const vln_symbol_t *
column_of(const vln_graph_t *self, const vln_graph_node_t *node, vln_symbol_kind_t kind)
{
    const vln_symbol_t *x = vln_graph_input(self, node, 0);
    return x && node->input_count == 1 && x->kind == kind && x->rank == 2 && x->count == 1 ? x
                                                                                           : NULL;
}

/* The texts of an attribute as categories. Of two that are equal, which one counts is a map's. */
static bool
take_categories(vln_graph_t *self, const vln_graph_node_t *node, const char *name, vln_step_t *step)
{
    vln_span_t *texts = NULL;
    size_t count = 0;
    bool good =
        vln_attribute_strings(node->message, name, VLN_MODEL_MAX_FEATURES, &texts, &count) &&
        count > 0 && count <= VLN_GRAPH_CATEGORIES - self->categories;
    self->categories += good ? count : 0;
    step->categories = vln_calloc(count + 1, sizeof *step->categories);
    for (size_t i = 0; good && i < count; i++) {
        char *category = vln_calloc(texts[i].size + 1, 1);
        memcpy(category, texts[i].size > 0 ? texts[i].at : (const uint8_t *)"", texts[i].size);
        good = strlen(category) == texts[i].size;
        for (size_t j = 0; j < step->category_count; j++) {
            good = good && strcmp(step->categories[j], category) != 0;
        }
        step->categories[step->category_count++] = category;
    }
    free(texts);
    return good;
}

/* What is none of the categories is zeros, and no error. */
static bool
allows_others(const vln_graph_node_t *node)
{
    int64_t zeros = 1;
    return vln_attribute_find(node->message, "zeros").size == 0 ||
           (vln_attribute_int(node->message, "zeros", &zeros) && zeros != 0);
}

/* The step makes so many columns; false if they are more than are covered. */
static bool
widen(vln_native_t *out, vln_step_t *step, size_t made)
{
    if (out->columns + made > VLN_NATIVE_MAX_COLUMNS) {
        return false;
    }
    step->made = made;
    out->columns += made;
    return true;
}

static bool
encode_texts(vln_graph_t *self, const vln_graph_node_t *node, const vln_symbol_t *x)
{
    size_t text = x->columns[0];
    vln_step_t *step = vln_native_step(self->out, VLN_STEP_ENCODE, 0);
    if (!step) {
        return false;
    }
    step->text = text;
    return take_categories(self, node, "cats_strings", step) &&
           widen(self->out, step, step->category_count) &&
           vln_graph_define_numbers(self, node->outputs[0], step->to, step->made, 3);
}

/* The least number is none of them, for it stands for what is no whole number. */
static bool
are_distinct(const int64_t *wholes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (wholes[j] == wholes[i]) {
                return false;
            }
        }
        if (wholes[i] == INT64_MIN) {
            return false;
        }
    }
    return count > 0;
}

static bool
encode_wholes(vln_graph_t *self, const vln_graph_node_t *node, const vln_symbol_t *x)
{
    size_t count = 0;
    uint32_t *from = vln_memdup(x->columns, sizeof *x->columns);
    vln_step_t *step = vln_native_step(self->out, VLN_STEP_ONE_HOT, 0);
    if (!step) {
        free(from);
        return false;
    }
    step->from = from;
    step->count = 1;
    return vln_attribute_ints(node->message, "cats_int64s", VLN_MODEL_MAX_FEATURES, &step->wholes,
                              &count) &&
           are_distinct(step->wholes, count) && widen(self->out, step, count) &&
           vln_graph_define_numbers(self, node->outputs[0], step->to, count, 3);
}

vln_err_t
vln_graph_read_one_hot(vln_graph_t *self, const vln_graph_node_t *node)
{
    static const vln_attribute_t of_texts[] = {{"cats_strings", VLN_ATTRIBUTE_STRINGS},
                                               {"zeros", VLN_ATTRIBUTE_INT}};
    static const vln_attribute_t of_wholes[] = {{"cats_int64s", VLN_ATTRIBUTE_INTS},
                                                {"zeros", VLN_ATTRIBUTE_INT}};
    const vln_symbol_t *texts = column_of(self, node, VLN_SYMBOL_TEXTS);
    const vln_symbol_t *numbers = column_of(self, node, VLN_SYMBOL_NUMBERS);
    bool good = allows_others(node);
    if (texts) {
        good = good && vln_attributes_known(node->message, of_texts, VLN_COUNT(of_texts)) &&
               encode_texts(self, node, texts);
    } else {
        good = good && numbers &&
               vln_attributes_known(node->message, of_wholes, VLN_COUNT(of_wholes)) &&
               encode_wholes(self, node, numbers);
    }
    return vln_graph_made(self, node, good);
}

vln_err_t
vln_graph_read_labels(vln_graph_t *self, const vln_graph_node_t *node)
{
    static const vln_attribute_t known[] = {{"keys_strings", VLN_ATTRIBUTE_STRINGS},
                                            {"values_floats", VLN_ATTRIBUTE_FLOATS},
                                            {"default_float", VLN_ATTRIBUTE_FLOAT}};
    const vln_symbol_t *x = column_of(self, node, VLN_SYMBOL_TEXTS);
    if (!x || self->ml_opset < 2 || !vln_attributes_known(node->message, known, VLN_COUNT(known))) {
        return vln_graph_made(self, node, false);
    }
    size_t text = x->columns[0];
    size_t count = 0;
    float other = 0;
    vln_step_t *step = vln_native_step(self->out, VLN_STEP_LOOK_UP, 1);
    bool good = step && take_categories(self, node, "keys_strings", step) &&
                vln_attribute_floats(node->message, "values_floats", VLN_MODEL_MAX_FEATURES,
                                     &step->a, &count) &&
                count == step->category_count &&
                vln_attribute_float(node->message, "default_float", &other) &&
                vln_graph_define_numbers(self, node->outputs[0], step->to, 1, 2);
    if (good) {
        step->text = text;
        step->b = vln_memdup(&other, sizeof other);
    }
    return vln_graph_made(self, node, good);
}
