#include "orchestrator_kinds.h"

#include <stdlib.h>
#include <string.h>

#include "vln_json.h"
#include "vln_keys.h"
#include "vln_pb.h"
#include "vln_text.h"

#include "valion/v1/deployer.pb-c.h"
#include "valion/v1/registry.pb-c.h"
#include "valion/v1/trainer.pb-c.h"
#include "valion/v1/validator.pb-c.h"

typedef struct kind {
    const char *name;
    const ProtobufCMessageDescriptor *spec;
    const ProtobufCMessageDescriptor *result; /* NULL: it gives nothing */
    uint32_t roles; /* any of these may submit it; ADMIN may in any case */
    const char *role_names;
} kind_t;

#define PUBLISHERS VLN_ROLE(PUBLISHER), "publisher"
#define DEPLOYERS  VLN_ROLE(DEPLOYER), "deployer"
#define OPERATORS  VLN_ROLE(OPERATOR), "operator"

/* clang-format off */
static const kind_t kinds[] = {
    /* kind        spec                                        result                                        who */
    {"train",     &valion__v1__train_spec__descriptor,        &valion__v1__train_result__descriptor,        PUBLISHERS},
    {"transform", &valion__v1__transform_spec__descriptor,    &valion__v1__transform_result__descriptor,    PUBLISHERS},
    {"validate",  &valion__v1__validate_spec__descriptor,     &valion__v1__validate_result__descriptor,     PUBLISHERS},
    {"inspect",   &valion__v1__inspect_spec__descriptor,      &valion__v1__inspect_result__descriptor,      PUBLISHERS},
    {"profile",   &valion__v1__profile_spec__descriptor,      &valion__v1__profile_result__descriptor,      PUBLISHERS},
    {"deploy",    &valion__v1__rollout_spec__descriptor,      &valion__v1__deploy_result__descriptor,       DEPLOYERS},
    {"rollback",  &valion__v1__rollback_request__descriptor,  &valion__v1__deploy_result__descriptor,       DEPLOYERS},
    {"watch",     &valion__v1__monitor_spec__descriptor,      NULL,                                         DEPLOYERS},
    {"promote",   &valion__v1__promote_request__descriptor,   &valion__v1__promote_reply__descriptor,       OPERATORS},
};
/* clang-format on */

/* Services submit what they need for their own work; what its ticket may do is checked there. */
#define SERVICES                                                                                 \
    (VLN_ROLE(REGISTRY) | VLN_ROLE(VALIDATOR) | VLN_ROLE(TRAINER) | VLN_ROLE(DEPLOYER_SERVICE) | \
     VLN_ROLE(RUNNER) | VLN_ROLE(GATEWAY))

static const kind_t *
find_kind(const char *name)
{
    for (size_t i = 0; name && i < VLN_COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

bool
orchestrator_kind_is_name(const char *kind)
{
    return vln_text_is_name(kind, VLN_KIND_MAX, "_.:-") &&
           strcspn(kind, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(kind);
}

const ProtobufCMessageDescriptor *
orchestrator_kind_spec(const char *name)
{
    const kind_t *kind = find_kind(name);
    return kind ? kind->spec : NULL;
}

const ProtobufCMessageDescriptor *
orchestrator_kind_result(const char *name)
{
    const kind_t *kind = find_kind(name);
    return kind ? kind->result : NULL;
}

bool
orchestrator_kind_is_built_in(const char *name)
{
    return find_kind(name) != NULL;
}

bool
orchestrator_kind_check_roles(vln_call_t *call, const char *name)
{
    const kind_t *kind = find_kind(name);
    uint32_t roles = call->roles;
    for (size_t i = 0; call->ticket && i < call->ticket->n_submitter_roles; i++) {
        unsigned role = (unsigned)call->ticket->submitter_roles[i];
        roles |= role < 32 ? 1u << role : 0;
    }
    if (!kind || (roles & (kind->roles | SERVICES | VLN_ROLE(ADMIN)))) {
        return true;
    }
    vln_call_refuse(call, VLN_PERMISSION_DENIED, VALION__V1__REASON__REASON_FORBIDDEN,
                    "'%s' may not have a task of kind '%s' done: that needs the role %s; an "
                    "administrator gives roles with 'valion keys'",
                    call->ticket ? call->ticket->submitter : call->principal, name,
                    kind->role_names);
    return false;
}

static vln_err_t
check_size(const ProtobufCBinaryData *spec, template_error_t *error)
{
    if (spec->len <= ORCHESTRATOR_SPEC_MAX) {
        return VLN_OK;
    }
    snprintf(error->why, sizeof error->why, "they make a spec of %zu bytes; at most %d are kept",
             spec->len, ORCHESTRATOR_SPEC_MAX);
    return VLN_INVALID_ARGUMENT;
}

vln_err_t
orchestrator_kind_make_spec(const char *name, const char *json, vln_arena_t *arena,
                            ProtobufCBinaryData *out, template_error_t *error)
{
    const kind_t *kind = find_kind(name);
    size_t size = strlen(json);
    error->why[0] = '\0';
    if (!kind) {
        *out = (ProtobufCBinaryData){size, vln_arena_memdup(arena, json, size)};
        return check_size(out, error);
    }
    vln_json_error_t wrong;
    vln_err_t err = vln_json_to_wire(kind->spec, json, size, arena, out, &wrong);
    if (err != VLN_OK) {
        vln_text_copy(error->why, sizeof error->why, wrong.why);
        return err;
    }
    return check_size(out, error);
}

/* A result of our own messages as JSON. */
static const char *
print_result(const ProtobufCMessageDescriptor *type, const uint8_t *result, size_t size,
             vln_arena_t *arena)
{
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    if (vln_pb_unpack(type, result, size, arena, &message, &scan) != VLN_OK) {
        return "{}";
    }
    char *text = vln_json_print(message, VLN_JSON_COMPACT, NULL);
    const char *out = vln_arena_strdup(arena, text);
    free(text);
    return out;
}

const char *
orchestrator_kind_outputs(const char *name, const uint8_t *result, size_t size, vln_arena_t *arena)
{
    const kind_t *kind = find_kind(name);
    if (kind) {
        return kind->result && size ? print_result(kind->result, result, size, arena) : "{}";
    }
    yyjson_doc *document = NULL;
    template_error_t ignored;
    if (size == 0 || size > ORCHESTRATOR_RESULT_MAX ||
        template_read((const char *)result, size, &document, &ignored) != VLN_OK) {
        return "{}";
    }
    char *text = yyjson_is_obj(yyjson_doc_get_root(document))
                     ? yyjson_write(document, YYJSON_WRITE_NOFLAG, NULL)
                     : NULL;
    const char *out = text ? vln_arena_strdup(arena, text) : "{}";
    free(text);
    yyjson_doc_free(document);
    return out;
}
