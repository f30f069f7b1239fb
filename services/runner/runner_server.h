/*
 * runner_server - one valion-server: its folder, its files, its place under the supervisor (s6).
 *
 *   ROOT/instances/<id>/            instance.pb, the version's files by role (read-only)
 *                       log, exits  what it printed; a line each time that it ended
 *                       service/    run, finish: what s6 supervises, linked into its scan folder
 *   ROOT/s/<id's end>.sock          where it answers
 *
 * The server is not a child of the runner's: it lives on when the runner ends, and is found again by
 * its folder. Used by one thread.
 */
#ifndef RUNNER_SERVER_H
#define RUNNER_SERVER_H

#include "instance.h"
#include "probe.h"
#include "runner.h"
#include "runner_http.h"

enum { RUNNER_ERROR = 1000 };

typedef struct runner_server {
    vln_id_t id;
    char folder[RUNNER_PATH];
    char link[96]; /* in the scan folder: "server-<id>" */
    char socket[108];
    Valion__V1__InstanceState state;
    bool was_ready;
    int64_t began_ms;    /* monotonic; since its start was asked for, or it was found */
    int64_t ready_ms;    /* since it is ready; 0: it is not */
    int64_t ready_us;    /* wall clock of the first time */
    int64_t left_ms;     /* since it gets no more requests; 0: it still may */
    int64_t retry_ms;    /* not before: fetch again */
    uint32_t exits_seen; /* lines in `exits` when it was last settled */
    uint32_t exits;
    uint32_t probed_exits; /* ends of it that the probes know of; after one they begin anew */
    probe_t startup;
    probe_t readiness;
    probe_t liveness;
    int64_t probed_ms; /* since when they ask; 0: they have not begun */
    bool stopping;     /* told to end */
    char error[RUNNER_ERROR];
} runner_server_t;

/* Fills names and paths. */
void runner_server_init(runner_server_t *self, const runner_t *runner,
                        const uint8_t id[VLN_ID_BYTES]);

/* True if its files are there and the supervisor has it. */
bool runner_server_is_there(const runner_server_t *self, const runner_t *runner);

/* Fetch what it needs, write its folder, hand it to the supervisor. False: `error` says why not. */
bool runner_server_start(runner_server_t *self, const runner_t *runner,
                         const Valion__V1__WantedInstance *wanted, vln_artifacts_t *artifacts);

/* Let the supervisor end it, for good or to start it again. */
void runner_server_stop(runner_server_t *self, const runner_t *runner);
void runner_server_restart(const runner_server_t *self, const runner_t *runner);

/* Ends it at once: it does not answer. The supervisor starts it again. */
void runner_server_kill(const runner_server_t *self, const runner_t *runner);

/* Take it from the supervisor and delete its folder. */
void runner_server_remove(runner_server_t *self, const runner_t *runner);

/* True while the supervisor runs it. `pid` may be NULL. */
bool runner_server_is_up(const runner_server_t *self, const runner_t *runner, int64_t *pid);

/* How often it ended so far; the last exit code and signal. */
uint32_t runner_server_count_exits(const runner_server_t *self, int *code, int *signal);

/* The last error that it logged, into `error`. */
void runner_server_read_error(runner_server_t *self);

#endif
