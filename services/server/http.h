/*
 * http - the server's door: the Open Inference Protocol v2 over HTTP on a unix socket, by
 * libmicrohttpd with its strictest parser. One thread takes and answers everything.
 *
 *   GET  /health                                  the original's
 *   GET  /v2, /v2/health/live, /v2/health/ready
 *   GET  /v2/models/{m}[/versions/{v}][/ready]
 *   POST /v2/models/{m}[/versions/{v}]/infer
 *   GET  /telemetry                               packed valion.v1.Telemetry, for the runner alone
 */
#ifndef HTTP_H
#define HTTP_H

#include "server.h"

typedef struct http http_t;

/* Begins to answer on this path; a socket that is left there is replaced. */
VLN_MUST_USE vln_err_t http_start(http_t **out, server_t *server, const char *path);

/* Takes no new connections, tells the others to end, waits for them at most `drain_ms`. */
void http_stop(http_t **self_p, int64_t drain_ms);

#endif
