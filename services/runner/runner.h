/*
 * runner - what the parts of valion-runner share.
 *
 * Two threads: runner_poll.c asks the deployer for the host's wanted state and keeps it on disk;
 * runner_keep.c makes it true (files, servers under the supervisor, HAProxy) and reports. A state on
 * disk is all that the second one needs, so that servers and HAProxy go on, and come back after a
 * restart of the host, when the bus or the deployer are away.
 */
#ifndef RUNNER_H
#define RUNNER_H

#include <pthread.h>
#include <valion/v1/deployer.pb-c.h>

#include "vln_artifacts.h"
#include "vln_service.h"

enum { RUNNER_PATH = 4096, RUNNER_ENVIRONMENTS_MAX = 32 };

typedef struct runner_config {
    vln_service_options_t service;
    vln_cache_options_t cache;
    const char *host;
    const char *environments;
    const char *path;
    const char *supervisor;
    const char *haproxy;
    const char *bind;
    const char *server;
    const char *sandbox;
} runner_config_t;

/* One for the process. */
typedef struct runner {
    const runner_config_t *config;
    char name[96]; /* on the bus: "runner.<host>" */
    char root[RUNNER_PATH];
    Valion__V1__Environment environments[RUNNER_ENVIRONMENTS_MAX];
    Valion__V1__Environment *offered[RUNNER_ENVIRONMENTS_MAX];
    size_t environment_count;
    vln_service_t *service;

    pthread_mutex_t mutex; /* guards what follows */
    uint8_t *wanted;       /* packed valion.v1.HostState; NULL: none yet */
    size_t wanted_size;
    uint64_t generation; /* of it; a lower one is refused */
    vln_stop_t *keeper;  /* its thread's, to be nudged when another state is wanted; NULL: none */
} runner_t;

/* Background threads; `context` is a runner_t. */
void runner_run_poll(void *context, vln_stop_t *stop);
void runner_run_keep(void *context, vln_stop_t *stop);

/* The state on disk, if there is one; what is wrong with it is logged. */
void runner_restore(runner_t *self);

/* A copy of the wanted state, in the arena; NULL: none yet. */
Valion__V1__HostState *runner_wanted(runner_t *self, vln_arena_t *arena);

/* Whose wait ends when another state is wanted; NULL: nobody's. */
void runner_set_keeper(runner_t *self, vln_stop_t *stop);

/* Whole or not at all: written aside, synced, renamed. False was logged. */
bool runner_write_file(const char *path, const void *bytes, size_t size);

/* Handlers. */
void runner_read_instance_log(void *worker, vln_call_t **calls, size_t count);
void runner_restart_instance(void *worker, vln_call_t **calls, size_t count);

#endif
