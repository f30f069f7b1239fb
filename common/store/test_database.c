#include "test_database.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vln_err.h"
#include "vln_id.h"
#include "vln_time.h"

enum { TEXT_ROOM = 512, ROLE_ROOM = 128, CLOSE_MS = 5000 };

static PGconn *server;   /* to the database that every cluster has */
static PGconn *database; /* to the one of this test */
static char name[64];
static char conninfo[TEXT_ROOM];
static char other[TEXT_ROOM + ROLE_ROOM];
static char answer[TEXT_ROOM];

static PGresult *
run(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "test_database: %s: %s", sql, PQerrorMessage(connection));
        abort();
    }
    return result;
}

static PGconn *
connect_to(const char *where)
{
    PGconn *connection = PQconnectdb(where);
    if (PQstatus(connection) != CONNECTION_OK) {
        fprintf(stderr, "test_database: %s", PQerrorMessage(connection));
        abort();
    }
    PQclear(run(connection, "SET client_min_messages = error"));
    return connection;
}

const char *
test_database_open(void)
{
    const char *where = getenv("VALION_TEST_DATABASE");
    if (!where) {
        fputs("test_database: VALION_TEST_DATABASE is not set: run this by ctest, or by "
              "tests/support/with_postgres\n",
              stderr);
        abort();
    }
    char sql[TEXT_ROOM];
    snprintf(conninfo, sizeof conninfo, "%s dbname=postgres", where);
    server = connect_to(conninfo);
    snprintf(name, sizeof name, "test_%d_%08x", (int)getpid(), vln_random_below(UINT32_MAX));
    snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE template0", name);
    PQclear(run(server, sql));
    snprintf(conninfo, sizeof conninfo, "%s dbname=%s", where, name);
    database = connect_to(conninfo);
    return conninfo;
}

/* A backend may take a moment to see that its client has gone. */
static bool
is_left_alone(void)
{
    char sql[TEXT_ROOM];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM pg_stat_activity WHERE datname = '%s'", name);
    int64_t end_ms = vln_mono_ms() + CLOSE_MS;
    bool alone = false;
    while (!alone && vln_mono_ms() < end_ms) {
        PGresult *result = run(server, sql);
        alone = strcmp(PQgetvalue(result, 0, 0), "0") == 0;
        PQclear(result);
    }
    return alone;
}

bool
test_database_close(void)
{
    char sql[TEXT_ROOM];
    PQfinish(database);
    database = NULL;
    bool alone = is_left_alone();
    snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", name);
    PQclear(run(server, sql));
    PQfinish(server);
    server = NULL;
    return alone;
}

const char *
test_database_as(const char *role)
{
    /* The last of two values counts. */
    snprintf(other, sizeof other, "%s user=%.*s", conninfo, ROLE_ROOM - 10, role);
    return other;
}

const char *
test_database_ask(const char *sql)
{
    PGresult *result = run(database, sql);
    bool any = PQntuples(result) > 0 && PQnfields(result) > 0;
    snprintf(answer, sizeof answer, "%s", any ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return answer;
}
