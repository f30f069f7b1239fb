#include "validator_importance.h"

#include <stdlib.h>
#include <string.h>

#include "vln_digest.h"
#include "vln_draw.h"
#include "vln_rows.h"
#include "vln_stat.h"

enum { ROWS_MAX = 10000 };

/* ---- permutations ---- */

/* Fisher and Yates with splitmix64, begun by seed and name. */
static size_t *
make_permutation(const char *name, uint64_t seed, size_t count)
{
    uint8_t digest[VLN_DIGEST_BYTES];
    uint64_t state = 0;
    size_t *order = vln_calloc(count + 1, sizeof *order);
    vln_digest(name, strlen(name), digest);
    memcpy(&state, digest, sizeof state);
    state ^= seed;
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (size_t i = count; i > 1; i--) {
        size_t at = (size_t)(vln_draw_mix(&state) % i);
        size_t kept = order[i - 1];
        order[i - 1] = order[at];
        order[at] = kept;
    }
    return order;
}

/* The rows with the cells of one column in another order. */
static vln_table_t *
permute(const vln_table_t *table, const char *name, size_t rows, uint64_t seed)
{
    size_t count = vln_table_columns(table);
    const vln_column_t **columns = vln_calloc(count + 1, sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        columns[i] = vln_table_at(table, i);
    }
    size_t *order = make_permutation(name, seed, rows);
    vln_table_t *out = vln_rows_select_permuted(columns, count, rows, name, order);
    free(order);
    free(columns);
    return out;
}

/* ---- the metric ---- */

/* Lower is better: mean squared error, or the share of wrong classes. */
static double
measure(const check_predictions_t *predictions)
{
    const vln_truth_t *truth = &predictions->truth;
    size_t rows = predictions->result.rows;
    vln_sum_t sum = {0};
    if (truth->task == VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION) {
        for (size_t i = 0; i < rows; i++) {
            double error = truth->values[i] - (double)predictions->result.values[i];
            vln_sum_add(&sum, error * error);
        }
    } else {
        int32_t *classes = vln_calloc(rows + 1, sizeof *classes);
        vln_scores_classes(truth, &predictions->result, classes);
        for (size_t i = 0; i < rows; i++) {
            vln_sum_add(&sum, classes[i] != truth->codes[i]);
        }
        free(classes);
    }
    return rows > 0 ? vln_sum_total(&sum) / (double)rows : 0;
}

/* The first rows of what is known and was answered. */
static truth_t
cut_truth(const truth_t *truth, size_t rows)
{
    truth_t out = *truth;
    out.rows = rows;
    out.untold = 0;
    for (size_t i = 0; i < rows; i++) {
        out.untold += !truth->known[i];
    }
    return out;
}

vln_err_t
validator_importance(vln_task_t *task, const validator_importance_subject_t *subject,
                     check_importance_t *out, vln_outcome_t *outcome)
{
    size_t all = vln_table_rows(subject->table);
    size_t rows = all < ROWS_MAX ? all : ROWS_MAX;
    truth_t truth = cut_truth(subject->truth, rows);
    vln_sandbox_result_t base = *subject->answers;
    base.rows = rows;
    check_predictions_t before = truth_judge(&truth, &base, NULL, task->arena);
    bool regression = truth.all.task == VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION;
    *out = (check_importance_t){.metric_name =
                                    regression ? "mean squared error" : "share of wrong classes",
                                .metric = measure(&before),
                                .rows = before.result.rows};
    out->losses = vln_arena_alloc(task->arena, (subject->input_count + 1) * sizeof *out->losses);
    vln_sandbox_result_t answers = {0};
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < subject->input_count && err == VLN_OK; i++) {
        if (vln_task_is_stopped(task)) {
            break;
        }
        vln_table_t *table = permute(subject->table, subject->inputs[i], rows, subject->seed);
        err = vln_predictor_predict(subject->predictor, table, 0, rows, &answers, outcome);
        if (err == VLN_OK) {
            check_predictions_t after = truth_judge(&truth, &answers, NULL, task->arena);
            out->losses[out->count++] =
                (check_loss_t){subject->inputs[i], measure(&after) - out->metric};
        }
        vln_table_destroy(&table);
    }
    vln_sandbox_result_end(&answers);
    return err;
}
