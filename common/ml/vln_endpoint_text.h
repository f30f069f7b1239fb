/*
 * vln_endpoint_text - the client's side of the Open Inference Protocol v2 over JSON: what a server says
 * of its model, rows as a request, an answer as numbers and labels.
 *
 * The server is foreign: whatever it says is checked for form, shape, datatype and count, and refused
 * with a sentence. Pure: no clock, no I/O. Any thread.
 */
#ifndef VLN_ENDPOINT_TEXT_H
#define VLN_ENDPOINT_TEXT_H

#include "vln_predictor.h"

enum {
    VLN_ENDPOINT_TENSORS_MAX = VLN_MODEL_MAX_FEATURES,
    VLN_ENDPOINT_WORD = 65, /* a model's name or version, with its end */
    VLN_ENDPOINT_ERROR = 200,
};

/* How the server wants its rows: a tensor for each input of the signature, or one with a column for
 * each. In an arena. */
typedef struct vln_endpoint_form {
    bool is_matrix;
    size_t count;       /* tensors */
    const char **names; /* of them */
    size_t *datatypes;  /* inside: which */
} vln_endpoint_form_t;

/*
 * Of the server's metadata. A tensor for each input where it has tensors of all their names; else a
 * matrix where it has one input of two dimensions, as wide as there are inputs or of any width, and no
 * input is a text. VLN_FAILED_PRECONDITION, and `why`: neither fits, or it is no metadata.
 */
VLN_MUST_USE vln_err_t vln_endpoint_read_model(const char *body, size_t size,
                                               const Valion__V1__Signature *signature,
                                               vln_arena_t *arena, vln_endpoint_form_t *out,
                                               char why[VLN_MODEL_WHY]);

/* A request's body, ended by a NUL; end with free(). A cell without a value is null. NULL, and `why`: a
 * cell cannot be said in the datatype that the server wants. */
char *vln_endpoint_write_rows(const vln_endpoint_form_t *form, const vln_predictor_rows_t *rows,
                              size_t *size, char why[VLN_MODEL_WHY]);

/* What came for some rows. Zero it before its first use. */
typedef struct vln_endpoint_answer {
    size_t rows;
    float *scores; /* rows * width, row by row; null is NaN; NULL: none */
    size_t width;
    int32_t *labels; /* of a classifier, which class; NULL: none */
    char model[VLN_ENDPOINT_WORD];
    char version[VLN_ENDPOINT_WORD]; /* "": it did not say */
} vln_endpoint_answer_t;

void vln_endpoint_answer_end(vln_endpoint_answer_t *self);

/*
 * Of `rows` rows. Scores are the output that is named as the signature's first, else the first of
 * fractions (of a regression also whole numbers); labels the first output of texts or whole numbers of
 * a classifier. A label is one of the signature's classes. VLN_FAILED_PRECONDITION, and `why`: it is no
 * answer for so many rows.
 */
VLN_MUST_USE vln_err_t vln_endpoint_read_answer(const char *body, size_t size,
                                                const Valion__V1__Signature *signature, size_t rows,
                                                vln_endpoint_answer_t *out,
                                                char why[VLN_MODEL_WHY]);

/* What a server says is wrong ({"error": …}), cut and cleaned of what is no printable text; "" if it
 * says nothing. */
void vln_endpoint_read_error(const char *body, size_t size, char out[VLN_ENDPOINT_ERROR]);

#endif
