#include "http.h"

#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vln_id.h"
#include "vln_log.h"
#include "vln_time.h"

#include "batch.h"
#include "metrics.h"

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
    http_options_t options;
    batch_t *batch;
    bool threaded; /* the batch has a thread of its own */
    struct MHD_Daemon *daemon;
    pthread_t thread; /* of the daemon's loop */
    int listener;
    atomic_bool quiet;    /* takes no new connections */
    atomic_bool stopping; /* the loop ends */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* Of one request. While its item waits for the model the connection sleeps. */
typedef struct exchange {
    batch_item_t item;
    struct MHD_Connection *connection;
    char *body;
    size_t size;
    size_t room;
    int64_t began_us;
    bool too_large;
    bool asked; /* the item was put */
    char prediction[VLN_ID_TEXT];
} exchange_t;

/* ---- answers ---- */

/* `response` is taken. */
static enum MHD_Result
send_response(http_t *self, struct MHD_Connection *connection, unsigned status,
              struct MHD_Response *response, const char *type)
{
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (self->server->draining) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

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
    return send_response(self, connection, status, response, type);
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
    ROUTE_METRICS,
    ROUTE_OTHER_MODEL,
} route_t;

static const struct {
    const char *path;
    route_t route;
} fixed[] = {
    {"/health", ROUTE_HEALTH},       {"/v2", ROUTE_SERVER},
    {"/v2/health/live", ROUTE_LIVE}, {"/v2/health/ready", ROUTE_READY},
    {"/telemetry", ROUTE_TELEMETRY}, {"/metrics", ROUTE_METRICS},
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

/* One line for each, or for those that failed alone. */
static void
log_access(const http_t *self, const exchange_t *exchange, unsigned status)
{
    bool failed = status >= MHD_HTTP_BAD_REQUEST;
    if (self->options.access == HTTP_LOG_NONE ||
        (self->options.access == HTTP_LOG_ERRORS && !failed)) {
        return;
    }
    vln_info("request", kv_i64("status", status), kv_str("prediction", exchange->prediction),
             kv_i64("rows", (int64_t)exchange->item.request.rows),
             kv_i64("bytes", (int64_t)exchange->size),
             kv_i64("us", vln_mono_us() - exchange->began_us));
}

/* `text` is taken. Whoever wants to speak of this prediction later names it by its id. */
static enum MHD_Result
answer_prediction(http_t *self, exchange_t *exchange, unsigned status, char *text, size_t size)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(size, text, free);
    if (!response) {
        free(text);
        return MHD_NO;
    }
    log_access(self, exchange, status);
    MHD_add_response_header(response, "X-Prediction-Id", exchange->prediction);
    return send_response(self, exchange->connection, status, response, "application/json");
}

static enum MHD_Result
refuse(http_t *self, exchange_t *exchange, unsigned status, telemetry_error_t error,
       const char *why)
{
    size_t size = 0;
    char *json = oip_error_write(why, &size);
    server_count_error(self->server, error, vln_mono_us() - exchange->began_us);
    return answer_prediction(self, exchange, status, json, size);
}

/* What is to be counted as what, of items without an answer. */
static telemetry_error_t
error_of(batch_status_t status)
{
    switch (status) {
    case BATCH_BAD_INPUT:
        return TELEMETRY_BAD_INPUT;
    case BATCH_UNAVAILABLE:
        return TELEMETRY_UNAVAILABLE;
    case BATCH_LATE:
        return TELEMETRY_TIMEOUT;
    default:
        return TELEMETRY_MODEL;
    }
}

/* Its item is done, or there was no room for it. */
static enum MHD_Result
end_infer(http_t *self, exchange_t *exchange)
{
    batch_item_t *item = &exchange->item;
    if (!exchange->asked) {
        return refuse(self, exchange, MHD_HTTP_SERVICE_UNAVAILABLE, TELEMETRY_REJECTED,
                      "too many requests are waiting for the model: try again in a second");
    }
    if (item->status != BATCH_DONE) {
        return refuse(self, exchange, (unsigned)item->status, error_of(item->status), item->answer);
    }
    char *text = item->answer;
    item->answer = NULL;
    return answer_prediction(self, exchange, MHD_HTTP_OK, text, item->size);
}

/* On the batch's thread: the connection's own thread goes on with it. */
static void
on_done(void *context, batch_item_t *item)
{
    (void)context;
    exchange_t *exchange = (exchange_t *)item; /* its first member */
    MHD_resume_connection(exchange->connection);
}

static enum MHD_Result
put(http_t *self, exchange_t *exchange)
{
    batch_item_t *item = &exchange->item;
    item->asked_us = exchange->began_us;
    item->deadline_us = exchange->began_us + self->options.deadline_ms * 1000;
    exchange->asked = true;
    if (!self->threaded && batch_ask_now(self->batch, item)) {
        return end_infer(self, exchange);
    }
    MHD_suspend_connection(exchange->connection); /* it may be done before put returns */
    if (!batch_put(self->batch, item)) {
        exchange->asked = false;
        MHD_resume_connection(exchange->connection);
    }
    return MHD_YES;
}

static enum MHD_Result
infer(http_t *self, exchange_t *exchange)
{
    char why[OIP_WHY];
    exchange->began_us = vln_mono_us();
    vln_id_t id = vln_id_new();
    vln_id_format(id.bytes, exchange->prediction);
    if (exchange->too_large) {
        snprintf(why, sizeof why, "the body is larger than %d bytes", OIP_BODY_MAX);
        return refuse(self, exchange, MHD_HTTP_CONTENT_TOO_LARGE, TELEMETRY_TOO_LARGE, why);
    }
    if (oip_request_read(&self->server->about, exchange->body ? exchange->body : "", exchange->size,
                         &exchange->item.request, why) != VLN_OK) {
        return refuse(self, exchange, MHD_HTTP_BAD_REQUEST, TELEMETRY_BAD_INPUT, why);
    }
    return put(self, exchange);
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

static Valion__V1__Telemetry *
count_all(http_t *self, vln_arena_t *arena)
{
    batch_counts_t counts = batch_counts(self->batch);
    Valion__V1__Telemetry *report = server_report(self->server, arena);
    report->has_rejected = report->has_queue = 1;
    report->rejected = counts.rejected;
    report->queue = (uint32_t)counts.queued;
    return report;
}

static enum MHD_Result
answer_metrics(http_t *self, struct MHD_Connection *connection)
{
    vln_arena_t *arena = vln_arena_new(TELEMETRY_BUDGET);
    batch_counts_t counts = batch_counts(self->batch);
    size_t size = 0;
    char *text = metrics_write(&self->server->about, count_all(self, arena), &counts, &size);
    vln_arena_destroy(&arena);
    return answer(self, connection, MHD_HTTP_OK, text, size,
                  "text/plain; version=0.0.4; charset=utf-8");
}

static enum MHD_Result
answer_telemetry(http_t *self, struct MHD_Connection *connection)
{
    vln_arena_t *arena = vln_arena_new(TELEMETRY_BUDGET);
    const Valion__V1__Telemetry *report = count_all(self, arena);
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
         exchange_t *exchange)
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
        return infer(self, exchange);
    case ROUTE_TELEMETRY:
        return answer_telemetry(self, connection);
    case ROUTE_METRICS:
        return answer_metrics(self, connection);
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
        exchange = vln_calloc(1, sizeof *exchange);
        exchange->connection = connection;
        *exchange_p = exchange;
        return MHD_YES;
    }
    if (exchange->prediction[0] != '\0') {
        return end_infer(context, exchange);
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
        oip_request_end(&exchange->item.request);
        free(exchange->item.answer);
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

static batch_t *
start_batch(http_t *self)
{
    Valion__V1__Engine engine = vln_predictor_engine(self->server->predictor);
    self->threaded = engine != VALION__V1__ENGINE__ENGINE_NATIVE || self->options.batch_wait_us > 0;
    const batch_config_t config = {.server = self->server,
                                   .threaded = self->threaded,
                                   .queue_max = (size_t)self->options.queue_max,
                                   .together = (size_t)self->options.batch_max,
                                   .rows_max = (size_t)self->options.batch_rows,
                                   .wait_us = self->options.batch_wait_us,
                                   .done = on_done,
                                   .context = self};
    return batch_new(&config);
}

/* The daemon's events, round by round: what came in one round is asked of the model together. */
static void *
loop(void *argument)
{
    http_t *self = argument;
    bool quiet = false;
    while (!atomic_load(&self->stopping)) {
        MHD_run_wait(self->daemon, LOOK_MS);
        if (!self->threaded) {
            batch_work(self->batch);
        }
        if (!quiet && atomic_load(&self->quiet)) {
            quiet = true;
            int fd = MHD_quiesce_daemon(self->daemon);
            if (fd >= 0) {
                close(fd);
            }
        }
    }
    return NULL;
}

vln_err_t
http_start(http_t **out, server_t *server, const http_options_t *options, const char *path)
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
    self->options = *options;
    self->listener = fd;
    self->batch = start_batch(self);
    memcpy(self->path, path, strlen(path) + 1);
    self->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, self,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);
    if (!self->daemon || !self->batch || pthread_create(&self->thread, NULL, loop, self) != 0) {
        vln_error("server.http", kv_str("detail", "libmicrohttpd or a thread does not start"));
        batch_destroy(&self->batch);
        if (self->daemon) {
            MHD_stop_daemon(self->daemon);
        } else {
            close(fd);
        }
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
    atomic_store(&self->quiet, true);
    /* One that is being accepted is counted a moment later: hence a second look. */
    for (int quiet = 0; quiet < 2 && vln_mono_ms() < until_ms;) {
        vln_sleep_ms(LOOK_MS);
        quiet = count_connections(self) > 0 ? 0 : quiet + 1;
    }
    atomic_store(&self->stopping, true);
    pthread_join(self->thread, NULL);
    batch_destroy(&self->batch); /* nobody sleeps after it */
    MHD_run(self->daemon);
    MHD_stop_daemon(self->daemon);
    free(self);
    *self_p = NULL;
}
