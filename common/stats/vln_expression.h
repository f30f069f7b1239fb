/*
 * vln_expression - "auc > 0.8 and drift.share < 0.2": conditions over named numbers.
 *
 *     or  and  not  < <= > >= == !=  + -  * /  - (of one)  ( )  abs(x)
 *
 * from loose to tight. Numbers are decimal. Names are letters, digits, `_` and `.`, not beginning
 * with a digit; any other stands in single quotes. A comparison is of two numbers and is not chained;
 * the whole is a condition, not a number. Nothing is called, nothing is stored, and there is no
 * recursion: what a text can cost is bounded by its length. Pure.
 */
#ifndef VLN_EXPRESSION_H
#define VLN_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

enum { VLN_EXPRESSION_MAX = 1000, VLN_EXPRESSION_STEPS = 256, VLN_EXPRESSION_WHY = 320 };

/* One of the steps, in the order in which they are done. */
typedef struct vln_expression_step {
    int what;      /* inside */
    double number; /* of a number */
    size_t at;     /* where in the text, from 0 */
    size_t size;   /* of a name */
} vln_expression_step_t;

/* A plain value; `text` is borrowed. */
typedef struct vln_expression {
    const char *text;
    vln_expression_step_t steps[VLN_EXPRESSION_STEPS];
    size_t count;
} vln_expression_t;

/* False: `why` says what is wrong and where, as "at character 7: …". */
bool vln_expression_parse(const char *text, vln_expression_t *out, char why[VLN_EXPRESSION_WHY]);

/* The number of that name; false: there is none. */
typedef bool vln_expression_find_fn(const void *context, const char *name, double *out);

/* Is it so? False: a name is not there, or a number is not finite, and `why` says which. */
bool vln_expression_eval(const vln_expression_t *self, vln_expression_find_fn *find,
                         const void *context, bool *result, char why[VLN_EXPRESSION_WHY]);

#endif
