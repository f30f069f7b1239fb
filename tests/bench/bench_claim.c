/*
 * bench_claim - the least that a durable queue can do: claims batches of 50 rows (SKIP LOCKED, a
 * higher token, a lease) and records the results of the last batch (id, token and state checked),
 * both in one transaction, on four connections. No bus, no submission, no events. For
 * bench_jobs.py, which measures the whole suite on the same server beside it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "vln_id.h"
#include "vln_pg.h"
#include "vln_text.h"
#include "vln_time.h"

enum { BATCH = 50, CONNECTIONS = 4, ARENA_BYTES = 1024 * 1024 };

/* clang-format off */
enum { CLAIM, COMPLETE };
static const vln_pg_stmt_t statements[] = {
    [CLAIM] = {"claim",
        "WITH found AS MATERIALIZED (SELECT id FROM bare WHERE state = 1 AND kind = 'noop'"
        "   AND priority = 3 ORDER BY seq LIMIT 50 FOR UPDATE SKIP LOCKED)"
        " UPDATE bare b SET state = 2, token = token + 1, attempts = attempts + 1, worker = 'w',"
        "        started = now(), lease_until = now() + interval '15 seconds'"
        "   FROM found WHERE b.id = found.id RETURNING b.id, b.token, b.spec"},
    [COMPLETE] = {"complete",
        "UPDATE bare b SET state = 4, result = a.result, finished = now(), lease_until = NULL"
        "  FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) AS a (id, token, result)"
        " WHERE b.id = a.id AND b.token = a.token AND b.state + 0 = 2 RETURNING b.id"},
};
/* clang-format on */

static const char *const set_up =
    "DROP TABLE IF EXISTS bare; CREATE TABLE bare (id bytea PRIMARY KEY, seq bigserial,"
    " kind text NOT NULL COLLATE \"C\", state smallint NOT NULL DEFAULT 1,"
    " priority smallint NOT NULL, spec bytea NOT NULL, submitted timestamptz NOT NULL"
    " DEFAULT now(), attempts smallint NOT NULL DEFAULT 0, token bigint NOT NULL DEFAULT 0,"
    " lease_until timestamptz, worker text, started timestamptz, finished timestamptz,"
    " result bytea) WITH (fillfactor = 80);"
    "CREATE INDEX ON bare (kind, priority, seq) WHERE state = 1;"
    "CREATE INDEX ON bare (lease_until) WHERE state = 2;";

typedef struct bench {
    const char *database;
    int64_t until_us;
    atomic_llong done;
} bench_t;

/* What a connection holds, to be completed with the next claim. */
typedef struct held {
    size_t count;
    uint8_t ids[BATCH][VLN_ID_BYTES];
    int64_t tokens[BATCH];
} held_t;

static int64_t
complete(vln_pg_t *pg, vln_arena_t *arena, const held_t *held)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_array_t *ids = vln_pg_array_new(arena, VLN_PG_BYTEA);
    vln_pg_array_t *tokens = vln_pg_array_new(arena, VLN_PG_INT8);
    vln_pg_array_t *results = vln_pg_array_new(arena, VLN_PG_BYTEA);
    for (size_t i = 0; i < held->count; i++) {
        vln_pg_array_add_bytes(ids, held->ids[i], VLN_ID_BYTES);
        vln_pg_array_add_i64(tokens, held->tokens[i]);
        vln_pg_array_add_bytes(results, held->ids[i], VLN_ID_BYTES);
    }
    vln_pg_array(&args, ids);
    vln_pg_array(&args, tokens);
    vln_pg_array(&args, results);
    vln_assert(vln_pg_run(pg, COMPLETE, &args, &result) == VLN_OK);
    int64_t done = vln_pg_changed(result);
    PQclear(result);
    return done;
}

static void
claim(vln_pg_t *pg, held_t *held)
{
    PGresult *result = NULL;
    vln_assert(vln_pg_run(pg, CLAIM, NULL, &result) == VLN_OK);
    held->count = (size_t)PQntuples(result);
    for (size_t i = 0; i < held->count; i++) {
        size_t size = 0;
        const uint8_t *id = vln_pg_get_bytes(result, (int)i, 0, &size);
        vln_assert(size == VLN_ID_BYTES);
        memcpy(held->ids[i], id, size);
        held->tokens[i] = vln_pg_get_i64(result, (int)i, 1);
    }
    PQclear(result);
}

static vln_pg_t *
connect_to(const char *database, size_t statement_count)
{
    const vln_pg_config_t config = {.conninfo = database,
                                    .application = "bench_claim",
                                    .statements = statements,
                                    .statement_count = statement_count,
                                    .statement_timeout_ms = 60000};
    vln_pg_t *pg = NULL;
    vln_assert(vln_pg_open(&pg, &config) == VLN_OK);
    return pg;
}

static void *
run(void *arg)
{
    bench_t *self = arg;
    held_t held = {0};
    vln_arena_t *arena = vln_arena_new(ARENA_BYTES);
    vln_pg_t *pg = connect_to(self->database, VLN_COUNT(statements));
    do {
        vln_arena_reset(arena);
        vln_assert(vln_pg_begin(pg) == VLN_OK);
        int64_t done = held.count ? complete(pg, arena, &held) : 0;
        claim(pg, &held);
        vln_assert(vln_pg_commit(pg) == VLN_OK);
        atomic_fetch_add(&self->done, done);
    } while (held.count && vln_mono_us() < self->until_us);
    vln_pg_close(&pg);
    vln_arena_destroy(&arena);
    return NULL;
}

static void
fill(const char *database, int64_t rows)
{
    char sql[256];
    vln_pg_t *pg = connect_to(database, 0);
    vln_assert(vln_pg_exec(pg, set_up, NULL) == VLN_OK);
    snprintf(sql, sizeof sql,
             "INSERT INTO bare (id, kind, priority, spec) SELECT uuid_send(gen_random_uuid()),"
             " 'noop', 3, '' FROM generate_series(1, %lld)",
             (long long)rows);
    vln_assert(vln_pg_exec(pg, sql, NULL) == VLN_OK);
    vln_assert(vln_pg_exec(pg, "ANALYZE bare; CHECKPOINT", NULL) == VLN_OK);
    vln_pg_close(&pg);
}

int
main(int argc, char **argv)
{
    enum { ROWS_A_SECOND = 100000 };
    int64_t seconds = 0;
    if (argc != 3 || !vln_text_to_i64(argv[2], 1, 60, &seconds)) {
        fprintf(stderr, "usage: bench_claim DATABASE SECONDS\n");
        return 2;
    }
    fill(argv[1], seconds * ROWS_A_SECOND);
    pthread_t threads[CONNECTIONS];
    int64_t start_us = vln_mono_us();
    bench_t bench = {.database = argv[1], .until_us = start_us + seconds * 1000000};
    for (size_t i = 0; i < CONNECTIONS; i++) {
        vln_assert(pthread_create(&threads[i], NULL, run, &bench) == 0);
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("%.0f\n", (double)atomic_load(&bench.done) * 1e6 / (double)(vln_mono_us() - start_us));
    return 0;
}
