/*
 * vln_drift_inside - what the files of vln_drift share; nobody else includes it.
 */
#ifndef VLN_DRIFT_INSIDE_H
#define VLN_DRIFT_INSIDE_H

#include "vln_drift.h"

/* A result with its numbers of rows; undefined where a side is empty or not finite. */
vln_drift_t vln_drift_begin(const vln_sample_t *reference, const vln_sample_t *current);

void vln_drift_set_p(vln_drift_t *self, double p);
void vln_drift_set_undefined(vln_drift_t *self, vln_stat_why_t why);

#endif
