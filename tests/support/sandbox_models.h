/*
 * sandbox_models - XGBoost models for tests and benchmarks of the sandbox, trained here and now by
 * the library itself, and that library's own answers in this very process.
 */
#ifndef SANDBOX_MODELS_H
#define SANDBOX_MODELS_H

#include <stddef.h>
#include <stdint.h>

typedef struct sandbox_recipe {
    const char *objective;
    const char *booster; /* NULL: gbtree */
    const char *format;  /* "ubj" or "json" */
    size_t classes;      /* of multi: */
    size_t features;
    size_t rows;
    int rounds;
    int depth;
    size_t parallel;          /* trees a round; 0: one. Each then sees half the rows */
    const char *const *names; /* of the features; NULL: none */
} sandbox_recipe_t;

typedef struct sandbox_file {
    uint8_t *bytes; /* end with free() */
    size_t size;
} sandbox_file_t;

/* Numbers that look random and are always the same; one in 16 is NaN. Yours, by free(). */
float *sandbox_rows(size_t rows, size_t features);

sandbox_file_t sandbox_train(const sandbox_recipe_t *recipe);

/* What the library answers when it is called directly, `*width` numbers a row. Yours, by free(). */
float *sandbox_direct(const sandbox_file_t *file, const float *rows, size_t count, size_t features,
                      size_t *width);

#endif
