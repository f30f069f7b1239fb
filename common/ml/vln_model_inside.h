/*
 * vln_model_inside - what the readers of model files share. For vln_model*.c alone.
 */
#ifndef VLN_MODEL_INSIDE_H
#define VLN_MODEL_INSIDE_H

#include "vln_field.h"
#include "vln_model.h"

/* Write the sentence and return `err`. */
vln_err_t vln_model_refuse(char *why, vln_err_t err, const char *format, ...) VLN_PRINTF(3, 4);

/* A name or label out of the file: a copy in the arena, ended; NULL if it is empty, longer than
 * `max`, not UTF-8, or the arena is full. */
const char *vln_model_text(vln_span_t span, size_t max, vln_arena_t *arena);

/* Room for one more item behind `count` of them: `items` is malloc's. Never NULL. */
void *vln_model_grow(void *items, size_t count, size_t item_size);

/* The readers. `out->kind` is set; all else is zero. */
VLN_MUST_USE vln_err_t vln_model_read_onnx(vln_span_t file, vln_arena_t *arena, vln_model_t *out,
                                           char *why);
VLN_MUST_USE vln_err_t vln_model_read_xgboost(vln_span_t file, vln_arena_t *arena, vln_model_t *out,
                                              char *why);

#endif
