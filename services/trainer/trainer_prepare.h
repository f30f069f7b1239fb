/*
 * trainer_prepare - a fitted preprocessor: what becomes of every column, what the prepared columns are
 * called, and all of it as one ONNX-ML file.
 *
 * The file takes one input a column, by its name: first those of numbers, then those of text. It gives
 * one matrix: the numbers, then what the texts became, each in the order of its inputs. The names are
 * in its properties (vln_part_name_columns). Pure.
 */
#ifndef TRAINER_PREPARE_H
#define TRAINER_PREPARE_H

#include "encoding.h"
#include "trainer_scaler.h"

/* Of one column of text: its code as a number, or a column of zeros and ones for each code. */
typedef struct trainer_encoder {
    const char *column;
    bool one_hot;
    encoding_t encoding;
} trainer_encoder_t;

typedef struct trainer_preparation {
    trainer_scaling_t *numbers;
    size_t number_count;
    trainer_encoder_t *texts;
    size_t text_count;
} trainer_preparation_t;

/* Columns that it gives. */
size_t trainer_prepare_width(const trainer_preparation_t *self);

/*
 * Their names, in the arena: a column that stays one keeps its name, a category's is "column=category",
 * the missing cells' is "column=" and the rest's "column=(rest)". Each is within what a table takes and
 * there once, and none is `reserved` (NULL: no name is): where two would be the same, the later one ends
 * with "#2" and so on.
 */
const char **trainer_prepare_names(const trainer_preparation_t *self, const char *reserved,
                                   vln_arena_t *arena);

/* The file; there is at least one column. No column's name begins with TRAINER_PREPARE_OWN. */
vln_part_t trainer_prepare_build(const trainer_preparation_t *self, const char *const *names);

/* Names of the file's own. */
#define TRAINER_PREPARE_OWN "valion/"

#endif
