#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "template_inside.h"

vln_err_t
template_refuse(template_error_t *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->why, sizeof error->why, format, args);
    va_end(args);
    return VLN_INVALID_ARGUMENT;
}

/* ---- reading ---- */

/* What a walk through a document has counted. */
typedef struct bounds {
    size_t values;
    template_error_t *error;
} bounds_t;

/* Objects of a few hundred names at most: TEMPLATE_MAX_VALUES bounds the pairs that are compared. */
static vln_err_t
check_names(const bounds_t *self, yyjson_val *object)
{
    yyjson_obj_iter left;
    yyjson_obj_iter_init(object, &left);
    for (yyjson_val *name; (name = yyjson_obj_iter_next(&left));) {
        if (strlen(yyjson_get_str(name)) != yyjson_get_len(name)) {
            return template_refuse(self->error, "a name holds a NUL");
        }
        yyjson_obj_iter right = left;
        for (yyjson_val *other; (other = yyjson_obj_iter_next(&right));) {
            if (yyjson_equals_strn(other, yyjson_get_str(name), yyjson_get_len(name))) {
                return template_refuse(self->error,
                                       "the name \"%.64s\" is given twice in one object",
                                       yyjson_get_str(name));
            }
        }
    }
    return VLN_OK;
}

/* Recurses at most TEMPLATE_MAX_DEPTH levels, whatever the text. */
static vln_err_t
check_value(bounds_t *self, yyjson_val *value, int depth)
{
    if (++self->values > TEMPLATE_MAX_VALUES) {
        return template_refuse(self->error, "more than %d values", TEMPLATE_MAX_VALUES);
    }
    if (!yyjson_is_ctn(value)) {
        return VLN_OK;
    }
    if (depth > TEMPLATE_MAX_DEPTH) {
        return template_refuse(self->error, "deeper than %d levels", TEMPLATE_MAX_DEPTH);
    }
    vln_err_t err = yyjson_is_obj(value) ? check_names(self, value) : VLN_OK;
    size_t index;
    size_t max;
    yyjson_val *name;
    yyjson_val *item;
    if (yyjson_is_obj(value)) {
        yyjson_obj_foreach(value, index, max, name, item)
        {
            err = err == VLN_OK ? check_value(self, item, depth + 1) : err;
        }
    } else {
        yyjson_arr_foreach(value, index, max, item)
        {
            err = err == VLN_OK ? check_value(self, item, depth + 1) : err;
        }
    }
    return err;
}

vln_err_t
template_read(const char *text, size_t size, yyjson_doc **out, template_error_t *error)
{
    return template_read_up_to(text, size, TEMPLATE_MAX_TEXT, out, error);
}

vln_err_t
template_read_up_to(const char *text, size_t size, size_t most, yyjson_doc **out,
                    template_error_t *error)
{
    *out = NULL;
    error->why[0] = '\0';
    if (size > most) {
        return template_refuse(error, "%zu bytes of JSON; at most %zu are taken", size, most);
    }
    yyjson_read_err wrong = {0};
    /* yyjson_read_opts takes `char *` and writes to it only with YYJSON_READ_INSITU. */
    yyjson_doc *document =
        yyjson_read_opts((char *)(uintptr_t)text, size, YYJSON_READ_NOFLAG, NULL, &wrong);
    if (!document) {
        return template_refuse(error, "not JSON at byte %zu: %s", wrong.pos, wrong.msg);
    }
    bounds_t bounds = {.error = error};
    vln_err_t err = check_value(&bounds, yyjson_doc_get_root(document), 1);
    if (err != VLN_OK) {
        yyjson_doc_free(document);
        return err;
    }
    *out = document;
    return VLN_OK;
}

/* ---- placeholders in text ---- */

static bool
is_name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
}

/* Length of a placeholder's path at `at`, up to the brace; 0 if there is none within the bound. */
static size_t
path_size(const char *at, const char *end)
{
    const char *brace = memchr(at, '}', (size_t)(end - at));
    size_t size = brace ? (size_t)(brace - at) : 0;
    return size < TEMPLATE_PATH_MAX ? size : 0;
}

bool
template_next_piece(const char *at, const char *end, template_piece_t *out, template_error_t *error)
{
    size_t left = (size_t)(end - at);
    *out = (template_piece_t){
        .kind = left ? TEMPLATE_PIECE_TEXT : TEMPLATE_PIECE_END, .at = at, .size = left};
    if (left >= 3 && memcmp(at, "$${", 3) == 0) {
        out->at = at + 1;
        out->size = 2;
        return true;
    }
    if (left >= 2 && memcmp(at, "${", 2) == 0) {
        *out = (template_piece_t){TEMPLATE_PIECE_PATH, at + 2, path_size(at + 2, end)};
        if (out->size == 0) {
            template_refuse(error, "a placeholder does not end, is empty or too long: \"%.40s\"",
                            at);
        }
        return out->size > 0;
    }
    for (size_t i = 1; i < left; i++) {
        if (at[i] == '$' && (end - at - (ptrdiff_t)i >= 2) &&
            (at[i + 1] == '{' || at[i + 1] == '$')) {
            out->size = i;
            break;
        }
    }
    return true;
}

const char *
template_after_piece(const template_piece_t *piece)
{
    return piece->at + piece->size + (piece->kind == TEMPLATE_PIECE_PATH ? 1 : 0);
}

static vln_err_t
refuse_path(template_error_t *error, const template_path_t *path)
{
    return template_refuse(
        error,
        "'${%s}' is no placeholder: names parted by dots, with [0] for the first of a "
        "list, as in ${steps.train.outputs.version}; $${ stands for ${",
        path->text);
}

/* Digits in brackets at `*at`. */
static bool
read_index(const char **at, size_t *out)
{
    const char *digit = *at;
    size_t index = 0;
    while (*digit >= '0' && *digit <= '9' && index < TEMPLATE_MAX_VALUES) {
        index = index * 10 + (size_t)(*digit++ - '0');
    }
    bool sound = digit > *at && *digit == ']';
    *at = digit + 1;
    *out = index;
    return sound;
}

/* The next part of a path at `*at`: a name, after a dot unless it is the first, or an index. */
static bool
read_part(template_path_t *out, const char **at, char **room)
{
    bool is_index = **at == '[';
    bool is_first = out->count == 0;
    if (out->count == TEMPLATE_PARTS_MAX || (is_index && is_first)) {
        return false;
    }
    *at += is_index || (**at == '.' && !is_first) ? 1 : 0;
    if (is_index) {
        return read_index(at, &out->parts[out->count++].index);
    }
    out->parts[out->count++].name = *room;
    bool sound = is_name_byte(**at);
    while (is_name_byte(**at)) {
        *(*room)++ = *(*at)++;
    }
    *(*room)++ = '\0';
    return sound;
}

vln_err_t
template_read_path(const template_piece_t *piece, template_path_t *out, template_error_t *error)
{
    *out = (template_path_t){0};
    memcpy(out->text, piece->at, piece->size);
    char *room = out->room;
    const char *at = out->text;
    bool sound = strlen(out->text) == piece->size;
    while (sound && *at) {
        sound = read_part(out, &at, &room) && (*at == '\0' || *at == '.' || *at == '[');
    }
    return sound && out->count > 0 ? VLN_OK : refuse_path(error, out);
}

/* ---- visiting ---- */

typedef struct visitor {
    template_visit_fn *visit;
    void *context;
    template_error_t *error;
} visitor_t;

static vln_err_t
visit_text(const visitor_t *self, yyjson_val *value)
{
    const char *at = yyjson_get_str(value);
    const char *end = at + yyjson_get_len(value);
    template_piece_t piece;
    for (; at < end; at = template_after_piece(&piece)) {
        if (!template_next_piece(at, end, &piece, self->error)) {
            return VLN_INVALID_ARGUMENT;
        }
        template_path_t path;
        if (piece.kind == TEMPLATE_PIECE_PATH &&
            (template_read_path(&piece, &path, self->error) != VLN_OK ||
             !self->visit(self->context, &path, self->error))) {
            return VLN_INVALID_ARGUMENT;
        }
    }
    return VLN_OK;
}

/* Recurses as deep as template_read lets a text be. */
static vln_err_t
visit_value(const visitor_t *self, yyjson_val *value)
{
    size_t index;
    size_t max;
    yyjson_val *name;
    yyjson_val *item;
    vln_err_t err = yyjson_is_str(value) ? visit_text(self, value) : VLN_OK;
    if (yyjson_is_arr(value)) {
        yyjson_arr_foreach(value, index, max, item)
        {
            err = err == VLN_OK ? visit_value(self, item) : err;
        }
    }
    yyjson_obj_foreach(value, index, max, name, item)
    {
        if (err == VLN_OK && strstr(yyjson_get_str(name), "${")) {
            err = template_refuse(self->error,
                                  "\"%.64s\": placeholders stand in values, not in names",
                                  yyjson_get_str(name));
        }
        err = err == VLN_OK ? visit_value(self, item) : err;
    }
    return err;
}

vln_err_t
template_read_object(const char *text, size_t size, yyjson_doc **out, template_error_t *error)
{
    vln_err_t err = template_read(text, size, out, error);
    if (err == VLN_OK && !yyjson_is_obj(yyjson_doc_get_root(*out))) {
        yyjson_doc_free(*out);
        *out = NULL;
        return template_refuse(error, "an object {…} is wanted");
    }
    return err;
}

vln_err_t
template_visit(const char *text, size_t size, template_visit_fn *visit, void *context,
               template_error_t *error)
{
    yyjson_doc *document = NULL;
    vln_err_t err = template_read_object(text, size, &document, error);
    if (err == VLN_OK) {
        const visitor_t visitor = {visit, context, error};
        err = visit_value(&visitor, yyjson_doc_get_root(document));
    }
    yyjson_doc_free(document);
    return err;
}
