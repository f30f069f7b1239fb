/*
 * server - what the parts of valion-server share: the version that it serves.
 *
 * The folder that the runner prepared holds instance.pb (a packed valion.v1.WantedInstance) and the
 * version's files by their roles. main.c loads it, http.c takes requests and gives answers on one
 * thread, batch.c asks the model on another.
 */
#ifndef SERVER_H
#define SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "vln_predictor.h"

#include "oip.h"
#include "telemetry.h"

typedef struct server {
    const Valion__V1__WantedInstance *instance;
    vln_arena_t *arena; /* holds the instance */
    uint8_t *model;     /* files, as long as the predictor */
    uint8_t *preprocessor;
    vln_sandbox_t *sandbox;
    vln_predictor_t *predictor;
    pthread_mutex_t counting;
    telemetry_t *telemetry; /* under `counting` */
    oip_model_t about;
    const char *platform;
    atomic_bool draining;
} server_t;

/*
 * Read the folder, check every file's digest, load the version, and answer its sample rows as they
 * were registered, if the instance asks for that. Anything but VLN_OK was logged with what to do.
 */
VLN_MUST_USE vln_err_t server_load(server_t *self, const char *folder, const char *sandbox);
void server_unload(server_t *self);

/* Telemetry of one request, from any thread: that was answered, or not, in so many microseconds. */
void server_count(server_t *self, const vln_table_t *rows, const vln_sandbox_result_t *result,
                  int64_t us);
void server_count_error(server_t *self, telemetry_error_t error, int64_t us);

/* What was counted so far; in the arena. */
Valion__V1__Telemetry *server_report(server_t *self, vln_arena_t *arena);

#endif
