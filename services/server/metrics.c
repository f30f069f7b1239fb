#include "metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "vln_err.h"

enum { SHOWN_EACH = 8 /* bucket of ours: those to 4 us, 16 us, 64 us … */ };

#define QUARTERS 4.0 /* of an octave */

typedef struct writer {
    FILE *out;
    const oip_model_t *model;
} writer_t;

static void
begin(const writer_t *self, const char *name, const char *type, const char *help)
{
    fprintf(self->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Names and versions are of the characters that need no escape. */
static void
labels(const writer_t *self, const char *name)
{
    fprintf(self->out, "%s{model=\"%s\",version=\"%s\"", name, self->model->name,
            self->model->version);
}

static void
number(const writer_t *self, const char *name, const char *type, const char *help, uint64_t value)
{
    begin(self, name, type, help);
    labels(self, name);
    fprintf(self->out, "} %" PRIu64 "\n", value);
}

static void
write_errors(const writer_t *self, const Valion__V1__Telemetry *report)
{
    begin(self, "valion_server_errors_total", "counter", "Requests that failed, by why.");
    for (size_t i = 0; i < report->n_errors; i++) {
        labels(self, "valion_server_errors_total");
        fprintf(self->out, ",error=\"%s\"} %.0f\n", report->errors[i]->key,
                report->errors[i]->value);
    }
}

/* Buckets of a quarter octave of microseconds, of which every second octave's bound is shown. */
static void
write_latency(const writer_t *self, const Valion__V1__Telemetry *report)
{
    static const char name[] = "valion_server_latency_seconds";
    uint64_t count = 0;
    double sum = 0;
    begin(self, name, "histogram", "From a request's last byte to its answer.");
    for (size_t i = 0; i < report->n_latency_counts; i++) {
        count += report->latency_counts[i];
        sum += (double)report->latency_counts[i] * exp2(((double)i + 0.5) / QUARTERS) / 1e6;
        if ((i + 1) % SHOWN_EACH == 0 && i + 1 < report->n_latency_counts) {
            labels(self, "valion_server_latency_seconds_bucket");
            fprintf(self->out, ",le=\"%g\"} %" PRIu64 "\n", exp2((double)(i + 1) / QUARTERS) / 1e6,
                    count);
        }
    }
    labels(self, "valion_server_latency_seconds_bucket");
    fprintf(self->out, ",le=\"+Inf\"} %" PRIu64 "\n", count);
    labels(self, "valion_server_latency_seconds_sum");
    fprintf(self->out, "} %g\n", sum);
    labels(self, "valion_server_latency_seconds_count");
    fprintf(self->out, "} %" PRIu64 "\n", count);
}

char *
metrics_write(const oip_model_t *model, const Valion__V1__Telemetry *report,
              const batch_counts_t *batches, size_t *size)
{
    char *text = NULL;
    const writer_t self = {open_memstream(&text, size), model};
    vln_assert(self.out);
    number(&self, "valion_server_requests_total", "counter", "Requests for predictions.",
           report->requests);
    number(&self, "valion_server_rows_total", "counter", "Rows that were predicted.", report->rows);
    number(&self, "valion_server_batches_total", "counter", "Times that the model was asked.",
           batches->batches);
    number(&self, "valion_server_rejected_total", "counter", "Requests that found no room.",
           batches->rejected);
    number(&self, "valion_server_queue", "gauge", "Requests that wait for the model.",
           batches->queued);
    write_errors(&self, report);
    write_latency(&self, report);
    vln_assert(fclose(self.out) == 0 && text);
    return text;
}
