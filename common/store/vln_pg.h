/*
 * vln_pg - one connection to PostgreSQL: prepared statements, transactions, reconnecting.
 *
 * The only module but the stores that knows libpq. Statements are prepared when the connection
 * opens, so SQL that does not fit the schema stops a service at its start. After a lost connection
 * calls return VLN_UNAVAILABLE until vln_pg_ensure() has it back. Parameters and results are
 * binary. Used by one thread.
 */
#ifndef VLN_PG_H
#define VLN_PG_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_err.h"
#include "vln_mem.h"

typedef struct vln_pg vln_pg_t;

typedef struct vln_pg_stmt {
    const char *name;
    const char *sql; /* $1::bigint, … : the casts tell PostgreSQL the types */
} vln_pg_stmt_t;

typedef struct vln_pg_config {
    const char *conninfo;
    const char *application; /* shown in pg_stat_activity */
    const char *search_path; /* schemas, comma-separated */
    const vln_pg_stmt_t *statements;
    size_t statement_count;
    int statement_timeout_ms; /* default 5000 */
} vln_pg_config_t;

/* Connects and prepares. `config`'s tables must live as long as the connection. On failure `*out`
 * is a closed connection that vln_pg_ensure() can open later, unless the SQL itself is wrong
 * (VLN_INTERNAL, `*out` NULL). */
VLN_MUST_USE vln_err_t vln_pg_open(vln_pg_t **out, const vln_pg_config_t *config);
void vln_pg_close(vln_pg_t **self_p);

/* Connected? Tries to be, at most every 200 ms; VLN_UNAVAILABLE if not. */
VLN_MUST_USE vln_err_t vln_pg_ensure(vln_pg_t *self);

/* Changes with each new connection: what a session held, such as advisory locks, went with the old
 * one. */
uint64_t vln_pg_session(const vln_pg_t *self);

/* ---- parameters ---- */

enum { VLN_PG_ARGS_MAX = 32 };

/* The parameters of one statement, in order; NULL with vln_pg_null. Bytes are borrowed until the
 * statement ran, numbers are kept inside. */
typedef struct vln_pg_args {
    int count;
    const char *values[VLN_PG_ARGS_MAX];
    int lengths[VLN_PG_ARGS_MAX];
    int formats[VLN_PG_ARGS_MAX];
    uint64_t numbers[VLN_PG_ARGS_MAX];
} vln_pg_args_t;

void vln_pg_null(vln_pg_args_t *args);
void vln_pg_text(vln_pg_args_t *args, const char *text); /* NULL: null */
void vln_pg_bytes(vln_pg_args_t *args, const void *bytes, size_t size);
void vln_pg_bytes_or_null(vln_pg_args_t *args, const void *bytes, size_t size); /* size 0: null */
void vln_pg_i64(vln_pg_args_t *args, int64_t number);                           /* ::bigint */
void vln_pg_i32(vln_pg_args_t *args, int32_t number);                           /* ::integer */
void vln_pg_bool(vln_pg_args_t *args, bool value);

/* One-dimensional arrays for unnest(): filled element by element, then passed as a parameter. */
typedef enum vln_pg_type {
    VLN_PG_BYTEA = 17,
    VLN_PG_INT8 = 20,
    VLN_PG_INT4 = 23,
    VLN_PG_TEXT = 25,
} vln_pg_type_t;

typedef struct vln_pg_array vln_pg_array_t;

/* Lives in the arena. */
vln_pg_array_t *vln_pg_array_new(vln_arena_t *arena, vln_pg_type_t type);
void vln_pg_array_add_bytes(vln_pg_array_t *self, const void *bytes, size_t size); /* BYTEA, TEXT */
void vln_pg_array_add_text(vln_pg_array_t *self, const char *text);                /* NULL: null */
void vln_pg_array_add_i64(vln_pg_array_t *self, int64_t number);                   /* INT8, INT4 */
void vln_pg_array_add_null(vln_pg_array_t *self);
size_t vln_pg_array_count(const vln_pg_array_t *self);
/* The array may not grow until the statement ran. */
void vln_pg_array(vln_pg_args_t *args, vln_pg_array_t *array);

/* ---- running ---- */

/*
 * Run a prepared statement by its index in the table. On VLN_OK `*out` is yours: PQclear(). Else
 * it is NULL, and inside a transaction only vln_pg_rollback() is left to do. `out` may be NULL.
 * `args` may be NULL.
 */
VLN_MUST_USE vln_err_t vln_pg_run(vln_pg_t *self, size_t statement, const vln_pg_args_t *args,
                                  PGresult **out);

/* The same for one row: VLN_NOT_FOUND, and `*out` NULL, if there is none. */
VLN_MUST_USE vln_err_t vln_pg_run_one(vln_pg_t *self, size_t statement, const vln_pg_args_t *args,
                                      PGresult **out);

/* SQL that was put together for its parameters, and is planned with their values: lists with
 * filters. `name` is for the log. Outside of transactions, and slower than vln_pg_run. */
VLN_MUST_USE vln_err_t vln_pg_run_planned(vln_pg_t *self, const char *name, const char *sql,
                                          const vln_pg_args_t *args, PGresult **out);

/* SQL that is not in the table, without parameters: migrations, LISTEN, locks. */
VLN_MUST_USE vln_err_t vln_pg_exec(vln_pg_t *self, const char *sql, PGresult **out);

VLN_MUST_USE vln_err_t vln_pg_begin(vln_pg_t *self);
/* VLN_UNAVAILABLE may mean that it committed: repeat the whole request by its id. */
VLN_MUST_USE vln_err_t vln_pg_commit(vln_pg_t *self);
void vln_pg_rollback(vln_pg_t *self);

/* SQLSTATE of the last failure, "" if it had none. */
const char *vln_pg_sqlstate(const vln_pg_t *self);

/* Rows that an INSERT, UPDATE or DELETE changed. */
int64_t vln_pg_changed(PGresult *result);

/* ---- results, binary; a null reads as 0, false, "", no bytes ---- */

int64_t vln_pg_get_i64(const PGresult *result, int row, int column); /* int2, int4, int8 */
bool vln_pg_get_bool(const PGresult *result, int row, int column);
double vln_pg_get_double(const PGresult *result, int row, int column);
int64_t vln_pg_get_us(const PGresult *result, int row, int column); /* timestamptz, since 1970 */
const char *vln_pg_get_text(const PGresult *result, int row, int column); /* until PQclear */
const uint8_t *vln_pg_get_bytes(const PGresult *result, int row, int column, size_t *size);
bool vln_pg_is_null(const PGresult *result, int row, int column);

#endif
