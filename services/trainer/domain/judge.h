/*
 * judge - the metrics by which fits are compared: what libxgboost calls them, which way is better, and
 * what its number says. Pure.
 */
#ifndef JUDGE_H
#define JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "vln_recipe.h"

enum { JUDGE_WHY = 256 };

typedef enum judge_form {
    JUDGE_AS_IT_IS,
    JUDGE_COMPLEMENT, /* of 1 */
    JUDGE_R2,         /* of the root of the mean squared error */
} judge_form_t;

typedef struct judge {
    const char *name;    /* "r2" */
    const char *library; /* "rmse" */
    bool higher;         /* is better */
    judge_form_t form;
} judge_t;

/* By its name, as reports have it; NULL or "" is what a fit makes small. False, with a sentence that
 * names what there is, if the task has no such metric. */
bool judge_find(const char *name, vln_recipe_task_t task, judge_t *out, char why[JUDGE_WHY]);

/* The metric of rows with these labels for which the library has `value`; NaN where it is not defined. */
double judge_value(const judge_t *self, double value, const float *labels, size_t count);

bool judge_is_better(const judge_t *self, double value, double than);

/* True if the library's own number is better when higher. */
bool judge_library_higher(const judge_t *self);

#endif
