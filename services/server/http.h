/*
 * http - the server's door: the Open Inference Protocol v2 over HTTP on a unix socket, by
 * libmicrohttpd with its strictest parser. One thread takes requests and gives answers; while
 * the model is asked, the connection sleeps, and everybody else is served. Each prediction has an id,
 * in the header X-Prediction-Id.
 *
 *   GET  /health                                  the original's
 *   GET  /v2, /v2/health/live, /v2/health/ready
 *   GET  /v2/models/{m}[/versions/{v}][/ready]
 *   POST /v2/models/{m}[/versions/{v}]/infer
 *   GET  /metrics                                 Prometheus' text
 *   GET  /telemetry                               packed valion.v1.Telemetry, for the runner alone
 */
#ifndef HTTP_H
#define HTTP_H

#include "server.h"

typedef struct http http_t;

typedef enum http_log { HTTP_LOG_NONE, HTTP_LOG_ERRORS, HTTP_LOG_ALL } http_log_t;

typedef struct http_options {
    int64_t queue_max;     /* requests that wait for the model; more are refused with 503 */
    int64_t batch_max;     /* requests that the model is asked about at once */
    int64_t batch_rows;    /* and their rows */
    int64_t batch_wait_us; /* that a request waits for others to join it */
    int64_t deadline_ms;   /* of a request: older ones are not asked about any more */
    http_log_t access;     /* which predictions are logged */
} http_options_t;

/* Begins to answer on this path; a socket that is left there is replaced. */
VLN_MUST_USE vln_err_t http_start(http_t **out, server_t *server, const http_options_t *options,
                                  const char *path);

/* Takes no new connections, tells the others to end, waits for them at most `drain_ms`. */
void http_stop(http_t **self_p, int64_t drain_ms);

#endif
