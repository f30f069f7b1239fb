#include "counts.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "vln_err.h"

/* ---- may it be kept? ---- */

static bool
is_short(const char *text, size_t max)
{
    return !text || strlen(text) <= max;
}

static bool
is_sane_values(const Valion__V1__ValueTelemetry *values)
{
    return !values || (values->n_counts <= COUNTS_BINS_MAX && isfinite(values->sum) &&
                       isfinite(values->sum_squares) && is_short(values->column, COUNTS_NAME_MAX));
}

bool
counts_telemetry_is_sane(const Valion__V1__Telemetry *telemetry)
{
    bool sane =
        telemetry->instance_id.len == 16 && telemetry->start_id && telemetry->start_id[0] &&
        is_short(telemetry->start_id, COUNTS_START_MAX) &&
        is_short(telemetry->version, COUNTS_NAME_MAX) && telemetry->n_errors <= COUNTS_ERRORS_MAX &&
        telemetry->n_latency_counts <= COUNTS_LATENCIES_MAX &&
        telemetry->n_features <= COUNTS_COLUMNS_MAX && is_sane_values(telemetry->prediction);
    for (size_t i = 0; sane && i < telemetry->n_errors; i++) {
        const Valion__V1__KeyNumber *error = telemetry->errors[i];
        sane = is_short(error->key, COUNTS_NAME_MAX) && isfinite(error->value);
    }
    for (size_t i = 0; sane && i < telemetry->n_features; i++) {
        sane = is_sane_values(telemetry->features[i]);
    }
    return sane;
}

bool
counts_proxy_is_sane(const Valion__V1__ProxyCounters *proxy)
{
    return proxy->environment && proxy->model && proxy->start_id && proxy->start_id[0] &&
           is_short(proxy->start_id, COUNTS_START_MAX);
}

/* ---- starts ---- */

static int64_t
add_amount(int64_t amount, uint64_t more)
{
    return more > (uint64_t)(INT64_MAX - amount) ? INT64_MAX : amount + (int64_t)more;
}

int64_t
counts_telemetry_amount(const Valion__V1__Telemetry *telemetry)
{
    return add_amount(add_amount(0, telemetry->requests), telemetry->rejected);
}

/* The answer to a request is counted later than the request. */
int64_t
counts_proxy_amount(const Valion__V1__ProxyCounters *proxy)
{
    const uint64_t numbers[] = {proxy->requests,      proxy->responses_2xx,  proxy->responses_4xx,
                                proxy->responses_5xx, proxy->connect_errors, proxy->response_errors,
                                proxy->retries,       proxy->redispatches};
    int64_t amount = 0;
    for (size_t i = 0; i < VLN_COUNT(numbers); i++) {
        amount = add_amount(amount, numbers[i]);
    }
    return amount;
}

counts_turn_t
counts_turn(const counts_kept_t *kept, const char *start_id, int64_t amount)
{
    if (!kept->start_id) {
        return COUNTS_NEWER;
    }
    if (strcmp(kept->start_id, start_id) != 0) {
        return strcmp(kept->start_ended, start_id) == 0 ? COUNTS_OLD : COUNTS_STARTED;
    }
    return amount > kept->amount ? COUNTS_NEWER : COUNTS_OLD;
}

/* ---- one number ---- */

/* `into` is the earlier one; what is added cannot go beyond the largest number, what is taken away not
 * below zero. */
typedef struct sum {
    bool minus;
    bool lost; /* something went back */
} sum_t;

static uint64_t
join(sum_t *self, uint64_t earlier, uint64_t later)
{
    if (!self->minus) {
        return later > UINT64_MAX - earlier ? UINT64_MAX : earlier + later;
    }
    self->lost = self->lost || later < earlier;
    return later < earlier ? 0 : later - earlier;
}

static double
join_numbers(const sum_t *self, double earlier, double later)
{
    return self->minus ? later - earlier : earlier + later;
}

static uint64_t *
join_counts(sum_t *self, const uint64_t *earlier, const uint64_t *later, size_t count,
            vln_arena_t *arena)
{
    uint64_t *out = vln_arena_alloc(arena, (count + 1) * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        out[i] = join(self, earlier[i], later[i]);
    }
    return out;
}

/* ---- of a column ---- */

const Valion__V1__ValueTelemetry *
counts_values(const Valion__V1__Telemetry *telemetry, const char *column)
{
    if (!column || column[0] == '\0') {
        return telemetry->prediction;
    }
    for (size_t i = 0; i < telemetry->n_features; i++) {
        const char *name = telemetry->features[i]->column;
        if (name && strcmp(name, column) == 0) {
            return telemetry->features[i];
        }
    }
    return NULL;
}

static Valion__V1__ValueTelemetry *
join_values(sum_t *self, const Valion__V1__ValueTelemetry *earlier,
            const Valion__V1__ValueTelemetry *later, vln_arena_t *arena)
{
    Valion__V1__ValueTelemetry *out = vln_arena_memdup(arena, later ? later : earlier, sizeof *out);
    if (!earlier || !later || earlier->n_counts != later->n_counts) {
        self->lost = self->lost || (self->minus && earlier != NULL);
        return out;
    }
    out->has_n = out->has_sum = out->has_sum_squares = out->has_missing = 1;
    out->n = join(self, earlier->n, later->n);
    out->sum = join_numbers(self, earlier->sum, later->sum);
    out->sum_squares = join_numbers(self, earlier->sum_squares, later->sum_squares);
    out->missing = join(self, earlier->missing, later->missing);
    out->counts = join_counts(self, earlier->counts, later->counts, later->n_counts, arena);
    return out;
}

/* Columns of the later one, and what only the earlier one had. */
static void
join_features(sum_t *self, const Valion__V1__Telemetry *earlier, const Valion__V1__Telemetry *later,
              vln_arena_t *arena, Valion__V1__Telemetry *out)
{
    out->features =
        vln_arena_alloc(arena, (earlier->n_features + later->n_features + 1) * sizeof(void *));
    for (size_t i = 0; i < later->n_features; i++) {
        const Valion__V1__ValueTelemetry *values = later->features[i];
        out->features[out->n_features++] = join_values(
            self, values->column ? counts_values(earlier, values->column) : NULL, values, arena);
    }
    for (size_t i = 0; i < earlier->n_features; i++) {
        const Valion__V1__ValueTelemetry *values = earlier->features[i];
        if (values->column && !counts_values(later, values->column) &&
            out->n_features < COUNTS_COLUMNS_MAX) {
            out->features[out->n_features++] = join_values(self, values, NULL, arena);
        }
    }
}

/* ---- of a server ---- */

double
counts_error(const Valion__V1__Telemetry *telemetry, const char *name)
{
    for (size_t i = 0; i < telemetry->n_errors; i++) {
        const Valion__V1__KeyNumber *error = telemetry->errors[i];
        if (error->key && strcmp(error->key, name) == 0) {
            return error->value;
        }
    }
    return 0;
}

static void
put_error(Valion__V1__Telemetry *out, vln_arena_t *arena, char *key, double value)
{
    Valion__V1__KeyNumber *error = vln_arena_alloc(arena, sizeof *error);
    valion__v1__key_number__init(error);
    error->key = key;
    error->has_value = 1;
    error->value = value;
    out->errors[out->n_errors++] = error;
}

static void
join_errors(sum_t *self, const Valion__V1__Telemetry *earlier, const Valion__V1__Telemetry *later,
            vln_arena_t *arena, Valion__V1__Telemetry *out)
{
    out->errors =
        vln_arena_alloc(arena, (earlier->n_errors + later->n_errors + 1) * sizeof(void *));
    for (size_t i = 0; i < later->n_errors; i++) {
        char *key = later->errors[i]->key;
        double before = key ? counts_error(earlier, key) : 0;
        self->lost = self->lost || (self->minus && later->errors[i]->value < before);
        put_error(out, arena, key, join_numbers(self, before, later->errors[i]->value));
    }
    for (size_t i = 0; i < earlier->n_errors && !self->minus; i++) {
        const Valion__V1__KeyNumber *error = earlier->errors[i];
        bool known = false;
        for (size_t at = 0; at < later->n_errors; at++) {
            const char *key = later->errors[at]->key;
            known = known || (key && error->key && strcmp(key, error->key) == 0);
        }
        if (!known && out->n_errors < COUNTS_ERRORS_MAX) {
            put_error(out, arena, error->key, error->value);
        }
    }
}

static void
join_latencies(sum_t *self, const Valion__V1__Telemetry *earlier,
               const Valion__V1__Telemetry *later, vln_arena_t *arena, Valion__V1__Telemetry *out)
{
    const Valion__V1__Telemetry *kept = later->n_latency_counts > 0 ? later : earlier;
    out->n_latency_counts = kept->n_latency_counts;
    out->latency_counts = kept->latency_counts;
    if (earlier->n_latency_counts == later->n_latency_counts) {
        out->latency_counts = join_counts(self, earlier->latency_counts, later->latency_counts,
                                          later->n_latency_counts, arena);
    } else {
        self->lost = self->lost || earlier->n_latency_counts > 0;
    }
}

static Valion__V1__Telemetry *
join_telemetry(sum_t *self, const Valion__V1__Telemetry *earlier,
               const Valion__V1__Telemetry *later, vln_arena_t *arena)
{
    static const Valion__V1__Telemetry none = VALION__V1__TELEMETRY__INIT;
    Valion__V1__Telemetry *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__telemetry__init(out);
    earlier = earlier ? earlier : &none;
    later = later ? later : &none;
    out->has_requests = out->has_rows = out->has_rejected = 1;
    out->requests = join(self, earlier->requests, later->requests);
    out->rows = join(self, earlier->rows, later->rows);
    out->rejected = join(self, earlier->rejected, later->rejected);
    join_errors(self, earlier, later, arena, out);
    join_features(self, earlier, later, arena, out);
    if (earlier->prediction || later->prediction) {
        out->prediction = join_values(self, earlier->prediction, later->prediction, arena);
    }
    join_latencies(self, earlier, later, arena, out);
    return out;
}

Valion__V1__Telemetry *
counts_telemetry_add(const Valion__V1__Telemetry *earlier, const Valion__V1__Telemetry *later,
                     vln_arena_t *arena)
{
    sum_t sum = {0};
    return join_telemetry(&sum, earlier, later, arena);
}

Valion__V1__Telemetry *
counts_telemetry_since(const Valion__V1__Telemetry *before, const Valion__V1__Telemetry *now,
                       vln_arena_t *arena)
{
    sum_t sum = {.minus = true};
    Valion__V1__Telemetry *out = join_telemetry(&sum, before, now, arena);
    return sum.lost ? NULL : out;
}

/* ---- of HAProxy ---- */

static Valion__V1__ProxyCounters *
join_proxy(sum_t *self, const Valion__V1__ProxyCounters *earlier,
           const Valion__V1__ProxyCounters *later, vln_arena_t *arena)
{
    static const Valion__V1__ProxyCounters none = VALION__V1__PROXY_COUNTERS__INIT;
    Valion__V1__ProxyCounters *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__proxy_counters__init(out);
    earlier = earlier ? earlier : &none;
    later = later ? later : &none;
    out->has_requests = out->has_responses_2xx = out->has_responses_4xx = 1;
    out->has_responses_5xx = out->has_connect_errors = out->has_response_errors = 1;
    out->has_retries = out->has_redispatches = 1;
    out->requests = join(self, earlier->requests, later->requests);
    out->responses_2xx = join(self, earlier->responses_2xx, later->responses_2xx);
    out->responses_4xx = join(self, earlier->responses_4xx, later->responses_4xx);
    out->responses_5xx = join(self, earlier->responses_5xx, later->responses_5xx);
    out->connect_errors = join(self, earlier->connect_errors, later->connect_errors);
    out->response_errors = join(self, earlier->response_errors, later->response_errors);
    out->retries = join(self, earlier->retries, later->retries);
    out->redispatches = join(self, earlier->redispatches, later->redispatches);
    return out;
}

Valion__V1__ProxyCounters *
counts_proxy_add(const Valion__V1__ProxyCounters *earlier, const Valion__V1__ProxyCounters *later,
                 vln_arena_t *arena)
{
    sum_t sum = {0};
    return join_proxy(&sum, earlier, later, arena);
}

Valion__V1__ProxyCounters *
counts_proxy_since(const Valion__V1__ProxyCounters *before, const Valion__V1__ProxyCounters *now,
                   vln_arena_t *arena)
{
    sum_t sum = {.minus = true};
    Valion__V1__ProxyCounters *out = join_proxy(&sum, before, now, arena);
    return sum.lost ? NULL : out;
}
