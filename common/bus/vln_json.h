/*
 * vln_json - a message of the contract as JSON, and back, by reflection.
 *
 * The form, for people who write clients, is in docs/wire-protocol.md: names as in the .proto;
 * enums by full name (in: also the short name, in any case, and the number); 64-bit integers as
 * text (in: also as numbers); bytes as base64, but ids as UUIDs, digests and signatures as hex; NaN and the infinities are refused in and `null` out.
 * What is absent is left out; a `null` for a field means absent. A list of pairs of key and value is
 * a map: in, {"name": value} will do.
 *
 * Text from outside is bounded in size, depth and count, and refused with the path of what is
 * wrong: a name that is not in the contract, a name twice, a value of the wrong type, text that is
 * not UTF-8 or holds a NUL. Knows no bus. Used by any thread.
 */
#ifndef VLN_JSON_H
#define VLN_JSON_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_err.h"
#include "vln_mem.h"

enum {
    VLN_JSON_MAX_TEXT = 2 * 1024 * 1024, /* bytes of text taken */
    VLN_JSON_MAX_DEPTH = 16,             /* messages in messages */
    VLN_JSON_MAX_VALUES = 4096,          /* values of one text, all levels together */
    VLN_JSON_WHY = 512,
};

/* What is wrong with a text: "version.metrics[2].valeu: no such field; did you mean value?" */
typedef struct vln_json_error {
    char why[VLN_JSON_WHY]; /* "" on VLN_OK */
} vln_json_error_t;

/*
 * Read `text` as a message of that type, into the arena (whose budget bounds it). On VLN_OK `*out`
 * lives as long as the arena's pieces; else it is NULL, the result VLN_INVALID_ARGUMENT (also when
 * a bound or the budget does not hold it), and error->why says what is wrong.
 */
VLN_MUST_USE vln_err_t vln_json_parse(const ProtobufCMessageDescriptor *type, const char *text,
                                      size_t size, vln_arena_t *arena, ProtobufCMessage **out,
                                      vln_json_error_t *error);

/* The same, packed as it goes over the wire; the bytes are in the arena. */
VLN_MUST_USE vln_err_t vln_json_to_wire(const ProtobufCMessageDescriptor *type, const char *text,
                                        size_t size, vln_arena_t *arena, ProtobufCBinaryData *out,
                                        vln_json_error_t *error);

typedef enum vln_json_style {
    VLN_JSON_COMPACT, /* one line, no blanks */
    VLN_JSON_PRETTY,  /* two blanks a level */
} vln_json_style_t;

/*
 * Print a message. Never NULL; yours, end it with free(). `*size` (may be NULL) is its length.
 * Text that is not UTF-8 is printed with U+FFFD in place of what is wrong; unknown fields are left
 * out; unknown numbers of an enum are printed as numbers.
 */
char *vln_json_print(const ProtobufCMessage *message, vln_json_style_t style, size_t *size);

/*
 * A request as people would fill it in: every field with an example of its type, messages to three
 * levels. As vln_json_print. `vln_json_parse` reads it.
 */
char *vln_json_skeleton(const ProtobufCMessageDescriptor *type);

#endif
