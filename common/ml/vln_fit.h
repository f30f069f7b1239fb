/*
 * vln_fit - one fit in a process of its own (valion-fit), with limits and a clock.
 *
 * Blocks its thread until the fit has ended, was killed by the clock, or is of no more use. Links no
 * library that fits.
 */
#ifndef VLN_FIT_H
#define VLN_FIT_H

#include "vln_fold.h"
#include "vln_recipe.h"

enum { VLN_FIT_WHY = 640 };

/* Rows as numbers, row by row; NaN is a missing one. */
typedef struct vln_fit_numbers {
    float *cells; /* rows * columns; end with free() */
    float *labels;
    float *weights; /* NULL: all alike */
    size_t rows;
} vln_fit_numbers_t;

typedef struct vln_fit_config {
    const char *program;   /* path of valion-fit; NULL: beside this program */
    uint64_t memory_bytes; /* limit of its address space */
} vln_fit_config_t;

/* What is asked; borrowed. */
typedef struct vln_fit {
    const vln_recipe_t *recipe;
    size_t columns;
    const char *const *names; /* of the columns */
    const vln_fit_numbers_t *train;
    const vln_fit_numbers_t *held; /* NULL: none */
    const char *judge;   /* what `out->metric` is, by the library's name; NULL: the recipe's */
    uint32_t stop_after; /* rounds without getting better; 0: all of them */
    const char *stop_by; /* what has to get better; NULL: the recipe's metric */
    bool stop_by_higher; /* … which is better when higher */
    int64_t max_ms;
    bool (*is_stopped)(const void *context); /* asked ten times a second */
    const void *context;
} vln_fit_t;

typedef struct vln_fit_model {
    uint8_t *data; /* XGBoost's UBJ */
    size_t size;
} vln_fit_model_t;

typedef struct vln_fitted {
    vln_fit_model_t model;
    double *importance; /* total gain of each column */
    uint32_t rounds;
    bool has_metric;
    double metric; /* of the held-out rows */
} vln_fitted_t;

typedef enum vln_fit_ending {
    VLN_FIT_DONE,
    VLN_FIT_REFUSED, /* the library says no, and will again */
    VLN_FIT_CRASHED, /* a limit of memory or time, or a fault of the library */
    VLN_FIT_TIME,    /* ended by the clock */
    VLN_FIT_STOPPED, /* of no more use */
    VLN_FIT_ABSENT,  /* it cannot be started here; its log says why */
} vln_fit_ending_t;

/* DONE: `out` is yours, by vln_fitted_end(). Else `why` is a sentence, and `out` empty. */
vln_fit_ending_t vln_fit_run(const vln_fit_config_t *config, const vln_fit_t *fit,
                             vln_fitted_t *out, char why[VLN_FIT_WHY]);
void vln_fitted_end(vln_fitted_t *self);

/* A copy of the fold's rows, or of all others; weights are of those that are fitted, so a fold has none. */
vln_fit_numbers_t vln_fit_numbers_part(const vln_fit_numbers_t *all, size_t columns,
                                       vln_fold_t fold, bool inside);
void vln_fit_numbers_end(vln_fit_numbers_t *self);

#endif
