#include "trainer_choose.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_fold.h"
#include "vln_log.h"
#include "vln_time.h"

#include "judge.h"
#include "search.h"

enum { EARLY_ROUNDS = 50, MAX_THREADS = 64, TRIALS_SHOWN = 32, FOLDS_MAX = 20, DEFAULT_SEED = 42 };

/* Of one choice. */
typedef struct choosing {
    vln_worker_t *worker;
    vln_task_t *task;
    const trainer_contest_t *contest;
    trainer_chosen_t *out;
    int64_t started_ms;
    judge_t judge;   /* compares the fits */
    judge_t stopper; /* ends one early */
    size_t folds;    /* 0: none */
    size_t fits;     /* in all, for the progress */
    size_t fitted;
    double best;
    bool any;
    Valion__V1__Trial **trials;
    size_t trial_count;
} choosing_t;

/* ---- what is asked for ---- */

static const struct {
    Valion__V1__Algorithm asked;
    vln_recipe_algorithm_t algorithm;
} algorithms[] = {
    {VALION__V1__ALGORITHM__ALGORITHM_GRADIENT_BOOSTING, VLN_RECIPE_GRADIENT_BOOSTING},
    {VALION__V1__ALGORITHM__ALGORITHM_RANDOM_FOREST, VLN_RECIPE_RANDOM_FOREST},
    {VALION__V1__ALGORITHM__ALGORITHM_ELASTIC_NET, VLN_RECIPE_ELASTIC_NET},
};

static size_t
algorithm_count(const Valion__V1__TrainSpec *spec)
{
    return spec->n_algorithms > 0 ? spec->n_algorithms : 1;
}

/* The index-th that is asked for; false if nobody here knows it. */
static bool
find_algorithm(const Valion__V1__TrainSpec *spec, size_t index, vln_recipe_algorithm_t *out)
{
    *out = VLN_RECIPE_GRADIENT_BOOSTING;
    for (size_t i = 0; i < VLN_COUNT(algorithms) && spec->n_algorithms > 0; i++) {
        if (algorithms[i].asked == spec->algorithms[index]) {
            *out = algorithms[i].algorithm;
            return true;
        }
    }
    return spec->n_algorithms == 0;
}

static bool
has_range(const Valion__V1__TrainSpec *spec, vln_recipe_algorithm_t algorithm)
{
    for (size_t i = 0; spec->search && i < spec->search->n_ranges; i++) {
        if (vln_recipe_knows(algorithm, spec->search->ranges[i]->name)) {
            return true;
        }
    }
    return false;
}

/* A range that none of the algorithms has a use for. */
static const char *
find_useless(const Valion__V1__TrainSpec *spec)
{
    for (size_t i = 0; i < spec->search->n_ranges; i++) {
        bool used = false;
        for (size_t at = 0; at < algorithm_count(spec) && !used; at++) {
            vln_recipe_algorithm_t algorithm;
            used = find_algorithm(spec, at, &algorithm) &&
                   vln_recipe_knows(algorithm, spec->search->ranges[i]->name);
        }
        if (!used) {
            return spec->search->ranges[i]->name;
        }
    }
    return NULL;
}

static bool
check_search(vln_task_t *task, const Valion__V1__TrainSpec *spec)
{
    char why[SEARCH_WHY];
    if (!search_check(spec->search, why)) {
        vln_task_fail(task, false, "%s", why);
        return false;
    }
    const char *useless = find_useless(spec);
    if (useless) {
        vln_task_fail(task, false, "search: none of the algorithms has a hyperparameter '%.64s'",
                      useless);
        return false;
    }
    return true;
}

bool
trainer_check_contest(vln_task_t *task, const Valion__V1__TrainSpec *spec)
{
    for (size_t i = 0; i < spec->n_algorithms; i++) {
        vln_recipe_algorithm_t algorithm;
        if (!find_algorithm(spec, i, &algorithm)) {
            vln_task_fail(task, false, "algorithm %d is not known here", (int)spec->algorithms[i]);
            return false;
        }
    }
    if (spec->has_cv_folds && (spec->cv_folds < 2 || spec->cv_folds > FOLDS_MAX)) {
        vln_task_fail(task, false, "cv_folds: 2 to %d, or leave it out", FOLDS_MAX);
        return false;
    }
    return !spec->search || check_search(task, spec);
}

/* ---- recipes ---- */

static uint64_t
seed_of(const Valion__V1__TrainSpec *spec)
{
    return spec->has_seed ? spec->seed : DEFAULT_SEED;
}

static bool
set(choosing_t *self, vln_recipe_t *recipe, vln_recipe_algorithm_t algorithm,
    const Valion__V1__KeyValue *pair)
{
    char why[VLN_RECIPE_WHY];
    if (!vln_recipe_set(recipe, algorithm, pair->key ? pair->key : "", pair->value, why)) {
        vln_task_fail(self->task, false, "%s", why);
        return false;
    }
    return true;
}

/* What was given, and then what the trial draws; what it drew is in `drawn`. */
static bool
make_recipe(choosing_t *self, vln_recipe_algorithm_t algorithm, uint32_t number, vln_recipe_t *out,
            Valion__V1__Trial *trial)
{
    const Valion__V1__TrainSpec *spec = self->contest->spec;
    const trainer_target_t *target = self->contest->target;
    vln_arena_t *arena = self->task->arena;
    const vln_recipe_terms_t terms = {
        .algorithm = algorithm,
        .task = target->task,
        .classes = target->class_count,
        .seed = seed_of(spec),
        .threads = spec->threads > 0 && spec->threads < MAX_THREADS ? spec->threads : 1};
    vln_recipe_begin(out, &terms);
    for (size_t i = 0; i < spec->n_hyperparameters; i++) {
        if (!set(self, out, algorithm, spec->hyperparameters[i])) {
            return false;
        }
    }
    trial->hyperparameters = vln_arena_alloc(arena, (SEARCH_RANGES_MAX + 1) * sizeof(void *));
    for (size_t i = 0; number > 0 && i < spec->search->n_ranges; i++) {
        char value[SEARCH_VALUE];
        Valion__V1__KeyValue *pair = vln_arena_alloc(arena, sizeof *pair);
        if (!vln_recipe_knows(algorithm, spec->search->ranges[i]->name)) {
            continue;
        }
        valion__v1__key_value__init(pair);
        pair->key = spec->search->ranges[i]->name;
        pair->value =
            vln_arena_strdup(arena, search_draw(spec->search, seed_of(spec), number, i, value));
        trial->hyperparameters[trial->n_hyperparameters++] = pair;
        if (!set(self, out, algorithm, pair)) {
            return false;
        }
    }
    return true;
}

/* ---- fits ---- */

static int64_t
time_asked(const choosing_t *self)
{
    const trainer_slot_t *slot = self->worker->own;
    const Valion__V1__TrainSpec *spec = self->contest->spec;
    int64_t most = slot->trainer->config->max_fit_s * 1000;
    int64_t asked =
        spec->has_max_duration_ms && spec->max_duration_ms > 0 ? spec->max_duration_ms : most;
    return asked < most ? asked : most;
}

static int64_t
time_left(const choosing_t *self)
{
    int64_t task_left = self->task->deadline_ms - vln_mono_ms();
    int64_t most = time_asked(self);
    return task_left < most ? task_left : most;
}

/* The library's number becomes the judge's. */
static bool
judge_fit(choosing_t *self, const vln_fit_numbers_t *held, vln_fitted_t *fitted)
{
    fitted->metric = judge_value(&self->judge, fitted->metric, held->labels, held->rows);
    if (isfinite(fitted->metric)) {
        return true;
    }
    vln_task_fail(self->task, false,
                  "%s is not defined for held-out rows that all have the same target",
                  self->judge.name);
    vln_fitted_end(fitted);
    return false;
}

static bool
fit_once(choosing_t *self, const vln_recipe_t *recipe, const vln_fit_numbers_t *train,
         const vln_fit_numbers_t *held, vln_fitted_t *out)
{
    const trainer_contest_t *contest = self->contest;
    const Valion__V1__EarlyStopping *early = contest->spec->early_stopping;
    vln_fit_t fit = {.recipe = recipe,
                     .columns = contest->features->columns,
                     .names = (const char *const *)contest->features->names,
                     .train = train,
                     .held = held,
                     .judge = self->judge.library,
                     .stop_by = self->stopper.library,
                     .stop_by_higher = judge_library_higher(&self->stopper),
                     .stop_after = !early || !recipe->stops_early ? 0
                                   : early->rounds > 0            ? early->rounds
                                                                  : EARLY_ROUNDS,
                     .max_ms = time_left(self)};
    bool good = trainer_fit_run(self->worker, self->task, &fit, out);
    self->fitted++;
    vln_task_progress(self->task, 0.1 + 0.7 * (double)self->fitted / (double)self->fits);
    return good && judge_fit(self, held, out);
}

/* ---- cross-validation ---- */

/* The metric of each fold, fitted on the others; *mean. */
static bool
cross_validate(choosing_t *self, const vln_recipe_t *recipe, double *scores, double *mean)
{
    const vln_fit_numbers_t *all = self->contest->train;
    size_t columns = self->contest->features->columns;
    bool good = true;
    *mean = 0;
    for (size_t i = 0; i < self->folds && good; i++) {
        vln_fitted_t fitted;
        vln_fold_t fold = vln_fold(all->rows, self->folds, i);
        vln_fit_numbers_t held = vln_fit_numbers_part(all, columns, fold, true);
        vln_fit_numbers_t train = vln_fit_numbers_part(all, columns, fold, false);
        good = fit_once(self, recipe, &train, &held, &fitted);
        if (good) {
            scores[i] = fitted.metric;
            *mean += fitted.metric / (double)self->folds;
            vln_fitted_end(&fitted);
        }
        vln_fit_numbers_end(&held);
        vln_fit_numbers_end(&train);
    }
    return good;
}

/* ---- the contest ---- */

static void
keep_trial(choosing_t *self, Valion__V1__Trial *trial, vln_recipe_algorithm_t algorithm,
           double metric, uint32_t rounds)
{
    trial->algorithm = (char *)(uintptr_t)vln_recipe_name(algorithm);
    trial->has_metric = isfinite(metric);
    trial->metric = metric;
    trial->has_rounds = rounds > 0;
    trial->rounds = rounds;
    self->trials[self->trial_count++] = trial;
}

/* One trial of one algorithm: its metric, and the better one is kept. */
static bool
try_one(choosing_t *self, vln_recipe_algorithm_t algorithm, uint32_t number)
{
    vln_recipe_t recipe;
    vln_fitted_t fitted = {0};
    double metric = 0;
    trainer_chosen_t *out = self->out;
    Valion__V1__Trial *trial = vln_arena_alloc(self->task->arena, sizeof *trial);
    double *scores = vln_arena_alloc(self->task->arena, (self->folds + 1) * sizeof *scores);
    valion__v1__trial__init(trial);
    if (!make_recipe(self, algorithm, number, &recipe, trial)) {
        return false;
    }
    bool good = self->folds > 0
                    ? cross_validate(self, &recipe, scores, &metric)
                    : fit_once(self, &recipe, self->contest->train, self->contest->held, &fitted);
    if (!good) {
        return false;
    }
    metric = self->folds > 0 ? metric : fitted.metric;
    keep_trial(self, trial, algorithm, metric, fitted.rounds);
    bool better = !self->any || judge_is_better(&self->judge, metric, self->best);
    vln_fitted_end(better ? &out->fitted : &fitted);
    if (better) {
        self->any = true;
        self->best = metric;
        out->algorithm = algorithm;
        out->recipe = recipe;
        out->fitted = fitted;
        out->cv_scores = scores;
        out->cv_count = self->folds;
    }
    return true;
}

/* The best first. */
static int
by_metric(const void *left, const void *right, void *context)
{
    const Valion__V1__Trial *a = *(Valion__V1__Trial *const *)left;
    const Valion__V1__Trial *b = *(Valion__V1__Trial *const *)right;
    const judge_t *judge = context;
    return judge_is_better(judge, a->metric, b->metric)   ? -1
           : judge_is_better(judge, b->metric, a->metric) ? 1
                                                          : 0;
}

/* The metrics that the spec asks for; false, and the task ended, if the task has none such. */
static bool
find_judges(choosing_t *self)
{
    const Valion__V1__TrainSpec *spec = self->contest->spec;
    const Valion__V1__Search *search = spec->search;
    vln_recipe_task_t task = self->contest->target->task;
    char why[JUDGE_WHY];
    if (!judge_find(search ? search->metric : NULL, task, &self->judge, why)) {
        vln_task_fail(self->task, false, "search.metric: %s", why);
        return false;
    }
    if (search && search->has_maximize && search->maximize != self->judge.higher) {
        vln_task_fail(self->task, false,
                      "search.maximize: %s is better when it is %s; leave it out", self->judge.name,
                      self->judge.higher ? "higher" : "lower");
        return false;
    }
    const Valion__V1__EarlyStopping *early = spec->early_stopping;
    if (!judge_find(early ? early->metric : NULL, task, &self->stopper, why)) {
        vln_task_fail(self->task, false, "early_stopping.metric: %s", why);
        return false;
    }
    return true;
}

/* More trials than the time allows are not made; what was found so far counts. */
static bool
try_all(choosing_t *self)
{
    const Valion__V1__TrainSpec *spec = self->contest->spec;
    for (size_t i = 0; i < algorithm_count(spec); i++) {
        vln_recipe_algorithm_t algorithm;
        vln_assert(find_algorithm(spec, i, &algorithm));
        uint32_t trials = has_range(spec, algorithm) ? search_trials(spec->search) : 1;
        for (uint32_t number = 0; number < trials; number++) {
            bool late = vln_mono_ms() - self->started_ms > time_asked(self);
            if (late && number > 0) {
                vln_info("search.out_of_time", kv_i64("trials", (int64_t)self->trial_count));
                break;
            }
            if (!try_one(self, algorithm, number)) {
                return false;
            }
        }
    }
    return true;
}

bool
trainer_choose(vln_worker_t *worker, vln_task_t *task, const trainer_contest_t *contest,
               trainer_chosen_t *out)
{
    const Valion__V1__TrainSpec *spec = contest->spec;
    size_t trials = algorithm_count(spec) * search_trials(spec->search);
    choosing_t self = {.worker = worker,
                       .task = task,
                       .contest = contest,
                       .out = out,
                       .started_ms = vln_mono_ms(),
                       .folds = spec->cv_folds};
    *out = (trainer_chosen_t){0};
    if (!find_judges(&self)) {
        return false;
    }
    out->metric = self.judge.name;
    if (self.folds > contest->train->rows) {
        vln_task_fail(task, false, "cv_folds: %zu rows cannot be parted into %zu folds",
                      contest->train->rows, self.folds);
        return false;
    }
    self.fits = self.folds > 0 ? trials * self.folds + 1 : trials;
    self.trials = vln_arena_alloc(task->arena, trials * sizeof(void *) + 1);
    bool good = try_all(&self);
    if (good && self.folds > 0) {
        good = fit_once(&self, &out->recipe, contest->train, contest->held, &out->fitted);
    }
    if (good && trials > 1) {
        qsort_r(self.trials, self.trial_count, sizeof(void *), by_metric, &self.judge);
        out->trials = self.trials;
        out->trial_count = self.trial_count < TRIALS_SHOWN ? self.trial_count : TRIALS_SHOWN;
    }
    return good;
}
