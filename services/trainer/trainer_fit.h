/*
 * trainer_fit - a fit on behalf of a task, by vln_fit with the trainer's limits.
 */
#ifndef TRAINER_FIT_H
#define TRAINER_FIT_H

#include "vln_fit.h"

#include "trainer.h"

/* True: `out` is yours, by vln_fitted_end(). False: the task has been ended, or is of no use. */
bool trainer_fit_run(vln_worker_t *worker, vln_task_t *task, vln_fit_t *fit, vln_fitted_t *out);

#endif
