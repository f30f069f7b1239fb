/*
 * Task `profile`: what is kept of a data set so that drift can be told without its rows; of several, and
 * of stored profiles, one of all. Data sets are read one after the other, so their rows never have to fit
 * into memory together.
 */
#include <string.h>

#include "vln_pb.h"
#include "vln_profile.h"
#include "vln_types.h"

#include "stored_profile.h"
#include "validator_rows.h"
#include "validator_store.h"
#include "valion/v1/validator.pb-c.h"

/* A result has at most 16 KiB, and a name up to 250 bytes. */
enum {
    PROFILE_BUDGET = 64 * 1024 * 1024,
    COLUMNS_SHOWN = 200,
    NAMES_BYTES = 6000,
    WARNINGS_MAX = 32,
    WARNINGS_BYTES = 6000,
    ASKED_MAX = 64, /* further data sets, and profiles */
    /* So many profiles, or so many bytes of them, are held before they become one: the more at once,
     * the smaller the error. */
    PARTS_HELD = 16,
    PARTS_BYTES = 128 * 1024 * 1024,
};

typedef struct part {
    vln_arena_t *arena;
    Valion__V1__Profile *profile;
} part_t;

typedef struct profiling {
    vln_worker_t *worker;
    vln_task_t *task;
    const Valion__V1__ProfileSpec *spec;
    validator_rows_t rows; /* of the data set at hand */
    size_t columns;        /* of the widest */
    part_t parts[PARTS_HELD];
    size_t held;
    uint32_t taken;
    Valion__V1__ProfileResult result;
    size_t names_bytes;
    size_t warnings_bytes;
    uint8_t digest[VLN_DIGEST_BYTES];
} profiling_t;

/* What a column is, is recorded with the data set; a spec can only hold it to that. */
static bool
check_declared(profiling_t *self)
{
    for (size_t i = 0; i < self->spec->n_columns; i++) {
        const Valion__V1__Column *declared = self->spec->columns[i];
        const vln_column_t *column =
            declared->name ? vln_table_find(self->rows.table, declared->name) : NULL;
        if (!column) {
            vln_task_fail(self->task, false, "columns: the data has no column '%s'",
                          declared->name ? declared->name : "");
            return false;
        }
        if (declared->type && vln_type_from_contract(declared->type) != column->type) {
            vln_task_fail(self->task, false,
                          "columns: '%s' is read as %s, not %s: record its type with the data set",
                          column->name, vln_type_name(column->type),
                          vln_type_name(vln_type_from_contract(declared->type)));
            return false;
        }
    }
    return true;
}

static void
warn(profiling_t *self, char *text)
{
    Valion__V1__ProfileResult *result = &self->result;
    self->warnings_bytes += strlen(text) + 4;
    if (result->n_warnings < WARNINGS_MAX && self->warnings_bytes <= WARNINGS_BYTES) {
        result->warnings[result->n_warnings++] = text;
    }
}

static void
warn_of(profiling_t *self, const Valion__V1__ColumnProfile *column)
{
    const char *why = column->count == 0       ? "every value is missing"
                      : column->distinct == 1  ? "all values are equal"
                      : column->mixed_type > 0 ? "some cells are not of its type and count as "
                                                 "missing"
                                               : NULL;
    if (why) {
        warn(self, vln_arena_printf(self->task->arena, "column '%s': %s", column->name, why));
    }
}

static void
show_column(profiling_t *self, const Valion__V1__ColumnProfile *from)
{
    Valion__V1__ProfileResult *result = &self->result;
    vln_arena_t *arena = self->task->arena;
    self->names_bytes += strlen(from->name) + 8;
    if (result->n_columns == COLUMNS_SHOWN || self->names_bytes > NAMES_BYTES) {
        return;
    }
    Valion__V1__Column *column = vln_arena_alloc(arena, sizeof *column);
    valion__v1__column__init(column);
    column->name = vln_arena_strdup(arena, from->name);
    column->has_type = 1;
    column->type = from->type;
    result->columns[result->n_columns++] = column;
}

static void
fill_result(profiling_t *self, const Valion__V1__Profile *profile)
{
    vln_arena_t *arena = self->task->arena;
    Valion__V1__ProfileResult *result = &self->result;
    result->has_rows = result->has_parts = 1;
    result->rows = profile->rows;
    result->parts = self->taken;
    result->columns = vln_arena_alloc(arena, COLUMNS_SHOWN * sizeof(void *));
    result->warnings = vln_arena_alloc(arena, WARNINGS_MAX * sizeof(char *));
    for (size_t i = 0; i < profile->n_columns; i++) {
        show_column(self, profile->columns[i]);
    }
    if (self->columns > result->n_columns) {
        warn(self, vln_arena_printf(arena,
                                    "%zu columns: the first %zu are named here, the first %zu are "
                                    "in the profile",
                                    self->columns, result->n_columns, profile->n_columns));
    }
    if (profile->duplicate_rows > 0) {
        warn(self, vln_arena_printf(arena, "%lld rows repeat another",
                                    (long long)profile->duplicate_rows));
    }
    for (size_t i = 0; i < profile->n_columns; i++) {
        warn_of(self, profile->columns[i]);
    }
}

/* ---- parts ---- */

static void
drop_parts(profiling_t *self)
{
    while (self->held > 0) {
        vln_arena_destroy(&self->parts[--self->held].arena);
    }
}

static size_t
held_bytes(const profiling_t *self)
{
    size_t bytes = 0;
    for (size_t i = 0; i < self->held; i++) {
        bytes += vln_arena_used(self->parts[i].arena);
    }
    return bytes;
}

/* What is held becomes one part; false, and the task ended, where it does not fit. */
static bool
merge_held(profiling_t *self)
{
    const Valion__V1__Profile *profiles[PARTS_HELD];
    char why[VLN_PROFILE_WHY];
    part_t merged = {.arena = vln_arena_new(PROFILE_BUDGET)};
    for (size_t i = 0; i < self->held; i++) {
        profiles[i] = self->parts[i].profile;
    }
    vln_err_t err = vln_profile_merge(profiles, self->held, merged.arena, &merged.profile, why);
    if (err != VLN_OK) {
        vln_arena_destroy(&merged.arena);
        vln_task_fail(self->task, false,
                      "of %u parts, data sets before profiles, some do not fit together: %s",
                      self->taken, why);
        return false;
    }
    drop_parts(self);
    self->parts[self->held++] = merged;
    return true;
}

/* The part is the profiling's. */
static bool
hold(profiling_t *self, part_t part)
{
    bool full = self->held == PARTS_HELD || held_bytes(self) > PARTS_BYTES;
    if (full && self->held > 1 && !merge_held(self)) {
        vln_arena_destroy(&part.arena);
        return false;
    }
    self->parts[self->held++] = part;
    self->taken++;
    return true;
}

static bool
add_data(profiling_t *self, Valion__V1__DataRef *const *ref)
{
    const validator_wanted_t wanted = {"data", ref, 1, 0};
    validator_rows_end(&self->rows);
    if (!validator_rows_read(self->worker, self->task, &wanted, &self->rows) ||
        !check_declared(self)) {
        return false;
    }
    const vln_table_t *table = self->rows.table;
    size_t columns = vln_table_columns(table);
    part_t part = {.arena = vln_arena_new(PROFILE_BUDGET)};
    part.profile = vln_profile_make(table, 0, vln_table_rows(table), part.arena);
    part.profile->has_data_digest = 1;
    part.profile->data_digest = self->rows.refs[0]->digest;
    self->columns = self->columns > columns ? self->columns : columns;
    return hold(self, part);
}

static bool
add_profile(profiling_t *self, const ProtobufCBinaryData *digest)
{
    vln_bytes_t bytes = {0};
    char why[VLN_ARTIFACTS_WHY];
    if (digest->len != VLN_DIGEST_BYTES) {
        vln_task_fail(self->task, false, "profile_digests: a digest has %d bytes",
                      VLN_DIGEST_BYTES);
        return false;
    }
    vln_err_t err = vln_artifacts_get(self->worker->artifacts, digest->data, VLN_PROFILE_BYTES_MAX,
                                      &bytes, why);
    if (err != VLN_OK) {
        vln_worker_fail(self->task, err, "profile_digests", why);
        return false;
    }
    part_t part = {.arena = vln_arena_new(STORED_PROFILE_BUDGET)};
    part.profile = stored_profile_read(bytes.data, bytes.size, part.arena);
    vln_bytes_end(&bytes);
    if (!part.profile) {
        vln_arena_destroy(&part.arena);
        vln_task_fail(self->task, false, "profile_digests: a stored artifact is no profile");
        return false;
    }
    size_t columns = part.profile->n_columns;
    self->columns = self->columns > columns ? self->columns : columns;
    return hold(self, part);
}

static bool
may_go_on(const profiling_t *self, size_t wanted)
{
    if (self->taken > 0) {
        vln_task_progress(self->task, 0.9 * (double)self->taken / (double)wanted);
    }
    return !vln_task_is_stopped(self->task);
}

/* What is foreign, though it is but one, goes through the merge, which looks at it. */
static bool
gather(profiling_t *self)
{
    const Valion__V1__ProfileSpec *spec = self->spec;
    size_t wanted = (spec->data != NULL) + spec->n_more_data + spec->n_profile_digests;
    if (spec->data && !add_data(self, &spec->data)) {
        return false;
    }
    for (size_t i = 0; i < spec->n_more_data; i++) {
        if (!may_go_on(self, wanted) || !add_data(self, &spec->more_data[i])) {
            return false;
        }
    }
    validator_rows_end(&self->rows);
    for (size_t i = 0; i < spec->n_profile_digests; i++) {
        if (!may_go_on(self, wanted) || !add_profile(self, &spec->profile_digests[i])) {
            return false;
        }
    }
    return (self->held == 1 && spec->n_profile_digests == 0) || merge_held(self);
}

static bool
store(profiling_t *self)
{
    const Valion__V1__Profile *profile = self->parts[0].profile;
    size_t size = valion__v1__profile__get_packed_size(profile);
    if (size > VLN_PROFILE_BYTES_MAX) {
        vln_task_fail(self->task, false, "the profile has %zu bytes; at most %d are kept", size,
                      VLN_PROFILE_BYTES_MAX);
        return false;
    }
    if (!validator_store(self->worker, self->task, "profile", &profile->base, self->digest)) {
        return false;
    }
    fill_result(self, profile);
    return true;
}

static bool
read_spec(profiling_t *self)
{
    const Valion__V1__ProfileSpec *spec =
        vln_task_spec(self->task, &valion__v1__profile_spec__descriptor);
    self->spec = spec;
    if (!spec) {
        return false;
    }
    if (!spec->data && spec->n_more_data == 0 && spec->n_profile_digests == 0) {
        vln_task_fail(self->task, false, "data: say which data set");
        return false;
    }
    if (spec->n_more_data > ASKED_MAX || spec->n_profile_digests > ASKED_MAX) {
        vln_task_fail(self->task, false, "more_data, profile_digests: at most %d each", ASKED_MAX);
        return false;
    }
    return true;
}

void
validator_profile(vln_worker_t *worker, vln_task_t *task)
{
    profiling_t self = {.worker = worker, .task = task, .result = VALION__V1__PROFILE_RESULT__INIT};
    if (read_spec(&self) && gather(&self) && store(&self)) {
        size_t size = 0;
        self.result.has_profile_digest = 1;
        self.result.profile_digest = validator_borrow(self.digest, VLN_DIGEST_BYTES);
        const uint8_t *bytes = vln_pb_pack(&self.result.base, task->arena, &size);
        vln_task_done(task, bytes, size);
        validator_count(worker, VALIDATOR_PROFILES, 1);
    }
    drop_parts(&self);
    validator_rows_end(&self.rows);
}
