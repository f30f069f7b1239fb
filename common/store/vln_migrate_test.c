#include "vln_migrate.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <stdio.h>

#include "vln_event.h"

#include "test_database.h"

enum { THREADS = 8 };

/* clang-format off */
static const vln_migration_t first[] = {
    {1, 1, "1_001_things", "CREATE TABLE thing (id bigint); INSERT INTO thing VALUES (1)"},
};
static const vln_migration_t second[] = {
    {1, 1, "1_001_things", "CREATE TABLE thing (id bigint); INSERT INTO thing VALUES (1)"},
    {1, 2, "1_002_names", "ALTER TABLE thing ADD COLUMN name text; INSERT INTO thing VALUES (2, 'two')"},
};
static const vln_migration_t edited[] = {
    {1, 1, "1_001_things", "CREATE TABLE thing (id bigint); INSERT INTO thing VALUES (9)"},
    {1, 2, "1_002_names", "ALTER TABLE thing ADD COLUMN name text"},
};
static const vln_migration_t slipped_in[] = {
    {1, 1, "1_001_things", "CREATE TABLE thing (id bigint); INSERT INTO thing VALUES (1)"},
    {1, 2, "1_002_other", "CREATE TABLE other (id bigint)"},
    {1, 3, "1_003_names", "ALTER TABLE thing ADD COLUMN name text"},
};
static const vln_migration_t jumped[] = {
    {1, 1, "1_001_things", "CREATE TABLE thing (id bigint); INSERT INTO thing VALUES (1)"},
    {1, 3, "1_003_names", "ALTER TABLE thing ADD COLUMN name text"},
};
static const vln_migration_t next_major[] = {
    {1, 1, "1_001_things", "CREATE TABLE thing (id bigint); INSERT INTO thing VALUES (1)"},
    {2, 1, "2_001_gone", "DROP TABLE thing"},
};
static const vln_migration_t broken[] = {
    {1, 1, "1_001_things", "CREATE TABLE thing (id bigint); INSERT INTO thing VALUES (1)"},
    {1, 2, "1_002_half", "INSERT INTO thing VALUES (2); SELECT nonsense FROM thing"},
};
/* clang-format on */

static const char *conninfo;

static void
setup(void)
{
    conninfo = test_database_open();
    test_database_ask("CREATE SCHEMA room");
}

static void
teardown(void)
{
    cr_expect(test_database_close(), "a connection was left open");
}

TestSuite(vln_migrate, .init = setup, .fini = teardown, .timeout = 60);

#define RUN(migrations) vln_migrate_run(conninfo, "room", migrations, VLN_COUNT(migrations))

static void
expect_things(const char *ids)
{
    cr_expect(eq(
        str,
        (char *)test_database_ask("SELECT string_agg(id::text, ',' ORDER BY id) FROM room.thing"),
        (char *)ids));
}

static void
expect_version(const char *version)
{
    cr_expect(eq(str,
                 (char *)test_database_ask("SELECT max(major || '.' || minor) FROM room.migration"),
                 (char *)version));
}

Test(vln_migrate, applies_what_is_missing_in_order)
{
    cr_assert(RUN(first) == VLN_OK);
    expect_things("1");
    cr_assert(RUN(second) == VLN_OK);
    expect_things("1,2");
    expect_version("1.2");
}

Test(vln_migrate, applies_nothing_twice)
{
    cr_assert(RUN(second) == VLN_OK);
    cr_assert(RUN(second) == VLN_OK);
    expect_things("1,2");
}

static void *
migrate_in_thread(void *result)
{
    *(vln_err_t *)result = RUN(second);
    return NULL;
}

Test(vln_migrate, many_at_once_apply_each_once)
{
    pthread_t threads[THREADS];
    vln_err_t errs[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        cr_assert(pthread_create(&threads[i], NULL, migrate_in_thread, &errs[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        cr_assert(pthread_join(threads[i], NULL) == 0);
        cr_expect(errs[i] == VLN_OK);
    }
    expect_things("1,2");
    cr_expect(eq(str, (char *)test_database_ask("SELECT count(*) FROM room.migration"), "2"));
}

Test(vln_migrate, the_release_before_runs_on_a_newer_minor)
{
    cr_assert(RUN(second) == VLN_OK);
    cr_expect(RUN(first) == VLN_OK);
    expect_version("1.2");
}

Test(vln_migrate, refuses_a_newer_major)
{
    cr_assert(RUN(next_major) == VLN_OK);
    cr_expect(RUN(first) == VLN_FAILED_PRECONDITION);
    expect_version("2.1");
    cr_expect(eq(str, (char *)test_database_ask("SELECT to_regclass('room.thing')"), ""));
}

Test(vln_migrate, refuses_a_migration_that_was_edited)
{
    cr_assert(RUN(first) == VLN_OK);
    cr_expect(RUN(edited) == VLN_FAILED_PRECONDITION);
    expect_version("1.1");
    expect_things("1");
    cr_expect(RUN(second) == VLN_OK, "the text that was applied goes on");
}

Test(vln_migrate, refuses_one_that_was_slipped_in_between)
{
    cr_assert(RUN(jumped) == VLN_OK);
    cr_expect(RUN(slipped_in) == VLN_FAILED_PRECONDITION);
    cr_expect(eq(str, (char *)test_database_ask("SELECT to_regclass('room.other')"), ""));
}

Test(vln_migrate, learns_the_texts_of_a_database_that_has_none)
{
    test_database_ask(
        "CREATE TABLE room.migration (major integer, minor integer, name text NOT NULL,"
        " applied timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (major, minor));"
        " INSERT INTO room.migration VALUES (1, 1, '1_001_things');"
        " CREATE TABLE room.thing (id bigint); INSERT INTO room.thing VALUES (1)");
    cr_assert(RUN(second) == VLN_OK);
    expect_things("1,2");
    cr_expect(RUN(edited) == VLN_FAILED_PRECONDITION);
}

/* The program of the release before knows no digests and writes none. */
Test(vln_migrate, the_release_before_can_write_its_rows)
{
    cr_assert(RUN(first) == VLN_OK);
    test_database_ask(
        "INSERT INTO room.migration (major, minor, name) VALUES (1, 2, '1_002_names')");
    test_database_ask("ALTER TABLE room.thing ADD COLUMN name text");
    cr_expect(RUN(second) == VLN_OK);
    expect_things("1");
}

Test(vln_migrate, one_that_fails_leaves_nothing_of_itself)
{
    cr_expect(RUN(broken) == VLN_INTERNAL);
    expect_things("1");
    expect_version("1.1");
    cr_expect(RUN(second) == VLN_OK);
    expect_things("1,2");
}

Test(vln_migrate, says_when_there_is_no_server)
{
    cr_expect(vln_migrate_run("host=/nowhere dbname=x", "room", first, 1) == VLN_UNAVAILABLE);
    cr_expect(vln_migrate_check("host=/nowhere dbname=x", "room", 1, 1) == VLN_UNAVAILABLE);
}

/* ---- another service's schema ---- */

Test(vln_migrate, a_check_waits_for_the_version_that_is_needed)
{
    cr_expect(vln_migrate_check(conninfo, "room", 1, 1) == VLN_UNAVAILABLE);
    cr_assert(RUN(first) == VLN_OK);
    cr_expect(vln_migrate_check(conninfo, "room", 1, 1) == VLN_OK);
    cr_expect(vln_migrate_check(conninfo, "room", 1, 2) == VLN_UNAVAILABLE);
    cr_expect(vln_migrate_check(conninfo, "room", 2, 0) == VLN_UNAVAILABLE);
    cr_assert(RUN(next_major) == VLN_OK);
    cr_expect(vln_migrate_check(conninfo, "room", 1, 9) == VLN_OK);
}

Test(vln_migrate, a_check_waits_until_the_schema_is_made)
{
    cr_expect(vln_migrate_check(conninfo, "not_yet", 1, 1) == VLN_UNAVAILABLE);
}

/* A service that starts first finds the other one's schema closed until that has migrated. */
Test(vln_migrate, a_check_waits_until_the_schema_is_open)
{
    char sql[512];
    const char *mine = test_database_ask("SELECT current_database() || '_guest'");
    char role[128];
    snprintf(role, sizeof role, "%s", mine);
    snprintf(sql, sizeof sql, "CREATE ROLE %s LOGIN", role);
    test_database_ask(sql);
    cr_expect(vln_migrate_check(test_database_as(role), "room", 1, 1) == VLN_UNAVAILABLE);
    cr_assert(RUN(first) == VLN_OK);
    cr_expect(vln_migrate_check(test_database_as(role), "room", 1, 1) == VLN_UNAVAILABLE);
    snprintf(sql, sizeof sql,
             "GRANT USAGE ON SCHEMA room TO %s; GRANT SELECT ON room.migration TO %s", role, role);
    test_database_ask(sql);
    cr_expect(vln_migrate_check(test_database_as(role), "room", 1, 1) == VLN_OK);
    snprintf(sql, sizeof sql, "DROP OWNED BY %s; DROP ROLE %s", role, role);
    test_database_ask(sql);
}

Test(vln_migrate, the_event_schema_has_the_version_that_its_users_ask_for)
{
    const vln_migration_t *last = &vln_event_migrations[vln_event_migrations_count - 1];
    cr_expect(eq(int, last->major, VLN_EVENT_MAJOR));
    cr_expect(eq(int, last->minor, VLN_EVENT_MINOR));
}
