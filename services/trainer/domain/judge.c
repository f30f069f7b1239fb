#include "judge.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vln_stat.h"

enum { TASKS = 3, OF_A_TASK = 4 };

/* clang-format off */
/* By task; the first is the default. */
static const judge_t judges[TASKS][OF_A_TASK] = {
    [VLN_RECIPE_REGRESSION] = {
        /* name      library     higher form */
        {"rmse",     "rmse",     false, JUDGE_AS_IT_IS},
        {"mae",      "mae",      false, JUDGE_AS_IT_IS},
        {"r2",       "rmse",     true,  JUDGE_R2},
    },
    [VLN_RECIPE_BINARY] = {
        {"log_loss", "logloss",  false, JUDGE_AS_IT_IS},
        {"roc_auc",  "auc",      true,  JUDGE_AS_IT_IS},
        {"accuracy", "error",    true,  JUDGE_COMPLEMENT},
    },
    [VLN_RECIPE_MULTICLASS] = {
        {"log_loss", "mlogloss", false, JUDGE_AS_IT_IS},
        {"accuracy", "merror",   true,  JUDGE_COMPLEMENT},
    },
};
/* clang-format on */

static void
refuse(const char *name, const judge_t *known, char why[JUDGE_WHY])
{
    int size = snprintf(why, JUDGE_WHY, "'%.64s' is no metric of this task; there are", name);
    for (size_t i = 0; i < OF_A_TASK && known[i].name; i++) {
        size += snprintf(why + size, JUDGE_WHY - (size_t)size, "%s %s", i > 0 ? "," : "",
                         known[i].name);
    }
}

bool
judge_find(const char *name, vln_recipe_task_t task, judge_t *out, char why[JUDGE_WHY])
{
    const judge_t *known = judges[task];
    bool is_default = !name || name[0] == '\0';
    for (size_t i = 0; i < OF_A_TASK && known[i].name; i++) {
        if (is_default || strcmp(known[i].name, name) == 0) {
            *out = known[i];
            return true;
        }
    }
    refuse(name, known, why);
    return false;
}

/* 1 - squared errors / squared distances from the mean. */
static double
r2_of(double rmse, const float *labels, size_t count)
{
    vln_sum_t sum = {0};
    vln_sum_t squares = {0};
    for (size_t i = 0; i < count; i++) {
        vln_sum_add(&sum, (double)labels[i]);
    }
    double mean = vln_sum_total(&sum) / (double)count;
    for (size_t i = 0; i < count; i++) {
        double distance = (double)labels[i] - mean;
        vln_sum_add(&squares, distance * distance);
    }
    double variance = vln_sum_total(&squares) / (double)count;
    return variance > 0 ? 1 - rmse * rmse / variance : NAN;
}

double
judge_value(const judge_t *self, double value, const float *labels, size_t count)
{
    switch (self->form) {
    case JUDGE_COMPLEMENT:
        return 1 - value;
    case JUDGE_R2:
        return r2_of(value, labels, count);
    default:
        return value;
    }
}

bool
judge_is_better(const judge_t *self, double value, double than)
{
    return self->higher ? value > than : value < than;
}

bool
judge_library_higher(const judge_t *self)
{
    return self->higher && self->form == JUDGE_AS_IT_IS;
}
