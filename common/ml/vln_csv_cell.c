#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vln_csv_inside.h"
#include "vln_number.h"
#include "vln_text.h"

bool
csv_refuse(vln_csv_t *self, vln_err_t err, int64_t line, int64_t place, const char *format, ...)
{
    if (self->err != VLN_OK) {
        return false;
    }
    self->err = err;
    self->refusal = (vln_csv_refusal_t){.line = line, .column = (size_t)(place + 1)};
    if (place >= 0 && (size_t)place < vln_dict_count(self->names)) {
        vln_text_copy(self->refusal.name, sizeof self->refusal.name,
                      vln_dict_text(self->names, (int32_t)place, NULL));
    }
    va_list args;
    va_start(args, format);
    vsnprintf(self->refusal.text, sizeof self->refusal.text, format, args);
    va_end(args);
    return false;
}

static size_t
sequence_length(unsigned char lead)
{
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

void
csv_show(const char *text, size_t len, char *out, size_t out_size)
{
    size_t used = 0;
    size_t at = 0;
    while (at < len) {
        size_t piece = sequence_length((unsigned char)text[at]);
        if (at + piece > len || !vln_text_is_utf8(text + at, piece)) {
            piece = 1;
        }
        if (used + piece + sizeof "…" > out_size) {
            memcpy(out + used, "…", sizeof "…" - 1);
            used += sizeof "…" - 1;
            break;
        }
        bool control = (unsigned char)text[at] < 0x20 || text[at] == 0x7f;
        if (control || !vln_text_is_utf8(text + at, piece)) {
            out[used++] = '?';
        } else {
            memcpy(out + used, text + at, piece);
            used += piece;
        }
        at += piece;
    }
    out[used] = '\0';
}

/* ---- what is no number ---- */

static bool
has_blank_edge(const char *text, size_t len)
{
    return len > 0 &&
           (text[0] == ' ' || text[0] == '\t' || text[len - 1] == ' ' || text[len - 1] == '\t');
}

static bool
is_padded(const char *text, size_t len)
{
    size_t sign = len > 0 && text[0] == '-';
    return len > sign + 1 && text[sign] == '0' && text[sign + 1] >= '0' && text[sign + 1] <= '9';
}

static bool
is_infinity(const char *text, size_t len)
{
    size_t sign = len > 0 && (text[0] == '-' || text[0] == '+');
    return len >= sign + 3 && strncasecmp(text + sign, "inf", 3) == 0;
}

static bool
is_hexadecimal(const char *text, size_t len)
{
    size_t sign = len > 0 && text[0] == '-';
    return len > sign + 2 && text[sign] == '0' && (text[sign + 1] | 0x20) == 'x';
}

/* Why it is no number, where a person might think it is. */
static const char *
hint_of(const char *text, size_t len)
{
    if (has_blank_edge(text, len)) {
        return "; blanks are not cut off";
    }
    if (is_infinity(text, len)) {
        return "; infinity is no value";
    }
    if (is_padded(text, len)) {
        return "; a leading zero would be lost: is it a string?";
    }
    if (is_hexadecimal(text, len)) {
        return "; hexadecimal is not taken";
    }
    if (len > 0 && text[0] == '+') {
        return "; a plus sign is not taken";
    }
    if (memchr(text, ',', len)) {
        return "; the decimal sign is a full stop, and digits are not grouped";
    }
    return "";
}

static bool
take_bad(vln_csv_t *self, size_t place, const csv_field_t *field, vln_number_t why)
{
    const csv_plan_t *plan = &self->plans[place];
    if (self->options.bad_is_missing) {
        plan->column->mixed_line = plan->column->mixed ? plan->column->mixed_line : field->line;
        plan->column->mixed++;
        return true;
    }
    char shown[64];
    csv_show(field->text, field->len, shown, sizeof shown);
    if (why == VLN_NUMBER_RANGE) {
        return csv_refuse(self, VLN_INVALID_ARGUMENT, field->line, (int64_t)place,
                          "\"%s\" is beyond what %s holds", shown, vln_type_name(plan->type));
    }
    bool number = plan->type == VLN_TYPE_F64 || plan->type == VLN_TYPE_I64;
    return csv_refuse(self, VLN_INVALID_ARGUMENT, field->line, (int64_t)place, "\"%s\" is no %s%s",
                      shown, vln_type_name(plan->type),
                      number ? hint_of(field->text, field->len) : "");
}

/* ---- cells ---- */

static bool
is_one_of(const csv_field_t *field, const char *const *words)
{
    for (; *words; words++) {
        if (strlen(*words) == field->len && memcmp(*words, field->text, field->len) == 0) {
            return true;
        }
    }
    return false;
}

static bool
is_missing_word(const vln_csv_t *self, const csv_field_t *field)
{
    static const char *const usual[] = {"NA", "NaN", "nan", "null", "NULL", NULL};
    return is_one_of(field, self->options.missing ? self->options.missing : usual);
}

/* 1, 0, or -1 if it is neither; digits count where `digits`. */
static int
boolean_of(const csv_field_t *field, bool digits)
{
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    if (digits && field->len == 1 && (field->text[0] == '0' || field->text[0] == '1')) {
        return field->text[0] - '0';
    }
    return is_one_of(field, yes) ? 1 : is_one_of(field, no) ? 0 : -1;
}

/* By the column's type; OK if the cell has its value. */
static vln_number_t
read_value(const csv_plan_t *plan, size_t row, const csv_field_t *field)
{
    double number = 0;
    int64_t whole = 0;
    vln_number_t result = VLN_NUMBER_NOT;
    int boolean = -1;
    switch (plan->type) {
    case VLN_TYPE_F64:
        result = vln_number_f64(field->text, field->len, &number);
        if (result == VLN_NUMBER_OK) {
            vln_column_set_f64(plan->column, row, number);
        }
        return result;
    case VLN_TYPE_I64:
        result = vln_number_i64(field->text, field->len, &whole);
        if (result == VLN_NUMBER_OK) {
            vln_column_set_i64(plan->column, row, whole);
        }
        return result;
    case VLN_TYPE_BOOL:
        boolean = boolean_of(field, true);
        if (boolean >= 0) {
            vln_column_set_bool(plan->column, row, boolean == 1);
        }
        return boolean >= 0 ? VLN_NUMBER_OK : VLN_NUMBER_NOT;
    case VLN_TYPE_STRING:
        break;
    }
    vln_column_set_text(plan->column, row, field->text, field->len);
    return VLN_NUMBER_OK;
}

/* True if the nearest float is this very number. */
static bool
keeps_digits(const csv_field_t *field, double number)
{
    char digits[512];
    int len = snprintf(digits, sizeof digits, "%.0f", number);
    return (size_t)len == field->len && memcmp(digits, field->text, field->len) == 0;
}

void
csv_tally_whole(csv_tally_t *tally, int64_t whole)
{
    double number = (double)whole;
    tally->wholes++;
    tally->loses_digits |= number >= 0x1p63 || (int64_t)number != whole;
}

static void
tally_text(csv_tally_t *tally, const csv_field_t *field)
{
    if (tally->texts++ == 0) {
        tally->text_line = field->line;
        csv_show(field->text, field->len, tally->text, sizeof tally->text);
    }
}

static void
tally_field(vln_csv_t *self, csv_tally_t *tally, const csv_field_t *field)
{
    int64_t whole = 0;
    double number = 0;
    vln_number_t as_whole = vln_number_i64(field->text, field->len, &whole);
    if (as_whole == VLN_NUMBER_OK) {
        csv_tally_whole(tally, whole);
        return;
    }
    if (vln_number_f64(field->text, field->len, &number) == VLN_NUMBER_OK) {
        tally->fractions++;
        tally->loses_digits |= as_whole == VLN_NUMBER_RANGE && !keeps_digits(field, number);
    } else if (is_missing_word(self, field)) {
        tally->words++;
    } else if (boolean_of(field, false) >= 0) {
        tally->booleans++;
    } else {
        tally_text(tally, field);
    }
}

bool
csv_cell_take(vln_csv_t *self, size_t place, const csv_field_t *field)
{
    const csv_plan_t *plan = &self->plans[place];
    if (field->len == 0 || plan->action == CSV_SKIP) {
        return true; /* cells are missing until they are set */
    }
    if (plan->action == CSV_GUESS) {
        tally_field(self, plan->tally, field);
        return true;
    }
    vln_number_t result = read_value(plan, self->rows, field);
    if (result == VLN_NUMBER_OK || is_missing_word(self, field)) {
        return true;
    }
    return take_bad(self, place, field, result);
}
