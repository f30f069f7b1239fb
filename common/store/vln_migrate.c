#include "vln_migrate.h"

#include <stdio.h>

#include "vln_log.h"
#include "vln_pg.h"

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

static vln_err_t
apply_one(vln_pg_t *pg, const char *schema, const vln_migration_t *migration)
{
    vln_err_t err = vln_pg_begin(pg);
    if (err == VLN_OK) {
        err = vln_pg_exec(pg, migration->sql, NULL);
    }
    if (err == VLN_OK) {
        char sql[SQL_MAX];
        snprintf(sql, sizeof sql,
                 "INSERT INTO %s.migration (major, minor, name) VALUES (%d, %d, '%s')", schema,
                 migration->major, migration->minor, migration->name);
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

static vln_err_t
apply_missing(vln_pg_t *pg, const char *schema, const vln_migration_t *migrations, size_t count)
{
    char sql[SQL_MAX];
    snprintf(sql, sizeof sql,
             "CREATE TABLE IF NOT EXISTS %s.migration (major integer, minor integer,"
             " name text NOT NULL, applied timestamptz NOT NULL DEFAULT now(),"
             " PRIMARY KEY (major, minor))",
             schema);
    vln_err_t err = vln_pg_exec(pg, sql, NULL);
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
        if (next->major > major || (next->major == major && next->minor > minor)) {
            err = apply_one(pg, schema, next);
        }
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
    snprintf(sql, sizeof sql, "SELECT to_regclass('%s.migration') IS NOT NULL", schema);
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
