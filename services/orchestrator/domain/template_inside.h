/*
 * template_inside - what reading and rendering of templates share: the parts of a text.
 */
#ifndef TEMPLATE_INSIDE_H
#define TEMPLATE_INSIDE_H

#include "template.h"

typedef enum template_piece_kind {
    TEMPLATE_PIECE_END,
    TEMPLATE_PIECE_TEXT,
    TEMPLATE_PIECE_PATH
} template_piece_kind_t;

/* A part of a text: bytes as they are, or a placeholder. */
typedef struct template_piece {
    template_piece_kind_t kind;
    const char *at;
    size_t size;
} template_piece_t;

/* The piece at `at`; false, with a sentence, if a placeholder does not end. */
bool template_next_piece(const char *at, const char *end, template_piece_t *out,
                         template_error_t *error);

/* Where the next one begins. */
const char *template_after_piece(const template_piece_t *piece);

/* The path of a placeholder; INVALID_ARGUMENT with a sentence. */
VLN_MUST_USE vln_err_t template_read_path(const template_piece_t *piece, template_path_t *out,
                                          template_error_t *error);

/* As template_read, and it has to be an object. */
VLN_MUST_USE vln_err_t template_read_object(const char *text, size_t size, yyjson_doc **out,
                                            template_error_t *error);

/* Always INVALID_ARGUMENT. */
VLN_PRINTF(2, 3) vln_err_t template_refuse(template_error_t *error, const char *format, ...);

#endif
