#include "cli_kinds.h"

#include <stdint.h>
#include <string.h>
#include <valion/v1/deployer.pb-c.h>
#include <valion/v1/trainer.pb-c.h>
#include <valion/v1/validator.pb-c.h>

typedef struct kind {
    const char *name;
    const ProtobufCMessageDescriptor *spec;
    const ProtobufCMessageDescriptor *result;
} kind_t;

/* clang-format off */
static const kind_t kinds[] = {
    /* kind        spec                                        result */
    {"validate",  &valion__v1__validate_spec__descriptor,     &valion__v1__validate_result__descriptor},
    {"inspect",   &valion__v1__inspect_spec__descriptor,      &valion__v1__inspect_result__descriptor},
    {"profile",   &valion__v1__profile_spec__descriptor,      &valion__v1__profile_result__descriptor},
    {"train",     &valion__v1__train_spec__descriptor,        &valion__v1__train_result__descriptor},
    {"transform", &valion__v1__transform_spec__descriptor,    &valion__v1__transform_result__descriptor},
    {"deploy",    &valion__v1__rollout_spec__descriptor,      &valion__v1__deploy_result__descriptor},
    {"rollback",  &valion__v1__rollback_request__descriptor,  &valion__v1__deploy_result__descriptor},
    {"watch",     &valion__v1__monitor_spec__descriptor,      NULL},
};
/* clang-format on */

static const kind_t *
find(const char *name)
{
    for (size_t i = 0; name && i < VLN_COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

const ProtobufCMessageDescriptor *
cli_kind_spec(const char *name)
{
    const kind_t *kind = find(name);
    return kind ? kind->spec : NULL;
}

const ProtobufCMessageDescriptor *
cli_kind_result(const char *name)
{
    const kind_t *kind = find(name);
    return kind ? kind->result : NULL;
}

vln_err_t
cli_kind_pack(const char *name, const char *text, size_t size, vln_arena_t *arena,
              ProtobufCBinaryData *out, vln_json_error_t *error)
{
    const ProtobufCMessageDescriptor *spec = cli_kind_spec(name);
    if (spec) {
        return vln_json_to_wire(spec, text, size, arena, out, error);
    }
    out->data = vln_arena_memdup(arena, text, size);
    out->len = size;
    return VLN_OK;
}
