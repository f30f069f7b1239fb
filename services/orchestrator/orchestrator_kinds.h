/*
 * orchestrator_kinds - what the built-in kinds of task are: their messages, who may submit them, and
 * how a step's JSON becomes a spec and a result JSON again. One table. Any other kind is a user's:
 * its spec and result are JSON as they stand. Any thread.
 */
#ifndef ORCHESTRATOR_KINDS_H
#define ORCHESTRATOR_KINDS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "vln_call.h"
#include "vln_err.h"
#include "vln_mem.h"

#include "template.h"

enum { ORCHESTRATOR_SPEC_MAX = 16 * 1024, ORCHESTRATOR_RESULT_MAX = 16 * 1024 };

/* True if `kind` can name a kind of task. */
bool orchestrator_kind_is_name(const char *kind);

/* The messages of a built-in kind; NULL for any other, and for one without a result. */
const ProtobufCMessageDescriptor *orchestrator_kind_spec(const char *name);
const ProtobufCMessageDescriptor *orchestrator_kind_result(const char *name);
bool orchestrator_kind_is_built_in(const char *name);

/* True, else the call is refused: who calls, or whose task does, may have work of this kind done. */
bool orchestrator_kind_check_roles(vln_call_t *call, const char *name);

/* Parameters, rendered, as the kind's spec; in the arena. INVALID_ARGUMENT with a sentence. */
VLN_MUST_USE vln_err_t orchestrator_kind_make_spec(const char *name, const char *json,
                                                   vln_arena_t *arena, ProtobufCBinaryData *out,
                                                   template_error_t *error);

/* What a task of this kind gave, as a JSON object; "{}" if it gave none. In the arena. */
const char *orchestrator_kind_outputs(const char *name, const uint8_t *result, size_t size,
                                      vln_arena_t *arena);

#endif
