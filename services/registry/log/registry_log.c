#include "registry_log.h"

#include <stdlib.h>
#include <string.h>

#include "vln_chain.h"
#include "vln_log.h"
#include "vln_page.h"
#include "vln_pb.h"
#include "vln_pg.h"

/* clang-format off */
enum { READ_LOG, LOG_END, INSERT_HEAD, LIST_HEADS, TRY_LOCK, TAKE_OUTBOX, APPEND_LOG };

static const vln_pg_stmt_t statements[] = {
    [READ_LOG] = {"read_log",
        "SELECT position, type, subject, actor, time, payload, hash FROM log"
        " WHERE position > $1::bigint"
        "   AND ($2::text[] IS NULL OR type = ANY ($2)"
        "        OR split_part(type, '.', 1) = ANY ($3::text[]))"
        "   AND ($4::text IS NULL OR subject = $4)"
        " ORDER BY position LIMIT $5::integer"},
    [LOG_END] = {"log_end",
        "SELECT position, hash, now() FROM log ORDER BY position DESC LIMIT 1"},
    [INSERT_HEAD] = {"insert_head",
        "INSERT INTO head (position, hash, time, signature)"
        " VALUES ($1::bigint, $2::bytea, to_timestamp(0) + $3::bigint * interval '1 microsecond',"
        "         $4::bytea)"},
    [LIST_HEADS] = {"list_heads",
        "SELECT position, hash, time, signature FROM head"
        " WHERE $1::bigint = 0 OR (position, time)"
        "       < ($1, to_timestamp(0) + $2::bigint * interval '1 microsecond')"
        " ORDER BY position DESC, time DESC LIMIT $3::integer"},
    [TRY_LOCK] = {"try_lock", "SELECT pg_try_advisory_lock(x'56414c'::int, 1)"},
    [TAKE_OUTBOX] = {"take_outbox",
        "WITH taken AS (DELETE FROM outbox WHERE seq = ANY (ARRAY("
        "  SELECT seq FROM outbox ORDER BY seq LIMIT $1::integer))"
        "  RETURNING seq, type, subject, actor, time, payload)"
        " SELECT seq, type, subject, actor, time, payload FROM taken ORDER BY seq"},
    [APPEND_LOG] = {"append_log",
        "INSERT INTO log (position, type, subject, actor, time, payload, hash)"
        " SELECT position, type, subject, actor,"
        "        to_timestamp(0) + time_us * interval '1 microsecond', payload, hash"
        "   FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[],"
        "               $6::bytea[], $7::bytea[])"
        "     AS a (position, type, subject, actor, time_us, payload, hash)"},
};
/* clang-format on */

struct registry_log {
    vln_pg_t *pg;
    bool is_relay;
    uint64_t session;  /* the connection that holds the lock */
    uint64_t position; /* of the relay: the log's end */
    uint8_t hash[VLN_DIGEST_BYTES];
};

vln_err_t
registry_log_open(registry_log_t **out, const char *database)
{
    const vln_pg_config_t config = {.conninfo = database,
                                    .application = "valion-registry log",
                                    .search_path = "event",
                                    .statements = statements,
                                    .statement_count = VLN_COUNT(statements)};
    *out = NULL;
    vln_pg_t *pg = NULL;
    vln_err_t err = vln_pg_open(&pg, &config);
    if (pg) {
        *out = vln_calloc(1, sizeof **out);
        (*out)->pg = pg;
    }
    return err;
}

void
registry_log_close(registry_log_t **self_p)
{
    registry_log_t *self = *self_p;
    if (self) {
        vln_pg_close(&self->pg);
        free(self);
        *self_p = NULL;
    }
}

vln_err_t
registry_log_ensure(registry_log_t *self)
{
    return vln_pg_ensure(self->pg);
}

static ProtobufCBinaryData
copy_bytes(const PGresult *result, int row, int column, vln_arena_t *arena)
{
    size_t size = 0;
    const uint8_t *bytes = vln_pg_get_bytes(result, row, column, &size);
    return (ProtobufCBinaryData){size, vln_arena_memdup(arena, bytes, size)};
}

/* Columns: position or seq, type, subject, actor, time, payload. */
static Valion__V1__Event *
read_event(const PGresult *result, int row, vln_arena_t *arena)
{
    Valion__V1__Event *event = vln_arena_alloc(arena, sizeof *event);
    valion__v1__event__init(event);
    event->has_position = 1;
    event->position = (uint64_t)vln_pg_get_i64(result, row, 0);
    event->type = vln_arena_strdup(arena, vln_pg_get_text(result, row, 1));
    event->subject = vln_arena_strdup(arena, vln_pg_get_text(result, row, 2));
    event->actor = vln_arena_strdup(arena, vln_pg_get_text(result, row, 3));
    event->has_time_us = 1;
    event->time_us = vln_pg_get_us(result, row, 4);
    event->has_payload = 1;
    event->payload = copy_bytes(result, row, 5, arena);
    return event;
}

/* ---- reading ---- */

/* The log's end; position 0 while it is empty. */
static vln_err_t
read_end(registry_log_t *self, uint64_t *position, uint8_t hash[VLN_DIGEST_BYTES], int64_t *now_us)
{
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, LOG_END, NULL, &result);
    if (err == VLN_OK && PQntuples(result) == 0) {
        *position = 0;
        vln_chain_start(hash);
    } else if (err == VLN_OK) {
        size_t size = 0;
        const uint8_t *bytes = vln_pg_get_bytes(result, 0, 1, &size);
        vln_assert(size == VLN_DIGEST_BYTES);
        memcpy(hash, bytes, size);
        *position = (uint64_t)vln_pg_get_i64(result, 0, 0);
        if (now_us) {
            *now_us = vln_pg_get_us(result, 0, 2);
        }
    }
    PQclear(result);
    return err;
}

/* "version.*" goes to the families, the rest to the exact types; NULL arrays where there is none. */
static void
add_types(vln_pg_args_t *args, vln_arena_t *arena, const registry_log_query_t *query)
{
    vln_pg_array_t *exact = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *families = vln_pg_array_new(arena, VLN_PG_TEXT);
    for (size_t i = 0; i < query->type_count; i++) {
        const char *star = strstr(query->types[i], ".*");
        if (star) {
            vln_pg_array_add_bytes(families, query->types[i], (size_t)(star - query->types[i]));
        } else {
            vln_pg_array_add_text(exact, query->types[i]);
        }
    }
    if (query->type_count == 0) {
        vln_pg_null(args);
        vln_pg_null(args);
        return;
    }
    vln_pg_array(args, exact);
    vln_pg_array(args, families);
}

vln_err_t
registry_log_read(registry_log_t *self, vln_arena_t *arena, const registry_log_query_t *query,
                  registry_log_page_t *out)
{
    *out = (registry_log_page_t){.last = query->after};
    uint8_t hash[VLN_DIGEST_BYTES];
    /* The end first: what is appended between the two reads is after it and is read again. */
    vln_err_t err = read_end(self, &out->end, hash, NULL);
    if (err != VLN_OK || out->end <= query->after) {
        return err;
    }
    vln_pg_args_t args = {0};
    vln_pg_i64(&args, (int64_t)query->after);
    add_types(&args, arena, query);
    vln_pg_text(&args, query->subject);
    vln_pg_i32(&args, query->limit);
    PGresult *result = NULL;
    err = vln_pg_run(self->pg, READ_LOG, &args, &result);
    if (err != VLN_OK) {
        return err;
    }
    int rows = PQntuples(result);
    vln_page_t page = {0};
    out->events = vln_arena_alloc(arena, (size_t)rows * sizeof *out->events);
    for (int row = 0; row < rows; row++) {
        Valion__V1__Event *event = read_event(result, row, arena);
        event->has_hash = 1;
        event->hash = copy_bytes(result, row, 6, arena);
        if (!vln_page_take(&page, arena, &event->base)) {
            break;
        }
        out->events[out->count++] = event;
        out->last = event->position;
    }
    bool all = (int)out->count == rows && rows < query->limit;
    if (all && out->last < out->end) {
        out->last = out->end;
    }
    PQclear(result);
    return VLN_OK;
}

/* ---- heads ---- */

static Valion__V1__LogHead *
make_head(vln_arena_t *arena, uint64_t position, const uint8_t hash[VLN_DIGEST_BYTES],
          int64_t time_us, const uint8_t signature[VLN_SIGNATURE])
{
    Valion__V1__LogHead *head = vln_arena_alloc(arena, sizeof *head);
    valion__v1__log_head__init(head);
    head->has_position = head->has_hash = head->has_time_us = head->has_signature = 1;
    head->position = position;
    head->hash =
        (ProtobufCBinaryData){VLN_DIGEST_BYTES, vln_arena_memdup(arena, hash, VLN_DIGEST_BYTES)};
    head->time_us = time_us;
    head->signature =
        (ProtobufCBinaryData){VLN_SIGNATURE, vln_arena_memdup(arena, signature, VLN_SIGNATURE)};
    return head;
}

vln_err_t
registry_log_sign(registry_log_t *self, vln_arena_t *arena, const uint8_t secret[VLN_SIGN_SECRET],
                  Valion__V1__LogHead **out)
{
    *out = NULL;
    uint64_t position = 0;
    int64_t now_us = 0;
    uint8_t hash[VLN_DIGEST_BYTES];
    vln_err_t err = read_end(self, &position, hash, &now_us);
    if (err != VLN_OK) {
        return err;
    }
    if (position == 0) {
        return VLN_NOT_FOUND;
    }
    uint8_t bytes[VLN_CHAIN_HEAD_BYTES];
    uint8_t signature[VLN_SIGNATURE];
    vln_chain_head_bytes(position, now_us, hash, bytes);
    vln_sign_make(secret, bytes, sizeof bytes, signature);
    vln_pg_args_t args = {0};
    vln_pg_i64(&args, (int64_t)position);
    vln_pg_bytes(&args, hash, sizeof hash);
    vln_pg_i64(&args, now_us);
    vln_pg_bytes(&args, signature, sizeof signature);
    err = vln_pg_run(self->pg, INSERT_HEAD, &args, NULL);
    if (err == VLN_OK) {
        *out = make_head(arena, position, hash, now_us, signature);
    }
    return err;
}

vln_err_t
registry_log_list_heads(registry_log_t *self, vln_arena_t *arena, const Valion__V1__LogHead *before,
                        int limit, Valion__V1__LogHead ***out, size_t *count)
{
    *count = 0;
    vln_pg_args_t args = {0};
    vln_pg_i64(&args, before ? (int64_t)before->position : 0);
    vln_pg_i64(&args, before ? before->time_us : 0);
    vln_pg_i32(&args, limit);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, LIST_HEADS, &args, &result);
    if (err != VLN_OK) {
        return err;
    }
    int rows = PQntuples(result);
    *out = vln_arena_alloc(arena, (size_t)rows * sizeof **out);
    for (int row = 0; row < rows; row++) {
        ProtobufCBinaryData hash = copy_bytes(result, row, 1, arena);
        ProtobufCBinaryData signature = copy_bytes(result, row, 3, arena);
        if (hash.len == VLN_DIGEST_BYTES && signature.len == VLN_SIGNATURE) {
            (*out)[(*count)++] =
                make_head(arena, (uint64_t)vln_pg_get_i64(result, row, 0), hash.data,
                          vln_pg_get_us(result, row, 2), signature.data);
        }
    }
    PQclear(result);
    return VLN_OK;
}

/* ---- the relay ---- */

vln_err_t
registry_log_lock(registry_log_t *self)
{
    if (registry_log_ensure(self) != VLN_OK) {
        self->is_relay = false;
        return VLN_UNAVAILABLE;
    }
    if (self->is_relay && self->session == vln_pg_session(self->pg)) {
        return VLN_OK;
    }
    self->is_relay = false;
    self->session = vln_pg_session(self->pg);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, TRY_LOCK, NULL, &result);
    bool got = err == VLN_OK && vln_pg_get_bool(result, 0, 0);
    PQclear(result);
    if (!got) {
        return err == VLN_OK ? VLN_UNAVAILABLE : err;
    }
    err = read_end(self, &self->position, self->hash, NULL);
    self->is_relay = err == VLN_OK;
    if (self->is_relay) {
        vln_info("relay.started", kv_i64("position", (int64_t)self->position));
    }
    return err;
}

static const uint8_t *
pack_entry(const Valion__V1__Event *event, vln_arena_t *arena, size_t *size)
{
    Valion__V1__LogEntry entry = VALION__V1__LOG_ENTRY__INIT;
    entry.type = event->type;
    entry.subject = event->subject;
    entry.actor = event->actor;
    entry.has_time_us = 1;
    entry.time_us = event->time_us;
    entry.has_payload = 1;
    entry.payload = event->payload;
    return vln_pb_pack(&entry.base, arena, size);
}

/* Gives each event its position and hash, from the end that is passed in. */
static void
chain_events(Valion__V1__Event **events, size_t count, vln_arena_t *arena, uint64_t *position,
             uint8_t hash[VLN_DIGEST_BYTES])
{
    for (size_t i = 0; i < count; i++) {
        size_t size = 0;
        const uint8_t *entry = pack_entry(events[i], arena, &size);
        *position += 1;
        vln_chain_next(hash, *position, entry, size, hash);
        events[i]->position = *position;
        events[i]->has_hash = 1;
        events[i]->hash = (ProtobufCBinaryData){VLN_DIGEST_BYTES,
                                                vln_arena_memdup(arena, hash, VLN_DIGEST_BYTES)};
    }
}

static vln_err_t
append_events(registry_log_t *self, vln_arena_t *arena, Valion__V1__Event **events, size_t count)
{
    vln_pg_array_t *positions = vln_pg_array_new(arena, VLN_PG_INT8);
    vln_pg_array_t *times = vln_pg_array_new(arena, VLN_PG_INT8);
    vln_pg_array_t *texts[3];
    vln_pg_array_t *payloads = vln_pg_array_new(arena, VLN_PG_BYTEA);
    vln_pg_array_t *hashes = vln_pg_array_new(arena, VLN_PG_BYTEA);
    for (size_t i = 0; i < VLN_COUNT(texts); i++) {
        texts[i] = vln_pg_array_new(arena, VLN_PG_TEXT);
    }
    for (size_t i = 0; i < count; i++) {
        const Valion__V1__Event *event = events[i];
        vln_pg_array_add_i64(positions, (int64_t)event->position);
        vln_pg_array_add_text(texts[0], event->type);
        vln_pg_array_add_text(texts[1], event->subject);
        vln_pg_array_add_text(texts[2], event->actor);
        vln_pg_array_add_i64(times, event->time_us);
        vln_pg_array_add_bytes(payloads, event->payload.data, event->payload.len);
        vln_pg_array_add_bytes(hashes, event->hash.data, event->hash.len);
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, positions);
    vln_pg_array(&args, texts[0]);
    vln_pg_array(&args, texts[1]);
    vln_pg_array(&args, texts[2]);
    vln_pg_array(&args, times);
    vln_pg_array(&args, payloads);
    vln_pg_array(&args, hashes);
    return vln_pg_run(self->pg, APPEND_LOG, &args, NULL);
}

static vln_err_t
take_outbox(registry_log_t *self, vln_arena_t *arena, Valion__V1__Event ***out, size_t *count)
{
    vln_pg_args_t args = {0};
    vln_pg_i32(&args, REGISTRY_RELAY_BATCH);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, TAKE_OUTBOX, &args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, *count * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            (*out)[i] = read_event(result, (int)i, arena);
        }
    }
    PQclear(result);
    return err;
}

/* A transaction of which it is not known whether it committed: the end is read again, and a lost
 * connection has lost the lock with it. */
static vln_err_t
forget_end(registry_log_t *self, vln_err_t err)
{
    vln_pg_rollback(self->pg);
    self->is_relay = false;
    return err;
}

vln_err_t
registry_log_relay(registry_log_t *self, vln_arena_t *arena, Valion__V1__Event ***out,
                   size_t *count)
{
    *count = 0;
    vln_assert(self->is_relay);
    vln_err_t err = vln_pg_begin(self->pg);
    if (err == VLN_OK && self->session != vln_pg_session(self->pg)) {
        err = VLN_UNAVAILABLE; /* a new connection, without the lock */
    }
    if (err == VLN_OK) {
        err = take_outbox(self, arena, out, count);
    }
    if (err == VLN_OK && *count == 0) {
        vln_pg_rollback(self->pg);
        return VLN_OK;
    }
    uint64_t position = self->position;
    uint8_t hash[VLN_DIGEST_BYTES];
    memcpy(hash, self->hash, sizeof hash);
    if (err == VLN_OK) {
        chain_events(*out, *count, arena, &position, hash);
        err = append_events(self, arena, *out, *count);
    }
    if (err == VLN_OK) {
        err = vln_pg_commit(self->pg);
    }
    if (err != VLN_OK) {
        *count = 0;
        return forget_end(self, err);
    }
    self->position = position;
    memcpy(self->hash, hash, sizeof hash);
    return VLN_OK;
}
