#include "proxy_config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_text.h"

enum { ID_BYTES = 16, SHORT_ID = 6, FIRST_ROOM = 8192 };

#define DIGEST_LINE "    description "

typedef struct writer {
    char *text;
    size_t size;
    size_t room;
} writer_t;

__attribute__((format(printf, 2, 3))) static void
put(writer_t *self, const char *format, ...)
{
    for (;;) {
        va_list args;
        va_start(args, format);
        int len = vsnprintf(self->text + self->size, self->room - self->size, format, args);
        va_end(args);
        vln_assert(len >= 0);
        if (self->size + (size_t)len < self->room) {
            self->size += (size_t)len;
            return;
        }
        self->room = 2 * self->room + (size_t)len;
        self->text = vln_realloc(self->text, self->room);
    }
}

/* Model names and environments are letters, digits and "_.-", which HAProxy takes in names. */
void
proxy_config_backend(const char *kind, const Valion__V1__HostEndpoint *endpoint,
                     char out[PROXY_NAME])
{
    snprintf(out, PROXY_NAME, "%s:%s:%s", kind, endpoint->environment, endpoint->model);
}

static const proxy_server_t *
find_server(const proxy_plan_t *plan, const ProtobufCBinaryData *id)
{
    for (size_t i = 0; i < plan->server_count; i++) {
        if (id->len == ID_BYTES && memcmp(plan->servers[i].id, id->data, ID_BYTES) == 0) {
            return &plan->servers[i];
        }
    }
    return NULL;
}

static size_t
put_servers(writer_t *self, const proxy_plan_t *plan, const ProtobufCBinaryData *ids, size_t count,
            const char *more)
{
    size_t written = 0;
    for (size_t i = 0; i < count; i++) {
        const proxy_server_t *server = find_server(plan, &ids[i]);
        if (server) {
            char name[2 * SHORT_ID + 1];
            vln_hex_encode(server->id + ID_BYTES - SHORT_ID, SHORT_ID, name);
            put(self, "    server i%s%s unix@%s%s\n", name, more, server->socket,
                more[0] ? " backup" : "");
            written++;
        }
    }
    return written;
}

/* ---- backends ---- */

static void
put_backend(writer_t *self, const proxy_plan_t *plan, const Valion__V1__HostEndpoint *endpoint,
            bool canary)
{
    char name[PROXY_NAME];
    proxy_config_backend(canary ? "canary" : "stable", endpoint, name);
    put(self, "\nbackend %s\n", name);
    if (canary) {
        put_servers(self, plan, endpoint->canary_ids, endpoint->n_canary_ids, "");
        put_servers(self, plan, endpoint->stable_ids, endpoint->n_stable_ids, "b");
        return;
    }
    put_servers(self, plan, endpoint->stable_ids, endpoint->n_stable_ids, "");
}

static void
put_route_name(writer_t *self, const Valion__V1__HostEndpoint *endpoint, size_t route)
{
    put(self, "version:%s:%s:%zu", endpoint->environment, endpoint->model, route);
}

static void
put_backends(writer_t *self, const proxy_plan_t *plan)
{
    for (size_t i = 0; i < plan->state->n_endpoints; i++) {
        const Valion__V1__HostEndpoint *endpoint = plan->state->endpoints[i];
        put_backend(self, plan, endpoint, false);
        put_backend(self, plan, endpoint, true);
        for (size_t at = 0; at < endpoint->n_routes; at++) {
            const Valion__V1__VersionRoute *route = endpoint->routes[at];
            put(self, "\n# %s\nbackend ", route->version);
            put_route_name(self, endpoint, at);
            put(self, "\n");
            put_servers(self, plan, route->instance_ids, route->n_instance_ids, "");
        }
    }
}

/* ---- frontends ---- */

static void
put_rules(writer_t *self, const Valion__V1__HostEndpoint *endpoint)
{
    char name[PROXY_NAME];
    for (size_t at = 0; at < endpoint->n_routes; at++) {
        const char *version = endpoint->routes[at]->version;
        put(self, "    use_backend ");
        put_route_name(self, endpoint, at);
        put(self, " if { path -m beg /v2/models/%s/versions/%s/ }", endpoint->model, version);
        put(self, " || { path /v2/models/%s/versions/%s }\n", endpoint->model, version);
    }
    put(self, "    use_backend nothing:version if { path -m beg /v2/models/%s/versions/ }\n",
        endpoint->model);
    if (endpoint->share_permille > 0) {
        proxy_config_backend("canary", endpoint, name);
        put(self,
            "    use_backend %s if { path,field(4,/) -m str %s } { rand(1000) lt %u }"
            " { nbsrv(%s) gt 0 }\n",
            name, endpoint->model, endpoint->share_permille, name);
    }
    proxy_config_backend("stable", endpoint, name);
    put(self,
        "    use_backend %s if { path,field(4,/) -m str %s }"
        " { path -m beg /v2/models/ }\n",
        name, endpoint->model);
}

static void
put_frontend(writer_t *self, const proxy_plan_t *plan, const Valion__V1__Environment *environment)
{
    put(self, "\nfrontend environment:%s\n    bind %s:%u\n", environment->name, plan->bind,
        environment->port);
    put(self, "    http-request return status 200 content-type application/json string"
              " '{\"live\":true}' if { path /v2/health/live }\n"
              "    http-request return status 200 content-type application/json string"
              " '{\"ready\":true}' if { path /v2/health/ready }\n"
              "    http-request return status 200 content-type application/json string"
              " '{\"name\":\"valion\",\"version\":\"2\",\"extensions\":[]}' if { path /v2 }\n");
    for (size_t i = 0; i < plan->state->n_endpoints; i++) {
        if (strcmp(plan->state->endpoints[i]->environment, environment->name) == 0) {
            put_rules(self, plan->state->endpoints[i]);
        }
    }
    put(self, "    default_backend nothing:model\n");
}

/* Measured, values that lose no request when a server ends, drained or not. A prediction can be asked
 * for again, so any idle connection may be used for it: else each client that comes anew leaves one,
 * until the server takes no more. A worker that is replaced tells its clients with one more answer each
 * that the connection ends, where closing it would break a request that is being sent: until then, at
 * most `hard-stop-after`, that connection's next request is answered as before the change. */
static void
put_head(writer_t *self, const proxy_plan_t *plan)
{
    put(self,
        "# Written by valion-runner; changes are overwritten.\n"
        "global\n"
        "    stats socket %s mode 600 level admin expose-fd listeners\n"
        "    hard-stop-after 60s\n" DIGEST_LINE "0000000000000000\n"
        "\ndefaults\n"
        "    mode http\n"
        "    timeout connect 1s\n"
        "    timeout client 60s\n"
        "    timeout server 30s\n"
        "    timeout http-request 10s\n"
        "    timeout http-keep-alive 60s\n"
        "    option idle-close-on-response\n"
        "    timeout check 1s\n"
        "    retries 3\n"
        "    option redispatch 1\n"
        "    retry-on conn-failure empty-response response-timeout 503\n"
        "    option http-buffer-request\n"
        "    option httpchk GET /v2/health/ready\n"
        "    http-reuse always\n"
        "    default-server pool-max-conn 64 check inter 500ms fastinter 100ms downinter 100ms fall 2 rise 1 observe layer4 error-limit 1"
        " on-error mark-down\n",
        plan->admin_socket);
}

/* Rules that answer come before those that choose a backend, so what is found nowhere is a backend. */
static void
put_nothing(writer_t *self)
{
    put(self, "\nbackend nothing:model\n"
              "    http-request return status 404 content-type application/json string"
              " '{\"error\":\"no such model is served here; a path is"
              " /v2/models/MODEL/infer\"}'\n"
              "\nbackend nothing:version\n"
              "    http-request return status 404 content-type application/json string"
              " '{\"error\":\"this version is not served here\"}'\n");
}

/* HAProxy ends without a listener: this one answers nobody. */
static void
put_idle(writer_t *self, const proxy_plan_t *plan)
{
    put(self, "\nfrontend idle\n    bind unix@%s.idle mode 600\n    http-request deny\n",
        plan->admin_socket);
}

/* FNV-1a of the text with zeros in that place. */
static void
put_digest(char *text)
{
    char digits[PROXY_DIGEST];
    uint64_t sum = 14695981039346656037U;
    for (const char *at = text; *at; at++) {
        sum = (sum ^ (uint8_t)*at) * 1099511628211U;
    }
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)sum);
    memcpy(strstr(text, DIGEST_LINE) + strlen(DIGEST_LINE), digits, PROXY_DIGEST - 1);
}

void
proxy_config_digest(const char *text, char out[PROXY_DIGEST])
{
    const char *line = strstr(text, DIGEST_LINE);
    vln_text_copy(out, PROXY_DIGEST, line ? line + strlen(DIGEST_LINE) : "");
    out[strcspn(out, "\n")] = '\0';
}

char *
proxy_config_write(const proxy_plan_t *plan)
{
    writer_t self = {.text = vln_calloc(1, FIRST_ROOM), .room = FIRST_ROOM};
    put_head(&self, plan);
    put_idle(&self, plan);
    for (size_t i = 0; i < plan->state->n_environments; i++) {
        const Valion__V1__Environment *environment = plan->state->environments[i];
        if (plan->may_bind(plan->context, environment->port)) {
            put_frontend(&self, plan, environment);
        }
    }
    put_nothing(&self);
    put_backends(&self, plan);
    put_digest(self.text);
    return self.text;
}
