/*
 * vln_endpoint - a model on an inference server that speaks the Open Inference Protocol v2 over HTTP,
 * asked by libcurl for the predictions of a table's rows.
 *
 * Server and address are foreign. The address has to be one of those that are allowed; nothing is
 * followed, no proxy, no cookie and no password is used; each answer is bounded in bytes and time, and
 * checked (vln_endpoint_text). A request is sent again only where no connection came about, or one that
 * was kept has gone. Belongs to one thread.
 */
#ifndef VLN_ENDPOINT_H
#define VLN_ENDPOINT_H

#include "vln_predictor.h"

enum {
    VLN_ENDPOINT_ROWS_MAX = 512, /* of a request */
    VLN_ENDPOINT_CELLS_MAX = 65536,
    VLN_ENDPOINT_REQUEST_MAX = 4 * 1024 * 1024, /* bytes of one */
    VLN_ENDPOINT_ANSWER_MAX = 8 * 1024 * 1024,
    VLN_ENDPOINT_TRIES = 3, /* to connect */
};

typedef struct vln_endpoint_config {
    const char *url;                         /* …/v2/models/NAME[/versions/VERSION]; copied */
    const char *allowed;                     /* comma-separated addresses; NULL: none */
    const Valion__V1__Signature *signature;  /* of the version; borrowed until the close */
    int64_t request_ms;                      /* that a request may last */
    int64_t predict_ms;                      /* that a call of predict may last */
    int64_t deadline_ms;                     /* monotonic; nothing lasts longer */
    bool (*is_stopped)(const void *context); /* asked while it waits; may be NULL */
    const void *context;
} vln_endpoint_config_t;

typedef struct vln_endpoint vln_endpoint_t;

/*
 * Ask the server what its model takes. INVALID_ARGUMENT: it is no model's address; PERMISSION_DENIED: it
 * is not allowed; FAILED_PRECONDITION: its model is another, or what it says is no metadata;
 * UNAVAILABLE, DEADLINE_EXCEEDED: it is not there now; CANCELLED: stopped. The outcome's sentence says
 * which.
 */
VLN_MUST_USE vln_err_t vln_endpoint_open(const vln_endpoint_config_t *config, vln_endpoint_t **out,
                                         vln_outcome_t *outcome);
void vln_endpoint_close(vln_endpoint_t **self_p);

/* For vln_predictor_open_remote(), which takes the endpoint. Its version is model and version as the
 * server says them with its answers. */
vln_predictor_remote_t vln_endpoint_remote(vln_endpoint_t **self_p);

#endif
