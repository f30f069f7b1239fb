/*
 * test_database - for tests of stores: a PostgreSQL database of its own, new for each test.
 *
 * The server is the one that tests/support/with_postgres started; VALION_TEST_DATABASE says where.
 * Whatever fails here ends the test. Used by the test's main thread.
 */
#ifndef TEST_DATABASE_H
#define TEST_DATABASE_H

#include <stdbool.h>

/* A new database and a superuser's connection string to it, which lives until it is closed. */
const char *test_database_open(void);

/* Drops it. False if a connection to it is still open: whoever was tested forgot one. */
bool test_database_close(void);

/* The string for another role of the same server; lives until closed. */
const char *test_database_as(const char *role);

/* Runs SQL as superuser; the first value of its result as text, "" if there is none, borrowed until
 * the next call. */
const char *test_database_ask(const char *sql);

#endif
