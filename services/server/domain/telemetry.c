#include "telemetry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_mem.h"

/* Of one column, or of the predictions. */
typedef struct spread {
    const Valion__V1__TelemetryBins *bins;
    uint64_t n;
    double sum;
    double sum_squares;
    uint64_t missing;
    uint64_t *counts; /* one more than there are bins: what is in none */
    size_t count;
} spread_t;

struct telemetry {
    const Valion__V1__WantedInstance *instance;
    uint64_t sequence;
    uint64_t requests;
    uint64_t rows;
    uint64_t errors[TELEMETRY_ERRORS];
    uint64_t latencies[TELEMETRY_LATENCIES];
    spread_t prediction;
    spread_t *features;
    size_t feature_count;
};

static const char *const error_names[TELEMETRY_ERRORS] = {
    [TELEMETRY_BAD_INPUT] = "bad_input", [TELEMETRY_MODEL] = "model",
    [TELEMETRY_TOO_LARGE] = "too_large", [TELEMETRY_UNAVAILABLE] = "unavailable",
    [TELEMETRY_TIMEOUT] = "timeout",     [TELEMETRY_REJECTED] = "rejected",
};

static void
begin_spread(spread_t *self, const Valion__V1__TelemetryBins *bins)
{
    self->bins = bins;
    self->count = bins->n_categories > 0 ? bins->n_categories + 1 : bins->n_edges + 2;
    self->counts = vln_calloc(self->count, sizeof *self->counts);
}

telemetry_t *
telemetry_new(const Valion__V1__WantedInstance *instance)
{
    telemetry_t *self = vln_calloc(1, sizeof *self);
    self->instance = instance;
    self->features = vln_calloc(instance->n_bins + 1, sizeof *self->features);
    for (size_t i = 0; i < instance->n_bins; i++) {
        const Valion__V1__TelemetryBins *bins = instance->bins[i];
        bool prediction = !bins->column || bins->column[0] == '\0';
        if (!prediction) {
            begin_spread(&self->features[self->feature_count++], bins);
        } else if (!self->prediction.counts) {
            begin_spread(&self->prediction, bins);
        }
    }
    return self;
}

void
telemetry_destroy(telemetry_t **self_p)
{
    telemetry_t *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->feature_count; i++) {
        free(self->features[i].counts);
    }
    free(self->prediction.counts);
    free(self->features);
    free(self);
    *self_p = NULL;
}

/* ---- counting ---- */

size_t
telemetry_bucket(int64_t us)
{
    double bucket = us < 1 ? 0 : floor(4 * log2((double)us));
    return bucket < TELEMETRY_LATENCIES - 1 ? (size_t)bucket : TELEMETRY_LATENCIES - 1;
}

/* edge < x <= next edge, as the profile's bins are. */
static size_t
bin_of(const spread_t *self, double value)
{
    size_t low = 0;
    size_t high = self->bins->n_edges;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (value > self->bins->edges[middle]) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void
add_number(spread_t *self, double value)
{
    if (!isfinite(value)) {
        self->missing++;
        return;
    }
    self->n++;
    self->sum += value;
    self->sum_squares += value * value;
    if (self->counts) {
        self->counts[bin_of(self, value)]++;
    }
}

static void
add_text(spread_t *self, const char *text)
{
    size_t at = 0;
    while (at < self->bins->n_categories && strcmp(self->bins->categories[at], text) != 0) {
        at++;
    }
    self->n++;
    self->counts[at]++;
}

static void
add_column(spread_t *self, const vln_table_t *rows)
{
    const vln_column_t *column = vln_table_find(rows, self->bins->column);
    bool text = column && column->type == VLN_TYPE_STRING;
    for (size_t row = 0; column && row < vln_table_rows(rows); row++) {
        if (!vln_column_has(column, row)) {
            self->missing++;
        } else if (!text) {
            add_number(self, vln_column_number(column, row));
        } else if (self->bins->n_categories > 0) {
            add_text(self, vln_column_text(column, row));
        }
    }
}

void
telemetry_add(telemetry_t *self, const vln_table_t *rows, const vln_sandbox_result_t *result,
              int64_t us)
{
    self->requests++;
    self->rows += result->rows;
    self->latencies[telemetry_bucket(us)]++;
    for (size_t row = 0; row < result->rows && result->width > 0; row++) {
        add_number(&self->prediction, (double)result->values[row * result->width]);
    }
    for (size_t i = 0; i < self->feature_count; i++) {
        add_column(&self->features[i], rows);
    }
}

void
telemetry_add_error(telemetry_t *self, telemetry_error_t error, int64_t us)
{
    self->requests++;
    self->errors[error]++;
    self->latencies[telemetry_bucket(us)]++;
}

/* ---- reporting ---- */

static Valion__V1__ValueTelemetry *
report_spread(const spread_t *self, vln_arena_t *arena)
{
    Valion__V1__ValueTelemetry *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__value_telemetry__init(out);
    out->column = self->bins ? self->bins->column : NULL;
    out->has_n = out->has_sum = out->has_sum_squares = out->has_missing = 1;
    out->n = self->n;
    out->sum = self->sum;
    out->sum_squares = self->sum_squares;
    out->missing = self->missing;
    if (self->counts) {
        out->n_counts = self->count;
        out->counts = vln_arena_memdup(arena, self->counts, self->count * sizeof(uint64_t));
    }
    return out;
}

static void
report_errors(const telemetry_t *self, vln_arena_t *arena, Valion__V1__Telemetry *out)
{
    out->errors = vln_arena_alloc(arena, TELEMETRY_ERRORS * sizeof(void *));
    for (size_t i = 0; i < TELEMETRY_ERRORS; i++) {
        Valion__V1__KeyNumber *number = vln_arena_alloc(arena, sizeof *number);
        valion__v1__key_number__init(number);
        number->key = vln_arena_strdup(arena, error_names[i]);
        number->has_value = 1;
        number->value = (double)self->errors[i];
        out->errors[out->n_errors++] = number;
    }
}

Valion__V1__Telemetry *
telemetry_report(telemetry_t *self, vln_arena_t *arena)
{
    Valion__V1__Telemetry *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__telemetry__init(out);
    out->has_instance_id = self->instance->has_instance_id;
    out->instance_id = self->instance->instance_id;
    out->has_sequence = out->has_requests = out->has_rows = 1;
    out->sequence = ++self->sequence;
    out->version = self->instance->version;
    out->requests = self->requests;
    out->rows = self->rows;
    report_errors(self, arena, out);
    out->n_latency_counts = TELEMETRY_LATENCIES;
    out->latency_counts = vln_arena_memdup(arena, self->latencies, sizeof self->latencies);
    out->prediction = report_spread(&self->prediction, arena);
    out->features = vln_arena_alloc(arena, (self->feature_count + 1) * sizeof(void *));
    for (size_t i = 0; i < self->feature_count; i++) {
        out->features[out->n_features++] = report_spread(&self->features[i], arena);
    }
    return out;
}
