#include "vln_pg.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_log.h"
#include "vln_text.h"
#include "vln_time.h"

enum {
    RECONNECT_EVERY_MS = 200,
    DEFAULT_STATEMENT_TIMEOUT_MS = 5000,
    BINARY = 1,
};

/* Microseconds from 1970 to 2000, where PostgreSQL's clock starts. */
static const int64_t POSTGRES_EPOCH_US = INT64_C(946684800000000);

struct vln_pg {
    vln_pg_config_t config;
    PGconn *connection;
    int64_t tried_ms; /* last attempt to connect */
    uint64_t session;
    bool in_transaction;
    char sqlstate[6];
};

/* clang-format off */
/* What PostgreSQL says, as what we say: a SQLSTATE, or its class. The rest is VLN_INTERNAL. */
static const struct {
    const char *prefix;
    vln_err_t err;
} sqlstates[] = {
    {"08",    VLN_UNAVAILABLE},        /* connection */
    {"23514", VLN_INVALID_ARGUMENT},   /* check_violation */
    {"23",    VLN_ALREADY_EXISTS},     /* other integrity constraints */
    {"22",    VLN_INVALID_ARGUMENT},   /* data exception */
    {"25006", VLN_UNAVAILABLE},        /* read-only: a standby */
    {"40",    VLN_UNAVAILABLE},        /* serialization failure, deadlock: repeat */
    {"53",    VLN_UNAVAILABLE},        /* out of connections, disk, memory */
    {"55P03", VLN_UNAVAILABLE},        /* lock_timeout */
    {"57014", VLN_UNAVAILABLE},        /* statement_timeout */
    {"57",    VLN_UNAVAILABLE},        /* shutting down, starting up */
};
/* clang-format on */

static vln_err_t
err_of_sqlstate(const char *sqlstate)
{
    for (size_t i = 0; i < VLN_COUNT(sqlstates); i++) {
        if (strncmp(sqlstate, sqlstates[i].prefix, strlen(sqlstates[i].prefix)) == 0) {
            return sqlstates[i].err;
        }
    }
    return VLN_INTERNAL;
}

/* Logs the failure and says what it means; an integrity conflict is an answer, not an error. */
static vln_err_t
judge_failure(vln_pg_t *self, const char *what, const PGresult *result)
{
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    vln_text_copy(self->sqlstate, sizeof self->sqlstate, sqlstate);
    bool lost = PQstatus(self->connection) != CONNECTION_OK;
    vln_err_t err = lost || !sqlstate ? VLN_UNAVAILABLE : err_of_sqlstate(sqlstate);
    const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (err == VLN_INTERNAL || err == VLN_INVALID_ARGUMENT) { /* handlers check what comes in */
        vln_error("pg.failed", kv_str("statement", what), kv_str("sqlstate", self->sqlstate),
                  kv_str("detail", primary ? primary : "no detail"));
    } else if (err == VLN_UNAVAILABLE) {
        vln_warn("pg.unavailable", kv_str("statement", what), kv_str("sqlstate", self->sqlstate),
                 kv_str("detail", lost ? "connection lost" : primary));
    }
    return err;
}

static bool
is_success(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* Hands the result out, or ends it and judges. */
static vln_err_t
finish(vln_pg_t *self, const char *what, PGresult *result, PGresult **out)
{
    if (!is_success(result)) {
        vln_err_t err = judge_failure(self, what, result);
        PQclear(result);
        return err;
    }
    if (out) {
        *out = result;
    } else {
        PQclear(result);
    }
    return VLN_OK;
}

static vln_err_t
prepare_all(vln_pg_t *self)
{
    for (size_t i = 0; i < self->config.statement_count; i++) {
        const vln_pg_stmt_t *stmt = &self->config.statements[i];
        if (!stmt->sql) {
            continue;
        }
        PGresult *result = PQprepare(self->connection, stmt->name, stmt->sql, 0, NULL);
        vln_err_t err = finish(self, stmt->name, result, NULL);
        if (err != VLN_OK) {
            return err;
        }
    }
    return VLN_OK;
}

static void
ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

static vln_err_t
set_session(vln_pg_t *self)
{
    int timeout = self->config.statement_timeout_ms;
    char sql[768];
    /* A statement is prepared while its tables are empty and runs for months after they have
     * grown: the plan must be by index from the start, whatever an empty table suggests. */
    snprintf(sql, sizeof sql,
             "SET search_path = %s; SET statement_timeout = %d; SET lock_timeout = %d;"
             " SET idle_in_transaction_session_timeout = 10000; SET synchronous_commit = on;"
             " SET client_min_messages = warning; SET jit = off; SET enable_seqscan = off;"
             " SET enable_hashjoin = off; SET enable_mergejoin = off;"
             " SET plan_cache_mode = force_generic_plan",
             self->config.search_path ? self->config.search_path : "public",
             timeout ? timeout : DEFAULT_STATEMENT_TIMEOUT_MS,
             timeout ? timeout : DEFAULT_STATEMENT_TIMEOUT_MS);
    return finish(self, "session", PQexec(self->connection, sql), NULL);
}

static vln_err_t
connect_now(vln_pg_t *self)
{
    PQfinish(self->connection);
    self->in_transaction = false;
    self->session++;
    self->tried_ms = vln_mono_ms();
    const char *const keywords[] = {"dbname",           "application_name", "connect_timeout",
                                    "tcp_user_timeout", "keepalives_idle",  NULL};
    const char *const values[] = {
        self->config.conninfo, self->config.application, "3", "10000", "10", NULL};
    self->connection = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(self->connection) != CONNECTION_OK) {
        char why[160];
        const char *message = PQerrorMessage(self->connection);
        snprintf(why, sizeof why, "%.*s", (int)strcspn(message, "\n"), message);
        vln_warn("pg.connect_failed", kv_str("detail", why));
        return VLN_UNAVAILABLE;
    }
    PQsetNoticeReceiver(self->connection, ignore_notice, NULL);
    vln_err_t err = set_session(self);
    return err == VLN_OK ? prepare_all(self) : err;
}

vln_err_t
vln_pg_open(vln_pg_t **out, const vln_pg_config_t *config)
{
    *out = NULL;
    vln_pg_t *self = vln_calloc(1, sizeof *self);
    self->config = *config;
    vln_err_t err = connect_now(self);
    if (err != VLN_OK && err != VLN_UNAVAILABLE) {
        vln_pg_close(&self);
        return VLN_INTERNAL;
    }
    if (err != VLN_OK) {
        PQfinish(self->connection);
        self->connection = NULL;
    }
    *out = self;
    return err;
}

void
vln_pg_close(vln_pg_t **self_p)
{
    vln_pg_t *self = *self_p;
    if (self) {
        PQfinish(self->connection);
        free(self);
        *self_p = NULL;
    }
}

vln_err_t
vln_pg_ensure(vln_pg_t *self)
{
    if (self->connection && PQstatus(self->connection) == CONNECTION_OK) {
        return VLN_OK;
    }
    if (vln_mono_ms() - self->tried_ms < RECONNECT_EVERY_MS) {
        return VLN_UNAVAILABLE;
    }
    vln_err_t err = connect_now(self);
    if (err != VLN_OK) {
        PQfinish(self->connection);
        self->connection = NULL;
        return VLN_UNAVAILABLE;
    }
    vln_info("pg.connected", kv_str("application", self->config.application));
    return VLN_OK;
}

uint64_t
vln_pg_session(const vln_pg_t *self)
{
    return self->session;
}

/* ---- parameters ---- */

static void
add_arg(vln_pg_args_t *args, const void *value, size_t length, int format)
{
    vln_assert(args->count < VLN_PG_ARGS_MAX && length <= INT32_MAX);
    args->values[args->count] = value;
    args->lengths[args->count] = (int)length;
    args->formats[args->count] = format;
    args->count++;
}

void
vln_pg_null(vln_pg_args_t *args)
{
    add_arg(args, NULL, 0, BINARY);
}

void
vln_pg_text(vln_pg_args_t *args, const char *text)
{
    add_arg(args, text, text ? strlen(text) : 0, 0);
}

void
vln_pg_bytes(vln_pg_args_t *args, const void *bytes, size_t size)
{
    add_arg(args, bytes ? bytes : "", size, BINARY);
}

void
vln_pg_bytes_or_null(vln_pg_args_t *args, const void *bytes, size_t size)
{
    add_arg(args, size ? bytes : NULL, size, BINARY);
}

/* Numbers are kept by value in args->numbers, whose address is fixed only while args is; the
 * pointer is therefore set when the statement runs (see run_with_args). */
static void
add_number(vln_pg_args_t *args, uint64_t big_endian, size_t size)
{
    args->numbers[args->count] = big_endian;
    add_arg(args, NULL, size, BINARY);
}

void
vln_pg_i64(vln_pg_args_t *args, int64_t number)
{
    add_number(args, htobe64((uint64_t)number), sizeof number);
}

void
vln_pg_i32(vln_pg_args_t *args, int32_t number)
{
    uint64_t kept = 0;
    uint32_t big_endian = htonl((uint32_t)number);
    memcpy(&kept, &big_endian, sizeof big_endian);
    add_number(args, kept, sizeof number);
}

void
vln_pg_bool(vln_pg_args_t *args, bool value)
{
    uint64_t kept = 0;
    unsigned char byte = value ? 1 : 0;
    memcpy(&kept, &byte, 1);
    add_number(args, kept, 1);
}

/* The binary form of an array: dimensions, has-null, element type, length, lower bound, then each
 * element as length and bytes. */
enum { ARRAY_HEAD = 20, HAS_NULL_AT = 4, COUNT_AT = 12, FIRST_ROOM = 512 };

struct vln_pg_array {
    vln_arena_t *arena;
    vln_pg_type_t type;
    size_t count;
    size_t size;
    size_t room;
    char *bytes;
};

static void
put_i32(char *at, uint32_t value)
{
    uint32_t big_endian = htonl(value);
    memcpy(at, &big_endian, sizeof big_endian);
}

vln_pg_array_t *
vln_pg_array_new(vln_arena_t *arena, vln_pg_type_t type)
{
    vln_pg_array_t *self = vln_arena_alloc(arena, sizeof *self);
    self->arena = arena;
    self->type = type;
    self->room = FIRST_ROOM;
    self->bytes = vln_arena_alloc(arena, self->room);
    self->size = ARRAY_HEAD;
    put_i32(self->bytes, 1);
    put_i32(self->bytes + 8, (uint32_t)type);
    put_i32(self->bytes + 16, 1);
    return self;
}

static char *
grow(vln_pg_array_t *self, size_t more)
{
    if (self->size + more > self->room) {
        size_t room = 2 * (self->size + more);
        char *bytes = vln_arena_alloc(self->arena, room);
        memcpy(bytes, self->bytes, self->size);
        self->bytes = bytes;
        self->room = room;
    }
    char *at = self->bytes + self->size;
    self->size += more;
    self->count++;
    return at;
}

void
vln_pg_array_add_bytes(vln_pg_array_t *self, const void *bytes, size_t size)
{
    vln_assert(size <= INT32_MAX);
    char *at = grow(self, 4 + size);
    put_i32(at, (uint32_t)size);
    if (size) {
        memcpy(at + 4, bytes, size);
    }
}

void
vln_pg_array_add_text(vln_pg_array_t *self, const char *text)
{
    if (!text) {
        vln_pg_array_add_null(self);
        return;
    }
    vln_pg_array_add_bytes(self, text, strlen(text));
}

void
vln_pg_array_add_i64(vln_pg_array_t *self, int64_t number)
{
    if (self->type == VLN_PG_INT4) {
        uint32_t big_endian = htonl((uint32_t)number);
        vln_pg_array_add_bytes(self, &big_endian, sizeof big_endian);
        return;
    }
    uint64_t big_endian = htobe64((uint64_t)number);
    vln_pg_array_add_bytes(self, &big_endian, sizeof big_endian);
}

void
vln_pg_array_add_null(vln_pg_array_t *self)
{
    put_i32(grow(self, 4), UINT32_MAX);
    put_i32(self->bytes + HAS_NULL_AT, 1);
}

size_t
vln_pg_array_count(const vln_pg_array_t *self)
{
    return self->count;
}

void
vln_pg_array(vln_pg_args_t *args, vln_pg_array_t *array)
{
    put_i32(array->bytes + COUNT_AT, (uint32_t)array->count);
    add_arg(args, array->bytes, array->size, BINARY);
}

/* ---- running ---- */

/* Runs what is prepared as `name`, or, with `sql`, that. */
static PGresult *
run_with_args(vln_pg_t *self, const char *name, const char *sql, const vln_pg_args_t *args)
{
    static const vln_pg_args_t none = {0};
    const vln_pg_args_t *all = args ? args : &none;
    const char *values[VLN_PG_ARGS_MAX];
    for (int i = 0; i < all->count; i++) {
        bool is_number = !all->values[i] && all->lengths[i] > 0;
        values[i] = is_number ? (const char *)&all->numbers[i] : all->values[i];
    }
    if (sql) {
        return PQexecParams(self->connection, sql, all->count, NULL, values, all->lengths,
                            all->formats, BINARY);
    }
    return PQexecPrepared(self->connection, name, all->count, values, all->lengths, all->formats,
                          BINARY);
}

vln_err_t
vln_pg_run(vln_pg_t *self, size_t statement, const vln_pg_args_t *args, PGresult **out)
{
    vln_assert(statement < self->config.statement_count);
    if (out) {
        *out = NULL;
    }
    if (!self->connection) {
        return VLN_UNAVAILABLE;
    }
    const char *name = self->config.statements[statement].name;
    return finish(self, name, run_with_args(self, name, NULL, args), out);
}

vln_err_t
vln_pg_run_one(vln_pg_t *self, size_t statement, const vln_pg_args_t *args, PGresult **out)
{
    vln_err_t err = vln_pg_run(self, statement, args, out);
    if (err == VLN_OK && PQntuples(*out) == 0) {
        PQclear(*out);
        *out = NULL;
        err = VLN_NOT_FOUND;
    }
    return err;
}

vln_err_t
vln_pg_exec(vln_pg_t *self, const char *sql, PGresult **out)
{
    if (out) {
        *out = NULL;
    }
    if (!self->connection) {
        return VLN_UNAVAILABLE;
    }
    char what[48];
    snprintf(what, sizeof what, "%.*s", (int)strcspn(sql, "\n"), sql);
    PGresult *result = out ? PQexecParams(self->connection, sql, 0, NULL, NULL, NULL, NULL, BINARY)
                           : PQexec(self->connection, sql);
    return finish(self, what, result, out);
}

vln_err_t
vln_pg_begin(vln_pg_t *self)
{
    vln_assert(!self->in_transaction);
    vln_err_t err = vln_pg_exec(self, "BEGIN", NULL);
    if (err == VLN_UNAVAILABLE && vln_pg_ensure(self) == VLN_OK) {
        /* The connection was lost while it was idle; nothing has begun, so once more. */
        err = vln_pg_exec(self, "BEGIN", NULL);
    }
    self->in_transaction = err == VLN_OK;
    return err;
}

vln_err_t
vln_pg_commit(vln_pg_t *self)
{
    vln_assert(self->in_transaction);
    self->in_transaction = false;
    PGresult *result = PQexec(self->connection, "COMMIT");
    bool rolled_back = is_success(result) && strcmp(PQcmdStatus(result), "COMMIT") != 0;
    vln_err_t err = finish(self, "COMMIT", result, NULL);
    return rolled_back ? VLN_INTERNAL : err;
}

void
vln_pg_rollback(vln_pg_t *self)
{
    if (self->in_transaction && self->connection) {
        PQclear(PQexec(self->connection, "ROLLBACK"));
    }
    self->in_transaction = false;
}

vln_err_t
vln_pg_run_planned(vln_pg_t *self, const char *name, const char *sql, const vln_pg_args_t *args,
                   PGresult **out)
{
    *out = NULL;
    vln_err_t err = vln_pg_begin(self);
    if (err == VLN_OK) {
        err = vln_pg_exec(self, "SET LOCAL plan_cache_mode = force_custom_plan", NULL);
    }
    if (err == VLN_OK) {
        err = finish(self, name, run_with_args(self, name, sql, args), out);
    }
    vln_pg_rollback(self); /* it only read */
    return err;
}

const char *
vln_pg_sqlstate(const vln_pg_t *self)
{
    return self->sqlstate;
}

/* ---- results ---- */

int64_t
vln_pg_changed(PGresult *result)
{
    int64_t count = 0;
    return vln_text_to_i64(PQcmdTuples(result), 0, INT64_MAX, &count) ? count : 0;
}

int64_t
vln_pg_get_i64(const PGresult *result, int row, int column)
{
    const unsigned char *bytes = (const unsigned char *)PQgetvalue(result, row, column);
    int length = PQgetlength(result, row, column);
    uint64_t value = length > 0 && (bytes[0] & 0x80) ? UINT64_MAX : 0;
    for (int i = 0; i < length; i++) {
        value = value << 8 | bytes[i];
    }
    return (int64_t)value;
}

bool
vln_pg_get_bool(const PGresult *result, int row, int column)
{
    return PQgetlength(result, row, column) == 1 && PQgetvalue(result, row, column)[0] != 0;
}

double
vln_pg_get_double(const PGresult *result, int row, int column)
{
    if (PQgetlength(result, row, column) != 8) {
        return 0;
    }
    int64_t bits = vln_pg_get_i64(result, row, column);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

int64_t
vln_pg_get_us(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column)) {
        return 0;
    }
    return vln_pg_get_i64(result, row, column) + POSTGRES_EPOCH_US;
}

const char *
vln_pg_get_text(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column);
}

const uint8_t *
vln_pg_get_bytes(const PGresult *result, int row, int column, size_t *size)
{
    *size = (size_t)PQgetlength(result, row, column);
    return (const uint8_t *)PQgetvalue(result, row, column);
}

bool
vln_pg_is_null(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) == 1;
}
