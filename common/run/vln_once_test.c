#include "vln_once.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_id.h"
#include "vln_time.h"

#include "test_database.h"
#include "valion/v1/orchestrator.pb-c.h"

/*
 * The service here: each call notes its body in `effect` and replies with a new id, so that a reply
 * that comes twice is known from one that was made twice. A body that begins with "refuse" is
 * refused, one with "poison" breaks the whole batch, one with "conflict" breaks a constraint.
 */
enum { THREADS = 8, IDS = 25, EXPIRES_S = 3600 };

enum { FIND, KEEP, FENCE, EFFECT };

static const vln_pg_stmt_t statements[] = {
    [FIND] = {"find", VLN_ONCE_FIND_SQL},
    [KEEP] = {"keep", VLN_ONCE_KEEP_SQL},
    [FENCE] = {"fence", VLN_ONCE_FENCE_SQL},
    [EFFECT] = {"effect", "INSERT INTO effect (body, made) VALUES ($1::text, $2::bytea)"},
};

static const vln_method_t submit = {.name = "Submit", .flags = VLN_MUTATES | VLN_BATCHES};
static const vln_method_t other_method = {.name = "Other", .flags = VLN_MUTATES};

static const char *conninfo;
static vln_pg_t *pg;

static vln_pg_t *
connect_one(void)
{
    const vln_pg_config_t config = {.conninfo = conninfo,
                                    .application = "vln_once_test",
                                    .statements = statements,
                                    .statement_count = VLN_COUNT(statements)};
    vln_pg_t *made = NULL;
    cr_assert(vln_pg_open(&made, &config) == VLN_OK);
    return made;
}

static void
setup(void)
{
    conninfo = test_database_open();
    test_database_ask(
        "CREATE TABLE request (scope text, request_id bytea, method text, body_hash bytea,"
        " reply bytea, created timestamptz DEFAULT now(), PRIMARY KEY (request_id, scope));"
        "CREATE TABLE fence (task_id bytea PRIMARY KEY, token bigint, seen timestamptz);"
        "CREATE TABLE effect (body text CHECK (body <> 'conflict'), made bytea)");
    pg = connect_one();
}

static void
teardown(void)
{
    vln_pg_close(&pg);
    cr_expect(test_database_close(), "a connection was left open");
}

TestSuite(vln_once, .init = setup, .fini = teardown, .timeout = 60);

/* ---- calls ---- */

typedef struct made_call {
    vln_call_t call;
    Valion__V1__Header header;
    Valion__V1__Ticket ticket;
    vln_id_t id;
    vln_id_t task;
} made_call_t;

static made_call_t *
call_with_id(vln_id_t id, const char *principal, const char *body)
{
    made_call_t *made = vln_calloc(1, sizeof *made);
    valion__v1__header__init(&made->header);
    made->id = id;
    made->header.has_request_id = 1;
    made->header.request_id = (ProtobufCBinaryData){VLN_ID_BYTES, made->id.bytes};
    made->call = (vln_call_t){.method = &submit,
                              .header = &made->header,
                              .principal = principal,
                              .body = (const uint8_t *)body,
                              .body_size = strlen(body),
                              .arena = vln_arena_new(0)};
    return made;
}

static made_call_t *
new_call(const char *body)
{
    return call_with_id(vln_id_new(), "ann", body);
}

static void
show_ticket(made_call_t *made, vln_id_t task, uint64_t token, int64_t expires_us)
{
    valion__v1__ticket__init(&made->ticket);
    made->task = task;
    made->ticket.task_id = (ProtobufCBinaryData){VLN_ID_BYTES, made->task.bytes};
    made->ticket.token = token;
    made->ticket.submitter = "sue";
    made->ticket.expires_us = expires_us;
    made->call.ticket = &made->ticket;
}

static int64_t
in_an_hour(void)
{
    return vln_wall_us() + INT64_C(1000000) * EXPIRES_S;
}

static void
end_call(made_call_t **made_p)
{
    vln_arena_destroy(&(*made_p)->call.arena);
    free(*made_p);
    *made_p = NULL;
}

/* ---- the service ---- */

static vln_err_t
do_one(vln_pg_t *to, vln_call_t *call)
{
    char body[64];
    snprintf(body, sizeof body, "%.*s", (int)call->body_size, (const char *)call->body);
    if (strncmp(body, "refuse", 6) == 0) {
        vln_call_refuse_field(call, "body", "this body is refused: send another");
        return VLN_OK;
    }
    if (strncmp(body, "poison", 6) == 0) {
        return VLN_INTERNAL;
    }
    Valion__V1__SubmitJobReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__submit_job_reply__init(reply);
    vln_id_t *made = vln_arena_alloc(call->arena, sizeof *made);
    *made = vln_id_new();
    reply->has_job_id = 1;
    reply->job_id = (ProtobufCBinaryData){VLN_ID_BYTES, made->bytes};
    vln_pg_args_t args = {0};
    vln_pg_text(&args, body);
    vln_pg_bytes(&args, made->bytes, VLN_ID_BYTES);
    vln_err_t err = vln_pg_run(to, EFFECT, &args, NULL);
    if (err == VLN_OK) {
        vln_call_reply(call, &reply->base);
    }
    return err;
}

static vln_err_t
work(void *context, vln_call_t **calls, size_t count)
{
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        err = do_one(context, calls[i]);
    }
    return err;
}

static void
run_on(vln_pg_t *to, vln_call_t **calls, size_t count)
{
    const vln_once_t once = {
        .pg = to, .find = FIND, .keep = KEEP, .fence = FENCE, .context = to, .work = work};
    vln_once_run(&once, calls, count);
}

static void
run(made_call_t *made)
{
    vln_call_t *call = &made->call;
    run_on(pg, &call, 1);
}

/* ---- what became of them ---- */

static void
expect_ok(const made_call_t *made)
{
    cr_expect(made->call.outcome == VLN_OUTCOME_REPLY && made->call.status == VLN_OK, "%s: %s",
              vln_err_name(made->call.status), made->call.why ? made->call.why : "");
    cr_assert(gt(sz, made->call.reply_packed_size, VLN_ID_BYTES));
}

static void
expect_refused(const made_call_t *made, vln_err_t err, Valion__V1__Reason reason)
{
    cr_expect(vln_call_is_refused(&made->call));
    cr_expect(made->call.status == err, "%s", vln_err_name(made->call.status));
    cr_expect(eq(int, made->call.reason, (int)reason));
    cr_expect(made->call.why && strlen(made->call.why) > 20);
}

static bool
same_reply(const made_call_t *left, const made_call_t *right)
{
    return left->call.reply_packed_size == right->call.reply_packed_size &&
           memcmp(left->call.reply_packed, right->call.reply_packed,
                  left->call.reply_packed_size) == 0;
}

static void
expect_effects(const char *bodies)
{
    cr_expect(eq(str,
                 (char *)test_database_ask(
                     "SELECT coalesce(string_agg(body, ',' ORDER BY body), '') FROM effect"),
                 (char *)bodies));
}

/* ---- request ids ---- */

Test(vln_once, a_repetition_gets_the_same_reply_and_no_second_effect)
{
    made_call_t *first = new_call("a");
    made_call_t *again = call_with_id(first->id, "ann", "a");
    run(first);
    run(again);
    expect_ok(first);
    expect_ok(again);
    cr_expect(same_reply(first, again));
    expect_effects("a");
    end_call(&first);
    end_call(&again);
}

Test(vln_once, an_id_is_not_for_another_body)
{
    made_call_t *first = new_call("a");
    made_call_t *other = call_with_id(first->id, "ann", "b");
    run(first);
    run(other);
    expect_refused(other, VLN_ALREADY_EXISTS, VALION__V1__REASON__REASON_REQUEST_ID_REUSED);
    expect_effects("a");
    end_call(&first);
    end_call(&other);
}

Test(vln_once, an_id_is_not_for_other_raw_bytes)
{
    made_call_t *first = new_call("a");
    made_call_t *other = call_with_id(first->id, "ann", "a");
    other->call.raw = (const uint8_t *)"raw";
    other->call.raw_size = 3;
    run(first);
    run(other);
    expect_refused(other, VLN_ALREADY_EXISTS, VALION__V1__REASON__REASON_REQUEST_ID_REUSED);
    end_call(&first);
    end_call(&other);
}

Test(vln_once, an_id_is_not_for_another_method)
{
    made_call_t *first = new_call("a");
    made_call_t *other = call_with_id(first->id, "ann", "a");
    other->call.method = &other_method;
    run(first);
    run(other);
    expect_refused(other, VLN_ALREADY_EXISTS, VALION__V1__REASON__REASON_REQUEST_ID_REUSED);
    end_call(&first);
    end_call(&other);
}

Test(vln_once, the_ids_of_principals_are_their_own)
{
    made_call_t *anns = new_call("a");
    made_call_t *bobs = call_with_id(anns->id, "bob", "b");
    run(anns);
    run(bobs);
    expect_ok(bobs);
    cr_expect(not(same_reply(anns, bobs)));
    expect_effects("a,b");
    end_call(&anns);
    end_call(&bobs);
}

Test(vln_once, a_call_without_an_id_is_refused)
{
    made_call_t *call = new_call("a");
    call->header.request_id.len = 0;
    run(call);
    expect_refused(call, VLN_INVALID_ARGUMENT, VALION__V1__REASON__REASON_MALFORMED);
    call->header.request_id.len = VLN_ID_BYTES - 1;
    run(call);
    expect_refused(call, VLN_INVALID_ARGUMENT, VALION__V1__REASON__REASON_MALFORMED);
    expect_effects("");
    end_call(&call);
}

/* What was wrong may be right later: a limit, a role, something that is there by then. */
Test(vln_once, a_refusal_is_not_kept)
{
    made_call_t *refused = new_call("refuse");
    made_call_t *mended = call_with_id(refused->id, "ann", "a");
    run(refused);
    expect_refused(refused, VLN_INVALID_ARGUMENT, VALION__V1__REASON__REASON_FIELD);
    run(mended);
    expect_ok(mended);
    expect_effects("a");
    end_call(&refused);
    end_call(&mended);
}

/* ---- batches ---- */

static void
run_three(made_call_t *first, made_call_t *second, made_call_t *third)
{
    vln_call_t *calls[] = {&first->call, &second->call, &third->call};
    run_on(pg, calls, VLN_COUNT(calls));
}

Test(vln_once, an_id_twice_in_one_batch_is_done_once)
{
    made_call_t *first = new_call("a");
    made_call_t *again = call_with_id(first->id, "ann", "a");
    made_call_t *other = call_with_id(first->id, "ann", "b");
    run_three(first, again, other);
    expect_ok(first);
    expect_ok(again);
    cr_expect(same_reply(first, again));
    expect_refused(other, VLN_ALREADY_EXISTS, VALION__V1__REASON__REASON_REQUEST_ID_REUSED);
    expect_effects("a");
    end_call(&first);
    end_call(&again);
    end_call(&other);
}

Test(vln_once, one_that_is_refused_does_not_hold_its_neighbours)
{
    made_call_t *first = new_call("a");
    made_call_t *refused = new_call("refuse");
    made_call_t *last = new_call("b");
    run_three(first, refused, last);
    expect_ok(first);
    expect_refused(refused, VLN_INVALID_ARGUMENT, VALION__V1__REASON__REASON_FIELD);
    expect_ok(last);
    expect_effects("a,b");
    end_call(&first);
    end_call(&refused);
    end_call(&last);
}

Test(vln_once, one_that_breaks_the_batch_fails_alone)
{
    made_call_t *first = new_call("a");
    made_call_t *poison = new_call("poison");
    made_call_t *last = new_call("b");
    run_three(first, poison, last);
    expect_ok(first);
    expect_refused(poison, VLN_INTERNAL, VALION__V1__REASON__REASON_UNSPECIFIED);
    expect_ok(last);
    expect_effects("a,b");
    end_call(&first);
    end_call(&poison);
    end_call(&last);
}

Test(vln_once, one_that_breaks_a_constraint_fails_alone)
{
    made_call_t *first = new_call("a");
    made_call_t *conflict = new_call("conflict");
    made_call_t *last = new_call("b");
    run_three(first, conflict, last);
    expect_ok(first);
    cr_expect(vln_call_is_refused(&conflict->call));
    expect_ok(last);
    expect_effects("a,b");
    end_call(&first);
    end_call(&conflict);
    end_call(&last);
}

Test(vln_once, what_was_done_before_is_replayed_beside_what_is_new)
{
    made_call_t *known = new_call("a");
    run(known);
    made_call_t *again = call_with_id(known->id, "ann", "a");
    made_call_t *fresh = new_call("b");
    made_call_t *poison = new_call("poison");
    run_three(again, fresh, poison);
    expect_ok(again);
    cr_expect(same_reply(known, again));
    expect_ok(fresh);
    expect_effects("a,b");
    end_call(&known);
    end_call(&again);
    end_call(&fresh);
    end_call(&poison);
}

/* ---- tasks ---- */

Test(vln_once, the_first_result_of_a_task_counts_whoever_runs_it)
{
    vln_id_t task = vln_id_new();
    made_call_t *first = new_call("first");
    made_call_t *rerun = call_with_id(first->id, "bob", "second");
    show_ticket(first, task, 1, in_an_hour());
    show_ticket(rerun, task, 2, in_an_hour());
    run(first);
    run(rerun);
    expect_ok(first);
    expect_ok(rerun);
    cr_expect(same_reply(first, rerun));
    expect_effects("first");
    end_call(&first);
    end_call(&rerun);
}

Test(vln_once, the_ids_of_tasks_are_their_own)
{
    made_call_t *first = new_call("first");
    made_call_t *second = call_with_id(first->id, "ann", "second");
    made_call_t *plain = call_with_id(first->id, "ann", "third");
    show_ticket(first, vln_id_new(), 1, in_an_hour());
    show_ticket(second, vln_id_new(), 1, in_an_hour());
    run(first);
    run(second);
    run(plain);
    expect_ok(second);
    expect_ok(plain);
    expect_effects("first,second,third");
    end_call(&first);
    end_call(&second);
    end_call(&plain);
}

static made_call_t *
call_of_task(vln_id_t task, uint64_t token, const char *body)
{
    made_call_t *made = new_call(body);
    show_ticket(made, task, token, in_an_hour());
    return made;
}

Test(vln_once, a_lower_token_than_one_seen_is_fenced)
{
    vln_id_t task = vln_id_new();
    made_call_t *newer = call_of_task(task, 5, "newer");
    made_call_t *older = call_of_task(task, 4, "older");
    made_call_t *same = call_of_task(task, 5, "same");
    run(newer);
    run(older);
    run(same);
    expect_ok(newer);
    expect_refused(older, VLN_ABORTED, VALION__V1__REASON__REASON_FENCED);
    expect_ok(same);
    expect_effects("newer,same");
    end_call(&newer);
    end_call(&older);
    end_call(&same);
}

Test(vln_once, the_highest_token_of_a_batch_fences_the_others_in_it)
{
    vln_id_t task = vln_id_new();
    made_call_t *low = call_of_task(task, 1, "low");
    made_call_t *high = call_of_task(task, 3, "high");
    made_call_t *middle = call_of_task(task, 2, "middle");
    run_three(low, high, middle);
    expect_refused(low, VLN_ABORTED, VALION__V1__REASON__REASON_FENCED);
    expect_ok(high);
    expect_refused(middle, VLN_ABORTED, VALION__V1__REASON__REASON_FENCED);
    expect_effects("high");
    end_call(&low);
    end_call(&high);
    end_call(&middle);
}

Test(vln_once, a_token_fences_its_own_task_alone)
{
    made_call_t *one = call_of_task(vln_id_new(), 9, "one");
    made_call_t *two = call_of_task(vln_id_new(), 1, "two");
    run(one);
    run(two);
    expect_ok(two);
    end_call(&one);
    end_call(&two);
}

/* By the record's clock: that of the host of this service says nothing. */
Test(vln_once, a_ticket_whose_time_is_over_is_refused)
{
    vln_id_t task = vln_id_new();
    made_call_t *late = new_call("late");
    made_call_t *timeless = new_call("timeless");
    made_call_t *good = call_of_task(task, 1, "good");
    show_ticket(late, task, 7, in_an_hour() - INT64_C(1000000) * EXPIRES_S - 1000000);
    show_ticket(timeless, vln_id_new(), 7, 0);
    run(late);
    run(timeless);
    run(good);
    expect_refused(late, VLN_UNAUTHENTICATED, VALION__V1__REASON__REASON_TICKET);
    expect_refused(timeless, VLN_UNAUTHENTICATED, VALION__V1__REASON__REASON_TICKET);
    expect_ok(good); /* a ticket that is over has fenced nobody */
    expect_effects("good");
    end_call(&late);
    end_call(&timeless);
    end_call(&good);
}

Test(vln_once, what_a_task_recorded_in_time_is_repeated_after_its_time)
{
    vln_id_t task = vln_id_new();
    made_call_t *first = call_of_task(task, 1, "first");
    made_call_t *late = call_with_id(first->id, "ann", "first");
    show_ticket(late, task, 1, 1);
    run(first);
    run(late);
    expect_ok(late);
    cr_expect(same_reply(first, late));
    end_call(&first);
    end_call(&late);
}

/* ---- many at once ---- */

typedef struct racer {
    pthread_t thread;
    pthread_barrier_t *start;
    vln_pg_t *pg;
    made_call_t *calls[IDS];
} racer_t;

static void *
race(void *arg)
{
    racer_t *self = arg;
    vln_call_t *calls[IDS];
    for (size_t i = 0; i < IDS; i++) {
        calls[i] = &self->calls[i]->call;
    }
    pthread_barrier_wait(self->start);
    /* Some alone, the rest as one batch, as it happens in a service. */
    run_on(self->pg, calls, 1);
    run_on(self->pg, calls + 1, 1);
    run_on(self->pg, calls + 2, IDS - 2);
    return NULL;
}

Test(vln_once, the_same_ids_from_many_threads_are_done_once)
{
    racer_t racers[THREADS];
    vln_id_t ids[IDS];
    pthread_barrier_t start;
    cr_assert(pthread_barrier_init(&start, NULL, THREADS) == 0);
    for (size_t i = 0; i < IDS; i++) {
        ids[i] = vln_id_new();
    }
    for (size_t i = 0; i < THREADS; i++) {
        racers[i] = (racer_t){.start = &start, .pg = connect_one()};
        for (size_t at = 0; at < IDS; at++) {
            /* Each thread in another order, so that they meet in the middle of their batches. */
            racers[i].calls[at] = call_with_id(ids[(at + i * 3) % IDS], "ann", "raced");
        }
    }
    for (size_t i = 0; i < THREADS; i++) {
        cr_assert(pthread_create(&racers[i].thread, NULL, race, &racers[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        cr_assert(pthread_join(racers[i].thread, NULL) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        for (size_t at = 0; at < IDS; at++) {
            /* Whoever was told to come again comes again: with the same id. */
            if (racers[i].calls[at]->call.status == VLN_UNAVAILABLE) {
                run(racers[i].calls[at]);
            }
            expect_ok(racers[i].calls[at]);
        }
    }
    for (size_t i = 1; i < THREADS; i++) {
        for (size_t at = 0; at < IDS; at++) {
            cr_expect(same_reply(racers[i].calls[at], racers[0].calls[(at + i * 3) % IDS]));
        }
    }
    cr_expect(eq(str, (char *)test_database_ask("SELECT count(*) FROM effect"), "25"));
    for (size_t i = 0; i < THREADS; i++) {
        for (size_t at = 0; at < IDS; at++) {
            end_call(&racers[i].calls[at]);
        }
        vln_pg_close(&racers[i].pg);
    }
    pthread_barrier_destroy(&start);
}

/* ---- without a database ---- */

static void
cut_connections(void)
{
    test_database_ask("SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity"
                      " WHERE application_name = 'vln_once_test'"
                      "   AND datname = current_database()");
}

Test(vln_once, a_lost_record_is_said_and_a_repetition_is_done_once)
{
    made_call_t *first = new_call("a");
    made_call_t *second = new_call("b");
    made_call_t *third = new_call("c");
    cut_connections();
    run_three(first, second, third);
    made_call_t *all[] = {first, second, third};
    for (size_t i = 0; i < VLN_COUNT(all); i++) {
        if (vln_call_is_refused(&all[i]->call)) {
            expect_refused(all[i], VLN_UNAVAILABLE, VALION__V1__REASON__REASON_DATABASE);
            cr_expect(gt(i64, all[i]->call.retry_after_ms, 0));
        }
    }
    int64_t end_ms = vln_mono_ms() + 10000;
    while (vln_pg_ensure(pg) != VLN_OK) {
        cr_assert(lt(i64, vln_mono_ms(), end_ms));
    }
    run_three(first, second, third);
    for (size_t i = 0; i < VLN_COUNT(all); i++) {
        expect_ok(all[i]);
        end_call(&all[i]);
    }
    expect_effects("a,b,c");
}
