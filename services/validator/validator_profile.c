/*
 * Task `profile`: what is kept of a data set so that drift can be told without its rows.
 */
#include <string.h>

#include "vln_pb.h"
#include "vln_profile.h"
#include "vln_types.h"

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
};

typedef struct profiling {
    vln_worker_t *worker;
    vln_task_t *task;
    const Valion__V1__ProfileSpec *spec;
    validator_rows_t rows;
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
    size_t columns = vln_table_columns(self->rows.table);
    result->has_rows = 1;
    result->rows = profile->rows;
    result->columns = vln_arena_alloc(arena, COLUMNS_SHOWN * sizeof(void *));
    result->warnings = vln_arena_alloc(arena, WARNINGS_MAX * sizeof(char *));
    for (size_t i = 0; i < profile->n_columns; i++) {
        show_column(self, profile->columns[i]);
    }
    if (columns > result->n_columns) {
        warn(self, vln_arena_printf(arena,
                                    "%zu columns: the first %zu are named here, the first %zu are "
                                    "in the profile",
                                    columns, result->n_columns, profile->n_columns));
    }
    if (profile->duplicate_rows > 0) {
        warn(self, vln_arena_printf(arena, "%lld rows repeat another",
                                    (long long)profile->duplicate_rows));
    }
    for (size_t i = 0; i < profile->n_columns; i++) {
        warn_of(self, profile->columns[i]);
    }
}

static bool
store(profiling_t *self)
{
    vln_arena_t *arena = vln_arena_new(PROFILE_BUDGET);
    Valion__V1__Profile *profile =
        vln_profile_make(self->rows.table, 0, vln_table_rows(self->rows.table), arena);
    profile->has_data_digest = 1;
    profile->data_digest = self->rows.refs[0]->digest;
    bool ok = validator_store(self->worker, self->task, "profile", &profile->base, self->digest);
    if (ok) {
        fill_result(self, profile);
    }
    vln_arena_destroy(&arena);
    return ok;
}

void
validator_profile(vln_worker_t *worker, vln_task_t *task)
{
    profiling_t self = {.worker = worker, .task = task, .result = VALION__V1__PROFILE_RESULT__INIT};
    self.spec = vln_task_spec(task, &valion__v1__profile_spec__descriptor);
    if (self.spec && !self.spec->data) {
        vln_task_fail(task, false, "data: say which data set");
    } else if (self.spec &&
               validator_rows_read(worker, task,
                                   &(validator_wanted_t){"data", &self.spec->data, 1, 0},
                                   &self.rows) &&
               check_declared(&self) && store(&self)) {
        size_t size = 0;
        self.result.has_profile_digest = 1;
        self.result.profile_digest = validator_borrow(self.digest, VLN_DIGEST_BYTES);
        const uint8_t *bytes = vln_pb_pack(&self.result.base, task->arena, &size);
        vln_task_done(task, bytes, size);
        validator_count(worker, VALIDATOR_PROFILES, 1);
    }
    validator_rows_end(&self.rows);
}
