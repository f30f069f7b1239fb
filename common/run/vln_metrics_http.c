#include "vln_metrics_http.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_log.h"
#include "vln_mem.h"
#include "vln_text.h"

enum { CONNECTIONS = 16, TIMEOUT_S = 10, LINE_ROOM = 512, HOST_ROOM = 64 };

struct vln_metrics_http {
    struct MHD_Daemon *daemon;
    const char *service;
    const char *instance;
    const vln_metrics_t *metrics;
};

/* A counter's name with what Prometheus does not take as '_'. */
static void
put_name(char *out, const char *name)
{
    for (; *name; name++) {
        *out++ = *(isalnum((unsigned char)*name) ? name : "_");
    }
    *out = '\0';
}

char *
vln_metrics_print(const char *service, const char *instance, const vln_metrics_t *metrics)
{
    size_t count = vln_metrics_count(metrics);
    char *text = vln_calloc(count + 1, LINE_ROOM);
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        char name[VLN_METRIC_NAME_MAX];
        put_name(name, vln_metrics_name(metrics, i));
        len += (size_t)snprintf(text + len, LINE_ROOM,
                                "valion_%s{service=\"%.64s\",instance=\"%.128s\"} %" PRId64 "\n",
                                name, service, instance, vln_metrics_value(metrics, i));
    }
    return text;
}

/* NOLINTBEGIN(readability-function-size): libmicrohttpd says what it is given */
static enum MHD_Result
on_request(void *context, struct MHD_Connection *connection, const char *path, const char *method,
           const char *version, const char *body, size_t *body_size, void **state)
{
    static int begun;
    const vln_metrics_http_t *self = context;
    (void)version;
    (void)body;
    if (!*state) {
        *state = &begun;
        return MHD_YES;
    }
    bool found = strcmp(path, "/metrics") == 0 && strcmp(method, MHD_HTTP_METHOD_GET) == 0;
    char *text = found ? vln_metrics_print(self->service, self->instance, self->metrics)
                       : vln_strdup("GET /metrics\n");
    *body_size = 0;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(strlen(text), text, free);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; version=0.0.4");
    enum MHD_Result result =
        MHD_queue_response(connection, found ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND, response);
    MHD_destroy_response(response);
    return result;
}
/* NOLINTEND(readability-function-size) */

static bool
read_address(const char *text, struct sockaddr_in *out)
{
    char host[HOST_ROOM];
    const char *colon = strrchr(text, ':');
    int64_t port = 0;
    if (!colon || (size_t)(colon - text) >= sizeof host ||
        !vln_text_to_i64(colon + 1, 1, 65535, &port)) {
        return false;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, host, &out->sin_addr) == 1;
}

vln_err_t
vln_metrics_http_start(vln_metrics_http_t **out, const char *address, const char *service,
                       const char *instance, const vln_metrics_t *metrics)
{
    struct sockaddr_in in;
    *out = NULL;
    if (!read_address(address, &in)) {
        vln_error("option.wrong", kv_str("option", "--metrics-listen"),
                  kv_str("detail", "an address and a port, such as 127.0.0.1:9464"));
        return VLN_INVALID_ARGUMENT;
    }
    vln_metrics_http_t *self = vln_calloc(1, sizeof *self);
    *self = (vln_metrics_http_t){.service = service, .instance = instance, .metrics = metrics};
    self->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC, 0, NULL, NULL,
                                    on_request, self, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&in,
                                    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
                                    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
                                    MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, MHD_OPTION_END);
    if (!self->daemon) {
        vln_error("metrics.not_listening", kv_str("address", address),
                  kv_str("detail", "is the port in use?"));
        free(self);
        return VLN_FAILED_PRECONDITION;
    }
    *out = self;
    return VLN_OK;
}

void
vln_metrics_http_stop(vln_metrics_http_t **self_p)
{
    if (*self_p) {
        MHD_stop_daemon((*self_p)->daemon);
        free(*self_p);
        *self_p = NULL;
    }
}
