#include "vln_pg.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#include "vln_time.h"

#include "test_database.h"

enum { WAIT_MS = 10000, MANY = 10000, SHORT_MS = 200 };

enum {
    ECHO_TEXT,
    ECHO_BYTES,
    ECHO_I64,
    ECHO_I32,
    ECHO_BOOL,
    ALL_TYPES,
    UNNEST_TEXT,
    UNNEST_BYTES,
    UNNEST_I64,
    UNNEST_I32,
    RAISE,
    SLEEP,
    ADD,
    DIVIDE,
};

/* clang-format off */
static const vln_pg_stmt_t statements[] = {
    [ECHO_TEXT]    = {"echo_text", "SELECT $1::text, $1::text IS NULL, length($1::text)"},
    [ECHO_BYTES]   = {"echo_bytes", "SELECT $1::bytea, $1::bytea IS NULL, length($1::bytea)"},
    [ECHO_I64]     = {"echo_i64", "SELECT $1::bigint, $1::bigint::text"},
    [ECHO_I32]     = {"echo_i32", "SELECT $1::integer, $1::integer::text, $1::integer::smallint"},
    [ECHO_BOOL]    = {"echo_bool", "SELECT $1::boolean, $1::boolean::text"},
    [ALL_TYPES]    = {"all_types", "SELECT (-2)::smallint, (-3)::integer, (-4)::bigint, true, -1.5::float8,"
                                   " timestamptz '1970-01-01 00:00:01.000002+00',"
                                   " timestamptz '1969-12-31 23:59:59.999999+00',"
                                   " timestamptz '2026-11-23 07:00:00+00', 'text'::text, '\\x00ff'::bytea,"
                                   " NULL::bigint, NULL::text, NULL::timestamptz, NULL::float8, NULL::boolean, NULL::bytea"},
    [UNNEST_TEXT]  = {"unnest_text", "SELECT a, a IS NULL FROM unnest($1::text[]) WITH ORDINALITY AS x (a, n) ORDER BY n"},
    [UNNEST_BYTES] = {"unnest_bytes", "SELECT a, a IS NULL FROM unnest($1::bytea[]) WITH ORDINALITY AS x (a, n) ORDER BY n"},
    [UNNEST_I64]   = {"unnest_i64", "SELECT a, a IS NULL FROM unnest($1::bigint[]) WITH ORDINALITY AS x (a, n) ORDER BY n"},
    [UNNEST_I32]   = {"unnest_i32", "SELECT a, a IS NULL FROM unnest($1::integer[]) WITH ORDINALITY AS x (a, n) ORDER BY n"},
    [RAISE]        = {"raise", "SELECT raise_code($1::text)"},
    [SLEEP]        = {"sleep", "SELECT pg_sleep(30)"},
    [ADD]          = {"add", "INSERT INTO thing (id) SELECT unnest($1::bigint[])"},
    [DIVIDE]       = {"divide", "SELECT 1 / $1::integer"},
};
/* clang-format on */

static vln_pg_t *pg;
static vln_arena_t *arena;
static const char *conninfo;

static vln_pg_config_t
config(void)
{
    return (vln_pg_config_t){.conninfo = conninfo,
                             .application = "vln_pg_test",
                             .statements = statements,
                             .statement_count = VLN_COUNT(statements)};
}

static void
setup(void)
{
    arena = vln_arena_new(0);
    conninfo = test_database_open();
    test_database_ask("CREATE TABLE thing (id bigint PRIMARY KEY CHECK (id > 0));"
                      " CREATE FUNCTION raise_code(code text) RETURNS void LANGUAGE plpgsql AS"
                      " $$BEGIN RAISE EXCEPTION 'on request' USING ERRCODE = code; END$$");
    const vln_pg_config_t mine = config();
    cr_assert(vln_pg_open(&pg, &mine) == VLN_OK);
}

static void
teardown(void)
{
    vln_pg_close(&pg);
    vln_arena_destroy(&arena);
    cr_expect(test_database_close(), "a connection was left open");
}

TestSuite(vln_pg, .init = setup, .fini = teardown, .timeout = 60);

/* Runs it; must be OK. The caller ends the result. */
static PGresult *
run(size_t statement, const vln_pg_args_t *args)
{
    PGresult *result = NULL;
    cr_assert(vln_pg_run(pg, statement, args, &result) == VLN_OK);
    return result;
}

/* Cuts this connection, as an administrator or a restart does. */
static void
cut_connection(void)
{
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT count(pg_terminate_backend(pid, %d)) FROM pg_stat_activity"
             " WHERE application_name = 'vln_pg_test' AND datname = current_database()",
             WAIT_MS);
    cr_assert(eq(str, (char *)test_database_ask(sql), "1"));
}

/* Connects again within the time; connecting is tried at most five times a second. */
static vln_err_t
ensure_within(int64_t ms)
{
    int64_t end_ms = vln_mono_ms() + ms;
    vln_err_t err = vln_pg_ensure(pg);
    while (err != VLN_OK && vln_mono_ms() < end_ms) {
        vln_sleep_ms(10);
        err = vln_pg_ensure(pg);
    }
    return err;
}

/* ---- parameters ---- */

Test(vln_pg, texts_come_back_as_they_went)
{
    static const char *const texts[] = {"",
                                        "a",
                                        "it's \"quoted\" \\ back",
                                        "\xc3\xa9\xe2\x82\xac",
                                        "$1; DROP TABLE thing; --",
                                        "line\nline\ttab"};
    for (size_t i = 0; i < VLN_COUNT(texts); i++) {
        vln_pg_args_t args = {0};
        vln_pg_text(&args, texts[i]);
        PGresult *result = run(ECHO_TEXT, &args);
        cr_expect(eq(str, (char *)vln_pg_get_text(result, 0, 0), (char *)texts[i]));
        cr_expect(not(vln_pg_get_bool(result, 0, 1)));
        PQclear(result);
    }
}

Test(vln_pg, a_text_that_is_null_is_null)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, NULL);
    PGresult *result = run(ECHO_TEXT, &args);
    cr_expect(vln_pg_is_null(result, 0, 0));
    cr_expect(vln_pg_get_bool(result, 0, 1));
    cr_expect(eq(str, (char *)vln_pg_get_text(result, 0, 0), ""));
    PQclear(result);
}

Test(vln_pg, bytes_may_hold_anything)
{
    uint8_t bytes[256];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, bytes, sizeof bytes);
    PGresult *result = run(ECHO_BYTES, &args);
    size_t size = 0;
    const uint8_t *back = vln_pg_get_bytes(result, 0, 0, &size);
    cr_assert(eq(sz, size, sizeof bytes));
    cr_expect(memcmp(back, bytes, size) == 0);
    PQclear(result);
}

static void
expect_bytes(void (*add)(vln_pg_args_t *, const void *, size_t), bool null)
{
    vln_pg_args_t args = {0};
    add(&args, NULL, 0);
    PGresult *result = run(ECHO_BYTES, &args);
    cr_expect(vln_pg_get_bool(result, 0, 1) == null);
    PQclear(result);
}

Test(vln_pg, no_bytes_are_empty_or_null_as_one_says)
{
    expect_bytes(vln_pg_bytes, false);
    expect_bytes(vln_pg_bytes_or_null, true);
}

Test(vln_pg, numbers_keep_sign_and_size)
{
    static const int64_t wide[] = {0, 1, -1, INT64_MAX, INT64_MIN, 1000000007};
    static const int32_t narrow[] = {0, 1, -1, 32767, -32768};
    for (size_t i = 0; i < VLN_COUNT(wide); i++) {
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)wide[i]);
        vln_pg_args_t args = {0};
        vln_pg_i64(&args, wide[i]);
        PGresult *result = run(ECHO_I64, &args);
        cr_expect(eq(i64, vln_pg_get_i64(result, 0, 0), wide[i]));
        cr_expect(eq(str, (char *)vln_pg_get_text(result, 0, 1), text));
        PQclear(result);
    }
    for (size_t i = 0; i < VLN_COUNT(narrow); i++) {
        vln_pg_args_t args = {0};
        vln_pg_i32(&args, narrow[i]);
        PGresult *result = run(ECHO_I32, &args);
        cr_expect(eq(i64, vln_pg_get_i64(result, 0, 0), narrow[i]));
        cr_expect(eq(i64, vln_pg_get_i64(result, 0, 2), narrow[i]));
        PQclear(result);
    }
}

Test(vln_pg, truth_is_true_or_false)
{
    for (int value = 0; value < 2; value++) {
        vln_pg_args_t args = {0};
        vln_pg_bool(&args, value == 1);
        PGresult *result = run(ECHO_BOOL, &args);
        cr_expect(vln_pg_get_bool(result, 0, 0) == (value == 1));
        cr_expect(eq(str, (char *)vln_pg_get_text(result, 0, 1), value ? "true" : "false"));
        PQclear(result);
    }
}

Test(vln_pg, a_null_fits_any_type)
{
    vln_pg_args_t args = {0};
    vln_pg_null(&args);
    static const size_t echoes[] = {ECHO_TEXT, ECHO_BYTES, ECHO_I64, ECHO_I32, ECHO_BOOL};
    for (size_t i = 0; i < VLN_COUNT(echoes); i++) {
        PGresult *result = run(echoes[i], &args);
        cr_expect(vln_pg_is_null(result, 0, 0));
        PQclear(result);
    }
}

/* Arguments are values: one that is copied must not point into the first. */
Test(vln_pg, arguments_may_be_copied)
{
    vln_pg_args_t first = {0};
    vln_pg_i64(&first, 42);
    vln_pg_args_t copy = first;
    memset(&first, 0xff, sizeof first);
    PGresult *result = run(ECHO_I64, &copy);
    cr_expect(eq(i64, vln_pg_get_i64(result, 0, 0), 42));
    PQclear(result);
}

/* ---- results ---- */

Test(vln_pg, every_type_is_read)
{
    PGresult *result = run(ALL_TYPES, NULL);
    cr_expect(eq(i64, vln_pg_get_i64(result, 0, 0), -2));
    cr_expect(eq(i64, vln_pg_get_i64(result, 0, 1), -3));
    cr_expect(eq(i64, vln_pg_get_i64(result, 0, 2), -4));
    cr_expect(vln_pg_get_bool(result, 0, 3));
    cr_expect(eq(dbl, vln_pg_get_double(result, 0, 4), -1.5));
    cr_expect(eq(i64, vln_pg_get_us(result, 0, 5), 1000002));
    cr_expect(eq(i64, vln_pg_get_us(result, 0, 6), -1));
    cr_expect(eq(i64, vln_pg_get_us(result, 0, 7), INT64_C(1795417200000000)));
    cr_expect(eq(str, (char *)vln_pg_get_text(result, 0, 8), "text"));
    size_t size = 0;
    const uint8_t *bytes = vln_pg_get_bytes(result, 0, 9, &size);
    cr_expect(size == 2 && bytes[0] == 0 && bytes[1] == 0xff);
    PQclear(result);
}

Test(vln_pg, nulls_read_as_nothing)
{
    PGresult *result = run(ALL_TYPES, NULL);
    size_t size = 1;
    for (int column = 10; column < 16; column++) {
        cr_expect(vln_pg_is_null(result, 0, column));
    }
    cr_expect(eq(i64, vln_pg_get_i64(result, 0, 10), 0));
    cr_expect(eq(str, (char *)vln_pg_get_text(result, 0, 11), ""));
    cr_expect(eq(i64, vln_pg_get_us(result, 0, 12), 0));
    cr_expect(eq(dbl, vln_pg_get_double(result, 0, 13), 0));
    cr_expect(not(vln_pg_get_bool(result, 0, 14)));
    vln_pg_get_bytes(result, 0, 15, &size);
    cr_expect(eq(sz, size, 0));
    PQclear(result);
}

/* ---- arrays ---- */

static PGresult *
run_with_array(size_t statement, vln_pg_array_t *array)
{
    vln_pg_args_t args = {0};
    vln_pg_array(&args, array);
    return run(statement, &args);
}

Test(vln_pg, arrays_of_text_keep_nulls_and_order)
{
    vln_pg_array_t *array = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_add_text(array, "first");
    vln_pg_array_add_text(array, NULL);
    vln_pg_array_add_text(array, "");
    vln_pg_array_add_bytes(array, "cut here", 3);
    cr_expect(eq(sz, vln_pg_array_count(array), 4));
    PGresult *result = run_with_array(UNNEST_TEXT, array);
    cr_assert(eq(int, PQntuples(result), 4));
    cr_expect(eq(str, (char *)vln_pg_get_text(result, 0, 0), "first"));
    cr_expect(vln_pg_get_bool(result, 1, 1));
    cr_expect(eq(str, (char *)vln_pg_get_text(result, 2, 0), ""));
    cr_expect(not(vln_pg_get_bool(result, 2, 1)));
    cr_expect(eq(str, (char *)vln_pg_get_text(result, 3, 0), "cut"));
    PQclear(result);
}

Test(vln_pg, arrays_of_bytes_hold_anything)
{
    vln_pg_array_t *array = vln_pg_array_new(arena, VLN_PG_BYTEA);
    vln_pg_array_add_bytes(array, "\0\xff\0", 3);
    vln_pg_array_add_bytes(array, NULL, 0);
    vln_pg_array_add_null(array);
    PGresult *result = run_with_array(UNNEST_BYTES, array);
    cr_assert(eq(int, PQntuples(result), 3));
    size_t size = 0;
    const uint8_t *bytes = vln_pg_get_bytes(result, 0, 0, &size);
    cr_expect(size == 3 && memcmp(bytes, "\0\xff\0", 3) == 0);
    cr_expect(not(vln_pg_get_bool(result, 1, 1)));
    cr_expect(vln_pg_get_bool(result, 2, 1));
    PQclear(result);
}

Test(vln_pg, arrays_of_numbers_keep_their_width)
{
    vln_pg_array_t *wide = vln_pg_array_new(arena, VLN_PG_INT8);
    vln_pg_array_add_i64(wide, INT64_MIN);
    vln_pg_array_add_i64(wide, INT64_MAX);
    vln_pg_array_add_null(wide);
    PGresult *result = run_with_array(UNNEST_I64, wide);
    cr_expect(eq(i64, vln_pg_get_i64(result, 0, 0), INT64_MIN));
    cr_expect(eq(i64, vln_pg_get_i64(result, 1, 0), INT64_MAX));
    cr_expect(vln_pg_get_bool(result, 2, 1));
    PQclear(result);

    vln_pg_array_t *narrow = vln_pg_array_new(arena, VLN_PG_INT4);
    vln_pg_array_add_i64(narrow, INT32_MIN);
    vln_pg_array_add_i64(narrow, INT32_MAX);
    result = run_with_array(UNNEST_I32, narrow);
    cr_expect(eq(i64, vln_pg_get_i64(result, 0, 0), INT32_MIN));
    cr_expect(eq(i64, vln_pg_get_i64(result, 1, 0), INT32_MAX));
    PQclear(result);
}

Test(vln_pg, an_array_without_elements_is_empty_not_null)
{
    PGresult *result = run_with_array(UNNEST_I64, vln_pg_array_new(arena, VLN_PG_INT8));
    cr_expect(eq(int, PQntuples(result), 0));
    PQclear(result);
}

Test(vln_pg, an_array_grows_as_it_is_filled)
{
    vln_pg_array_t *array = vln_pg_array_new(arena, VLN_PG_INT8);
    for (int64_t i = 1; i <= MANY; i++) {
        vln_pg_array_add_i64(array, i);
    }
    PGresult *result = run_with_array(ADD, array);
    cr_expect(eq(i64, vln_pg_changed(result), MANY));
    PQclear(result);
    cr_expect(eq(str, (char *)test_database_ask("SELECT sum(id) FROM thing"), "50005000"));
}

/* ---- failures ---- */

Test(vln_pg, what_postgres_says_becomes_what_we_say)
{
    static const struct {
        const char *sqlstate;
        vln_err_t err;
    } meanings[] = {
        {"08006", VLN_UNAVAILABLE},      {"22012", VLN_INVALID_ARGUMENT},
        {"22021", VLN_INVALID_ARGUMENT}, {"23505", VLN_ALREADY_EXISTS},
        {"23503", VLN_ALREADY_EXISTS},   {"23514", VLN_INVALID_ARGUMENT},
        {"25006", VLN_UNAVAILABLE},      {"40001", VLN_UNAVAILABLE},
        {"40P01", VLN_UNAVAILABLE},      {"42601", VLN_INTERNAL},
        {"42P01", VLN_INTERNAL},         {"42501", VLN_INTERNAL},
        {"53100", VLN_UNAVAILABLE},      {"53300", VLN_UNAVAILABLE},
        {"55P03", VLN_UNAVAILABLE},      {"57014", VLN_UNAVAILABLE},
        {"57P03", VLN_UNAVAILABLE},      {"P0001", VLN_INTERNAL},
        {"XX000", VLN_INTERNAL},
    };
    for (size_t i = 0; i < VLN_COUNT(meanings); i++) {
        vln_pg_args_t args = {0};
        vln_pg_text(&args, meanings[i].sqlstate);
        PGresult *result = (PGresult *)1;
        vln_err_t err = vln_pg_run(pg, RAISE, &args, &result);
        cr_expect(err == meanings[i].err, "%s is %s", meanings[i].sqlstate, vln_err_name(err));
        cr_expect(eq(str, (char *)vln_pg_sqlstate(pg), (char *)meanings[i].sqlstate));
        cr_expect(eq(ptr, result, NULL));
    }
    cr_expect(vln_pg_run(pg, ALL_TYPES, NULL, NULL) == VLN_OK, "the connection is still good");
}

Test(vln_pg, real_conflicts_mean_the_same_as_their_codes)
{
    vln_pg_array_t *twice = vln_pg_array_new(arena, VLN_PG_INT8);
    vln_pg_array_add_i64(twice, 7);
    vln_pg_array_add_i64(twice, 7);
    vln_pg_args_t args = {0};
    vln_pg_array(&args, twice);
    cr_expect(vln_pg_run(pg, ADD, &args, NULL) == VLN_ALREADY_EXISTS);

    vln_pg_array_t *negative = vln_pg_array_new(arena, VLN_PG_INT8);
    vln_pg_array_add_i64(negative, -7);
    args = (vln_pg_args_t){0};
    vln_pg_array(&args, negative);
    cr_expect(vln_pg_run(pg, ADD, &args, NULL) == VLN_INVALID_ARGUMENT);

    args = (vln_pg_args_t){0};
    vln_pg_i32(&args, 0);
    cr_expect(vln_pg_run(pg, DIVIDE, &args, NULL) == VLN_INVALID_ARGUMENT);
    cr_expect(eq(str, (char *)test_database_ask("SELECT count(*) FROM thing"), "0"));
}

Test(vln_pg, a_statement_that_takes_too_long_is_ended)
{
    vln_pg_t *hasty = NULL;
    vln_pg_config_t mine = config();
    mine.statement_timeout_ms = SHORT_MS;
    cr_assert(vln_pg_open(&hasty, &mine) == VLN_OK);
    int64_t start_ms = vln_mono_ms();
    cr_expect(vln_pg_run(hasty, SLEEP, NULL, NULL) == VLN_UNAVAILABLE);
    cr_expect(ge(i64, vln_mono_ms() - start_ms, SHORT_MS));
    cr_expect(lt(i64, vln_mono_ms() - start_ms, WAIT_MS));
    cr_expect(eq(str, (char *)vln_pg_sqlstate(hasty), "57014"));
    cr_expect(vln_pg_run(hasty, ALL_TYPES, NULL, NULL) == VLN_OK);
    vln_pg_close(&hasty);
}

Test(vln_pg, a_lock_that_is_not_given_is_not_waited_for_without_end)
{
    vln_pg_t *hasty = NULL;
    vln_pg_config_t mine = config();
    mine.statement_timeout_ms = SHORT_MS;
    cr_assert(vln_pg_open(&hasty, &mine) == VLN_OK);
    test_database_ask("BEGIN; LOCK TABLE thing");
    cr_expect(vln_pg_exec(hasty, "SELECT * FROM thing", NULL) == VLN_UNAVAILABLE);
    test_database_ask("ROLLBACK");
    cr_expect(vln_pg_exec(hasty, "SELECT * FROM thing", NULL) == VLN_OK);
    vln_pg_close(&hasty);
}

/* ---- transactions ---- */

static void
add_thing(vln_pg_t *to, int64_t id)
{
    vln_pg_array_t *ids = vln_pg_array_new(arena, VLN_PG_INT8);
    vln_pg_array_add_i64(ids, id);
    vln_pg_args_t args = {0};
    vln_pg_array(&args, ids);
    cr_assert(vln_pg_run(to, ADD, &args, NULL) == VLN_OK);
}

Test(vln_pg, a_commit_keeps_and_a_rollback_forgets)
{
    cr_assert(vln_pg_begin(pg) == VLN_OK);
    add_thing(pg, 1);
    cr_assert(vln_pg_commit(pg) == VLN_OK);
    cr_assert(vln_pg_begin(pg) == VLN_OK);
    add_thing(pg, 2);
    vln_pg_rollback(pg);
    vln_pg_rollback(pg); /* once more does nothing */
    cr_expect(
        eq(str, (char *)test_database_ask("SELECT string_agg(id::text, ',') FROM thing"), "1"));
}

/* PostgreSQL answers COMMIT of a failed transaction with success, and rolls back. */
Test(vln_pg, a_failed_transaction_does_not_commit)
{
    cr_assert(vln_pg_begin(pg) == VLN_OK);
    add_thing(pg, 1);
    vln_pg_args_t args = {0};
    vln_pg_i32(&args, 0);
    cr_assert(vln_pg_run(pg, DIVIDE, &args, NULL) == VLN_INVALID_ARGUMENT);
    cr_expect(vln_pg_commit(pg) == VLN_INTERNAL);
    cr_expect(eq(str, (char *)test_database_ask("SELECT count(*) FROM thing"), "0"));
}

/* ---- connections ---- */

Test(vln_pg, a_lost_connection_comes_back_with_its_statements)
{
    uint64_t session = vln_pg_session(pg);
    cut_connection();
    PGresult *result = (PGresult *)1;
    cr_expect(vln_pg_run(pg, ALL_TYPES, NULL, &result) == VLN_UNAVAILABLE);
    cr_expect(eq(ptr, result, NULL));
    cr_assert(ensure_within(WAIT_MS) == VLN_OK);
    cr_expect(ne(u64, vln_pg_session(pg), session));
    cr_expect(vln_pg_run(pg, ALL_TYPES, NULL, NULL) == VLN_OK);
}

Test(vln_pg, what_was_lost_in_a_transaction_is_not_there)
{
    cr_assert(vln_pg_begin(pg) == VLN_OK);
    add_thing(pg, 1);
    cut_connection();
    cr_expect(vln_pg_commit(pg) == VLN_UNAVAILABLE);
    cr_assert(ensure_within(WAIT_MS) == VLN_OK);
    cr_assert(vln_pg_begin(pg) == VLN_OK);
    add_thing(pg, 2);
    cr_assert(vln_pg_commit(pg) == VLN_OK);
    cr_expect(
        eq(str, (char *)test_database_ask("SELECT string_agg(id::text, ',') FROM thing"), "2"));
}

Test(vln_pg, a_transaction_begins_on_a_new_connection_if_the_idle_one_was_lost)
{
    vln_sleep_ms(SHORT_MS + 50); /* past the pause between two attempts to connect */
    cut_connection();
    cr_assert(vln_pg_begin(pg) == VLN_OK);
    add_thing(pg, 1);
    cr_expect(vln_pg_commit(pg) == VLN_OK);
}

Test(vln_pg, connecting_is_not_tried_without_pause)
{
    cut_connection();
    cr_assert(vln_pg_run(pg, ALL_TYPES, NULL, NULL) == VLN_UNAVAILABLE);
    int64_t start_ms = vln_mono_ms();
    cr_assert(ensure_within(WAIT_MS) == VLN_OK);
    cut_connection();
    cr_assert(vln_pg_run(pg, ALL_TYPES, NULL, NULL) == VLN_UNAVAILABLE);
    vln_err_t err = vln_pg_ensure(pg);
    bool too_early = vln_mono_ms() - start_ms < SHORT_MS;
    cr_expect(err == VLN_UNAVAILABLE || !too_early);
    cr_expect(ensure_within(WAIT_MS) == VLN_OK);
}

Test(vln_pg, one_that_cannot_connect_can_connect_later)
{
    vln_pg_t *early = NULL;
    char where[512];
    snprintf(where, sizeof where, "%s dbname=%s", conninfo, "later_than_the_service");
    vln_pg_config_t mine = config();
    mine.conninfo = where;
    mine.statement_count = ECHO_BOOL + 1; /* those that need no tables */
    cr_expect(vln_pg_open(&early, &mine) == VLN_UNAVAILABLE);
    cr_assert(ne(ptr, early, NULL));
    cr_expect(vln_pg_run(early, ECHO_TEXT, NULL, NULL) == VLN_UNAVAILABLE);
    cr_expect(vln_pg_exec(early, "SELECT 1", NULL) == VLN_UNAVAILABLE);
    cr_expect(vln_pg_begin(early) == VLN_UNAVAILABLE);
    vln_pg_rollback(early);

    test_database_ask("CREATE DATABASE later_than_the_service TEMPLATE template0");
    vln_pg_t *before = pg;
    pg = early;
    cr_expect(ensure_within(WAIT_MS) == VLN_OK);
    pg = before;
    vln_pg_args_t args = {0};
    vln_pg_text(&args, "here");
    cr_expect(vln_pg_run(early, ECHO_TEXT, &args, NULL) == VLN_OK);
    vln_pg_close(&early);
    test_database_ask("DROP DATABASE later_than_the_service WITH (FORCE)");
}

Test(vln_pg, a_server_that_is_not_there_is_unavailable)
{
    vln_pg_t *nowhere = NULL;
    vln_pg_config_t mine = config();
    mine.conninfo = "host=/nowhere dbname=x user=x";
    cr_expect(vln_pg_open(&nowhere, &mine) == VLN_UNAVAILABLE);
    cr_expect(ne(ptr, nowhere, NULL));
    vln_pg_close(&nowhere);
    cr_expect(eq(ptr, nowhere, NULL));
    vln_pg_close(&nowhere);
}

Test(vln_pg, sql_that_does_not_fit_the_schema_is_found_when_it_opens)
{
    static const vln_pg_stmt_t wrong[] = {{"fine", "SELECT 1"}, {"wrong", "SELECT * FROM nothing"}};
    vln_pg_config_t mine = config();
    mine.statements = wrong;
    mine.statement_count = VLN_COUNT(wrong);
    vln_pg_t *none = pg;
    cr_expect(vln_pg_open(&none, &mine) == VLN_INTERNAL);
    cr_expect(eq(ptr, none, NULL));
}
