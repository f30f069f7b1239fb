#include "vln_migrate.h"

#include <stdio.h>
#include <string.h>

#include "vln_digest.h"
#include "vln_log.h"
#include "vln_pg.h"
#include "vln_text.h"

enum { LOCK_CLASS = 0x564c4e /* "VLN" */, MIGRATION_TIMEOUT_MS = 60000, SQL_MAX = 512 };

static vln_err_t
connect_to(vln_pg_t **pg, const char *conninfo, const char *schema)
{
    vln_pg_config_t config = {.conninfo = conninfo,
                              .application = "valion migrate",
                              .search_path = schema,
                              .statement_timeout_ms = MIGRATION_TIMEOUT_MS};
    return vln_pg_open(pg, &config);
}

static vln_err_t
lock_schema(vln_pg_t *pg, const char *schema)
{
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql, "SELECT pg_advisory_lock(%d, hashtext('%s'))", LOCK_CLASS, schema);
    return vln_pg_exec(pg, sql, NULL);
}

/* The version that the schema has, 0.0 if none. */
static vln_err_t
read_version(vln_pg_t *pg, const char *schema, int *major, int *minor)
{
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql,
             "SELECT major, minor FROM %s.migration ORDER BY major DESC, minor DESC LIMIT 1",
             schema);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_exec(pg, sql, &result);
    if (err != VLN_OK) {
        return err;
    }
    bool any = PQntuples(result) == 1;
    *major = any ? (int)vln_pg_get_i64(result, 0, 0) : 0;
    *minor = any ? (int)vln_pg_get_i64(result, 0, 1) : 0;
    PQclear(result);
    return VLN_OK;
}

/* SHA-256 of its SQL as hex, into out, of 2 * VLN_DIGEST_BYTES + 1 bytes. */
static const char *
digest_of(const vln_migration_t *migration, char *out)
{
    uint8_t digest[VLN_DIGEST_BYTES];
    vln_digest(migration->sql, strlen(migration->sql), digest);
    return vln_hex_encode(digest, sizeof digest, out);
}

/* The migration's own SQL, and the row that says so, in one transaction. */
static vln_err_t
apply_one(vln_pg_t *pg, const char *schema, const vln_migration_t *migration)
{
    vln_err_t err = vln_pg_begin(pg);
    if (err == VLN_OK) {
        err = vln_pg_exec(pg, migration->sql, NULL);
    }
    if (err == VLN_OK) {
        char sql[SQL_MAX];
        char digest[2 * VLN_DIGEST_BYTES + 1];
        snprintf(sql, sizeof sql,
                 "INSERT INTO %s.migration (major, minor, name, digest)"
                 " VALUES (%d, %d, '%s', '\\x%s')",
                 schema, migration->major, migration->minor, migration->name,
                 digest_of(migration, digest));
        err = vln_pg_exec(pg, sql, NULL);
    }
    if (err == VLN_OK) {
        err = vln_pg_commit(pg);
    }
    vln_pg_rollback(pg);
    vln_info("migration.applied", kv_str("schema", schema), kv_str("name", migration->name),
             kv_err(err));
    return err;
}

/* A release of before digests were kept left none: the first program that keeps them fills it in. */
static vln_err_t
fill_digest(vln_pg_t *pg, const char *schema, const vln_migration_t *migration)
{
    char sql[SQL_MAX];
    char digest[2 * VLN_DIGEST_BYTES + 1];
    snprintf(sql, sizeof sql,
             "UPDATE %s.migration SET digest = '\\x%s'"
             " WHERE major = %d AND minor = %d AND digest IS NULL",
             schema, digest_of(migration, digest), migration->major, migration->minor);
    return vln_pg_exec(pg, sql, NULL);
}

/* One migration that the schema's version says is applied: with these very bytes? What is released
 * is never edited, or two databases of one version would differ. */
static vln_err_t
check_applied(vln_pg_t *pg, const char *schema, const vln_migration_t *migration)
{
    char sql[SQL_MAX];
    char digest[2 * VLN_DIGEST_BYTES + 1];
    snprintf(sql, sizeof sql,
             "SELECT digest IS NULL, digest = '\\x%s' FROM %s.migration"
             " WHERE major = %d AND minor = %d",
             digest_of(migration, digest), schema, migration->major, migration->minor);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_exec(pg, sql, &result);
    if (err != VLN_OK) {
        return err;
    }
    bool found = PQntuples(result) == 1;
    bool without = found && vln_pg_get_bool(result, 0, 0);
    bool same = found && vln_pg_get_bool(result, 0, 1);
    PQclear(result);
    if (!same && !without) {
        vln_error("migration.edited", kv_str("schema", schema), kv_str("name", migration->name),
                  kv_str("detail", found ? "the database was made by another text of it: start the "
                                           "program that made it, or restore a backup"
                                         : "a later one was applied without it: start the program "
                                           "that made the database, or restore a backup"));
        return VLN_FAILED_PRECONDITION;
    }
    return without ? fill_digest(pg, schema, migration) : VLN_OK;
}

static vln_err_t
make_table(vln_pg_t *pg, const char *schema)
{
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql,
             "CREATE TABLE IF NOT EXISTS %s.migration (major integer, minor integer,"
             " name text NOT NULL, applied timestamptz NOT NULL DEFAULT now(),"
             " PRIMARY KEY (major, minor));"
             " ALTER TABLE %s.migration ADD COLUMN IF NOT EXISTS digest bytea",
             schema, schema);
    return vln_pg_exec(pg, sql, NULL);
}

static vln_err_t
apply_missing(vln_pg_t *pg, const char *schema, const vln_migration_t *migrations, size_t count)
{
    vln_err_t err = make_table(pg, schema);
    int major = 0;
    int minor = 0;
    if (err == VLN_OK) {
        err = read_version(pg, schema, &major, &minor);
    }
    if (err == VLN_OK && major > migrations[count - 1].major) {
        vln_error("migration.newer_schema", kv_str("schema", schema), kv_i64("found", major),
                  kv_i64("known", migrations[count - 1].major),
                  kv_str("detail", "this program is older than its database: start the newer one"));
        return VLN_FAILED_PRECONDITION;
    }
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        const vln_migration_t *next = &migrations[i];
        bool missing = next->major > major || (next->major == major && next->minor > minor);
        err = missing ? apply_one(pg, schema, next) : check_applied(pg, schema, next);
    }
    return err;
}

vln_err_t
vln_migrate_run(const char *conninfo, const char *schema, const vln_migration_t *migrations,
                size_t count)
{
    vln_pg_t *pg = NULL;
    vln_err_t err = connect_to(&pg, conninfo, schema);
    if (err == VLN_OK) {
        err = lock_schema(pg, schema); /* ends with the connection */
    }
    if (err == VLN_OK) {
        err = apply_missing(pg, schema, migrations, count);
    }
    vln_pg_close(&pg);
    return err;
}

vln_err_t
vln_migrate_check(const char *conninfo, const char *schema, int major, int minor)
{
    vln_pg_t *pg = NULL;
    int have_major = 0;
    int have_minor = 0;
    vln_err_t err = connect_to(&pg, conninfo, schema);
    char sql[SQL_MAX];
    /* Before its first migration a schema is closed to other roles: to look inside is an error. */
    snprintf(sql, sizeof sql,
             "SELECT CASE WHEN EXISTS (SELECT FROM pg_namespace WHERE nspname = '%s'"
             " AND has_schema_privilege(oid, 'USAGE'))"
             " THEN to_regclass('%s.migration') IS NOT NULL ELSE false END",
             schema, schema);
    PGresult *result = NULL;
    if (err == VLN_OK) {
        err = vln_pg_exec(pg, sql, &result);
    }
    if (err == VLN_OK && !vln_pg_get_bool(result, 0, 0)) {
        err = VLN_UNAVAILABLE;
    }
    PQclear(result);
    if (err == VLN_OK) {
        err = read_version(pg, schema, &have_major, &have_minor);
    }
    vln_pg_close(&pg);
    if (err != VLN_OK) {
        return err;
    }
    bool enough = have_major > major || (have_major == major && have_minor >= minor);
    return enough ? VLN_OK : VLN_UNAVAILABLE;
}
