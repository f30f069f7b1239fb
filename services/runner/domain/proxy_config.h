/*
 * proxy_config - HAProxy's configuration for what a host serves: a port for each environment, two
 * backends for each endpoint, one for each version that is reached by its path. Pure: the same state
 * gives the same text.
 *
 * A request's model is the fourth part of its path. /v2/models/M/versions/V/… goes to the instances of V
 * or is 404, never by share; any other path of the model goes to its canary by share, else to stable,
 * whose instances also catch what a canary drops. Everything is checked by GET /v2/health/ready.
 */
#ifndef PROXY_CONFIG_H
#define PROXY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <valion/v1/deployer.pb-c.h>

/* An instance that may get requests. */
typedef struct proxy_server {
    const uint8_t *id; /* 16 bytes */
    const char *socket;
} proxy_server_t;

typedef struct proxy_plan {
    const Valion__V1__HostState *state;
    const proxy_server_t *servers;
    size_t server_count;
    const char *bind;                               /* address that the ports are opened on */
    const char *admin_socket;                       /* for statistics; path */
    bool (*may_bind)(void *context, uint32_t port); /* false: the environment is left out */
    void *context;
} proxy_plan_t;

/* The text, ended by a NUL; end with free(). */
char *proxy_config_write(const proxy_plan_t *plan);

/* What tells this text from another one, as HAProxy's "show info" gives it back in `description` once it
 * has loaded the text; empty if the text has none. Into out. */
enum { PROXY_DIGEST = 17 };
void proxy_config_digest(const char *text, char out[PROXY_DIGEST]);

/* The backends' names: "stable/<environment>/<model>". Into out. */
enum { PROXY_NAME = 256 };
void proxy_config_backend(const char *kind, const Valion__V1__HostEndpoint *endpoint,
                          char out[PROXY_NAME]);

#endif
