#include "registry_datasets_store.h"

#include "registry_store_inside.h"

static registry_dataset_t
read_dataset(const PGresult *result, int row, vln_arena_t *arena)
{
    registry_dataset_t out = {
        .name = vln_arena_strdup(arena, vln_pg_get_text(result, row, 0)),
        .created_us = vln_pg_get_us(result, row, 2),
    };
    const uint8_t *record = vln_pg_get_bytes(result, row, 1, &out.record_size);
    out.record = vln_arena_memdup(arena, record, out.record_size);
    return out;
}

static vln_err_t
run_for_one(registry_store_t *self, size_t statement, const vln_pg_args_t *args, vln_arena_t *arena,
            registry_dataset_t *out)
{
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run_one(self->pg, statement, args, &result);
    if (err == VLN_OK) {
        *out = read_dataset(result, 0, arena);
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_datasets_create(registry_store_t *self, vln_arena_t *arena,
                         const uint8_t digest[VLN_DIGEST_BYTES], registry_dataset_t *dataset,
                         bool *created)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, dataset->name);
    vln_pg_bytes(&args, digest, VLN_DIGEST_BYTES);
    vln_pg_bytes(&args, dataset->record, dataset->record_size);
    vln_err_t err = run_for_one(self, CREATE_DATASET, &args, arena, dataset);
    *created = err == VLN_OK;
    return err == VLN_NOT_FOUND
               ? registry_datasets_find(self, arena, dataset->name, digest, dataset)
               : err;
}

vln_err_t
registry_datasets_find(registry_store_t *self, vln_arena_t *arena, const char *name,
                       const uint8_t *digest, registry_dataset_t *out)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, name);
    vln_pg_bytes_or_null(&args, digest, digest ? VLN_DIGEST_BYTES : 0);
    return run_for_one(self, FIND_DATASET, &args, arena, out);
}

static vln_err_t
read_list(registry_store_t *self, size_t statement, const vln_pg_args_t *args, vln_arena_t *arena,
          registry_dataset_t **out, size_t *count)
{
    PGresult *result = NULL;
    *count = 0;
    vln_err_t err = vln_pg_run(self->pg, statement, args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            (*out)[i] = read_dataset(result, (int)i, arena);
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_datasets_list(registry_store_t *self, vln_arena_t *arena,
                       const registry_dataset_filter_t *filter, registry_dataset_t **out,
                       size_t *count)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, filter->after);
    vln_pg_text(&args, filter->text);
    vln_pg_i32(&args, filter->limit);
    vln_pg_i64(&args, filter->bytes_max);
    return read_list(self, LIST_DATASETS, &args, arena, out, count);
}

vln_err_t
registry_datasets_of(registry_store_t *self, vln_arena_t *arena, const uint8_t *const *digests,
                     size_t digest_count, registry_dataset_t **out, size_t *count)
{
    vln_pg_args_t args = {0};
    vln_pg_array_t *array = vln_pg_array_new(arena, VLN_PG_BYTEA);
    for (size_t i = 0; i < digest_count; i++) {
        vln_pg_array_add_bytes(array, digests[i], VLN_DIGEST_BYTES);
    }
    vln_pg_array(&args, array);
    vln_pg_i32(&args, REGISTRY_DATASETS_OF_MAX);
    return read_list(self, FIND_DATASETS_OF, &args, arena, out, count);
}
