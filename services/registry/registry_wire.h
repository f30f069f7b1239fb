/*
 * registry_wire - what handlers do to requests and replies alike: tags, names, pages.
 */
#ifndef REGISTRY_WIRE_H
#define REGISTRY_WIRE_H

#include "vln_call.h"

#include "valion/v1/common.pb-c.h"

/* A message of this type in the arena, with its defaults. */
#define NEW(arena, type, name, init)                   \
    type *name = vln_arena_alloc(arena, sizeof *name); \
    init(name)

/* protobuf-c has no const; packing only reads. */
char *registry_borrowed(const char *text);

/* One a line, sorted, each once; NULL, and the call refused, if one is not a tag. */
const char *registry_join_tags(vln_call_t *call, char *const *tags, size_t count);

typedef struct registry_tag_change {
    char *const *add;
    size_t add_count;
    char *const *remove;
    size_t remove_count;
} registry_tag_change_t;

/* *tags, joined, as they are to be: the same pointer if nothing changes. False, and the call refused,
 * if one is not a tag, or they are too many. */
bool registry_change_tags(vln_call_t *call, const registry_tag_change_t *change, const char **tags);

/* At most 64 lines, of tags or aliases. */
void registry_split_lines(vln_arena_t *arena, const char *joined, char ***out, size_t *count);

/* Each of these: false, and the call refused, if it does not hold. */
bool registry_check_text(vln_call_t *call, const char *field, const char *text, size_t max);
bool registry_check_model_name(vln_call_t *call, const char *name);
/* The rule of a model's name, for a field and for something else: "a policy". */
bool registry_check_name(vln_call_t *call, const char *field, const char *what, const char *name);

void registry_refuse_no_model(vln_call_t *call, const char *name);

/* Page size within bounds. */
bool registry_page_size(vln_call_t *call, const Valion__V1__Page *page, int *out);
/* The page's token as text, NULL at the start. */
bool registry_page_token(vln_call_t *call, const Valion__V1__Page *page, const char **out);
void registry_refuse_token(vln_call_t *call);
/* The token that brings the next page; borrows the text. */
ProtobufCBinaryData registry_token_of(const char *text);
/* The same for lists in the order of a number above 0; 0 at the start. */
bool registry_page_number(vln_call_t *call, const Valion__V1__Page *page, int64_t *out);
ProtobufCBinaryData registry_token_of_number(vln_arena_t *arena, int64_t number);

/* Bytes of a message, borrowed. */
ProtobufCBinaryData registry_bytes(const uint8_t *bytes, size_t size);

#endif
