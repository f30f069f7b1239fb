/* Bytes as YAML: refused, or JSON that the JSON reader understands. */
#include <stdint.h>
#include <stdlib.h>
#include <valion/v1/evidence.pb-c.h>

#include "vln_yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vln_json_error_t error;
    char *json = NULL;
    size_t json_size = 0;
    if (vln_yaml_to_json((const char *)data, size, &json, &json_size, &error) == VLN_OK) {
        vln_arena_t *arena = vln_arena_new(1 << 20);
        ProtobufCMessage *policy = NULL;
        vln_err_t err = vln_json_parse(&valion__v1__policy__descriptor, json, json_size, arena,
                                       &policy, &error);
        vln_assert((err == VLN_OK) == (policy != NULL));
        vln_arena_destroy(&arena);
        free(json);
    }
    return 0;
}
