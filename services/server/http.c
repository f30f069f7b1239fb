#include "http.h"

#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vln_log.h"
#include "vln_time.h"

enum {
    CONNECTIONS_MAX = 1024,
    IDLE_S = 60,
    CONNECTION_MEMORY = 64 * 1024,
    BACKLOG = 512,
    BODY_FIRST = 4096,
    LOOK_MS = 10,
    TELEMETRY_BUDGET = 8 * 1024 * 1024,
    HEALTH_ROOM = 1024,
};

struct http {
    server_t *server;
    struct MHD_Daemon *daemon;
    int listener;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* Of one request. */
typedef struct exchange {
    char *body;
    size_t size;
    size_t room;
    bool too_large;
} exchange_t;

/* ---- answers ---- */

/* `text` is taken. */
static enum MHD_Result
answer(http_t *self, struct MHD_Connection *connection, unsigned status, char *text, size_t size,
       const char *type)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(size, text, free);
    if (!response) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (self->server->draining) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result
answer_json(http_t *self, struct MHD_Connection *connection, unsigned status, char *text,
            size_t size)
{
    return answer(self, connection, status, text, size, "application/json");
}

static enum MHD_Result
answer_error(http_t *self, struct MHD_Connection *connection, unsigned status, const char *text)
{
    size_t size = 0;
    char *json = oip_error_write(text, &size);
    return answer_json(self, connection, status, json, size);
}

static enum MHD_Result
answer_text(http_t *self, struct MHD_Connection *connection, unsigned status, const char *text)
{
    return answer_json(self, connection, status, vln_strdup(text), strlen(text));
}

/* ---- what is asked for ---- */

typedef enum route {
    ROUTE_NONE,
    ROUTE_HEALTH,
    ROUTE_SERVER,
    ROUTE_LIVE,
    ROUTE_READY,
    ROUTE_MODEL,
    ROUTE_MODEL_READY,
    ROUTE_INFER,
    ROUTE_TELEMETRY,
    ROUTE_OTHER_MODEL,
} route_t;

static const struct {
    const char *path;
    route_t route;
} fixed[] = {
    {"/health", ROUTE_HEALTH},       {"/v2", ROUTE_SERVER},
    {"/v2/health/live", ROUTE_LIVE}, {"/v2/health/ready", ROUTE_READY},
    {"/telemetry", ROUTE_TELEMETRY},
};

static const struct {
    const char *rest;
    route_t route;
} of_model[] = {
    {"", ROUTE_MODEL},
    {"/ready", ROUTE_MODEL_READY},
    {"/infer", ROUTE_INFER},
};

/* True if `*at` begins with the word as a whole segment, which is then skipped. */
static bool
skip(const char **at, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(*at, word, len) != 0 || ((*at)[len] != '\0' && (*at)[len] != '/')) {
        return false;
    }
    *at += len;
    return true;
}

static route_t
find_route(const server_t *server, const char *path)
{
    for (size_t i = 0; i < VLN_COUNT(fixed); i++) {
        if (strcmp(fixed[i].path, path) == 0) {
            return fixed[i].route;
        }
    }
    if (strncmp(path, "/v2/models/", strlen("/v2/models/")) != 0) {
        return ROUTE_NONE;
    }
    path += strlen("/v2/models/");
    if (!skip(&path, server->about.name)) {
        return ROUTE_OTHER_MODEL;
    }
    if (strncmp(path, "/versions/", strlen("/versions/")) == 0) {
        path += strlen("/versions/");
        if (!skip(&path, server->about.version)) {
            return ROUTE_OTHER_MODEL;
        }
    }
    for (size_t i = 0; i < VLN_COUNT(of_model); i++) {
        if (strcmp(of_model[i].rest, path) == 0) {
            return of_model[i].route;
        }
    }
    return ROUTE_NONE;
}

/* ---- inference ---- */

static enum MHD_Result
refuse(http_t *self, struct MHD_Connection *connection, unsigned status, telemetry_error_t error,
       const char *why, int64_t started_us)
{
    telemetry_add_error(self->server->telemetry, error, vln_mono_us() - started_us);
    return answer_error(self, connection, status, why);
}

/* What the sandbox says of a request: its own fault, the model's, or nobody there to ask. */
static enum MHD_Result
refuse_outcome(http_t *self, struct MHD_Connection *connection, vln_err_t err,
               const vln_outcome_t *outcome, int64_t started_us)
{
    if (err == VLN_INVALID_ARGUMENT) {
        return refuse(self, connection, MHD_HTTP_BAD_REQUEST, TELEMETRY_BAD_INPUT,
                      outcome->sentence, started_us);
    }
    vln_warn("server.predict_failed", kv_err(err), kv_str("why", outcome->sentence));
    bool away = err == VLN_UNAVAILABLE;
    return refuse(self, connection,
                  away ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_INTERNAL_SERVER_ERROR,
                  away ? TELEMETRY_UNAVAILABLE : TELEMETRY_MODEL, outcome->sentence, started_us);
}

static enum MHD_Result
infer(http_t *self, struct MHD_Connection *connection, const exchange_t *exchange)
{
    server_t *server = self->server;
    int64_t started_us = vln_mono_us();
    oip_request_t request;
    char why[OIP_WHY];
    if (exchange->too_large) {
        snprintf(why, sizeof why, "the body is larger than %d bytes", OIP_BODY_MAX);
        return refuse(self, connection, MHD_HTTP_CONTENT_TOO_LARGE, TELEMETRY_TOO_LARGE, why,
                      started_us);
    }
    if (oip_request_read(&server->about, exchange->body ? exchange->body : "", exchange->size,
                         &request, why) != VLN_OK) {
        return refuse(self, connection, MHD_HTTP_BAD_REQUEST, TELEMETRY_BAD_INPUT, why, started_us);
    }
    vln_sandbox_result_t result = {0};
    vln_outcome_t outcome;
    enum MHD_Result sent = MHD_NO;
    vln_err_t err =
        vln_predictor_predict(server->predictor, request.table, 0, request.rows, &result, &outcome);
    if (err != VLN_OK) {
        sent = refuse_outcome(self, connection, err, &outcome, started_us);
    } else {
        size_t size = 0;
        char *text = oip_response_write(&server->about, request.id, &result, &size);
        telemetry_add(server->telemetry, request.table, &result, vln_mono_us() - started_us);
        sent = answer_json(self, connection, MHD_HTTP_OK, text, size);
    }
    vln_sandbox_result_end(&result);
    oip_request_end(&request);
    return sent;
}

/* ---- the other routes ---- */

static enum MHD_Result
answer_health(http_t *self, struct MHD_Connection *connection)
{
    const server_t *server = self->server;
    char text[HEALTH_ROOM];
    snprintf(text, sizeof text,
             "{\"status\":\"%s\",\"model\":\"%s\",\"version\":\"%s\",\"environment\":\"%s\"}",
             server->draining ? "draining" : "healthy", server->about.name, server->about.version,
             server->instance->environment ? server->instance->environment : "");
    return answer_text(self, connection,
                       server->draining ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, text);
}

static enum MHD_Result
answer_ready(http_t *self, struct MHD_Connection *connection, bool model)
{
    const server_t *server = self->server;
    char text[HEALTH_ROOM];
    const char *ready = server->draining ? "false" : "true";
    if (model) {
        snprintf(text, sizeof text, "{\"name\":\"%s\",\"ready\":%s}", server->about.name, ready);
    } else {
        snprintf(text, sizeof text, "{\"ready\":%s}", ready);
    }
    return answer_text(self, connection,
                       server->draining ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, text);
}

static enum MHD_Result
answer_telemetry(http_t *self, struct MHD_Connection *connection)
{
    vln_arena_t *arena = vln_arena_new(TELEMETRY_BUDGET);
    const Valion__V1__Telemetry *report = telemetry_report(self->server->telemetry, arena);
    size_t size = protobuf_c_message_get_packed_size(&report->base);
    char *bytes = vln_calloc(1, size + 1);
    protobuf_c_message_pack(&report->base, (uint8_t *)bytes);
    vln_arena_destroy(&arena);
    return answer(self, connection, MHD_HTTP_OK, bytes, size, "application/x-protobuf");
}

static enum MHD_Result
answer_metadata(http_t *self, struct MHD_Connection *connection)
{
    size_t size = 0;
    char *text = oip_metadata_write(&self->server->about, self->server->platform, &size);
    return answer_json(self, connection, MHD_HTTP_OK, text, size);
}

static enum MHD_Result
dispatch(http_t *self, struct MHD_Connection *connection, const char *path, const char *method,
         const exchange_t *exchange)
{
    route_t route = find_route(self->server, path);
    const char *wanted = route == ROUTE_INFER ? MHD_HTTP_METHOD_POST : MHD_HTTP_METHOD_GET;
    if (route != ROUTE_NONE && route != ROUTE_OTHER_MODEL && strcmp(method, wanted) != 0) {
        return answer_error(self, connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                            route == ROUTE_INFER ? "infer is a POST" : "this is a GET");
    }
    switch (route) {
    case ROUTE_HEALTH:
        return answer_health(self, connection);
    case ROUTE_SERVER:
        return answer_text(self, connection, MHD_HTTP_OK,
                           "{\"name\":\"valion\",\"version\":\"2\",\"extensions\":[]}");
    case ROUTE_LIVE:
        return answer_text(self, connection, MHD_HTTP_OK, "{\"live\":true}");
    case ROUTE_READY:
        return answer_ready(self, connection, false);
    case ROUTE_MODEL:
        return answer_metadata(self, connection);
    case ROUTE_MODEL_READY:
        return answer_ready(self, connection, true);
    case ROUTE_INFER:
        return infer(self, connection, exchange);
    case ROUTE_TELEMETRY:
        return answer_telemetry(self, connection);
    case ROUTE_OTHER_MODEL:
        return answer_error(self, connection, MHD_HTTP_NOT_FOUND,
                            "another model or version is served here");
    default:
        return answer_error(self, connection, MHD_HTTP_NOT_FOUND,
                            "no such path; GET /v2/models/{model} describes the model");
    }
}

/* ---- requests as they come in ---- */

static void
keep(exchange_t *self, const char *bytes, size_t size)
{
    if (self->too_large || self->size + size > OIP_BODY_MAX) {
        self->too_large = true;
        return;
    }
    if (self->size + size > self->room) {
        while (self->size + size > self->room) {
            self->room = self->room ? 2 * self->room : BODY_FIRST;
        }
        self->body = vln_realloc(self->body, self->room);
    }
    memcpy(self->body + self->size, bytes, size);
    self->size += size;
}

/* NOLINTBEGIN(readability-function-size): libmicrohttpd says what it is given */
static enum MHD_Result
on_request(void *context, struct MHD_Connection *connection, const char *path, const char *method,
           const char *version, const char *body, size_t *body_size, void **exchange_p)
{
    (void)version;
    exchange_t *exchange = *exchange_p;
    if (!exchange) {
        *exchange_p = vln_calloc(1, sizeof *exchange);
        return MHD_YES;
    }
    if (*body_size > 0) {
        keep(exchange, body, *body_size);
        *body_size = 0;
        return MHD_YES;
    }
    return dispatch(context, connection, path, method, exchange);
}
/* NOLINTEND(readability-function-size) */

static void
on_end(void *context, struct MHD_Connection *connection, void **exchange_p,
       enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    exchange_t *exchange = *exchange_p;
    if (exchange) {
        free(exchange->body);
        free(exchange);
        *exchange_p = NULL;
    }
}

/* ---- life ---- */

static int
listen_on(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path);
    /* HAProxy runs under a user of its own. */
    if (fd >= 0 && (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
                    chmod(path, 0666) != 0 || listen(fd, BACKLOG) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

vln_err_t
http_start(http_t **out, server_t *server, const char *path)
{
    int fd = listen_on(path);
    *out = NULL;
    if (fd < 0) {
        vln_error("server.socket", kv_str("path", path),
                  kv_str("detail",
                         "cannot be listened on: is the folder there, and the path shorter "
                         "than 108 bytes?"));
        return VLN_FAILED_PRECONDITION;
    }
    http_t *self = vln_calloc(1, sizeof *self);
    self->server = server;
    self->listener = fd;
    memcpy(self->path, path, strlen(path) + 1);
    self->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, on_request, self,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);
    if (!self->daemon) {
        vln_error("server.http", kv_str("detail", "libmicrohttpd does not start"));
        close(fd);
        free(self);
        return VLN_INTERNAL;
    }
    *out = self;
    return VLN_OK;
}

static unsigned
count_connections(const http_t *self)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info ? info->num_connections : 0;
}

/* True if somebody has connected and was not accepted yet. */
static bool
is_someone_waiting(const http_t *self)
{
    struct pollfd look = {.fd = self->listener, .events = POLLIN};
    return poll(&look, 1, 0) > 0;
}

void
http_stop(http_t **self_p, int64_t drain_ms)
{
    http_t *self = *self_p;
    if (!self) {
        return;
    }
    int64_t until_ms = vln_mono_ms() + drain_ms;
    unlink(self->path); /* nobody else gets in; who is before the door comes in first */
    while (is_someone_waiting(self) && vln_mono_ms() < until_ms) {
        vln_sleep_ms(1);
    }
    int fd = MHD_quiesce_daemon(self->daemon);
    /* One that is being accepted is counted a moment later: hence a second look. */
    for (int quiet = 0; quiet < 2 && vln_mono_ms() < until_ms;) {
        vln_sleep_ms(LOOK_MS);
        quiet = count_connections(self) > 0 ? 0 : quiet + 1;
    }
    MHD_stop_daemon(self->daemon);
    if (fd >= 0) {
        close(fd);
    }
    free(self);
    *self_p = NULL;
}
