#include "deployer_store.h"

#include <stdlib.h>
#include <string.h>

#include "vln_log.h"
#include "vln_pb.h"

#include "deployer_store_inside.h"

enum { LOCK = 1447774542 };

/* ---- life ---- */

vln_err_t
deployer_store_open(deployer_store_t **out, const char *database)
{
    const vln_pg_config_t config = {.conninfo = database,
                                    .application = "valion-deployer",
                                    .search_path = "deployment",
                                    .statements = deployer_statements,
                                    .statement_count = deployer_statement_count};
    deployer_store_t *self = vln_calloc(1, sizeof *self);
    vln_err_t err = vln_pg_open(&self->pg, &config);
    if (!self->pg) {
        free(self);
        self = NULL;
    }
    *out = self;
    return err;
}

void
deployer_store_close(deployer_store_t **self_p)
{
    if (*self_p) {
        vln_pg_close(&(*self_p)->pg);
        free(*self_p);
        *self_p = NULL;
    }
}

vln_err_t
deployer_store_ensure(deployer_store_t *self)
{
    return vln_pg_ensure(self->pg);
}

vln_once_t
deployer_store_once(deployer_store_t *self)
{
    return (vln_once_t){
        .pg = self->pg, .find = FIND_REQUESTS, .keep = KEEP_REQUESTS, .fence = FENCE};
}

vln_err_t
deployer_store_write_events(deployer_store_t *self, vln_events_t *events)
{
    return vln_events_flush(events, self->pg, INSERT_EVENTS);
}

vln_err_t
deployer_store_sweep(deployer_store_t *self)
{
    static const size_t sweeps[] = {SWEEP_REQUESTS, SWEEP_PROXY, SWEEP_REFERENCES};
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < VLN_COUNT(sweeps) && err == VLN_OK; i++) {
        err = deployer_store_change(self, sweeps[i], NULL);
    }
    return err;
}

vln_err_t
deployer_store_begin(deployer_store_t *self)
{
    vln_err_t err = vln_pg_begin(self->pg);
    return err == VLN_OK ? deployer_store_lock(self, NULL) : err;
}

vln_err_t
deployer_store_commit(deployer_store_t *self)
{
    return vln_pg_commit(self->pg);
}

void
deployer_store_rollback(deployer_store_t *self)
{
    vln_pg_rollback(self->pg);
}

vln_err_t
deployer_store_lock(deployer_store_t *self, int64_t *now_us)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_i64(&args, LOCK);
    vln_err_t err = vln_pg_run(self->pg, TAKE_LOCK, &args, &result);
    if (err == VLN_OK && now_us) {
        *now_us = vln_pg_get_us(result, 0, 0);
    }
    PQclear(result);
    return err;
}

/* ---- records ---- */

void
deployer_store_put(vln_pg_args_t *args, vln_arena_t *arena, const ProtobufCMessage *message)
{
    size_t size = 0;
    const uint8_t *bytes = vln_pb_pack(message, arena, &size);
    vln_pg_bytes(args, bytes, size);
}

void *
deployer_store_message(const PGresult *result, int row, int column, vln_arena_t *arena,
                       const ProtobufCMessageDescriptor *type)
{
    size_t size = 0;
    ProtobufCMessage *message = NULL;
    vln_pb_scan_t scan;
    const uint8_t *bytes = vln_pg_get_bytes(result, row, column, &size);
    const uint8_t *copy = vln_arena_memdup(arena, bytes, size);
    if (vln_pb_unpack(type, copy, size, arena, &message, &scan) != VLN_OK) {
        vln_error("record.corrupt", kv_str("type", type->name), kv_str("why", scan.why));
        return NULL;
    }
    return message;
}

void
deployer_store_id(const PGresult *result, int row, int column, vln_id_t *out)
{
    size_t size = 0;
    const uint8_t *bytes = vln_pg_get_bytes(result, row, column, &size);
    *out = (vln_id_t){0};
    if (size == VLN_ID_BYTES) {
        memcpy(out->bytes, bytes, VLN_ID_BYTES);
    }
}

char *
deployer_store_text(const PGresult *result, int row, int column, vln_arena_t *arena)
{
    return vln_pg_is_null(result, row, column)
               ? NULL
               : vln_arena_strdup(arena, vln_pg_get_text(result, row, column));
}

ProtobufCBinaryData
deployer_store_bytes(const PGresult *result, int row, int column, vln_arena_t *arena)
{
    size_t size = 0;
    const uint8_t *bytes = vln_pg_get_bytes(result, row, column, &size);
    return (ProtobufCBinaryData){size, vln_arena_memdup(arena, bytes, size)};
}

vln_err_t
deployer_store_change(deployer_store_t *self, size_t statement, const vln_pg_args_t *args)
{
    return vln_pg_run(self->pg, statement, args, NULL);
}

/* ---- rollouts ---- */

static vln_err_t
read_rollout(const PGresult *result, int row, vln_arena_t *arena, deployer_rollout_t *out)
{
    *out = (deployer_rollout_t){
        .record = deployer_store_message(result, row, 1, arena, &valion__v1__rollout__descriptor),
        .version = deployer_store_message(result, row, 2, arena, &valion__v1__version__descriptor),
        .asked = deployer_store_text(result, row, 3, arena),
        .promoted = vln_pg_get_bool(result, row, 4),
        .grant_closed = vln_pg_get_bool(result, row, 5),
        .progress_us = vln_pg_get_us(result, row, 6),
        .created_us = vln_pg_get_us(result, row, 7),
        .now_us = vln_pg_get_us(result, row, 8)};
    deployer_store_id(result, row, 0, &out->id);
    return out->record && out->record->spec && out->version ? VLN_OK : VLN_DATA_LOSS;
}

static vln_err_t
read_rollouts(deployer_store_t *self, size_t statement, const vln_pg_args_t *args,
              vln_arena_t *arena, deployer_rollout_t **out, size_t *count)
{
    PGresult *result = NULL;
    *count = 0;
    vln_err_t err = vln_pg_run(self->pg, statement, args, &result);
    if (err == VLN_OK) {
        int rows = PQntuples(result);
        *out = vln_arena_alloc(arena, ((size_t)rows + 1) * sizeof **out);
        for (int row = 0; row < rows && err == VLN_OK; row++) {
            err = read_rollout(result, row, arena, &(*out)[(*count)++]);
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
deployer_store_find_rollout(deployer_store_t *self, vln_arena_t *arena,
                            const uint8_t id[VLN_ID_BYTES], deployer_rollout_t *out)
{
    vln_pg_args_t args = {0};
    deployer_rollout_t *found = NULL;
    size_t count = 0;
    vln_pg_bytes(&args, id, VLN_ID_BYTES);
    vln_err_t err = read_rollouts(self, FIND_ROLLOUT, &args, arena, &found, &count);
    if (err == VLN_OK && count == 0) {
        return VLN_NOT_FOUND;
    }
    if (err == VLN_OK) {
        *out = found[0];
    }
    return err;
}

vln_err_t
deployer_store_add_rollout(deployer_store_t *self, const deployer_rollout_t *rollout)
{
    vln_arena_t *arena = vln_arena_new(DEPLOYER_RECORD_BUDGET);
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, rollout->id.bytes, VLN_ID_BYTES);
    vln_pg_text(&args, rollout->record->spec->environment);
    vln_pg_text(&args, rollout->record->spec->model);
    vln_pg_i32(&args, (int32_t)rollout->record->state);
    vln_pg_i64(&args, (int64_t)rollout->record->sequence);
    deployer_store_put(&args, arena, &rollout->record->base);
    deployer_store_put(&args, arena, &rollout->version->base);
    vln_pg_bool(&args, rollout->goes_back);
    vln_err_t err = deployer_store_change(self, ADD_ROLLOUT, &args);
    vln_arena_destroy(&arena);
    return err;
}

vln_err_t
deployer_store_save_rollout(deployer_store_t *self, const deployer_rollout_t *rollout,
                            bool progress)
{
    vln_arena_t *arena = vln_arena_new(DEPLOYER_RECORD_BUDGET);
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, rollout->id.bytes, VLN_ID_BYTES);
    vln_pg_i32(&args, (int32_t)rollout->record->state);
    vln_pg_i64(&args, (int64_t)rollout->record->sequence);
    deployer_store_put(&args, arena, &rollout->record->base);
    vln_pg_text(&args, rollout->asked);
    vln_pg_bool(&args, rollout->promoted);
    vln_pg_bool(&args, rollout->grant_closed);
    vln_pg_bool(&args, progress);
    vln_err_t err = deployer_store_change(self, SAVE_ROLLOUT, &args);
    vln_arena_destroy(&arena);
    return err;
}

vln_err_t
deployer_store_list_rollouts(deployer_store_t *self, vln_arena_t *arena,
                             const deployer_filter_t *filter, deployer_rollout_t **out,
                             size_t *count)
{
    vln_pg_args_t args = {0};
    if (filter->open) {
        vln_pg_i32(&args, filter->limit);
        return read_rollouts(self, LIST_OPEN, &args, arena, out, count);
    }
    vln_pg_text(&args, filter->environment);
    vln_pg_text(&args, filter->model);
    vln_pg_i32(&args, filter->state);
    vln_pg_bool(&args, filter->active);
    vln_pg_bytes_or_null(&args, filter->before, filter->before ? VLN_ID_BYTES : 0);
    vln_pg_i32(&args, filter->limit);
    return read_rollouts(self, LIST_ROLLOUTS, &args, arena, out, count);
}

vln_err_t
deployer_store_add_decision(deployer_store_t *self, const uint8_t id[VLN_ID_BYTES],
                            const Valion__V1__Decision *decision)
{
    vln_arena_t *arena = vln_arena_new(DEPLOYER_RECORD_BUDGET);
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, id, VLN_ID_BYTES);
    vln_pg_i64(&args, (int64_t)decision->sequence);
    deployer_store_put(&args, arena, &decision->base);
    vln_err_t err = deployer_store_change(self, ADD_DECISION, &args);
    vln_arena_destroy(&arena);
    return err;
}

vln_err_t
deployer_store_list_decisions(deployer_store_t *self, vln_arena_t *arena,
                              const uint8_t id[VLN_ID_BYTES], const deployer_range_t *range,
                              Valion__V1__Decision ***out, size_t *count)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    *count = 0;
    vln_pg_bytes(&args, id, VLN_ID_BYTES);
    vln_pg_i64(&args, range->after);
    vln_pg_i64(&args, range->before);
    vln_pg_i32(&args, range->limit);
    vln_err_t err = vln_pg_run(self->pg, LIST_DECISIONS, &args, &result);
    if (err == VLN_OK) {
        int rows = PQntuples(result);
        *out = vln_arena_alloc(arena, ((size_t)rows + 1) * sizeof **out);
        for (int row = 0; row < rows && err == VLN_OK; row++) {
            Valion__V1__Decision *decision =
                deployer_store_message(result, row, 0, arena, &valion__v1__decision__descriptor);
            (*out)[*count] = decision;
            *count += decision != NULL;
            err = decision ? VLN_OK : VLN_DATA_LOSS;
        }
    }
    PQclear(result);
    return err;
}

/* ---- endpoints ---- */

static void
read_endpoint(const PGresult *result, int row, vln_arena_t *arena, deployer_endpoint_t *out)
{
    *out = (deployer_endpoint_t){.environment = deployer_store_text(result, row, 0, arena),
                                 .model = deployer_store_text(result, row, 1, arena),
                                 .has_stable = !vln_pg_is_null(result, row, 2),
                                 .revision = vln_pg_get_i64(result, row, 3),
                                 .updated_us = vln_pg_get_us(result, row, 4)};
    deployer_store_id(result, row, 2, &out->stable);
}

vln_err_t
deployer_store_get_endpoint(deployer_store_t *self, vln_arena_t *arena, const char *environment,
                            const char *model, deployer_endpoint_t *out)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_text(&args, environment);
    vln_pg_text(&args, model);
    vln_err_t err = deployer_store_change(self, ADD_ENDPOINT, &args);
    if (err == VLN_OK) {
        err = vln_pg_run(self->pg, FIND_ENDPOINT, &args, &result);
    }
    if (err == VLN_OK) {
        read_endpoint(result, 0, arena, out);
    }
    PQclear(result);
    return err;
}

vln_err_t
deployer_store_save_endpoint(deployer_store_t *self, const deployer_endpoint_t *endpoint)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, endpoint->environment);
    vln_pg_text(&args, endpoint->model);
    vln_pg_bytes_or_null(&args, endpoint->stable.bytes, endpoint->has_stable ? VLN_ID_BYTES : 0);
    vln_pg_i64(&args, endpoint->revision);
    return deployer_store_change(self, SAVE_ENDPOINT, &args);
}

vln_err_t
deployer_store_end_serving(deployer_store_t *self, const char *environment, const char *model)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, environment);
    vln_pg_text(&args, model);
    return deployer_store_change(self, END_SERVING, &args);
}

vln_err_t
deployer_store_list_endpoints(deployer_store_t *self, vln_arena_t *arena,
                              const deployer_filter_t *filter, const char *after,
                              deployer_endpoint_t **out, size_t *count)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    *count = 0;
    vln_pg_text(&args, filter->environment);
    vln_pg_text(&args, filter->model);
    vln_pg_text(&args, after);
    vln_pg_i32(&args, filter->limit);
    vln_err_t err = vln_pg_run(self->pg, LIST_ENDPOINTS, &args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            read_endpoint(result, (int)i, arena, &(*out)[i]);
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
deployer_store_add_revision(deployer_store_t *self, const char *environment, const char *model,
                            const Valion__V1__Revision *revision)
{
    vln_pg_args_t ended = {0};
    vln_pg_args_t args = {0};
    vln_pg_text(&ended, environment);
    vln_pg_text(&ended, model);
    vln_err_t err = deployer_store_change(self, END_REVISION, &ended);
    if (err != VLN_OK) {
        return err;
    }
    vln_pg_text(&args, environment);
    vln_pg_text(&args, model);
    vln_pg_i64(&args, (int64_t)revision->number);
    vln_pg_text(&args, revision->version);
    vln_pg_bytes(&args, revision->digest.data, revision->digest.len);
    vln_pg_bytes(&args, revision->rollout_id.data, revision->rollout_id.len);
    vln_pg_text(&args, revision->actor);
    vln_pg_text(&args, revision->why);
    return deployer_store_change(self, ADD_REVISION, &args);
}

static Valion__V1__Revision *
read_revision(const PGresult *result, int row, vln_arena_t *arena)
{
    Valion__V1__Revision *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__revision__init(out);
    out->has_number = out->has_digest = out->has_rollout_id = out->has_from_us = 1;
    out->number = (uint64_t)vln_pg_get_i64(result, row, 0);
    out->version = deployer_store_text(result, row, 1, arena);
    out->digest = deployer_store_bytes(result, row, 2, arena);
    out->rollout_id = deployer_store_bytes(result, row, 3, arena);
    out->from_us = vln_pg_get_us(result, row, 4);
    out->has_until_us = !vln_pg_is_null(result, row, 5);
    out->until_us = vln_pg_get_us(result, row, 5);
    out->actor = deployer_store_text(result, row, 6, arena);
    out->why = deployer_store_text(result, row, 7, arena);
    return out;
}

vln_err_t
deployer_store_list_revisions(deployer_store_t *self, vln_arena_t *arena,
                              const deployer_filter_t *filter, int64_t before,
                              Valion__V1__Revision ***out, size_t *count)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    *count = 0;
    vln_pg_text(&args, filter->environment);
    vln_pg_text(&args, filter->model);
    vln_pg_i64(&args, before);
    vln_pg_i32(&args, filter->limit);
    vln_err_t err = vln_pg_run(self->pg, LIST_REVISIONS, &args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            (*out)[i] = read_revision(result, (int)i, arena);
        }
    }
    PQclear(result);
    return err;
}

/* ---- instances ---- */

static vln_err_t
read_instance(const PGresult *result, int row, vln_arena_t *arena, deployer_instance_t *out)
{
    *out = (deployer_instance_t){
        .host = deployer_store_text(result, row, 2, arena),
        .part = (deployer_part_t)vln_pg_get_i64(result, row, 3),
        .wanted =
            deployer_store_message(result, row, 4, arena, &valion__v1__wanted_instance__descriptor),
        .warm_until_us = vln_pg_is_null(result, row, 6) ? 0 : vln_pg_get_us(result, row, 6),
        .state = (Valion__V1__InstanceState)vln_pg_get_i64(result, row, 7)};
    deployer_store_id(result, row, 0, &out->id);
    deployer_store_id(result, row, 1, &out->rollout_id);
    if (!vln_pg_is_null(result, row, 5)) {
        out->report =
            deployer_store_message(result, row, 5, arena, &valion__v1__instance_report__descriptor);
    }
    out->reference = deployer_store_bytes(result, row, 8, arena);
    return out->wanted ? VLN_OK : VLN_DATA_LOSS;
}

vln_err_t
deployer_store_list_instances(deployer_store_t *self, vln_arena_t *arena,
                              const deployer_place_t *place, deployer_instance_t **out,
                              size_t *count)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    *count = 0;
    vln_pg_text(&args, place->environment);
    vln_pg_text(&args, place->model);
    vln_pg_text(&args, place->host);
    vln_err_t err = vln_pg_run(self->pg, LIST_INSTANCES, &args, &result);
    if (err == VLN_OK) {
        int rows = PQntuples(result);
        *out = vln_arena_alloc(arena, ((size_t)rows + 1) * sizeof **out);
        for (int row = 0; row < rows && err == VLN_OK; row++) {
            err = read_instance(result, row, arena, &(*out)[(*count)++]);
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
deployer_store_save_instance(deployer_store_t *self, const deployer_instance_t *instance)
{
    vln_arena_t *arena = vln_arena_new(DEPLOYER_RECORD_BUDGET);
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, instance->id.bytes, VLN_ID_BYTES);
    vln_pg_bytes(&args, instance->rollout_id.bytes, VLN_ID_BYTES);
    vln_pg_text(&args, instance->wanted->environment);
    vln_pg_text(&args, instance->wanted->model);
    vln_pg_text(&args, instance->wanted->version);
    vln_pg_text(&args, instance->host);
    vln_pg_i32(&args, (int32_t)instance->part);
    deployer_store_put(&args, arena, &instance->wanted->base);
    vln_pg_i64(&args, instance->warm_until_us);
    vln_pg_bytes_or_null(&args, instance->reference.data, instance->reference.len);
    vln_err_t err = deployer_store_change(self, SAVE_INSTANCE, &args);
    vln_arena_destroy(&arena);
    return err;
}

vln_err_t
deployer_store_report_instance(deployer_store_t *self, const char *host,
                               const Valion__V1__InstanceReport *report)
{
    vln_arena_t *arena = vln_arena_new(DEPLOYER_RECORD_BUDGET);
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, report->instance_id.data, report->instance_id.len);
    vln_pg_text(&args, host);
    vln_pg_i32(&args, (int32_t)report->state);
    deployer_store_put(&args, arena, &report->base);
    vln_err_t err = deployer_store_change(self, REPORT_INSTANCE, &args);
    vln_arena_destroy(&arena);
    return err;
}

vln_err_t
deployer_store_delete_instance(deployer_store_t *self, const uint8_t id[VLN_ID_BYTES])
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, id, VLN_ID_BYTES);
    return deployer_store_change(self, DELETE_INSTANCE, &args);
}

static vln_err_t
change_counted(deployer_store_t *self, size_t statement, int64_t *changed)
{
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, statement, NULL, &result);
    *changed = err == VLN_OK ? vln_pg_changed(result) : 0;
    PQclear(result);
    return err;
}

vln_err_t
deployer_store_cool_instances(deployer_store_t *self, int64_t *cooled)
{
    return change_counted(self, COOL, cooled);
}

vln_err_t
deployer_store_remove_stopped(deployer_store_t *self, int64_t *removed)
{
    return change_counted(self, REMOVE, removed);
}

/* ---- hosts ---- */

static vln_err_t
read_host(const PGresult *result, int row, vln_arena_t *arena, deployer_host_t *out)
{
    Valion__V1__ListEnvironmentsReply *offered = deployer_store_message(
        result, row, 4, arena, &valion__v1__list_environments_reply__descriptor);
    *out = (deployer_host_t){
        .name = deployer_store_text(result, row, 0, arena),
        .generation = vln_pg_get_i64(result, row, 1),
        .applied = vln_pg_get_i64(result, row, 2),
        .state = deployer_store_message(result, row, 3, arena, &valion__v1__host_state__descriptor),
        .environments = offered ? offered->environments : NULL,
        .environment_count = offered ? offered->n_environments : 0,
        .error = deployer_store_text(result, row, 5, arena),
        .isolation = deployer_store_text(result, row, 6, arena),
        .seen_us = vln_pg_get_us(result, row, 7),
        .now_us = vln_pg_get_us(result, row, 8)};
    return out->state && offered ? VLN_OK : VLN_DATA_LOSS;
}

static vln_err_t
read_hosts(deployer_store_t *self, vln_arena_t *arena, const char *name, deployer_host_t **out,
           size_t *count)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    *count = 0;
    vln_pg_text(&args, name);
    vln_err_t err = vln_pg_run(self->pg, LIST_HOSTS, &args, &result);
    if (err == VLN_OK) {
        int rows = PQntuples(result);
        *out = vln_arena_alloc(arena, ((size_t)rows + 1) * sizeof **out);
        for (int row = 0; row < rows && err == VLN_OK; row++) {
            err = read_host(result, row, arena, &(*out)[(*count)++]);
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
deployer_store_list_hosts(deployer_store_t *self, vln_arena_t *arena, deployer_host_t **out,
                          size_t *count)
{
    return read_hosts(self, arena, NULL, out, count);
}

vln_err_t
deployer_store_find_host(deployer_store_t *self, vln_arena_t *arena, const char *name,
                         deployer_host_t *out)
{
    deployer_host_t *found = NULL;
    size_t count = 0;
    vln_err_t err = read_hosts(self, arena, name, &found, &count);
    if (err == VLN_OK && count == 0) {
        return VLN_NOT_FOUND;
    }
    if (err == VLN_OK) {
        *out = found[0];
    }
    return err;
}

vln_err_t
deployer_store_see_host(deployer_store_t *self, const Valion__V1__GetHostStateRequest *request)
{
    vln_arena_t *arena = vln_arena_new(DEPLOYER_RECORD_BUDGET);
    vln_pg_args_t args = {0};
    Valion__V1__ListEnvironmentsReply offered = VALION__V1__LIST_ENVIRONMENTS_REPLY__INIT;
    offered.environments = request->environments;
    offered.n_environments = request->n_environments;
    vln_pg_text(&args, request->host);
    deployer_store_put(&args, arena, &offered.base);
    vln_pg_text(&args, request->isolation ? request->isolation : "");
    vln_err_t err = deployer_store_change(self, SEE_HOST, &args);
    vln_arena_destroy(&arena);
    return err;
}

vln_err_t
deployer_store_report_host(deployer_store_t *self,
                           const Valion__V1__ReportHostStateRequest *request)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, request->host);
    vln_pg_i64(&args, (int64_t)request->generation);
    vln_pg_text(&args, request->error ? request->error : "");
    return deployer_store_change(self, REPORT_HOST, &args);
}

vln_err_t
deployer_store_save_host_state(deployer_store_t *self, const Valion__V1__HostState *state)
{
    vln_arena_t *arena = vln_arena_new(DEPLOYER_RECORD_BUDGET);
    vln_pg_args_t args = {0};
    vln_pg_text(&args, state->host);
    vln_pg_i64(&args, (int64_t)state->generation);
    deployer_store_put(&args, arena, &state->base);
    vln_err_t err = deployer_store_change(self, SAVE_HOST, &args);
    vln_arena_destroy(&arena);
    return err;
}

vln_err_t
deployer_store_count(deployer_store_t *self, deployer_numbers_t *out)
{
    PGresult *result = NULL;
    *out = (deployer_numbers_t){0};
    vln_err_t err = vln_pg_run(self->pg, COUNT, NULL, &result);
    if (err == VLN_OK) {
        *out = (deployer_numbers_t){.total = vln_pg_get_i64(result, 0, 0),
                                    .successful = vln_pg_get_i64(result, 0, 1),
                                    .failed = vln_pg_get_i64(result, 0, 2),
                                    .rolled_back = vln_pg_get_i64(result, 0, 3),
                                    .under_way = vln_pg_get_i64(result, 0, 4),
                                    .serving = vln_pg_get_i64(result, 0, 5),
                                    .average_ms = vln_pg_get_double(result, 0, 6)};
    }
    PQclear(result);
    return err;
}
