#include "validator_rows.h"

#include <string.h>

#include "vln_rows.h"

#include "validator_store.h"

/* The data sets of one task while they are read. */
typedef struct sets {
    vln_dataset_t list[VALIDATOR_DATA_MAX];
    vln_rows_part_t parts[VALIDATOR_DATA_MAX];
    size_t count;
} sets_t;

void
validator_rows_end(validator_rows_t *self)
{
    vln_dataset_end(&self->set);
    vln_table_destroy(&self->joined);
    *self = (validator_rows_t){0};
}

/* As the report names it: by digest, with the rows that were asked for. */
static Valion__V1__DataRef *
make_ref(vln_arena_t *arena, const Valion__V1__DataRef *asked, const vln_dataset_t *set)
{
    Valion__V1__DataRef *ref = vln_arena_alloc(arena, sizeof *ref);
    valion__v1__data_ref__init(ref);
    ref->name = vln_arena_strdup(arena, set->record->name);
    ref->has_digest = 1;
    ref->digest = validator_borrow(
        vln_arena_memdup(arena, set->record->digest.data, VLN_DIGEST_BYTES), VLN_DIGEST_BYTES);
    ref->options = asked->options;
    ref->n_options = asked->n_options;
    ref->has_first_row = asked->has_first_row && asked->first_row > 0;
    ref->first_row = asked->first_row;
    ref->has_rows = asked->has_rows;
    ref->rows = (int64_t)set->rows;
    return ref;
}

static bool
read_sets(vln_worker_t *worker, vln_task_t *task, const char *what,
          Valion__V1__DataRef *const *refs, sets_t *sets)
{
    size_t wanted = sets->count;
    sets->count = 0;
    for (size_t i = 0; i < wanted; i++) {
        if (vln_task_is_stopped(task) ||
            !vln_dataset_read(worker, task, what, refs[i], &sets->list[i])) {
            return false;
        }
        const vln_dataset_t *set = &sets->list[sets->count];
        sets->parts[sets->count++] =
            (vln_rows_part_t){set->table, set->first, set->rows, set->record->name};
    }
    return true;
}

/* One data set as a whole is its own table; else the rows are copied together. */
static bool
join(vln_task_t *task, const char *what, sets_t *sets, size_t max_rows, validator_rows_t *out)
{
    size_t total = 0;
    char why[VLN_ROWS_WHY];
    for (size_t i = 0; i < sets->count; i++) {
        total += sets->parts[i].rows;
    }
    out->cut = total > max_rows;
    vln_dataset_t *only = &sets->list[0];
    if (sets->count == 1 && !out->cut && only->rows == vln_table_rows(only->table)) {
        out->set = (vln_dataset_t){.table = only->table, .shelf = only->shelf};
        out->table = only->table;
        only->table = NULL;
        return true;
    }
    if (vln_rows_join(sets->parts, sets->count, max_rows, &out->joined, why) != VLN_OK) {
        vln_task_fail(task, false, "%s: %s", what, why);
    }
    out->table = out->joined;
    return out->table != NULL;
}

bool
validator_rows_read(vln_worker_t *worker, vln_task_t *task, const validator_wanted_t *wanted,
                    validator_rows_t *out)
{
    const char *what = wanted->what;
    size_t count = wanted->count;
    size_t most = wanted->max_rows > 0 ? (size_t)wanted->max_rows : SIZE_MAX;
    sets_t sets = {.count = count};
    *out = (validator_rows_t){0};
    if (count == 0 || count > VALIDATOR_DATA_MAX) {
        vln_task_fail(task, false, "%s: name 1 to %d data sets", what, VALIDATOR_DATA_MAX);
        return false;
    }
    bool ok =
        read_sets(worker, task, what, wanted->refs, &sets) && join(task, what, &sets, most, out);
    if (ok) {
        out->refs = vln_arena_alloc(task->arena, count * sizeof(void *));
        out->ref_count = count;
        for (size_t i = 0; i < count; i++) {
            out->refs[i] = make_ref(task->arena, wanted->refs[i], &sets.list[i]);
        }
    }
    for (size_t i = 0; i < sets.count; i++) {
        vln_dataset_end(&sets.list[i]);
    }
    return ok;
}
