/*
 * trainer_columns - what a transform asks of each column, fitted on rows: which scaling or which
 * categories.
 */
#ifndef TRAINER_COLUMNS_H
#define TRAINER_COLUMNS_H

#include "vln_table.h"

#include "trainer.h"
#include "trainer_prepare.h"

/* What it is fitted on. */
typedef struct trainer_fitting {
    const Valion__V1__TransformSpec *spec;
    const vln_table_t *table;
    const size_t *rows;
    size_t count;
} trainer_fitting_t;

/*
 * Every column but the target and the dropped ones. Numbers that no row of the spec names pass through;
 * text has to be encoded. False, and the task ended with a sentence, where that cannot be. The result
 * is in the task's arena; its texts are the table's and the spec's.
 */
bool trainer_columns_fit(vln_task_t *task, const trainer_fitting_t *fitting, trainer_notes_t *notes,
                         trainer_preparation_t *out);

#endif
