/*
 * template - JSON with placeholders: `${params.x}`, `${steps.a.outputs.y[0].z}`, `${run.id}`.
 *
 * A placeholder is a path into a JSON object, the *context*. One that is the whole of a text takes
 * the type of what it names; inside other text it becomes text, if it names text, a number, true or
 * false. `$${` stands for `${`. Placeholders stand in values, never in names.
 *
 * What is read is bounded in size, depth and count, and refused with a sentence: a name twice, what
 * is no JSON, a placeholder that does not end. Knows no pipelines: which paths there may be says
 * who calls. Pure; any thread.
 */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <yyjson.h>

#include "vln_err.h"
#include "vln_mem.h"

enum {
    TEMPLATE_MAX_DEPTH = 16,
    TEMPLATE_MAX_VALUES = 4096,
    TEMPLATE_MAX_TEXT = 64 * 1024, /* of what is read, and of what is made */
    TEMPLATE_PATH_MAX = 256,       /* bytes of a placeholder */
    TEMPLATE_WHY = 400,
};

typedef struct template_error {
    char why[TEMPLATE_WHY]; /* a sentence; "" on VLN_OK */
} template_error_t;

/*
 * Reads JSON that is no template: any value within the bounds, no name twice. On VLN_OK `*out` is
 * yours, yyjson_doc_free(); else it is NULL and the result VLN_INVALID_ARGUMENT.
 */
VLN_MUST_USE vln_err_t template_read(const char *text, size_t size, yyjson_doc **out,
                                     template_error_t *error);
/* The same, with another bound of the text. */
VLN_MUST_USE vln_err_t template_read_up_to(const char *text, size_t size, size_t most,
                                           yyjson_doc **out, template_error_t *error);

/* The parts of a placeholder's path: names, and numbers in brackets. */
enum { TEMPLATE_PARTS_MAX = 16 };
typedef struct template_path {
    char text[TEMPLATE_PATH_MAX]; /* as written, without ${ } */
    size_t count;
    struct {
        const char *name; /* NULL: `index` */
        size_t index;
    } parts[TEMPLATE_PARTS_MAX];
    char room[TEMPLATE_PATH_MAX]; /* where the names are */
} template_path_t;

/* False, with the sentence in error, ends the visit. */
typedef bool template_visit_fn(void *context, const template_path_t *path, template_error_t *error);

/* Visits every placeholder of a template, whose text has to be a JSON object.
 * VLN_INVALID_ARGUMENT with a sentence if it is none, or the visitor said no. */
VLN_MUST_USE vln_err_t template_visit(const char *text, size_t size, template_visit_fn *visit,
                                      void *context, template_error_t *error);

/*
 * The template as JSON text with every placeholder replaced by what the context has at its path;
 * in the arena. VLN_INVALID_ARGUMENT with a sentence if there is nothing at a path, or a bound does
 * not hold the result. `context` NULL: whatever holds a placeholder is null, or is left out of its
 * list: what can be checked before anything runs.
 */
VLN_MUST_USE vln_err_t template_render(const char *text, size_t size, yyjson_mut_val *context,
                                       vln_arena_t *arena, const char **out,
                                       template_error_t *error);

#endif
