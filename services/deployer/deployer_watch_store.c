#include "deployer_watch_store.h"

#include "deployer_store_inside.h"

/* ---- counters ---- */

/* Start, start before, amount, record, ended: from this column on. */
static void
read_counted(const PGresult *result, int row, int column, vln_arena_t *arena,
             deployer_counted_t *out)
{
    out->kept.start_id = deployer_store_text(result, row, column, arena);
    out->kept.start_ended = deployer_store_text(result, row, column + 1, arena);
    out->kept.amount = vln_pg_get_i64(result, row, column + 2);
    out->record = deployer_store_bytes(result, row, column + 3, arena);
    out->ended = deployer_store_bytes(result, row, column + 4, arena);
}

static void
put_counted(vln_pg_args_t *args, const deployer_counted_t *counted)
{
    vln_pg_text(args, counted->kept.start_id);
    vln_pg_text(args, counted->kept.start_ended);
    vln_pg_i64(args, counted->kept.amount);
    vln_pg_bytes(args, counted->record.data, counted->record.len);
    vln_pg_bytes_or_null(args, counted->ended.data, counted->ended.len);
}

vln_err_t
deployer_store_find_telemetry(deployer_store_t *self, vln_arena_t *arena, const char *host,
                              vln_pg_array_t *ids, deployer_counted_t **out, size_t *count)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    *count = 0;
    vln_pg_array(&args, ids);
    vln_pg_text(&args, host);
    vln_err_t err = vln_pg_run(self->pg, FIND_TELEMETRY, &args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            deployer_store_id(result, (int)i, 0, &(*out)[i].instance);
            read_counted(result, (int)i, 1, arena, &(*out)[i]);
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
deployer_store_save_telemetry(deployer_store_t *self, const deployer_counted_t *counted)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, counted->instance.bytes, VLN_ID_BYTES);
    put_counted(&args, counted);
    return deployer_store_change(self, SAVE_TELEMETRY, &args);
}

vln_err_t
deployer_store_find_proxy(deployer_store_t *self, vln_arena_t *arena, const char *host,
                          deployer_counted_t **out, size_t *count)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    *count = 0;
    vln_pg_text(&args, host);
    vln_err_t err = vln_pg_run(self->pg, FIND_PROXY, &args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            (*out)[i].environment = deployer_store_text(result, (int)i, 0, arena);
            (*out)[i].model = deployer_store_text(result, (int)i, 1, arena);
            (*out)[i].canary = vln_pg_get_bool(result, (int)i, 2);
            read_counted(result, (int)i, 3, arena, &(*out)[i]);
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
deployer_store_save_proxy(deployer_store_t *self, const char *host,
                          const deployer_counted_t *counted)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, host);
    vln_pg_text(&args, counted->environment);
    vln_pg_text(&args, counted->model);
    vln_pg_bool(&args, counted->canary);
    put_counted(&args, counted);
    return deployer_store_change(self, SAVE_PROXY, &args);
}

typedef struct kind {
    size_t statement;
    const ProtobufCMessageDescriptor *type;
} kind_t;

/* Columns 0 and 1 of each row: the start that is kept, and what has ended. */
static vln_err_t
list_records(deployer_store_t *self, vln_arena_t *arena, kind_t kind, const vln_pg_args_t *args,
             void ***out, size_t *count)
{
    PGresult *result = NULL;
    *count = 0;
    vln_err_t err = vln_pg_run(self->pg, kind.statement, args, &result);
    int rows = err == VLN_OK ? PQntuples(result) : 0;
    *out = vln_arena_alloc(arena, (2 * (size_t)rows + 1) * sizeof(void *));
    for (int at = 0; at < 2 * rows && err == VLN_OK; at++) {
        if (!vln_pg_is_null(result, at / 2, at % 2)) {
            void *record = deployer_store_message(result, at / 2, at % 2, arena, kind.type);
            (*out)[*count] = record;
            *count += record != NULL;
            err = record ? VLN_OK : VLN_DATA_LOSS;
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
deployer_store_list_telemetry(deployer_store_t *self, vln_arena_t *arena, const char *environment,
                              const char *model, Valion__V1__Telemetry ***out, size_t *count)
{
    void **records = NULL;
    vln_pg_args_t args = {0};
    vln_pg_text(&args, environment);
    vln_pg_text(&args, model);
    vln_err_t err =
        list_records(self, arena, (kind_t){LIST_TELEMETRY, &valion__v1__telemetry__descriptor},
                     &args, &records, count);
    *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
    for (size_t i = 0; i < *count; i++) {
        (*out)[i] = records[i];
    }
    return err;
}

vln_err_t
deployer_store_list_proxy(deployer_store_t *self, vln_arena_t *arena, const char *environment,
                          const char *model, Valion__V1__ProxyCounters ***out, size_t *count)
{
    void **records = NULL;
    vln_pg_args_t args = {0};
    vln_pg_text(&args, environment);
    vln_pg_text(&args, model);
    vln_err_t err =
        list_records(self, arena, (kind_t){LIST_PROXY, &valion__v1__proxy_counters__descriptor},
                     &args, &records, count);
    *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
    for (size_t i = 0; i < *count; i++) {
        (*out)[i] = records[i];
    }
    return err;
}

/* ---- references ---- */

vln_err_t
deployer_store_find_reference(deployer_store_t *self, vln_arena_t *arena,
                              const uint8_t id[VLN_DIGEST_BYTES], Valion__V1__Profile **out)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    *out = NULL;
    vln_pg_bytes(&args, id, VLN_DIGEST_BYTES);
    vln_err_t err = vln_pg_run_one(self->pg, FIND_REFERENCE, &args, &result);
    if (err == VLN_OK) {
        *out = deployer_store_message(result, 0, 0, arena, &valion__v1__profile__descriptor);
        err = *out ? VLN_OK : VLN_DATA_LOSS;
    }
    PQclear(result);
    return err;
}

vln_err_t
deployer_store_save_reference(deployer_store_t *self, const uint8_t id[VLN_DIGEST_BYTES],
                              const Valion__V1__Profile *reference)
{
    vln_arena_t *arena = vln_arena_new(DEPLOYER_RECORD_BUDGET);
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, id, VLN_DIGEST_BYTES);
    deployer_store_put(&args, arena, &reference->base);
    vln_err_t err = deployer_store_change(self, SAVE_REFERENCE, &args);
    vln_arena_destroy(&arena);
    return err;
}

/* ---- rules ---- */

static void *
read_message_or_null(const PGresult *result, int row, int column, vln_arena_t *arena,
                     const ProtobufCMessageDescriptor *type)
{
    return vln_pg_is_null(result, row, column)
               ? NULL
               : deployer_store_message(result, row, column, arena, type);
}

static vln_err_t
read_rule(const PGresult *result, int row, vln_arena_t *arena, deployer_rule_t *out)
{
    *out = (deployer_rule_t){
        .record =
            deployer_store_message(result, row, 0, arena, &valion__v1__watch_rule__descriptor),
        .due_us = vln_pg_get_us(result, row, 1),
        .has_stable = !vln_pg_is_null(result, row, 2),
        .since_us = vln_pg_is_null(result, row, 3) ? 0 : vln_pg_get_us(result, row, 3),
        .telemetry =
            read_message_or_null(result, row, 4, arena, &valion__v1__telemetry__descriptor),
        .proxy =
            read_message_or_null(result, row, 5, arena, &valion__v1__proxy_counters__descriptor),
        .asks = !vln_pg_is_null(result, row, 6),
        .asked_us = vln_pg_is_null(result, row, 7) ? 0 : vln_pg_get_us(result, row, 7),
        .revision = vln_pg_get_i64(result, row, 8),
        .why = deployer_store_text(result, row, 9, arena),
        .has_gone = !vln_pg_is_null(result, row, 10)};
    deployer_store_id(result, row, 2, &out->stable);
    deployer_store_id(result, row, 6, &out->asked);
    deployer_store_id(result, row, 10, &out->went_to);
    return out->record && out->record->metric ? VLN_OK : VLN_DATA_LOSS;
}

vln_err_t
deployer_store_list_rules(deployer_store_t *self, vln_arena_t *arena,
                          const deployer_rule_key_t *key, int limit, deployer_rule_t **out,
                          size_t *count)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    *count = 0;
    vln_pg_text(&args, key->environment);
    vln_pg_text(&args, key->model);
    vln_pg_text(&args, key->name);
    vln_pg_i32(&args, limit);
    vln_err_t err = vln_pg_run(self->pg, FIND_RULES, &args, &result);
    if (err == VLN_OK) {
        int rows = PQntuples(result);
        *out = vln_arena_alloc(arena, ((size_t)rows + 1) * sizeof **out);
        for (int row = 0; row < rows && err == VLN_OK; row++) {
            err = read_rule(result, row, arena, &(*out)[(*count)++]);
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
deployer_store_count_rules(deployer_store_t *self, const char *environment, const char *model,
                           int64_t *out)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_text(&args, environment);
    vln_pg_text(&args, model);
    vln_err_t err = vln_pg_run(self->pg, COUNT_RULES, &args, &result);
    *out = err == VLN_OK ? vln_pg_get_i64(result, 0, 0) : 0;
    PQclear(result);
    return err;
}

static void
put_time(vln_pg_args_t *args, int64_t us)
{
    if (us > 0) {
        vln_pg_i64(args, us);
        return;
    }
    vln_pg_null(args);
}

static void
put_or_null(vln_pg_args_t *args, vln_arena_t *arena, const ProtobufCMessage *message)
{
    if (message) {
        deployer_store_put(args, arena, message);
        return;
    }
    vln_pg_null(args);
}

vln_err_t
deployer_store_save_rule(deployer_store_t *self, const deployer_rule_t *rule)
{
    vln_arena_t *arena = vln_arena_new(DEPLOYER_RECORD_BUDGET);
    vln_pg_args_t args = {0};
    vln_pg_text(&args, rule->record->environment);
    vln_pg_text(&args, rule->record->model);
    vln_pg_text(&args, rule->record->name);
    deployer_store_put(&args, arena, &rule->record->base);
    vln_pg_i64(&args, rule->due_us);
    vln_pg_bytes_or_null(&args, rule->stable.bytes, rule->has_stable ? VLN_ID_BYTES : 0);
    put_time(&args, rule->since_us);
    put_or_null(&args, arena, rule->telemetry ? &rule->telemetry->base : NULL);
    put_or_null(&args, arena, rule->proxy ? &rule->proxy->base : NULL);
    vln_pg_bytes_or_null(&args, rule->asked.bytes, rule->asks ? VLN_ID_BYTES : 0);
    put_time(&args, rule->asked_us);
    vln_pg_i64(&args, rule->revision);
    vln_pg_text(&args, rule->why ? rule->why : "");
    vln_pg_bytes_or_null(&args, rule->went_to.bytes, rule->has_gone ? VLN_ID_BYTES : 0);
    vln_err_t err = deployer_store_change(self, SAVE_RULE, &args);
    vln_arena_destroy(&arena);
    return err;
}

vln_err_t
deployer_store_delete_rule(deployer_store_t *self, const deployer_rule_key_t *key)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, key->environment);
    vln_pg_text(&args, key->model);
    vln_pg_text(&args, key->name);
    return deployer_store_change(self, DELETE_RULE, &args);
}

vln_err_t
deployer_store_list_due_rules(deployer_store_t *self, vln_arena_t *arena, int limit,
                              deployer_rule_key_t **out, size_t *count)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    *count = 0;
    vln_pg_i32(&args, limit);
    vln_err_t err = vln_pg_run(self->pg, LIST_DUE_RULES, &args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            (*out)[i] =
                (deployer_rule_key_t){.environment = deployer_store_text(result, (int)i, 0, arena),
                                      .model = deployer_store_text(result, (int)i, 1, arena),
                                      .name = deployer_store_text(result, (int)i, 2, arena)};
        }
    }
    PQclear(result);
    return err;
}
