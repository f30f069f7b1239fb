/*
 * oip - the Open Inference Protocol v2 over JSON: a request's tensors become a table, predictions
 * become a response's tensors.
 *
 * A request has its rows in one of two forms: one tensor of shape [rows, inputs], its columns in the
 * signature's order; or a tensor for each input, by name, of shape [rows] or [rows, 1]. Data may be
 * nested or flat. null is a missing value, where the input may be missing. Numbers that are not of
 * the tensor's datatype, or not finite, are refused. Pure: no clock, no I/O.
 */
#ifndef OIP_H
#define OIP_H

#include <valion/v1/common.pb-c.h>

#include "vln_sandbox.h"
#include "vln_table.h"

enum {
    OIP_WHY = 256,
    OIP_BODY_MAX = 4 * 1024 * 1024,
    OIP_ROWS_MAX = 10000,
    OIP_DEPTH_MAX = 16,
    OIP_ID_MAX = 256,
};

/* What the answers are for. Borrowed. */
typedef struct oip_model {
    const char *name;
    const char *version;
    const Valion__V1__Signature *signature;
} oip_model_t;

typedef struct oip_request {
    vln_table_t *table; /* the signature's inputs, in its order; end with oip_request_end() */
    size_t rows;
    char id[OIP_ID_MAX + 1]; /* to be given back; empty: none */
} oip_request_t;

/* VLN_OK; or VLN_INVALID_ARGUMENT, and `why` is a sentence that names the tensor. */
VLN_MUST_USE vln_err_t oip_request_read(const oip_model_t *model, const char *body, size_t size,
                                        oip_request_t *out, char why[OIP_WHY]);
void oip_request_end(oip_request_t *self);

/* JSON, ended by a NUL; end with free(). A prediction that is not finite is null. */
char *oip_response_write(const oip_model_t *model, const char *id,
                         const vln_sandbox_result_t *result, size_t *size);
char *oip_metadata_write(const oip_model_t *model, const char *platform, size_t *size);
char *oip_error_write(const char *text, size_t *size);

#endif
