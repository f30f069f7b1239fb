/*
 * runner_http - what the runner asks of the servers on its host, by libcurl over their unix sockets.
 * Belongs to one thread.
 */
#ifndef RUNNER_HTTP_H
#define RUNNER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct runner_http runner_http_t;

runner_http_t *runner_http_new(void);
void runner_http_destroy(runner_http_t **self_p);

/* The status that a path answers within the time; 0: it does not. */
long runner_http_look(runner_http_t *self, const char *socket, const char *path,
                      int64_t timeout_ms);

/* The answer's status, 0 if there was none. The body, up to `room` bytes of it, into `body`, which may
 * be NULL. */
long runner_http_get(runner_http_t *self, const char *socket, const char *path, uint8_t *body,
                     size_t room, size_t *size);

#endif
