#include "validator_baseline.h"

#include <math.h>
#include <string.h>

#include "vln_drift.h"
#include "vln_stat.h"

static const struct {
    const char *name;
    Valion__V1__Stage stage;
} stages[] = {
    {"development", VALION__V1__STAGE__STAGE_DEVELOPMENT},
    {"staging", VALION__V1__STAGE__STAGE_STAGING},
    {"production", VALION__V1__STAGE__STAGE_PRODUCTION},
    {"archived", VALION__V1__STAGE__STAGE_ARCHIVED},
};

/* What one baseline is read with. */
typedef struct reading {
    vln_worker_t *worker;
    vln_task_t *task;
    const validator_candidate_t *candidate;
    validator_version_t version;
    check_baseline_t *out;
} reading_t;

/* ---- finding ---- */

static Valion__V1__Stage
parse_stage(const char *name)
{
    for (size_t i = 0; i < VLN_COUNT(stages); i++) {
        if (strcmp(stages[i].name, name) == 0) {
            return stages[i].stage;
        }
    }
    return VALION__V1__STAGE__STAGE_UNSPECIFIED;
}

/* The highest version in the stage; NULL: none, or `*err` says why nobody knows. */
static const char *
find_in_stage(reading_t *self, Valion__V1__Stage stage, vln_err_t *err)
{
    Valion__V1__ListVersionsRequest request = VALION__V1__LIST_VERSIONS_REQUEST__INIT;
    Valion__V1__Page page = VALION__V1__PAGE__INIT;
    page.has_size = 1;
    page.size = 1;
    request.model = (char *)(uintptr_t)self->candidate->model;
    request.has_stage = request.has_include_prerelease = 1;
    request.stage = stage;
    request.include_prerelease = 1;
    request.page = &page;
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "ListVersions",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__list_versions_reply__descriptor};
    vln_reply_t reply;
    const char *found = NULL;
    *err = vln_worker_call(self->worker, self->task, NULL, spec, &reply);
    if (*err == VLN_OK) {
        const Valion__V1__ListVersionsReply *list = (const void *)reply.message;
        found = list->n_versions > 0 && list->versions[0]->version
                    ? vln_arena_strdup(self->task->arena, list->versions[0]->version)
                    : NULL;
    }
    vln_reply_wipe(&reply);
    return found;
}

static vln_err_t
find_version(reading_t *self, const char *version, const char *alias)
{
    const validator_version_key_t key = {self->candidate->model, version, alias};
    validator_version_end(&self->version);
    return validator_version_find(self->worker, self->task, &key, &self->version);
}

/* By stage, else as a version, else as an alias. */
static vln_err_t
find(reading_t *self, const char *name)
{
    Valion__V1__Stage stage = parse_stage(name);
    if (stage != VALION__V1__STAGE__STAGE_UNSPECIFIED) {
        vln_err_t err = VLN_OK;
        const char *version = find_in_stage(self, stage, &err);
        return err == VLN_OK && !version ? VLN_NOT_FOUND
               : err == VLN_OK           ? find_version(self, version, NULL)
                                         : err;
    }
    vln_err_t err = find_version(self, name, NULL);
    return err == VLN_NOT_FOUND || err == VLN_INVALID_ARGUMENT ? find_version(self, NULL, name)
                                                               : err;
}

/* ---- asking ---- */

/* The baseline is of no use; the check that needs it says so. */
static bool
give_up(reading_t *self, const char *why)
{
    self->out->version = NULL;
    self->out->why = vln_arena_strdup(self->task->arena, why);
    return true;
}

static bool
end_or_give_up(reading_t *self, vln_err_t err, const char *why)
{
    if (vln_err_is_transient(err)) {
        vln_worker_fail(self->task, err, "the baseline", why);
        return false;
    }
    return give_up(self, why);
}

static void
compare(reading_t *self, const vln_sandbox_result_t *answers)
{
    const validator_candidate_t *candidate = self->candidate;
    vln_arena_t *arena = self->task->arena;
    size_t unusable = 0;
    const bool *own = truth_usable(candidate->truth, candidate->answers, arena, &unusable);
    const bool *others = truth_usable(candidate->truth, answers, arena, &unusable);
    self->out->candidate = truth_judge(candidate->truth, candidate->answers, others, arena);
    self->out->other = truth_judge(candidate->truth, answers, own, arena);
}

static bool
predict(reading_t *self)
{
    vln_outcome_t outcome;
    vln_sandbox_result_t answers = {0};
    char why[TRUTH_WHY];
    const vln_table_t *table = self->candidate->table;
    vln_err_t err = vln_predictor_predict(self->version.opened.predictor, table, 0,
                                          vln_table_rows(table), &answers, &outcome);
    bool ok = true;
    if (err != VLN_OK) {
        validator_note_outcome(self->worker, &outcome);
        validator_version_distrust(&self->version);
        ok = end_or_give_up(self, err, outcome.sentence);
    } else if (truth_fits(self->candidate->truth, &answers, why) != VLN_OK) {
        ok = give_up(self, why);
    } else {
        compare(self, &answers);
    }
    vln_sandbox_result_end(&answers);
    return ok;
}

/* Both answer with the same classes, in the same order. */
static bool
is_same_question(const Valion__V1__Signature *left, const Valion__V1__Signature *right)
{
    if (left->task != right->task || left->n_classes != right->n_classes) {
        return false;
    }
    for (size_t i = 0; i < left->n_classes; i++) {
        if (strcmp(left->classes[i], right->classes[i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool
ask(reading_t *self)
{
    char why[VLN_ARTIFACTS_WHY];
    vln_outcome_t outcome;
    const Valion__V1__Version *record = self->version.record;
    if (!record->signature || !is_same_question(record->signature, self->candidate->signature)) {
        return give_up(self, "it has no signature, or one for another task or other classes");
    }
    vln_sandbox_t *sandbox = validator_sandbox(self->worker, self->task);
    if (!sandbox) {
        return false;
    }
    vln_err_t err =
        validator_version_ready(self->worker, sandbox, VALION__V1__ENGINE__ENGINE_UNSPECIFIED,
                                &self->version, &outcome, why);
    if (err != VLN_OK && !outcome.sentence[0]) {
        return end_or_give_up(self, err, why);
    }
    if (err != VLN_OK) {
        validator_note_outcome(self->worker, &outcome);
        return end_or_give_up(self, err, outcome.sentence);
    }
    return predict(self);
}

bool
validator_baseline_read(vln_worker_t *worker, vln_task_t *task,
                        const validator_candidate_t *candidate, const char *name,
                        check_baseline_t *out)
{
    reading_t self = {.worker = worker, .task = task, .candidate = candidate, .out = out};
    *out = (check_baseline_t){.asked = vln_arena_strdup(task->arena, name)};
    vln_err_t err = find(&self, name);
    bool ok = true;
    if (err == VLN_OK) {
        const Valion__V1__Version *record = self.version.record;
        out->version = vln_arena_strdup(task->arena, record->version);
        out->digest.len = VLN_DIGEST_BYTES;
        out->digest.data = vln_arena_memdup(task->arena, record->digest.data, VLN_DIGEST_BYTES);
        out->same = memcmp(record->digest.data, candidate->digest.data, VLN_DIGEST_BYTES) == 0;
        ok = out->same || ask(&self);
    } else if (vln_err_is_transient(err)) {
        ok = end_or_give_up(&self, err, self.version.reply.why);
    } else {
        ok =
            give_up(&self, vln_arena_printf(task->arena,
                                            "the model has no version, alias or stage '%s'", name));
    }
    validator_version_end(&self.version);
    return ok;
}

/* ---- as the report has it ---- */

/* How far the two versions' predictions lie apart: what a canary will see without any fault. */
static void
set_distance(const check_baseline_t *self, vln_arena_t *arena, Valion__V1__BaselineResult *out)
{
    const vln_sandbox_result_t *own = &self->candidate.result;
    const vln_sandbox_result_t *other = &self->other.result;
    size_t rows = own->rows;
    bool numbers = own->width == 1 && other->width == 1;
    vln_sum_t sum = {0};
    for (size_t i = 0; numbers && i < rows; i++) {
        vln_sum_add(&sum, (double)own->values[i] - (double)other->values[i]);
    }
    out->has_prediction_mean_difference = numbers;
    out->prediction_mean_difference = numbers ? vln_sum_total(&sum) / (double)rows : 0;
    size_t classes = self->candidate.truth.classes;
    if (!self->candidate.truth.codes) {
        return;
    }
    int32_t *said = vln_arena_alloc(arena, rows * sizeof *said + 1);
    uint64_t *counts = vln_arena_alloc(arena, 2 * classes * sizeof *counts + 1);
    for (size_t side = 0; side < 2; side++) {
        vln_scores_classes(&self->candidate.truth, side == 0 ? own : other, said);
        for (size_t i = 0; i < rows; i++) {
            counts[side * classes + (size_t)said[i]]++;
        }
    }
    vln_drift_t distance = vln_drift_total_variation(counts, counts + classes, classes);
    out->has_prediction_total_variation = distance.defined;
    out->prediction_total_variation = distance.statistic;
}

/* The check's own number "metric_what"; false: it has none. */
static bool
find_number(const Valion__V1__CheckResult *check, const char *metric, const char *what, double *out)
{
    size_t size = strlen(metric);
    for (size_t i = 0; i < check->n_numbers; i++) {
        const char *key = check->numbers[i]->key;
        if (strncmp(key, metric, size) == 0 && key[size] == '_' &&
            strcmp(key + size + 1, what) == 0) {
            *out = check->numbers[i]->value;
            return true;
        }
    }
    return false;
}

static void
set_significance(const Valion__V1__CheckResult *check, const char *metric,
                 Valion__V1__BaselineResult *out)
{
    out->has_ci_low = find_number(check, metric, "difference_low", &out->ci_low);
    out->has_ci_high = find_number(check, metric, "difference_high", &out->ci_high);
    out->has_p_value = find_number(check, metric, "difference_p", &out->p_value);
    out->has_detectable = find_number(check, metric, "difference_detectable", &out->detectable);
}

Valion__V1__BaselineResult *
validator_baseline_report(const check_baseline_t *self, const char *metric,
                          const Valion__V1__CheckResult *check, vln_arena_t *arena)
{
    Valion__V1__BaselineResult *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__baseline_result__init(out);
    out->version = vln_arena_strdup(arena, self->version);
    out->has_digest = 1;
    out->digest = self->digest;
    out->metric = vln_arena_strdup(arena, metric);
    if (self->same || self->candidate.result.rows == 0) {
        return out;
    }
    double own = vln_scores_get(&self->candidate.scores, metric, NAN);
    double other = vln_scores_get(&self->other.scores, metric, NAN);
    out->has_candidate = isfinite(own);
    out->candidate = out->has_candidate ? own : 0;
    out->has_baseline = isfinite(other);
    out->baseline = out->has_baseline ? other : 0;
    out->has_difference = out->has_candidate && out->has_baseline;
    out->difference = out->has_difference ? own - other : 0;
    set_distance(self, arena, out);
    set_significance(check, metric, out);
    return out;
}
