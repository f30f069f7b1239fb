/*
 * vln_samples - the sample rows that travel with a version: made when it is registered, answered
 * again wherever it is to serve. The same files give the same bits, so any difference is a fault.
 *
 * Knows neither files nor network. Any thread.
 */
#ifndef VLN_SAMPLES_H
#define VLN_SAMPLES_H

#include <valion/v1/evidence.pb-c.h>

#include "vln_predictor.h"

enum { VLN_SAMPLES_MAX = 64, VLN_SAMPLES_BYTES_MAX = 4 * 1024 * 1024 };

/* Rows of a table by their numbers; of those columns that the signature takes. In the arena. Answers
 * are to be put in by vln_samples_answer(). */
Valion__V1__Samples *vln_samples_take(const Valion__V1__Signature *signature,
                                      const vln_table_t *table, const size_t *rows, size_t count,
                                      vln_arena_t *arena);

/* The rows as a table; NULL, and `why` says what is wrong, if the message makes no sense. */
vln_table_t *vln_samples_table(const Valion__V1__Samples *samples, char why[VLN_MODEL_WHY]);

/* Ask the version, and put its answers in. As vln_predictor_predict(); a model that gives no finite
 * numbers for its samples is FAILED_PRECONDITION. */
VLN_MUST_USE vln_err_t vln_samples_answer(Valion__V1__Samples *samples, vln_predictor_t *predictor,
                                          vln_arena_t *arena, vln_outcome_t *outcome);

/* Ask again and compare, bit for bit. DATA_LOSS: the outcome's sentence says which row differs, and
 * by how much. */
VLN_MUST_USE vln_err_t vln_samples_check(const Valion__V1__Samples *samples,
                                         vln_predictor_t *predictor, vln_outcome_t *outcome);

#endif
