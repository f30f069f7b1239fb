/*
 * The policies that come with the program: rows of two tables, stored at start where the name is not
 * there yet. A program that brings other ones stores the next version of a name that an earlier
 * program stored; who puts a version of his own is left alone. A policy's edition says how often it
 * has been changed here: a program stores no version beyond it, so that two programs of different
 * releases that start in turn do not replace each other's for ever.
 */
#include <string.h>

#include "vln_log.h"

#include "registry_policies.h"
#include "registry_wire.h"

enum { THRESHOLDS_MAX = 4, CHECKS_MAX = 8, ARENA_BUDGET = 1024 * 1024 };

typedef struct shipped_check {
    const char *policy;
    const char *kind; /* also its name */
    Valion__V1__Severity severity;
    bool blocking;
    bool required;
    bool uncorrected;   /* for the number of columns, as the original */
    const char *method; /* NULL: the kind has none */
    struct {
        const char *name;
        double value;
    } thresholds[THRESHOLDS_MAX];
} shipped_check_t;

typedef struct shipped_policy {
    const char *name;
    Valion__V1__TaskType task;
    Valion__V1__MinStatus min_status;
    bool by_name_only;
    int64_t edition;
    const char *description;
} shipped_policy_t;

/* clang-format off */
#define MEDIUM VALION__V1__SEVERITY__SEVERITY_MEDIUM
#define HIGH   VALION__V1__SEVERITY__SEVERITY_HIGH
#define TASK(name)       VALION__V1__TASK_TYPE__TASK_TYPE_##name
#define MIN_STATUS(name) VALION__V1__MIN_STATUS__MIN_STATUS_##name

static const shipped_policy_t policies[] = {
    /* name         task               least status      by name  edition, what it is                                            */
    {"regression", TASK(REGRESSION),  MIN_STATUS(WARN), false, 2,
     "For models that predict a number: R2, bias, and whether the data is sound and like before."},
    {"binary",     TASK(BINARY),      MIN_STATUS(WARN), false, 2,
     "For models that choose between two classes: AUC, and whether the data is sound and like before."},
    {"multiclass", TASK(MULTICLASS),  MIN_STATUS(WARN), false, 2,
     "For models that choose among classes: accuracy, and whether the data is sound and like before."},
    {"original",   TASK(UNSPECIFIED), MIN_STATUS(PASS), true, 2,
     "Five checks with the thresholds of the system that came before; used when it is asked for."},
};

#define DRIFT   {{"drift_threshold", 0.05}, {"share_pass", 0.10}, {"share_warn", 0.30}}
#define QUALITY {{"missing_threshold", 0.05}, {"outlier_threshold", 0.10}, {"duplicate_threshold", 0.01}}
#define BIAS    {{"bias_pass", 0.1}, {"bias_warn", 0.2}}

static const shipped_check_t checks[] = {
    /* policy        kind            severity block  needed plain  method      thresholds                                            */
    {"regression", "performance",  HIGH,    true,  true,  false, NULL,       {{"r2_threshold", 0.7}}},
    {"regression", "data_quality", MEDIUM,  false, true,  false, NULL,       QUALITY},
    {"regression", "bias",         HIGH,    false, true,  false, NULL,       BIAS},
    {"regression", "data_drift",   MEDIUM,  false, false, false, "auto",     DRIFT},

    {"binary",     "performance",  HIGH,    true,  true,  false, NULL,       {{"auc_threshold", 0.7}}},
    {"binary",     "data_quality", MEDIUM,  false, true,  false, NULL,       QUALITY},
    {"binary",     "data_drift",   MEDIUM,  false, false, false, "auto",     DRIFT},

    {"multiclass", "performance",  HIGH,    true,  true,  false, NULL,       {{"accuracy_threshold", 0.7}}},
    {"multiclass", "data_quality", MEDIUM,  false, true,  false, NULL,       QUALITY},
    {"multiclass", "data_drift",   MEDIUM,  false, false, false, "auto",     DRIFT},

    {"original",   "performance",  HIGH,    true,  false, false, NULL,       {{"r2_threshold", 0.7}, {"mae_threshold", 50000}}},
    {"original",   "data_drift",   MEDIUM,  false, false, true,  "original", DRIFT},
    {"original",   "stability",    MEDIUM,  false, false, false, NULL,       {{"cv_threshold", 0.8}, {"cov_threshold", 0.2}, {"folds", 5}}},
    {"original",   "bias",         HIGH,    false, false, false, NULL,       BIAS},
    {"original",   "data_quality", MEDIUM,  false, false, false, NULL,       QUALITY},
};
/* clang-format on */

static Valion__V1__CheckSpec *
make_check(vln_arena_t *arena, const shipped_check_t *row)
{
    NEW(arena, Valion__V1__CheckSpec, check, valion__v1__check_spec__init);
    check->name = check->kind = registry_borrowed(row->kind);
    check->has_severity = check->has_blocking = check->has_required = 1;
    check->severity = row->severity;
    check->blocking = row->blocking;
    check->required = row->required;
    check->has_correction = row->uncorrected;
    check->correction = VALION__V1__CORRECTION__CORRECTION_NONE;
    if (row->method) {
        NEW(arena, Valion__V1__KeyValue, method, valion__v1__key_value__init);
        method->key = registry_borrowed("method");
        method->value = registry_borrowed(row->method);
        check->parameters = vln_arena_alloc(arena, sizeof *check->parameters);
        check->parameters[check->n_parameters++] = method;
    }
    check->thresholds = vln_arena_alloc(arena, THRESHOLDS_MAX * sizeof *check->thresholds);
    for (size_t i = 0; i < THRESHOLDS_MAX && row->thresholds[i].name; i++) {
        NEW(arena, Valion__V1__KeyNumber, number, valion__v1__key_number__init);
        number->key = registry_borrowed(row->thresholds[i].name);
        number->has_value = 1;
        number->value = row->thresholds[i].value;
        check->thresholds[check->n_thresholds++] = number;
    }
    return check;
}

static Valion__V1__Policy *
make_policy(vln_arena_t *arena, const shipped_policy_t *row)
{
    NEW(arena, Valion__V1__Policy, policy, valion__v1__policy__init);
    policy->name = registry_borrowed(row->name);
    policy->description = registry_borrowed(row->description);
    policy->has_task = row->task != 0;
    policy->task = row->task;
    policy->has_min_status = policy->has_severe_fails = 1;
    policy->min_status = row->min_status;
    policy->severe_fails = 1;
    policy->has_by_name_only = row->by_name_only;
    policy->by_name_only = row->by_name_only;
    policy->checks = vln_arena_alloc(arena, CHECKS_MAX * sizeof *policy->checks);
    for (size_t i = 0; i < VLN_COUNT(checks); i++) {
        bool belongs = strcmp(checks[i].policy, row->name) == 0;
        vln_assert(!belongs || policy->n_checks < CHECKS_MAX);
        if (belongs) {
            policy->checks[policy->n_checks++] = make_check(arena, &checks[i]);
        }
    }
    return policy;
}

/* Nobody else's, another one, and not of a later program. */
static bool
is_due(vln_arena_t *arena, const shipped_policy_t *row, const Valion__V1__Policy *policy,
       const registry_policy_t *newest)
{
    return newest->shipped && newest->version < row->edition &&
           !registry_policy_is_same(arena, policy, newest);
}

static vln_err_t
ship_one(registry_store_t *store, vln_arena_t *arena, const shipped_policy_t *row,
         vln_events_t *events)
{
    registry_policy_t stored = {0};
    int64_t names = 0;
    const Valion__V1__Policy *wire = make_policy(arena, row);
    vln_err_t err = registry_policies_newest(store, arena, row->name, &stored, &names);
    if (err != VLN_NOT_FOUND && (err != VLN_OK || !is_due(arena, row, wire, &stored))) {
        return err;
    }
    int64_t version = err == VLN_OK ? stored.version + 1 : 1;
    registry_new_policy_t policy = registry_policy_pack(arena, wire, version, "valion");
    policy.policy.shipped = true;
    err = registry_policies_insert(store, arena, &policy, &stored);
    if (err == VLN_OK) {
        registry_policy_add_event(events, &policy, "valion");
    }
    return err;
}

/* Several registries may start at once: one after the other. */
static vln_err_t
ship_all(registry_store_t *store, vln_arena_t *arena)
{
    vln_events_t *events = vln_events_new(arena);
    vln_err_t err = registry_store_begin(store);
    if (err == VLN_OK) {
        err = registry_policies_lock(store);
    }
    for (size_t i = 0; i < VLN_COUNT(policies) && err == VLN_OK; i++) {
        err = ship_one(store, arena, &policies[i], events);
    }
    if (err == VLN_OK) {
        err = registry_store_write_events(store, events);
    }
    if (err == VLN_OK) {
        err = registry_store_commit(store);
    }
    registry_store_rollback(store);
    return err;
}

vln_err_t
registry_policies_ship(const char *database)
{
    registry_store_t *store = NULL;
    vln_err_t err = registry_store_open(&store, database);
    if (err == VLN_OK) {
        vln_arena_t *arena = vln_arena_new(ARENA_BUDGET);
        err = ship_all(store, arena);
        vln_arena_destroy(&arena);
    }
    registry_store_close(&store);
    return err;
}
