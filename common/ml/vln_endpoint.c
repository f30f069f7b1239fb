#include "vln_endpoint.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_endpoint_text.h"
#include "vln_endpoint_url.h"
#include "vln_result.h"
#include "vln_time.h"

enum {
    CONNECT_MS = 3000,
    PAUSE_MS = 200, /* before the second try; twice as long before the third */
    SERVED_ROOM = 2 * VLN_ENDPOINT_WORD + 32,
    HTTP_OK = 200,
    HTTP_REDIRECT = 300,
    HTTP_ERROR = 400,
    HTTP_TOO_MANY = 429,
    HTTP_BAD_GATEWAY = 502,
    HTTP_UNAVAILABLE = 503,
    HTTP_GATEWAY_TIMEOUT = 504,
};

struct vln_endpoint {
    CURL *curl;
    struct curl_slist *headers;
    vln_endpoint_config_t config;
    vln_endpoint_url_t url;
    vln_arena_t *arena; /* of `form` and `about` */
    vln_endpoint_form_t form;
    vln_model_t about;
    int64_t until_ms; /* of the call at hand */
    char *answer;
    size_t size;
    size_t room;
    bool too_large;
    bool has_answered;
    char model[VLN_ENDPOINT_WORD]; /* that answered */
    char version[VLN_ENDPOINT_WORD];
    char served[SERVED_ROOM]; /* both, for the report */
};

static vln_err_t refuse(vln_outcome_t *outcome, vln_err_t err, const char *format, ...)
    VLN_PRINTF(3, 4);

static vln_err_t
refuse(vln_outcome_t *outcome, vln_err_t err, const char *format, ...)
{
    va_list args;
    *outcome = (vln_outcome_t){.verdict = VLN_VERDICT_REFUSED};
    va_start(args, format);
    vsnprintf(outcome->sentence, sizeof outcome->sentence, format, args);
    va_end(args);
    return err;
}

/* ---- time ---- */

static bool
is_stopped(const vln_endpoint_t *self)
{
    return self->config.is_stopped && self->config.is_stopped(self->config.context);
}

/* That the next request may last. */
static int64_t
time_left(const vln_endpoint_t *self)
{
    int64_t left = self->until_ms - vln_mono_ms();
    return left < self->config.request_ms ? left : self->config.request_ms;
}

static void
begin_call(vln_endpoint_t *self)
{
    int64_t until = vln_mono_ms() + self->config.predict_ms;
    self->until_ms = until < self->config.deadline_ms ? until : self->config.deadline_ms;
}

/* ---- a request ---- */

/* More than there may be ends the transfer. */
static size_t
take(char *bytes, size_t one, size_t count, void *context)
{
    vln_endpoint_t *self = context;
    size_t more = one * count;
    if (more > VLN_ENDPOINT_ANSWER_MAX - self->size) {
        self->too_large = true;
        return 0;
    }
    while (self->size + more > self->room) {
        self->room = self->room > 0 ? 2 * self->room : CURL_MAX_WRITE_SIZE;
        self->answer = vln_realloc(self->answer, self->room);
    }
    memcpy(self->answer + self->size, bytes, more);
    self->size += more;
    return more;
}

static int
watch(void *context, curl_off_t wanted, curl_off_t got, curl_off_t to_send, curl_off_t sent)
{
    (void)wanted, (void)got, (void)to_send, (void)sent;
    return is_stopped(context);
}

static void
set_up(vln_endpoint_t *self, const char *url, const char *body, size_t size)
{
    CURL *curl = self->curl;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, self->url.secure ? "https" : "http");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)time_left(self));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, self->headers);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "valion");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, self);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, self);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
}

static bool
is_connection(CURLcode code)
{
    return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
}

/* Nothing of a request was sent where no connection came about, so it may be sent again. */
static CURLcode
perform(vln_endpoint_t *self, const char *url, const char *body, size_t size)
{
    CURLcode code = CURLE_COULDNT_CONNECT;
    int64_t pause = PAUSE_MS;
    for (int i = 0; i < VLN_ENDPOINT_TRIES && is_connection(code); i++) {
        if (i > 0) {
            vln_sleep_ms(pause + vln_mono_us() % pause); /* so that many do not come at once */
            pause *= 2;
        }
        if (is_stopped(self)) {
            return CURLE_ABORTED_BY_CALLBACK;
        }
        if (time_left(self) <= 0) {
            return i > 0 ? code : CURLE_OPERATION_TIMEDOUT;
        }
        self->size = 0;
        self->too_large = false;
        set_up(self, url, body, size);
        code = curl_easy_perform(self->curl);
    }
    return code;
}

static vln_err_t
judge_transfer(const vln_endpoint_t *self, CURLcode code, vln_outcome_t *outcome)
{
    switch (code) {
    case CURLE_OK:
        return VLN_OK;
    case CURLE_ABORTED_BY_CALLBACK:
        return refuse(outcome, VLN_CANCELLED, "the task was stopped");
    case CURLE_OPERATION_TIMEDOUT:
        return refuse(outcome, VLN_DEADLINE_EXCEEDED, "the endpoint did not answer in time");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return refuse(outcome, VLN_FAILED_PRECONDITION,
                      "the endpoint's certificate is not trusted here");
    case CURLE_WRITE_ERROR:
        if (self->too_large) {
            return refuse(outcome, VLN_FAILED_PRECONDITION,
                          "the endpoint's answer is larger than %d bytes", VLN_ENDPOINT_ANSWER_MAX);
        }
        break;
    default:
        break;
    }
    return refuse(outcome, VLN_UNAVAILABLE, "the endpoint cannot be asked: %s",
                  curl_easy_strerror(code));
}

static vln_err_t
judge_status(const vln_endpoint_t *self, long status, vln_outcome_t *outcome)
{
    char said[VLN_ENDPOINT_ERROR];
    if (status == HTTP_OK) {
        return VLN_OK;
    }
    if (status >= HTTP_REDIRECT && status < HTTP_ERROR) {
        return refuse(outcome, VLN_FAILED_PRECONDITION,
                      "the endpoint sends elsewhere (HTTP %ld), which is not followed: name the "
                      "address that answers",
                      status);
    }
    bool away = status == HTTP_TOO_MANY || status == HTTP_BAD_GATEWAY ||
                status == HTTP_UNAVAILABLE || status == HTTP_GATEWAY_TIMEOUT;
    vln_endpoint_read_error(self->answer, self->size, said);
    return refuse(outcome, away ? VLN_UNAVAILABLE : VLN_FAILED_PRECONDITION,
                  "the endpoint answers with HTTP %ld%s%s", status, said[0] ? ": " : "", said);
}

/* A GET, or a POST where there is a body; the answer is in `answer` until the next. */
static vln_err_t
ask(vln_endpoint_t *self, const char *more, const char *body, size_t size, vln_outcome_t *outcome)
{
    char url[VLN_ENDPOINT_URL];
    long status = 0;
    vln_endpoint_url_write(&self->url, more, url);
    vln_err_t err = judge_transfer(self, perform(self, url, body, size), outcome);
    if (err != VLN_OK) {
        return err;
    }
    curl_easy_getinfo(self->curl, CURLINFO_RESPONSE_CODE, &status);
    return judge_status(self, status, outcome);
}

/* ---- rows ---- */

static bool
is_same_server(vln_endpoint_t *self, const vln_endpoint_answer_t *answer)
{
    if (!self->has_answered) {
        self->has_answered = true;
        memcpy(self->model, answer->model, sizeof self->model);
        memcpy(self->version, answer->version, sizeof self->version);
        snprintf(self->served, sizeof self->served, "%s %s",
                 self->model[0] ? self->model : "(no name)",
                 self->version[0] ? self->version : "(no version)");
    }
    return strcmp(self->model, answer->model) == 0 && strcmp(self->version, answer->version) == 0;
}

static vln_err_t
take_answer(vln_endpoint_t *self, const vln_endpoint_answer_t *answer, vln_sandbox_result_t *result,
            vln_outcome_t *outcome)
{
    if (!is_same_server(self, answer)) {
        return refuse(outcome, VLN_FAILED_PRECONDITION,
                      "the endpoint served %s and then %s %s: its answers are not one model's",
                      self->served, answer->model, answer->version);
    }
    bool is_binary = self->about.task == VALION__V1__TASK_TYPE__TASK_TYPE_BINARY;
    size_t width = is_binary && answer->width == 2 ? 1 : answer->width;
    if (result->rows > 0 &&
        (result->width != width || (result->labels != NULL) != (answer->labels != NULL))) {
        return refuse(outcome, VLN_FAILED_PRECONDITION,
                      "the endpoint's answers differ in their form from request to request");
    }
    static const float none;
    const vln_raw_t raw = {answer->scores ? answer->scores : &none, answer->width, answer->labels,
                           answer->rows};
    vln_result_take(&self->about, &raw, result);
    return VLN_OK;
}

/* As many as go into a request; half as many where their texts are long. */
static char *
write_rows(const vln_endpoint_t *self, vln_predictor_rows_t *rows, size_t *size,
           vln_outcome_t *outcome)
{
    char why[VLN_MODEL_WHY];
    for (;;) {
        char *body = vln_endpoint_write_rows(&self->form, rows, size, why);
        if (!body) {
            refuse(outcome, VLN_INVALID_ARGUMENT, "%s", why);
            return NULL;
        }
        if (*size <= VLN_ENDPOINT_REQUEST_MAX) {
            return body;
        }
        free(body);
        if (rows->rows == 1) {
            refuse(outcome, VLN_INVALID_ARGUMENT, "row %zu does not go into a request of %d bytes",
                   rows->first + 1, VLN_ENDPOINT_REQUEST_MAX);
            return NULL;
        }
        rows->rows /= 2;
    }
}

static vln_err_t
predict_batch(vln_endpoint_t *self, vln_predictor_rows_t *rows, vln_sandbox_result_t *result,
              vln_outcome_t *outcome)
{
    char why[VLN_MODEL_WHY];
    size_t size = 0;
    vln_endpoint_answer_t answer = {0};
    char *body = write_rows(self, rows, &size, outcome);
    if (!body) {
        return VLN_INVALID_ARGUMENT;
    }
    vln_err_t err = ask(self, "/infer", body, size, outcome);
    free(body);
    if (err != VLN_OK) {
        return err;
    }
    err = vln_endpoint_read_answer(self->answer, self->size, self->config.signature, rows->rows,
                                   &answer, why);
    err = err == VLN_OK ? take_answer(self, &answer, result, outcome)
                        : refuse(outcome, err, "%s", why);
    vln_endpoint_answer_end(&answer);
    return err;
}

static size_t
batch_rows(const vln_predictor_rows_t *rows, size_t left)
{
    size_t columns = rows->binding->count > 0 ? rows->binding->count : 1;
    size_t most = VLN_ENDPOINT_CELLS_MAX / columns;
    most = most < VLN_ENDPOINT_ROWS_MAX ? most : VLN_ENDPOINT_ROWS_MAX;
    most = most > 0 ? most : 1;
    return left < most ? left : most;
}

static vln_err_t
predict(void *context, const vln_predictor_rows_t *asked, vln_sandbox_result_t *result,
        vln_outcome_t *outcome)
{
    vln_endpoint_t *self = context;
    int64_t started_us = vln_mono_us();
    *outcome = (vln_outcome_t){0};
    vln_result_begin(result);
    begin_call(self);
    for (size_t done = 0; done < asked->rows;) {
        vln_predictor_rows_t rows = *asked;
        rows.first += done;
        rows.rows = batch_rows(asked, asked->rows - done);
        vln_err_t err = predict_batch(self, &rows, result, outcome);
        if (err != VLN_OK) {
            return err;
        }
        done += rows.rows;
    }
    outcome->wall_us = vln_mono_us() - started_us;
    return VLN_OK;
}

/* ---- life ---- */

/* What the version's signature says, in the terms of a file. */
static void
describe(vln_endpoint_t *self)
{
    const Valion__V1__Signature *signature = self->config.signature;
    vln_model_t *about = &self->about;
    about->kind = VLN_MODEL_UNKNOWN;
    about->task = signature->task;
    about->classes =
        vln_arena_alloc(self->arena, (signature->n_classes + 1) * sizeof *about->classes);
    about->class_count = signature->n_classes;
    for (size_t i = 0; i < signature->n_classes; i++) {
        about->classes[i] = signature->classes[i];
    }
    about->features =
        vln_arena_alloc(self->arena, (signature->n_inputs + 1) * sizeof *about->features);
    about->feature_count = signature->n_inputs;
    for (size_t i = 0; i < signature->n_inputs; i++) {
        about->features[i] = (vln_feature_t){.name = signature->inputs[i]->name, .named = true};
    }
}

static vln_err_t
check_address(const vln_endpoint_config_t *config, vln_endpoint_url_t *out, vln_outcome_t *outcome)
{
    char why[VLN_MODEL_WHY];
    if (!vln_endpoint_url_parse(config->url ? config->url : "", out, why)) {
        return refuse(outcome, VLN_INVALID_ARGUMENT, "%s", why);
    }
    if (!vln_endpoint_url_is_model(out)) {
        return refuse(outcome, VLN_INVALID_ARGUMENT,
                      "it is to end in /v2/models/NAME or /v2/models/NAME/versions/VERSION");
    }
    if (!vln_endpoint_is_allowed(config->allowed, out)) {
        return refuse(outcome, VLN_PERMISSION_DENIED,
                      "this validator may not ask %s://%s:%u: whoever runs it allows addresses by "
                      "its option --endpoints (VALION_ENDPOINTS)",
                      out->secure ? "https" : "http", out->host, (unsigned)out->port);
    }
    return VLN_OK;
}

static void
add_header(vln_endpoint_t *self, const char *header)
{
    self->headers = curl_slist_append(self->headers, header);
    vln_assert(self->headers);
}

static vln_err_t
read_model(vln_endpoint_t *self, vln_outcome_t *outcome)
{
    char why[VLN_MODEL_WHY];
    begin_call(self);
    vln_err_t err = ask(self, "", NULL, 0, outcome);
    if (err != VLN_OK) {
        return err;
    }
    err = vln_endpoint_read_model(self->answer, self->size, self->config.signature, self->arena,
                                  &self->form, why);
    return err == VLN_OK ? VLN_OK : refuse(outcome, err, "%s", why);
}

vln_err_t
vln_endpoint_open(const vln_endpoint_config_t *config, vln_endpoint_t **out, vln_outcome_t *outcome)
{
    vln_endpoint_url_t url;
    *out = NULL;
    *outcome = (vln_outcome_t){0};
    vln_err_t err = check_address(config, &url, outcome);
    if (err != VLN_OK) {
        return err;
    }
    vln_endpoint_t *self = vln_calloc(1, sizeof *self);
    self->config = *config;
    self->config.url = self->config.allowed = NULL;
    self->url = url;
    self->arena = vln_arena_new(VLN_MODEL_ARENA);
    self->curl = curl_easy_init();
    vln_assert(self->curl);
    add_header(self, "Content-Type: application/json");
    add_header(self, "Accept: application/json");
    add_header(self, "Expect:"); /* the body goes with the head */
    describe(self);
    err = read_model(self, outcome);
    if (err != VLN_OK) {
        vln_endpoint_close(&self);
    }
    *out = self;
    return err;
}

void
vln_endpoint_close(vln_endpoint_t **self_p)
{
    vln_endpoint_t *self = *self_p;
    if (self) {
        curl_easy_cleanup(self->curl);
        curl_slist_free_all(self->headers);
        vln_arena_destroy(&self->arena);
        free(self->answer);
        free(self);
        *self_p = NULL;
    }
}

static void
close_remote(void *context)
{
    vln_endpoint_t *self = context;
    vln_endpoint_close(&self);
}

vln_predictor_remote_t
vln_endpoint_remote(vln_endpoint_t **self_p)
{
    vln_endpoint_t *self = *self_p;
    *self_p = NULL;
    return (vln_predictor_remote_t){.context = self,
                                    .about = &self->about,
                                    .version = self->served,
                                    .predict = predict,
                                    .close = close_remote};
}
