#include "report_compare.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "vln_err.h"

#include "report_text.h"

enum { WHAT_MAX = 320, HEX_SHORT = 12, SUMMARY_ROWS = 256, STATUSES = 5 };

/* ---- two reports ---- */

typedef struct compare {
    report_row_fn *row;
    void *context;
} compare_t;

static void
add(const compare_t *self, const char *what, const char *first, const char *second,
    const char *change)
{
    const char *const cells[REPORT_COMPARE_CELLS] = {what, first, second, change};
    self->row(self->context, cells);
}

static void
compare_texts(const compare_t *self, const char *what, const char *first, const char *second)
{
    first = first ? first : "";
    second = second ? second : "";
    if (strcmp(first, second) != 0) {
        add(self, what, first, second, "");
    }
}

static void
compare_bytes(const compare_t *self, const char *what, const ProtobufCBinaryData *first,
              const ProtobufCBinaryData *second)
{
    char left[REPORT_HEX];
    char right[REPORT_HEX];
    bool same = first->len == second->len &&
                (first->len == 0 || memcmp(first->data, second->data, first->len) == 0);
    if (!same) {
        add(self, what, report_text_hex(first, HEX_SHORT, left),
            report_text_hex(second, HEX_SHORT, right), "");
    }
}

static ProtobufCBinaryData
digest_of(Valion__V1__DataRef *const *data, size_t count, size_t index)
{
    return index < count ? data[index]->digest : (ProtobufCBinaryData){0};
}

/* Numbers that differ; NULL is one that only the other report has. */
static void
compare_numbers(const compare_t *self, const char *what, const double *first, const double *second)
{
    char left[REPORT_NUMBER] = "";
    char right[REPORT_NUMBER] = "";
    char change[REPORT_NUMBER + 1] = "";
    if (first && second && *first == *second) {
        return;
    }
    if (first) {
        report_text_number(*first, left);
    }
    if (second) {
        report_text_number(*second, right);
    }
    if (first && second) {
        double difference = *second - *first;
        change[0] = '+';
        report_text_number(difference, change + (difference > 0));
    }
    add(self, what, left, right, change);
}

static const Valion__V1__CheckResult *
find_check(const Valion__V1__Report *report, const char *name)
{
    for (size_t i = 0; name && i < report->n_checks; i++) {
        if (report->checks[i]->name && strcmp(report->checks[i]->name, name) == 0) {
            return report->checks[i];
        }
    }
    return NULL;
}

static const double *
find_metric(const Valion__V1__Report *report, const char *name)
{
    for (size_t i = 0; name && i < report->n_metrics; i++) {
        if (report->metrics[i]->key && strcmp(report->metrics[i]->key, name) == 0) {
            return &report->metrics[i]->value;
        }
    }
    return NULL;
}

/* `named` is one of the two; the other may be NULL. */
static void
compare_check(const compare_t *self, const Valion__V1__CheckResult *named,
              const Valion__V1__CheckResult *first, const Valion__V1__CheckResult *second)
{
    char what[WHAT_MAX];
    snprintf(what, sizeof what, "check %s", named->name);
    compare_texts(self, what, first ? report_text_status(first->status) : "",
                  second ? report_text_status(second->status) : "");
    snprintf(what, sizeof what, "check %s, %s", named->name,
             named->statistic_name ? named->statistic_name : "statistic");
    const double *left = first && first->has_statistic ? &first->statistic : NULL;
    const double *right = second && second->has_statistic ? &second->statistic : NULL;
    if (left || right) {
        compare_numbers(self, what, left, right);
    }
}

static void
compare_checks(const compare_t *self, const Valion__V1__Report *first,
               const Valion__V1__Report *second)
{
    for (size_t i = 0; i < first->n_checks; i++) {
        compare_check(self, first->checks[i], first->checks[i],
                      find_check(second, first->checks[i]->name));
    }
    for (size_t i = 0; i < second->n_checks; i++) {
        if (!find_check(first, second->checks[i]->name)) {
            compare_check(self, second->checks[i], NULL, second->checks[i]);
        }
    }
}

static void
compare_metrics(const compare_t *self, const Valion__V1__Report *first,
                const Valion__V1__Report *second)
{
    for (size_t i = 0; i < first->n_metrics; i++) {
        const char *name = first->metrics[i]->key;
        compare_numbers(self, name, &first->metrics[i]->value, find_metric(second, name));
    }
    for (size_t i = 0; i < second->n_metrics; i++) {
        const char *name = second->metrics[i]->key;
        if (!find_metric(first, name)) {
            compare_numbers(self, name, NULL, &second->metrics[i]->value);
        }
    }
}

static void
compare_data(const compare_t *self, const Valion__V1__Report *first,
             const Valion__V1__Report *second)
{
    size_t most = first->n_data > second->n_data ? first->n_data : second->n_data;
    for (size_t i = 0; i < most; i++) {
        char what[WHAT_MAX];
        ProtobufCBinaryData left = digest_of(first->data, first->n_data, i);
        ProtobufCBinaryData right = digest_of(second->data, second->n_data, i);
        snprintf(what, sizeof what, "data %zu", i + 1);
        compare_bytes(self, what, &left, &right);
    }
    double rows[2] = {(double)first->rows, (double)second->rows};
    compare_numbers(self, "rows", &rows[0], &rows[1]);
}

void
report_compare(const Valion__V1__Report *first, const Valion__V1__Report *second,
               report_row_fn *row, void *context)
{
    const compare_t self = {row, context};
    char policies[2][WHAT_MAX];
    const Valion__V1__Report *both[2] = {first, second};
    for (size_t i = 0; i < 2; i++) {
        snprintf(policies[i], sizeof policies[i], "%s version %llu",
                 both[i]->policy ? both[i]->policy : "",
                 (unsigned long long)both[i]->policy_version);
    }
    compare_texts(&self, "model", first->model, second->model);
    compare_texts(&self, "version", first->version, second->version);
    compare_bytes(&self, "version's digest", &first->artifact_digest, &second->artifact_digest);
    compare_data(&self, first, second);
    compare_bytes(&self, "reference profile", &first->reference_profile_digest,
                  &second->reference_profile_digest);
    compare_texts(&self, "policy", policies[0], policies[1]);
    compare_texts(&self, "engine", report_text_engine(first->engine),
                  report_text_engine(second->engine));
    compare_texts(&self, "verdict", report_text_status(first->verdict),
                  report_text_status(second->verdict));
    compare_checks(&self, first, second);
    compare_metrics(&self, first, second);
}

/* ---- many reports ---- */

typedef struct tally {
    const char *what;
    bool is_check;
    size_t count;
    size_t by_status[STATUSES];
    const char *last;
} tally_t;

struct report_summary {
    vln_arena_t *arena;
    tally_t rows[SUMMARY_ROWS];
    size_t count;
};

report_summary_t *
report_summary_new(vln_arena_t *arena)
{
    report_summary_t *self = vln_arena_alloc(arena, sizeof *self);
    self->arena = arena;
    return self;
}

/* More names than there are rows are left out. */
static void
count(report_summary_t *self, bool is_check, const char *name, Valion__V1__CheckStatus status)
{
    tally_t *row = NULL;
    for (size_t i = 0; name && i < self->count && !row; i++) {
        bool same = self->rows[i].is_check == is_check && strcmp(self->rows[i].what, name) == 0;
        row = same ? &self->rows[i] : NULL;
    }
    if (!row && name && self->count < SUMMARY_ROWS) {
        row = &self->rows[self->count++];
        *row = (tally_t){.what = vln_arena_strdup(self->arena, name),
                         .is_check = is_check,
                         .last = report_text_status(status)};
    }
    if (row) {
        row->count++;
        row->by_status[(unsigned)status < STATUSES ? status : 0]++;
    }
}

void
report_summary_add(report_summary_t *self, const Valion__V1__Report *report)
{
    count(self, false, report->policy, report->verdict);
    for (size_t i = 0; i < report->n_checks; i++) {
        count(self, true, report->checks[i]->name, report->checks[i]->status);
    }
}

static void
end_row(const tally_t *self, report_row_fn *row, void *context)
{
    char what[WHAT_MAX];
    char numbers[STATUSES][REPORT_NUMBER];
    char rate[REPORT_NUMBER];
    char count_text[REPORT_NUMBER];
    snprintf(what, sizeof what, "%s %s", self->is_check ? "check" : "policy", self->what);
    snprintf(count_text, sizeof count_text, "%zu", self->count);
    for (size_t i = 1; i < STATUSES; i++) {
        snprintf(numbers[i], sizeof numbers[i], "%zu", self->by_status[i]);
    }
    size_t passed = self->by_status[VALION__V1__CHECK_STATUS__CHECK_STATUS_PASS];
    snprintf(rate, sizeof rate, "%.0f %%", 100.0 * (double)passed / (double)self->count);
    const char *const cells[REPORT_COMPARE_CELLS] = {
        what,
        count_text,
        numbers[VALION__V1__CHECK_STATUS__CHECK_STATUS_PASS],
        numbers[VALION__V1__CHECK_STATUS__CHECK_STATUS_WARN],
        numbers[VALION__V1__CHECK_STATUS__CHECK_STATUS_FAIL],
        numbers[VALION__V1__CHECK_STATUS__CHECK_STATUS_INCONCLUSIVE],
        self->last,
        rate};
    row(context, cells);
}

void
report_summary_end(const report_summary_t *self, report_row_fn *row, void *context)
{
    for (int checks = 0; checks < 2; checks++) {
        for (size_t i = 0; i < self->count; i++) {
            if (self->rows[i].is_check == (checks == 1)) {
                end_row(&self->rows[i], row, context);
            }
        }
    }
}
