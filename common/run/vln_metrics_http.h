/*
 * vln_metrics_http - a service's counters as Prometheus reads them: GET /metrics on an address of
 * --metrics-listen, by libmicrohttpd in a thread of its own. Off unless asked for; no authentication,
 * so the address is a loopback one unless somebody decides otherwise.
 */
#ifndef VLN_METRICS_HTTP_H
#define VLN_METRICS_HTTP_H

#include "vln_err.h"
#include "vln_metrics.h"

typedef struct vln_metrics_http vln_metrics_http_t;

/* `address` is "host:port" with a numeric host. INVALID_ARGUMENT if it is none, FAILED_PRECONDITION if
 * it cannot be listened on; both are logged with what to do. The texts and metrics outlive it. */
VLN_MUST_USE vln_err_t vln_metrics_http_start(vln_metrics_http_t **out, const char *address,
                                              const char *service, const char *instance,
                                              const vln_metrics_t *metrics);
void vln_metrics_http_stop(vln_metrics_http_t **self_p);

/* The text that is answered, ended by a NUL; end with free(). */
char *vln_metrics_print(const char *service, const char *instance, const vln_metrics_t *metrics);

#endif
