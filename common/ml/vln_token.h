/*
 * vln_token - the tokens of a JSON or UBJSON text, one at a time, without memory of its own and
 * without recursion: as XGBoost writes its models, which is a subset of both (and JSON with NaN and
 * Infinity). Any thread; a reader borrows the bytes.
 */
#ifndef VLN_TOKEN_H
#define VLN_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VLN_TOKEN_DEPTH = 32 };

typedef enum vln_token_kind {
    VLN_TOKEN_ERROR, /* the bytes are no such text; `why` says how */
    VLN_TOKEN_END,   /* all of it was read */
    VLN_TOKEN_OBJECT,
    VLN_TOKEN_OBJECT_END,
    VLN_TOKEN_ARRAY,
    VLN_TOKEN_ARRAY_END,
    VLN_TOKEN_KEY,
    VLN_TOKEN_TEXT,
    VLN_TOKEN_NUMBER,
    VLN_TOKEN_TRUE,
    VLN_TOKEN_FALSE,
    VLN_TOKEN_NULL,
} vln_token_kind_t;

typedef struct vln_token {
    vln_token_kind_t kind;
    const uint8_t *
        text; /* KEY, TEXT: as they stand, with JSON's escapes; NUMBER: its digits, or in UBJSON its
                bytes, the highest first */
    size_t size;
    int64_t whole;   /* NUMBER, if is_whole */
    bool is_whole;   /* NUMBER: an integer */
    bool is_escaped; /* KEY, TEXT of JSON: holds a backslash */
} vln_token_t;

typedef struct vln_token_level {
    bool is_object;
    bool counted; /* UBJSON: `left` items follow, and no end mark */
    uint8_t type; /* UBJSON: of every item, or 0 */
    bool is_new;  /* JSON: nothing was read in it, so no comma is due */
    bool after_key;
    uint64_t left;
} vln_token_level_t;

typedef struct vln_token_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool is_ubj;
    bool started;
    size_t depth;
    vln_token_level_t levels[VLN_TOKEN_DEPTH];
    const char *why;
} vln_token_reader_t;

void vln_token_open(vln_token_reader_t *self, const uint8_t *bytes, size_t size, bool is_ubj);

/* The next token. After ERROR or END there is none other. */
vln_token_t vln_token_next(vln_token_reader_t *self);

/* After ARRAY, for one that is of no interest: step over its numbers at once, as far as there is nothing
 * else in it. What is left comes as tokens; its end always does. Commas are not looked at. */
void vln_token_skip_numbers(vln_token_reader_t *self);

/* A KEY or TEXT with its escapes undone into `out`; its length, or SIZE_MAX if it does not fit or an
 * escape is wrong. */
size_t vln_token_unescape(const vln_token_t *token, char *out, size_t out_size);

#endif
