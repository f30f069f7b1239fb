#include <stdlib.h>
#include <string.h>

#include "vln_csv_inside.h"
#include "vln_mem.h"
#include "vln_number.h"

/* ---- the header ---- */

static bool
has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

/* With a sign, a fraction or an exponent: plain whole numbers do occur as names. */
static bool
is_value(const char *text, size_t len)
{
    double number = 0;
    int64_t whole = 0;
    return vln_number_f64(text, len, &number) == VLN_NUMBER_OK &&
           (text[0] == '-' || vln_number_i64(text, len, &whole) != VLN_NUMBER_OK);
}

static bool
add_name(vln_csv_t *self, const csv_field_t *field, int64_t place)
{
    char shown[64];
    csv_show(field->text, field->len, shown, sizeof shown);
    if (field->len == 0) {
        return csv_refuse(self, VLN_INVALID_ARGUMENT, field->line, place,
                          "a column without a name");
    }
    if (field->len > VLN_TABLE_NAME_MAX) {
        return csv_refuse(self, VLN_OUT_OF_RANGE, field->line, place,
                          "a column's name of more than %d bytes", VLN_TABLE_NAME_MAX);
    }
    if (has_control(field->text, field->len)) {
        return csv_refuse(self, VLN_INVALID_ARGUMENT, field->line, place,
                          "a control character in the name \"%s\"", shown);
    }
    if (is_value(field->text, field->len)) {
        return csv_refuse(self, VLN_INVALID_ARGUMENT, field->line, place,
                          "\"%s\" is a number where a column's name must be: is there no header?",
                          shown);
    }
    if (vln_dict_find(self->names, field->text, field->len) >= 0) {
        return csv_refuse(self, VLN_INVALID_ARGUMENT, field->line, place,
                          "the name \"%s\" for a second column", shown);
    }
    vln_dict_add(self->names, field->text, field->len);
    return true;
}

static const char *
read_names(vln_csv_t *self, const char *at, const char *end)
{
    for (int64_t place = 0;; place++) {
        csv_field_t field;
        if (place == (int64_t)self->options.max_columns) {
            csv_refuse(self, VLN_OUT_OF_RANGE, self->line, CSV_NO_PLACE, "more than %zu columns",
                       self->options.max_columns);
            return NULL;
        }
        at = csv_field_scan(self, at, end, place, &field);
        if (!at || !add_name(self, &field, place)) {
            return NULL;
        }
        if (*at != self->options.delimiter) {
            break;
        }
        at++;
    }
    self->line++;
    return at + (*at == '\r' ? 2 : 1);
}

/* ---- what becomes of each column ---- */

/* Declared columns have their type; false if one is not in the file. */
static bool
plan_declared(vln_csv_t *self)
{
    for (size_t i = 0; i < self->options.column_count; i++) {
        const vln_csv_column_t *column = &self->options.columns[i];
        int32_t place = vln_dict_find(self->names, column->name, strlen(column->name));
        if (place >= 0) {
            self->plans[place] = (csv_plan_t){.action = CSV_READ, .type = column->type};
        } else if (!column->optional) {
            char shown[VLN_TABLE_NAME_MAX + 1];
            csv_show(column->name, strlen(column->name), shown, sizeof shown);
            return csv_refuse(self, VLN_INVALID_ARGUMENT, 1, CSV_NO_PLACE,
                              "there is no column \"%s\"", shown);
        }
    }
    return true;
}

static void
note_ignored(vln_csv_t *self)
{
    self->ignored = vln_calloc(self->plan_count, sizeof *self->ignored);
    for (size_t place = 0; place < self->plan_count; place++) {
        if (self->plans[place].action == CSV_SKIP) {
            self->ignored[self->ignored_count++] = place;
        }
    }
}

static void
add_column(vln_csv_t *self, size_t place)
{
    csv_plan_t *plan = &self->plans[place];
    if (!plan->column) {
        const char *name = vln_dict_text(self->names, (int32_t)place, NULL);
        plan->column = vln_table_add(self->table, name, plan->type);
        vln_assert(plan->column);
    }
}

/* Declared columns first, in their order, then the file's. */
static void
make_table(vln_csv_t *self)
{
    self->table = vln_table_new();
    for (size_t i = 0; i < self->options.column_count; i++) {
        const char *name = self->options.columns[i].name;
        int32_t place = vln_dict_find(self->names, name, strlen(name));
        if (place >= 0) {
            add_column(self, (size_t)place);
        }
    }
    for (size_t place = 0; place < self->plan_count; place++) {
        if (self->plans[place].action == CSV_READ) {
            add_column(self, place);
        }
    }
}

/* Undeclared columns are guessed; declared ones wait, unread, for the second time through. */
static void
start_guessing(vln_csv_t *self)
{
    self->tallies = vln_calloc(self->plan_count, sizeof *self->tallies);
    for (size_t place = 0; place < self->plan_count; place++) {
        csv_plan_t *plan = &self->plans[place];
        plan->action = plan->action == CSV_READ ? CSV_SKIP : CSV_GUESS;
        plan->tally = &self->tallies[place];
    }
}

const char *
csv_plan_header(vln_csv_t *self, const char *at, const char *end)
{
    at = read_names(self, at, end);
    if (!at) {
        return NULL;
    }
    self->plan_count = vln_dict_count(self->names);
    self->plans = vln_calloc(self->plan_count, sizeof *self->plans);
    for (size_t place = 0; place < self->plan_count; place++) {
        self->plans[place].action = CSV_SKIP;
    }
    if (!plan_declared(self)) {
        return NULL;
    }
    if (self->options.infer) {
        start_guessing(self);
        return at;
    }
    note_ignored(self);
    make_table(self);
    return at;
}

/* ---- inferred types ---- */

enum { MOSTLY_OF_TEN = 9 };

static bool
refuse_mixed(vln_csv_t *self, size_t place, const csv_tally_t *tally, uint64_t numbers)
{
    return csv_refuse(self, VLN_INVALID_ARGUMENT, tally->text_line, (int64_t)place,
                      "\"%s\" is no number, but %llu other values of the column are: declare its "
                      "type, or take what is no number as missing",
                      tally->text, (unsigned long long)numbers);
}

static bool
infer_type(vln_csv_t *self, size_t place, const csv_tally_t *tally, vln_type_t *out)
{
    uint64_t numbers = tally->wholes + tally->fractions;
    uint64_t others = tally->texts + tally->booleans;
    *out = VLN_TYPE_STRING;
    if (numbers == 0) {
        if (others == 0 && tally->words == 0) {
            *out = VLN_TYPE_F64;
        } else if (tally->booleans > 0 && tally->texts == 0) {
            *out = VLN_TYPE_BOOL;
        }
        return true;
    }
    if (numbers * (10 - MOSTLY_OF_TEN) < others * MOSTLY_OF_TEN) {
        return true;
    }
    if (others > 0 && !self->options.bad_is_missing) {
        return refuse_mixed(self, place, tally, numbers);
    }
    if (tally->fractions == 0) {
        *out = VLN_TYPE_I64;
    } else if (!tally->loses_digits) {
        *out = VLN_TYPE_F64;
    }
    return true;
}

bool
csv_plan_settle(vln_csv_t *self)
{
    for (size_t place = 0; place < self->plan_count; place++) {
        csv_plan_t *plan = &self->plans[place];
        if (plan->action == CSV_GUESS && !infer_type(self, place, plan->tally, &plan->type)) {
            return false;
        }
        plan->action = CSV_READ;
    }
    free(self->tallies);
    self->tallies = NULL;
    make_table(self);
    return true;
}
