/*
 * vln_endpoint_url - addresses of models on inference servers, and which of them may be asked.
 *
 * An address comes from whoever submits a task, so it is taken apart by a narrow grammar of our own and
 * put together again: what is asked is what was compared. There is no user, query, fragment, escape, or
 * step upwards in it. Pure. Any thread.
 */
#ifndef VLN_ENDPOINT_URL_H
#define VLN_ENDPOINT_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_model.h"

enum {
    VLN_ENDPOINT_HOST = 256,
    VLN_ENDPOINT_PATH = 512,
    VLN_ENDPOINT_URL = VLN_ENDPOINT_HOST + VLN_ENDPOINT_PATH + 64,
};

typedef struct vln_endpoint_url {
    bool secure;                  /* https */
    char host[VLN_ENDPOINT_HOST]; /* in lower case; an IPv6 address with its brackets */
    uint16_t port;
    char path[VLN_ENDPOINT_PATH]; /* "" or "/a/b", without a slash at its end */
} vln_endpoint_url_t;

/* http://HOST[:PORT][/PATH] or https://… False: `why` says what is wrong. */
bool vln_endpoint_url_parse(const char *text, vln_endpoint_url_t *out, char why[VLN_MODEL_WHY]);

/* True if it is the address of a model: …/v2/models/NAME or …/v2/models/NAME/versions/VERSION. */
bool vln_endpoint_url_is_model(const vln_endpoint_url_t *self);

/* True if each of the comma-separated addresses is one; else `why` names the first that is not. NULL and
 * "" are none, and good. */
bool vln_endpoint_allowed_check(const char *allowed, char why[VLN_MODEL_WHY]);

/* True if one of them has the very scheme, host and port, and the path or whole segments of its
 * beginning. Names are compared as they are written, never resolved. */
bool vln_endpoint_is_allowed(const char *allowed, const vln_endpoint_url_t *url);

/* The address and what follows it, such as "/infer". */
void vln_endpoint_url_write(const vln_endpoint_url_t *self, const char *more,
                            char out[VLN_ENDPOINT_URL]);

#endif
