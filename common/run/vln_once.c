#include "vln_once.h"

#include <stdlib.h>
#include <string.h>

#include "vln_digest.h"
#include "vln_id.h"
#include "vln_pb.h"

enum { RACE_TRIES = 3 };

/* What a call's id is looked up by. */
typedef struct claim {
    const char *scope;
    uint8_t hash[VLN_DIGEST_BYTES];
} claim_t;

/* One group of calls in one transaction. */
typedef struct group {
    const vln_once_t *once;
    vln_arena_t *arena; /* of the first call */
    size_t count;
    vln_call_t *calls[VLN_BATCH_MAX];
    claim_t claims[VLN_BATCH_MAX];
    bool settled[VLN_BATCH_MAX]; /* replayed or refused: not for `work` */
} group_t;

static claim_t
make_claim(vln_call_t *call)
{
    claim_t claim = {.scope = call->principal};
    if (call->ticket) {
        char id[VLN_ID_TEXT];
        claim.scope =
            vln_arena_printf(call->arena, "task:%s", vln_id_format(call->ticket->task_id.data, id));
    }
    vln_digest_t *digest = vln_digest_begin();
    vln_digest_add(digest, call->body, call->body_size);
    vln_digest_add(digest, call->raw, call->raw_size);
    vln_digest_end(&digest, claim.hash);
    return claim;
}

static const ProtobufCBinaryData *
id_of(const vln_call_t *call)
{
    return &call->header->request_id;
}

static bool
same_id(const vln_call_t *left, const vln_call_t *right)
{
    return memcmp(id_of(left)->data, id_of(right)->data, VLN_ID_BYTES) == 0 &&
           strcmp(left->principal, right->principal) == 0;
}

static void
replay(group_t *group, size_t at, const PGresult *found, int row)
{
    vln_call_t *call = group->calls[at];
    size_t hash_size = 0;
    const uint8_t *hash = vln_pg_get_bytes(found, row, 1, &hash_size);
    bool same = hash_size == VLN_DIGEST_BYTES &&
                memcmp(hash, group->claims[at].hash, VLN_DIGEST_BYTES) == 0 &&
                strcmp(vln_pg_get_text(found, row, 2), call->method->name) == 0;
    group->settled[at] = true;
    if (!same && !call->ticket) {
        vln_call_refuse(call, VLN_ALREADY_EXISTS, VALION__V1__REASON__REASON_REQUEST_ID_REUSED,
                        "this request id was used for another request: make a new id for each "
                        "new request, and keep it only to repeat the same one");
        return;
    }
    size_t size = 0;
    const uint8_t *reply = vln_pg_get_bytes(found, row, 3, &size);
    vln_call_reply_packed(call, vln_arena_memdup(call->arena, reply, size), size);
}

static vln_err_t
settle_known(group_t *group)
{
    vln_pg_array_t *scopes = vln_pg_array_new(group->arena, VLN_PG_TEXT);
    vln_pg_array_t *ids = vln_pg_array_new(group->arena, VLN_PG_BYTEA);
    for (size_t i = 0; i < group->count; i++) {
        vln_pg_array_add_text(scopes, group->claims[i].scope);
        vln_pg_array_add_bytes(ids, id_of(group->calls[i])->data, VLN_ID_BYTES);
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, scopes);
    vln_pg_array(&args, ids);
    PGresult *found = NULL;
    vln_err_t err = vln_pg_run(group->once->pg, group->once->find, &args, &found);
    for (int row = 0; err == VLN_OK && row < PQntuples(found); row++) {
        replay(group, (size_t)vln_pg_get_i64(found, row, 0) - 1, found, row);
    }
    PQclear(found);
    return err;
}

/* The ticket of the group's open calls that shows the highest token for this task. */
static const Valion__V1__Ticket *
highest_ticket(const group_t *group, const uint8_t *task_id)
{
    const Valion__V1__Ticket *highest = NULL;
    for (size_t i = 0; i < group->count; i++) {
        const Valion__V1__Ticket *ticket = group->calls[i]->ticket;
        if (!group->settled[i] && ticket &&
            memcmp(ticket->task_id.data, task_id, VLN_ID_BYTES) == 0 &&
            (!highest || ticket->token > highest->token)) {
            highest = ticket;
        }
    }
    return highest;
}

/* Row of the task in what the record says of it; -1 if it holds a higher token. */
static int
row_of_task(const PGresult *seen, const Valion__V1__Ticket *ticket)
{
    for (int row = 0; row < PQntuples(seen); row++) {
        size_t size = 0;
        const uint8_t *id = vln_pg_get_bytes(seen, row, 0, &size);
        if (size == VLN_ID_BYTES && memcmp(id, ticket->task_id.data, VLN_ID_BYTES) == 0) {
            return row;
        }
    }
    return -1;
}

static void
refuse_fenced(vln_call_t *call)
{
    vln_call_refuse(call, VLN_ABORTED, VALION__V1__REASON__REASON_FENCED,
                    "the lease behind this ticket is over: a newer one exists; stop working "
                    "on the task and drop its result");
}

static void
refuse_expired(vln_call_t *call)
{
    vln_call_refuse(call, VLN_UNAUTHENTICATED, VALION__V1__REASON__REASON_TICKET,
                    "the ticket's time is over: the task's deadline has passed; stop working on "
                    "the task and drop its result");
}

static void
refuse_stale(group_t *group, const PGresult *seen)
{
    for (size_t i = 0; i < group->count; i++) {
        const Valion__V1__Ticket *ticket = group->calls[i]->ticket;
        if (group->settled[i] || !ticket) {
            continue;
        }
        int row = row_of_task(seen, ticket);
        bool is_last =
            row >= 0 && ticket->token == highest_ticket(group, ticket->task_id.data)->token;
        if (is_last && !vln_pg_get_bool(seen, row, 1)) {
            continue;
        }
        if (is_last) {
            refuse_expired(group->calls[i]);
        } else {
            refuse_fenced(group->calls[i]);
        }
    }
    for (size_t i = 0; i < group->count; i++) {
        group->settled[i] = group->settled[i] || vln_call_is_refused(group->calls[i]);
    }
}

static vln_err_t
fence_tickets(group_t *group)
{
    vln_pg_array_t *tasks = vln_pg_array_new(group->arena, VLN_PG_BYTEA);
    vln_pg_array_t *tokens = vln_pg_array_new(group->arena, VLN_PG_INT8);
    vln_pg_array_t *ends = vln_pg_array_new(group->arena, VLN_PG_INT8);
    for (size_t i = 0; i < group->count; i++) {
        const Valion__V1__Ticket *ticket = group->calls[i]->ticket;
        bool is_highest =
            !group->settled[i] && ticket && ticket == highest_ticket(group, ticket->task_id.data);
        if (is_highest) {
            vln_pg_array_add_bytes(tasks, ticket->task_id.data, VLN_ID_BYTES);
            vln_pg_array_add_i64(tokens, (int64_t)ticket->token);
            vln_pg_array_add_i64(ends, ticket->expires_us);
        }
    }
    if (vln_pg_array_count(tasks) == 0) {
        return VLN_OK;
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, tasks);
    vln_pg_array(&args, tokens);
    vln_pg_array(&args, ends);
    PGresult *seen = NULL;
    vln_err_t err = vln_pg_run(group->once->pg, group->once->fence, &args, &seen);
    if (err == VLN_OK) {
        refuse_stale(group, seen);
    }
    PQclear(seen);
    return err;
}

static vln_err_t
do_work(group_t *group)
{
    vln_call_t *open[VLN_BATCH_MAX];
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++) {
        if (!group->settled[i]) {
            open[count++] = group->calls[i];
        }
    }
    return count ? group->once->work(group->once->context, open, count) : VLN_OK;
}

/* ABORTED: somebody else has just answered one of these ids. */
static vln_err_t
keep_replies(group_t *group)
{
    vln_arena_t *arena = group->arena;
    vln_pg_array_t *scopes = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *ids = vln_pg_array_new(arena, VLN_PG_BYTEA);
    vln_pg_array_t *methods = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *hashes = vln_pg_array_new(arena, VLN_PG_BYTEA);
    vln_pg_array_t *replies = vln_pg_array_new(arena, VLN_PG_BYTEA);
    for (size_t i = 0; i < group->count; i++) {
        vln_call_t *call = group->calls[i];
        if (group->settled[i] || call->status != VLN_OK || !call->reply) {
            continue;
        }
        size_t size = 0;
        const uint8_t *packed = vln_pb_pack(call->reply, call->arena, &size);
        vln_call_reply_packed(call, packed, size);
        vln_pg_array_add_text(scopes, group->claims[i].scope);
        vln_pg_array_add_bytes(ids, id_of(call)->data, VLN_ID_BYTES);
        vln_pg_array_add_text(methods, call->method->name);
        vln_pg_array_add_bytes(hashes, group->claims[i].hash, VLN_DIGEST_BYTES);
        vln_pg_array_add_bytes(replies, packed, size);
    }
    size_t wanted = vln_pg_array_count(scopes);
    if (wanted == 0) {
        return VLN_OK;
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, scopes);
    vln_pg_array(&args, ids);
    vln_pg_array(&args, methods);
    vln_pg_array(&args, hashes);
    vln_pg_array(&args, replies);
    PGresult *kept = NULL;
    vln_err_t err = vln_pg_run(group->once->pg, group->once->keep, &args, &kept);
    if (err == VLN_OK && (size_t)vln_pg_changed(kept) != wanted) {
        err = VLN_ABORTED;
    }
    PQclear(kept);
    return err;
}

static vln_err_t
run_transaction(group_t *group)
{
    vln_pg_t *pg = group->once->pg;
    memset(group->settled, 0, sizeof group->settled);
    for (size_t i = 0; i < group->count; i++) {
        vln_call_unanswer(group->calls[i]);
    }
    vln_err_t err = vln_pg_begin(pg);
    if (err == VLN_OK) {
        err = settle_known(group);
    }
    if (err == VLN_OK) {
        err = fence_tickets(group);
    }
    if (err == VLN_OK) {
        err = do_work(group);
    }
    if (err == VLN_OK) {
        err = keep_replies(group);
    }
    if (err == VLN_OK) {
        err = vln_pg_commit(pg);
    }
    vln_pg_rollback(pg); /* does nothing once it committed */
    return err;
}

static void
run_alone(group_t *group)
{
    vln_err_t err = VLN_ABORTED;
    for (int i = 0; i < RACE_TRIES && err == VLN_ABORTED; i++) {
        err = run_transaction(group);
    }
    if (err != VLN_OK) {
        /* A conflict that the work did not explain is one that a repetition resolves. */
        bool conflict = err == VLN_ABORTED || err == VLN_ALREADY_EXISTS;
        vln_call_refuse_store(group->calls[0], conflict ? VLN_UNAVAILABLE : err);
    }
}

static void
run_group(group_t *group)
{
    vln_err_t err = run_transaction(group);
    if (err == VLN_OK) {
        return;
    }
    if (err == VLN_UNAVAILABLE && group->count > 1 && vln_pg_ensure(group->once->pg) != VLN_OK) {
        for (size_t i = 0; i < group->count; i++) {
            vln_call_refuse_store(group->calls[i], err);
        }
        return;
    }
    for (size_t i = 0; i < group->count; i++) {
        group_t alone = {.once = group->once, .arena = group->calls[i]->arena, .count = 1};
        alone.calls[0] = group->calls[i];
        alone.claims[0] = group->claims[i];
        run_alone(&alone);
    }
}

static bool
refuse_without_id(vln_call_t *call)
{
    if (id_of(call)->len == VLN_ID_BYTES) {
        return false;
    }
    vln_call_refuse(call, VLN_INVALID_ARGUMENT, VALION__V1__REASON__REASON_MALFORMED,
                    "%s changes the record and needs a request id of 16 bytes in the header",
                    call->method->name);
    return true;
}

/* An id twice in one batch: the second has to see the first one's reply, so it waits a round. */
static bool
is_in_group(const group_t *group, const vln_call_t *call)
{
    for (size_t i = 0; i < group->count; i++) {
        if (same_id(group->calls[i], call)) {
            return true;
        }
    }
    return false;
}

void
vln_once_run(const vln_once_t *self, vln_call_t **calls, size_t count)
{
    vln_assert(count <= VLN_BATCH_MAX);
    bool done[VLN_BATCH_MAX] = {false};
    size_t left = count;
    while (left) {
        group_t group = {.once = self};
        for (size_t i = 0; i < count; i++) {
            if (done[i] || is_in_group(&group, calls[i])) {
                continue;
            }
            done[i] = true;
            left--;
            if (!refuse_without_id(calls[i])) {
                group.claims[group.count] = make_claim(calls[i]);
                group.calls[group.count++] = calls[i];
            }
        }
        if (group.count) {
            group.arena = group.calls[0]->arena;
            run_group(&group);
        }
    }
}
