/*
 * cli_kinds - what the specs and results of built-in task kinds are made of. Pure.
 */
#ifndef CLI_KINDS_H
#define CLI_KINDS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "vln_err.h"
#include "vln_json.h"
#include "vln_mem.h"

/* The message of a kind's spec or result; NULL for kinds of one's own, whose bytes are theirs. */
const ProtobufCMessageDescriptor *cli_kind_spec(const char *name);
const ProtobufCMessageDescriptor *cli_kind_result(const char *name);

/*
 * The bytes of a spec from what a person typed: JSON of the kind's message, packed; the text itself
 * for kinds of one's own. INVALID_ARGUMENT with error->why. `*out` is in the arena.
 */
VLN_MUST_USE vln_err_t cli_kind_pack(const char *name, const char *text, size_t size,
                                     vln_arena_t *arena, ProtobufCBinaryData *out,
                                     vln_json_error_t *error);

#endif
