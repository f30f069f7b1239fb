#include <stdlib.h>
#include <string.h>

#include "template_inside.h"

typedef struct renderer {
    yyjson_mut_doc *document;
    yyjson_mut_val *context; /* NULL: placeholders are blanks */
    size_t made;             /* bytes of text and values, roughly: bounds the result */
    template_error_t *error;
} renderer_t;

static vln_err_t
spend(renderer_t *self, size_t bytes)
{
    self->made += bytes;
    return self->made <= TEMPLATE_MAX_TEXT
               ? VLN_OK
               : template_refuse(self->error,
                                 "what the placeholders name makes it larger than %d bytes",
                                 TEMPLATE_MAX_TEXT);
}

/* What the context has at the path. */
static vln_err_t
look_up(const renderer_t *self, const template_path_t *path, yyjson_mut_val **out)
{
    yyjson_mut_val *value = self->context;
    for (size_t i = 0; i < path->count && value; i++) {
        const char *name = path->parts[i].name;
        value = name ? yyjson_mut_obj_get(value, name)
                     : yyjson_mut_arr_get(value, path->parts[i].index);
    }
    *out = value;
    return value ? VLN_OK : template_refuse(self->error, "there is nothing at '${%s}'", path->text);
}

/* Bytes that a value takes, roughly; counting stops beyond what is allowed. */
static vln_err_t
spend_value(renderer_t *self, yyjson_mut_val *value)
{
    size_t index;
    size_t max;
    yyjson_mut_val *name;
    yyjson_mut_val *item;
    vln_err_t err = spend(self, 8 + (yyjson_mut_is_str(value) ? yyjson_mut_get_len(value) : 0));
    if (yyjson_mut_is_arr(value)) {
        yyjson_mut_arr_foreach(value, index, max, item)
        {
            err = err == VLN_OK ? spend_value(self, item) : err;
        }
    }
    yyjson_mut_obj_foreach(value, index, max, name, item)
    {
        err = err == VLN_OK ? spend(self, yyjson_mut_get_len(name)) : err;
        err = err == VLN_OK ? spend_value(self, item) : err;
    }
    return err;
}

static vln_err_t
copy_named(renderer_t *self, const template_path_t *path, yyjson_mut_val **out)
{
    yyjson_mut_val *value = NULL;
    vln_err_t err = look_up(self, path, &value);
    if (err == VLN_OK) {
        err = spend_value(self, value);
    }
    *out = err == VLN_OK ? yyjson_mut_val_mut_copy(self->document, value) : NULL;
    return err;
}

/* A text that is being put together. */
typedef struct builder {
    char *text;
    size_t size;
} builder_t;

static void
append(builder_t *self, const char *bytes, size_t size)
{
    self->text = vln_realloc(self->text, self->size + size + 1);
    memcpy(self->text + self->size, bytes, size);
    self->size += size;
}

static vln_err_t
append_named(renderer_t *self, builder_t *builder, const template_path_t *path)
{
    yyjson_mut_val *value = NULL;
    vln_err_t err = look_up(self, path, &value);
    if (err == VLN_OK && (yyjson_mut_is_ctn(value) || yyjson_mut_is_null(value))) {
        err = template_refuse(
            self->error,
            "'${%s}' names a list, an object or null, which fits in no text: let it be the "
            "whole value",
            path->text);
    }
    if (err == VLN_OK && yyjson_mut_is_str(value)) {
        append(builder, yyjson_mut_get_str(value), yyjson_mut_get_len(value));
    } else if (err == VLN_OK) {
        size_t size = 0;
        char *plain = yyjson_mut_val_write(value, YYJSON_WRITE_NOFLAG, &size);
        append(builder, plain ? plain : "", size);
        free(plain);
    }
    return err == VLN_OK && builder->size > TEMPLATE_MAX_TEXT ? spend(self, builder->size) : err;
}

static vln_err_t
join_pieces(renderer_t *self, const char *at, const char *end, builder_t *builder)
{
    template_piece_t piece;
    vln_err_t err = VLN_OK;
    for (; at < end && err == VLN_OK; at = template_after_piece(&piece)) {
        if (!template_next_piece(at, end, &piece, self->error)) {
            return VLN_INVALID_ARGUMENT;
        }
        template_path_t path;
        if (piece.kind == TEMPLATE_PIECE_TEXT) {
            append(builder, piece.at, piece.size);
            continue;
        }
        err = template_read_path(&piece, &path, self->error);
        err = err == VLN_OK ? append_named(self, builder, &path) : err;
    }
    return err;
}

static bool
holds_placeholder(const char *at, const char *end)
{
    template_piece_t piece;
    template_error_t ignored;
    for (; at < end; at = template_after_piece(&piece)) {
        if (!template_next_piece(at, end, &piece, &ignored) || piece.kind == TEMPLATE_PIECE_PATH) {
            return true;
        }
    }
    return false;
}

/* `*out` NULL on VLN_OK: a blank. */
static vln_err_t
render_text(renderer_t *self, yyjson_val *value, yyjson_mut_val **out)
{
    const char *at = yyjson_get_str(value);
    const char *end = at + yyjson_get_len(value);
    template_piece_t first = {0};
    *out = NULL;
    if (!self->context && holds_placeholder(at, end)) {
        return VLN_OK;
    }
    if (at < end && !template_next_piece(at, end, &first, self->error)) {
        return VLN_INVALID_ARGUMENT;
    }
    if (first.kind == TEMPLATE_PIECE_PATH && template_after_piece(&first) == end) {
        template_path_t path;
        vln_err_t err = template_read_path(&first, &path, self->error);
        return err == VLN_OK ? copy_named(self, &path, out) : err;
    }
    builder_t builder = {0};
    vln_err_t err = join_pieces(self, at, end, &builder);
    err = err == VLN_OK ? spend(self, builder.size) : err;
    if (err == VLN_OK) {
        *out = yyjson_mut_strncpy(self->document, builder.text ? builder.text : "", builder.size);
    }
    free(builder.text);
    return err;
}

static vln_err_t render_value(renderer_t *self, yyjson_val *value, yyjson_mut_val **out);

static vln_err_t
render_list(renderer_t *self, yyjson_val *value, yyjson_mut_val **out)
{
    *out = yyjson_mut_arr(self->document);
    size_t index;
    size_t max;
    yyjson_val *item;
    yyjson_arr_foreach(value, index, max, item)
    {
        yyjson_mut_val *made = NULL;
        vln_err_t err = render_value(self, item, &made);
        if (err != VLN_OK) {
            return err;
        }
        if (made) {
            yyjson_mut_arr_append(*out, made);
        }
    }
    return VLN_OK;
}

static vln_err_t
render_object(renderer_t *self, yyjson_val *value, yyjson_mut_val **out)
{
    *out = yyjson_mut_obj(self->document);
    size_t index;
    size_t max;
    yyjson_val *name;
    yyjson_val *item;
    yyjson_obj_foreach(value, index, max, name, item)
    {
        yyjson_mut_val *made = NULL;
        vln_err_t err = render_value(self, item, &made);
        if (err == VLN_OK) {
            err = spend(self, yyjson_get_len(name));
        }
        if (err != VLN_OK) {
            return err;
        }
        yyjson_mut_obj_add(
            *out, yyjson_mut_strncpy(self->document, yyjson_get_str(name), yyjson_get_len(name)),
            made ? made : yyjson_mut_null(self->document));
    }
    return VLN_OK;
}

/* Recurses as deep as template_read lets a text be. `*out` NULL on VLN_OK: a blank. */
static vln_err_t
render_value(renderer_t *self, yyjson_val *value, yyjson_mut_val **out)
{
    if (yyjson_is_str(value)) {
        return render_text(self, value, out);
    }
    vln_err_t err = spend(self, 8);
    if (err != VLN_OK) {
        return err;
    }
    if (yyjson_is_arr(value)) {
        return render_list(self, value, out);
    }
    if (yyjson_is_obj(value)) {
        return render_object(self, value, out);
    }
    *out = yyjson_val_mut_copy(self->document, value);
    return VLN_OK;
}

vln_err_t
template_render(const char *text, size_t size, yyjson_mut_val *context, vln_arena_t *arena,
                const char **out, template_error_t *error)
{
    *out = NULL;
    yyjson_doc *document = NULL;
    vln_err_t err = template_read_object(text, size, &document, error);
    if (err != VLN_OK) {
        return err;
    }
    renderer_t renderer = {
        .document = yyjson_mut_doc_new(NULL), .context = context, .error = error};
    yyjson_mut_val *root = NULL;
    err = render_value(&renderer, yyjson_doc_get_root(document), &root);
    char *made = err == VLN_OK ? yyjson_mut_val_write(root, YYJSON_WRITE_NOFLAG, NULL) : NULL;
    if (made) {
        *out = vln_arena_strdup(arena, made);
    } else if (err == VLN_OK) {
        err = template_refuse(error, "it holds a number that JSON cannot write");
    }
    free(made);
    yyjson_mut_doc_free(renderer.document);
    yyjson_doc_free(document);
    return err;
}
