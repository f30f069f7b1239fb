/*
 * Any bytes as a model file: it is read within its bounds or refused with a sentence; what was read
 * makes a signature, whose own names bind to it. And any bytes as a library's words: they become
 * one line of UTF-8.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vln_model.h"
#include "vln_sandbox_inside.h"
#include "vln_text.h"

enum { WORDS_ROOM = 300 };

static void
check_texts(const vln_model_t *model)
{
    for (size_t i = 0; i < model->feature_count; i++) {
        vln_assert(vln_text_is_utf8(model->features[i].name, strlen(model->features[i].name)));
    }
    for (size_t i = 0; i < model->class_count; i++) {
        vln_assert(strlen(model->classes[i]) <= VLN_MODEL_MAX_NAME);
    }
    vln_assert(!model->tail || model->score_output);
}

static void
check_binding(const vln_model_t *model, vln_arena_t *arena)
{
    char why[VLN_MODEL_WHY];
    vln_model_binding_t binding;
    const Valion__V1__Signature *signature = vln_model_signature(model, arena);
    size_t count = signature->n_inputs;
    vln_model_column_t *columns = vln_arena_alloc(arena, (count + 1) * sizeof *columns);
    vln_assert(count == model->feature_count);
    for (size_t i = 0; i < count; i++) {
        columns[i] = (vln_model_column_t){.name = signature->inputs[i]->name,
                                          .type = signature->inputs[i]->type};
    }
    vln_err_t err = vln_model_bind(signature, columns, count, arena, &binding, why);
    vln_assert((err == VLN_OK) == (why[0] == '\0'));
    for (size_t i = 0; err == VLN_OK && i < binding.count; i++) {
        vln_assert(binding.columns[i] < count);
    }
}

static void
check_words(const uint8_t *data, size_t size)
{
    char out[WORDS_ROOM];
    vln_sandbox_clean((const char *)data, size, out, sizeof out);
    vln_assert(strlen(out) < sizeof out && vln_text_is_utf8(out, strlen(out)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vln_arena_t *arena = vln_arena_new(VLN_MODEL_ARENA);
    vln_model_t model;
    char why[VLN_MODEL_WHY];
    vln_err_t err = vln_model_read(data, size, VLN_MODEL_AUTO, arena, &model, why);
    vln_assert((err == VLN_OK) == (why[0] == '\0'));
    if (err == VLN_OK) {
        check_texts(&model);
        check_binding(&model, arena);
    }
    check_words(data, size);
    vln_arena_destroy(&arena);
    return 0;
}
