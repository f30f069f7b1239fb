/*
 * vln_database - a service that starts waits for its database.
 */
#ifndef VLN_DATABASE_H
#define VLN_DATABASE_H

#include "vln_err.h"

/*
 * Runs `migrate` until it no longer says UNAVAILABLE: its result, or CANCELLED when a SIGTERM or
 * SIGINT comes meanwhile. Before the service opens and threads start.
 */
VLN_MUST_USE vln_err_t vln_database_await(const char *database,
                                          vln_err_t (*migrate)(const char *database));

#endif
