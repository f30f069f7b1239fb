/*
 * trainer_split - the rows of a data set, parted as a spec says: at random, by strata or by time.
 */
#ifndef TRAINER_SPLIT_H
#define TRAINER_SPLIT_H

#include "vln_dataset.h"

#include "split.h"
#include "trainer.h"

/* Both: false, and the task ended with a sentence, where that cannot be. `spec` NULL: the defaults. */

/* What can be told without the data. */
bool trainer_split_check(vln_task_t *task, const Valion__V1__Split *spec);

/* Rows from 0, of the data set's own; `out->rows` are yours, by free(). */
bool trainer_split_make(vln_task_t *task, const Valion__V1__Split *spec, const vln_dataset_t *data,
                        trainer_notes_t *notes, split_t *out);

#endif
