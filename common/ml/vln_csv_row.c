#include <math.h>
#include <string.h>

#include "vln_csv_inside.h"
#include "vln_number_scan.h"
#include "vln_text.h"

static const double WHOLE_MAX = 0x1p63; /* int64 ends below */

/* ---- a field, in general ---- */

/* What is wrong with the byte at which a plain field stops. */
static const char *
refuse_stop(vln_csv_t *self, char stop, int64_t place)
{
    if (stop == '"') {
        csv_refuse(self, VLN_INVALID_ARGUMENT, self->line, place,
                   "a quote inside a field that is not quoted");
    } else if (stop == '\0') {
        csv_refuse(self, VLN_INVALID_ARGUMENT, self->line, place, "a NUL byte");
    } else {
        csv_refuse(self, VLN_INVALID_ARGUMENT, self->line, place,
                   "a carriage return that no line feed follows");
    }
    return NULL;
}

static bool
check_text(vln_csv_t *self, const csv_field_t *field, int64_t place, bool high)
{
    if (field->len > VLN_CSV_FIELD_MAX) {
        return csv_refuse(self, VLN_OUT_OF_RANGE, field->line, place,
                          "a field of more than %d bytes", VLN_CSV_FIELD_MAX);
    }
    if (high && !vln_text_is_utf8(field->text, field->len)) {
        return csv_refuse(self, VLN_INVALID_ARGUMENT, field->line, place, "text that is not UTF-8");
    }
    return true;
}

static const char *
scan_plain(vln_csv_t *self, const char *at, int64_t place, csv_field_t *out)
{
    const char *start = at;
    bool high = false;
    for (unsigned char kind = self->stops[(unsigned char)*at]; kind != 1;
         kind = self->stops[(unsigned char)*++at]) {
        high |= kind == 2;
    }
    if (!csv_is_end(self, at)) {
        return refuse_stop(self, *at, place);
    }
    *out = (csv_field_t){.text = start, .len = (size_t)(at - start), .line = self->line};
    return check_text(self, out, place, high) ? at : NULL;
}

static const char *
refuse_unclosed(vln_csv_t *self, int64_t line, int64_t place)
{
    csv_refuse(self, VLN_INVALID_ARGUMENT, line, place, "a quote that is never closed");
    return NULL;
}

/* Between the quotes: copied to the scratch, with doubled quotes halved. After the closing one. */
static const char *
scan_quoted(vln_csv_t *self, const char *at, const char *end, int64_t place, csv_field_t *out)
{
    *out = (csv_field_t){.text = self->scratch, .line = self->line};
    int64_t line = self->line;
    for (;;) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        size_t part = (size_t)((quote ? quote : end) - at);
        if (out->len + part + 1 > VLN_CSV_FIELD_MAX) {
            csv_refuse(self, VLN_OUT_OF_RANGE, out->line, place,
                       "a quoted field of more than %d bytes", VLN_CSV_FIELD_MAX);
            return NULL;
        }
        if (!quote) {
            return refuse_unclosed(self, out->line, place);
        }
        memcpy(self->scratch + out->len, at, part);
        out->len += part;
        at = quote + 1;
        if (at == end || *at != '"') {
            break;
        }
        self->scratch[out->len++] = '"';
        at++;
    }
    for (size_t i = 0; i < out->len; i++) {
        line += self->scratch[i] == '\n';
    }
    self->line = line;
    return at;
}

const char *
csv_field_scan(vln_csv_t *self, const char *at, const char *end, int64_t place, csv_field_t *out)
{
    if (*at != '"') {
        return scan_plain(self, at, place, out);
    }
    at = scan_quoted(self, at + 1, end, place, out);
    if (!at) {
        return NULL;
    }
    if (at == end || !csv_is_end(self, at)) {
        csv_refuse(self, VLN_INVALID_ARGUMENT, self->line, place,
                   "something after a closing quote; a quote inside a field is doubled");
        return NULL;
    }
    if (memchr(out->text, '\0', out->len)) {
        csv_refuse(self, VLN_INVALID_ARGUMENT, out->line, place, "a NUL byte");
        return NULL;
    }
    return check_text(self, out, place, true) ? at : NULL;
}

/* ---- the fields that nearly all are, without looking twice ---- */

static const char *
fast_text(vln_csv_t *self, const csv_plan_t *plan, const char *at)
{
    const char *start = at;
    bool high = false;
    for (unsigned char kind = self->stops[(unsigned char)*at]; kind != 1;
         kind = self->stops[(unsigned char)*++at]) {
        high |= kind == 2;
    }
    size_t len = (size_t)(at - start);
    if (len == 0 || len > VLN_CSV_FIELD_MAX || !csv_is_end(self, at) ||
        (high && !vln_text_is_utf8(start, len))) {
        return NULL;
    }
    if (plan->action == CSV_READ) {
        vln_column_set_text(plan->column, self->rows, start, len);
    }
    return at;
}

/* True if no number and no word that means something begins so. */
static bool
begins_text(const vln_csv_t *self, const char *at)
{
    return !self->options.missing && *at > ' ' && !strchr("0123456789-.NnTtFf", *at);
}

static const char *
fast_guess(vln_csv_t *self, csv_tally_t *tally, const char *at)
{
    double number = 0;
    int64_t whole = 0;
    if (tally->texts > 0 && begins_text(self, at)) { /* the first one is remembered */
        const csv_plan_t skip = {.action = CSV_SKIP};
        const char *end = fast_text(self, &skip, at);
        tally->texts += end != NULL;
        return end;
    }
    const char *after = vln_number_scan_i64(at, &whole);
    if (after && csv_is_end(self, after)) {
        csv_tally_whole(tally, whole);
        return after;
    }
    after = vln_number_scan_f64(at, &number);
    if (after && csv_is_end(self, after) && fabs(number) < WHOLE_MAX) {
        tally->fractions++; /* a larger one may be a whole number too long for int64 */
        return after;
    }
    return NULL;
}

/* The byte after the field, or NULL: then the general way finds out what is the matter. */
static const char *
fast_cell(vln_csv_t *self, const csv_plan_t *plan, const char *at)
{
    double number = 0;
    int64_t whole = 0;
    if (plan->action == CSV_SKIP || (plan->action == CSV_READ && plan->type == VLN_TYPE_STRING)) {
        return fast_text(self, plan, at);
    }
    if (plan->action == CSV_GUESS) {
        return fast_guess(self, plan->tally, at);
    }
    if (plan->type == VLN_TYPE_F64) {
        at = vln_number_scan_f64(at, &number);
        if (at && csv_is_end(self, at)) {
            vln_column_set_f64(plan->column, self->rows, number);
            return at;
        }
    } else if (plan->type == VLN_TYPE_I64) {
        at = vln_number_scan_i64(at, &whole);
        if (at && csv_is_end(self, at)) {
            vln_column_set_i64(plan->column, self->rows, whole);
            return at;
        }
    }
    return NULL;
}

/* ---- a row ---- */

static const char *
refuse_count(vln_csv_t *self, int64_t line, size_t found, bool more)
{
    csv_refuse(self, VLN_INVALID_ARGUMENT, line, CSV_NO_PLACE,
               "a row of %s%zu fields under a header of %zu", more ? "more than " : "", found,
               self->plan_count);
    return NULL;
}

/* The byte after the field, which may be anything; NULL if refused. */
static const char *
slow_cell(vln_csv_t *self, size_t place, const char *at, const char *end)
{
    csv_field_t field;
    at = csv_field_scan(self, at, end, (int64_t)place, &field);
    return at && csv_cell_take(self, place, &field) ? at : NULL;
}

/* The row's fields; the byte after its line end, or NULL if refused. */
static const char *
parse_row(vln_csv_t *self, const char *at, const char *end)
{
    int64_t line = self->line;
    size_t last = self->plan_count - 1;
    for (size_t place = 0;; place++) {
        const char *after = fast_cell(self, &self->plans[place], at);
        if (!after) {
            after = slow_cell(self, place, at, end);
        }
        if (!after) {
            return NULL;
        }
        bool ended = *after != self->options.delimiter;
        if (ended && place == last) {
            self->line++;
            return after + (*after == '\r' ? 2 : 1);
        }
        if (ended || place == last) {
            return refuse_count(self, line, place + 1, !ended);
        }
        at = after + 1;
    }
}

static bool
make_room(vln_csv_t *self)
{
    if (self->rows == self->options.max_rows) {
        return csv_refuse(self, VLN_OUT_OF_RANGE, self->line, CSV_NO_PLACE, "more than %zu rows",
                          self->options.max_rows);
    }
    if (self->table && self->rows == vln_table_capacity(self->table)) {
        vln_table_set_rows(self->table, self->rows + 1);
    }
    return true;
}

/* Length of a line end that is all there is of the line; 0 if there is more. */
static size_t
blank_line(const vln_csv_t *self, const char *at)
{
    if (self->plan_count == 1) {
        return 0;
    }
    return *at == '\n' ? 1 : at[0] == '\r' && at[1] == '\n' ? 2 : 0;
}

bool
csv_rows_parse(vln_csv_t *self, const char *at, const char *end)
{
    while (at < end) {
        size_t blank = blank_line(self, at);
        if (blank) {
            self->blank_lines++;
            self->line++;
            at += blank;
            continue;
        }
        at = make_room(self) ? parse_row(self, at, end) : NULL;
        if (!at) {
            return false;
        }
        self->rows++;
    }
    return true;
}
