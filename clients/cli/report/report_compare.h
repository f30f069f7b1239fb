/*
 * report_compare - what differs between two reports, and what many of them come to. Rows of text for
 * a list. Pure.
 */
#ifndef REPORT_COMPARE_H
#define REPORT_COMPARE_H

#include <valion/v1/evidence.pb-c.h>

#include "vln_mem.h"

enum { REPORT_COMPARE_CELLS = 8 }; /* at most, of a row */

/* A row; its texts live for the call. */
typedef void report_row_fn(void *context, const char *const cells[REPORT_COMPARE_CELLS]);

/* Rows of what, first, second, change: what the reports are about, their verdicts, checks and
 * metrics; what is the same is left out. */
void report_compare(const Valion__V1__Report *first, const Valion__V1__Report *second,
                    report_row_fn *row, void *context);

/* Verdicts by policy, then statuses by check. */
typedef struct report_summary report_summary_t;

/* Lies in the arena. */
report_summary_t *report_summary_new(vln_arena_t *arena);

/* The newest first; what is needed of it is copied. */
void report_summary_add(report_summary_t *self, const Valion__V1__Report *report);

/* Rows of what, reports, pass, warn, fail, inconclusive, last, pass rate. */
void report_summary_end(const report_summary_t *self, report_row_fn *row, void *context);

#endif
