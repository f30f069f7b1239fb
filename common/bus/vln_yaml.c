#include "vln_yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>
#include <yyjson.h>

#include "vln_mem.h"

/* A container that is open: values go into it. */
typedef struct level {
    yyjson_mut_val *value;
    yyjson_mut_val *key; /* of a mapping: waits for its value; NULL: the key is next */
} level_t;

typedef struct reader {
    yaml_parser_t parser;
    yyjson_mut_doc *doc;
    level_t levels[VLN_YAML_MAX_DEPTH];
    size_t depth;
    yyjson_mut_val *root;
    char *why;
} reader_t;

VLN_PRINTF(3, 4) static vln_err_t
refuse(reader_t *self, const yaml_mark_t *mark, const char *format, ...)
{
    int len = snprintf(self->why, VLN_JSON_WHY, "line %zu: ", mark->line + 1);
    va_list list;
    va_start(list, format);
    vsnprintf(self->why + len, VLN_JSON_WHY - (size_t)len, format, list);
    va_end(list);
    return VLN_INVALID_ARGUMENT;
}

/* ---- scalars ---- */

static size_t
skip_digits(const char *text, size_t at)
{
    while (text[at] >= '0' && text[at] <= '9') {
        at++;
    }
    return at;
}

/* [-+]?(digits[.digits?]? | .digits)([eE][-+]?digits)? */
static bool
is_number(const char *text)
{
    size_t begin = text[0] == '-' || text[0] == '+';
    size_t at = skip_digits(text, begin);
    size_t digits = at - begin;
    if (text[at] == '.') {
        begin = at + 1;
        at = skip_digits(text, begin);
        digits += at - begin;
    }
    if (digits == 0) {
        return false;
    }
    if (text[at] == 'e' || text[at] == 'E') {
        at++;
        at += text[at] == '-' || text[at] == '+';
        begin = at;
        at = skip_digits(text, begin);
        digits = at - begin;
    }
    return digits > 0 && text[at] == '\0';
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* YAML's numbers that are also JSON's; of the others, "007", "+1", ".5" and "5.", so many differ. */
static bool
is_json_number(const char *text)
{
    const char *digits = text + (text[0] == '-');
    const char *point = strchr(digits, '.');
    bool leading_zero = digits[0] == '0' && is_digit(digits[1]);
    return is_digit(digits[0]) && !leading_zero && (!point || is_digit(point[1]));
}

/* Digit by digit, so that nothing is rounded here. */
static yyjson_mut_val *
make_number(yyjson_mut_doc *doc, const char *text)
{
    if (is_json_number(text)) {
        return yyjson_mut_rawcpy(doc, text);
    }
    const char *whole = text + (text[0] == '-' || text[0] == '+');
    whole += strspn(whole, "0");
    char *number = vln_calloc(1, strlen(text) + 4); /* a zero before the point, one behind it */
    size_t digits = strspn(whole, "0123456789");
    const char *rest = whole + digits;
    bool bare = rest[0] == '.' && !is_digit(rest[1]);
    snprintf(number, strlen(text) + 4, "%s%s%.*s%s%s", text[0] == '-' ? "-" : "",
             digits == 0 ? "0" : "", (int)digits, whole, bare ? ".0" : "", rest + bare);
    yyjson_mut_val *value = yyjson_mut_rawcpy(doc, number);
    free(number);
    return value;
}

static bool
is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(text, *words) == 0) {
            return true;
        }
    }
    return false;
}

static yyjson_mut_val *
make_scalar(yyjson_mut_doc *doc, const yaml_event_t *event)
{
    static const char *const nothing[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strlen(text) == size) {
        if (is_one_of(text, nothing)) {
            return yyjson_mut_null(doc);
        }
        if (is_one_of(text, yes) || is_one_of(text, no)) {
            return yyjson_mut_bool(doc, is_one_of(text, yes));
        }
        if (is_number(text)) {
            return make_number(doc, text);
        }
    }
    return yyjson_mut_strncpy(doc, text, size);
}

/* ---- structure ---- */

/* `value` where it belongs: the document, a sequence, or under the key that waits. */
static vln_err_t
place(reader_t *self, const yaml_mark_t *mark, yyjson_mut_val *value)
{
    level_t *level = self->depth > 0 ? &self->levels[self->depth - 1] : NULL;
    if (!value) {
        return refuse(self, mark, "is not UTF-8");
    }
    if (!level) {
        self->root = value;
    } else if (yyjson_mut_is_arr(level->value)) {
        yyjson_mut_arr_append(level->value, value);
    } else if (level->key) {
        yyjson_mut_obj_add(level->value, level->key, value);
        level->key = NULL;
    } else if (yyjson_mut_is_obj(value) || yyjson_mut_is_arr(value)) {
        return refuse(self, mark, "a key has to be a name");
    }
    return VLN_OK;
}

static vln_err_t
begin(reader_t *self, const yaml_mark_t *mark, yyjson_mut_val *value)
{
    vln_err_t err = place(self, mark, value);
    if (err == VLN_OK && self->depth == VLN_YAML_MAX_DEPTH) {
        err = refuse(self, mark, "deeper than %d levels", VLN_YAML_MAX_DEPTH);
    }
    if (err == VLN_OK) {
        self->levels[self->depth++] = (level_t){.value = value};
    }
    return err;
}

static vln_err_t
take_scalar(reader_t *self, const yaml_event_t *event)
{
    level_t *level = self->depth > 0 ? &self->levels[self->depth - 1] : NULL;
    if (level && yyjson_mut_is_obj(level->value) && !level->key) {
        level->key = yyjson_mut_strncpy(self->doc, (const char *)event->data.scalar.value,
                                        event->data.scalar.length);
        return level->key ? VLN_OK : refuse(self, &event->start_mark, "is not UTF-8");
    }
    return place(self, &event->start_mark, make_scalar(self->doc, event));
}

/* What nothing of ours needs. */
static const char *
find_foreign(const yaml_event_t *event)
{
    const yaml_char_t *tag = NULL;
    const yaml_char_t *anchor = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        tag = event->data.scalar.tag;
        anchor = event->data.scalar.anchor;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        tag = event->data.mapping_start.tag;
        anchor = event->data.mapping_start.anchor;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        tag = event->data.sequence_start.tag;
        anchor = event->data.sequence_start.anchor;
    }
    if (event->type == YAML_ALIAS_EVENT || anchor) {
        return "anchors and aliases are not taken: write it out";
    }
    return tag ? "tags are not taken: leave it out" : NULL;
}

static vln_err_t
take_event(reader_t *self, const yaml_event_t *event)
{
    const yaml_mark_t *mark = &event->start_mark;
    const char *foreign = find_foreign(event);
    if (foreign) {
        return refuse(self, mark, "%s", foreign);
    }
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return self->root ? refuse(self, mark, "one document is wanted") : VLN_OK;
    case YAML_SCALAR_EVENT:
        return take_scalar(self, event);
    case YAML_MAPPING_START_EVENT:
        return begin(self, mark, yyjson_mut_obj(self->doc));
    case YAML_SEQUENCE_START_EVENT:
        return begin(self, mark, yyjson_mut_arr(self->doc));
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        self->depth--;
        return VLN_OK;
    default:
        return VLN_OK;
    }
}

static vln_err_t
read_events(reader_t *self)
{
    vln_err_t err = VLN_OK;
    for (bool more = true; more && err == VLN_OK;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&self->parser, &event)) {
            const char *problem = self->parser.problem ? self->parser.problem : "is no YAML";
            return refuse(self, &self->parser.problem_mark, "%s", problem);
        }
        more = event.type != YAML_STREAM_END_EVENT;
        err = take_event(self, &event);
        yaml_event_delete(&event);
    }
    if (err == VLN_OK && !self->root) {
        snprintf(self->why, VLN_JSON_WHY, "the text is empty");
        err = VLN_INVALID_ARGUMENT;
    }
    return err;
}

vln_err_t
vln_yaml_to_json(const char *text, size_t text_size, char **out, size_t *size,
                 vln_json_error_t *error)
{
    reader_t reader = {.why = error->why};
    *out = NULL;
    *size = 0;
    error->why[0] = '\0';
    if (text_size > VLN_YAML_MAX_TEXT) {
        snprintf(error->why, sizeof error->why, "more than %d bytes", VLN_YAML_MAX_TEXT);
        return VLN_INVALID_ARGUMENT;
    }
    vln_assert(yaml_parser_initialize(&reader.parser));
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, text_size);
    reader.doc = yyjson_mut_doc_new(NULL);
    vln_assert(reader.doc);
    vln_err_t err = read_events(&reader);
    if (err == VLN_OK) {
        yyjson_mut_doc_set_root(reader.doc, reader.root);
        *out = yyjson_mut_write(reader.doc, YYJSON_WRITE_NOFLAG, size);
    }
    if (err == VLN_OK && !*out) {
        snprintf(error->why, sizeof error->why, "a number or a text cannot be written as JSON");
        err = VLN_INVALID_ARGUMENT;
    }
    yyjson_mut_doc_free(reader.doc);
    yaml_parser_delete(&reader.parser);
    return err;
}
