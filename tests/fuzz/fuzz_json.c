/*
 * JSON text of any kind as a message of any type: it is refused with a reason, or what it becomes
 * can be printed, read again, and gives the same bytes. The first byte picks the type.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vln_contract.h"
#include "vln_json.h"

/* Beyond INPUT_MAX the printed form could be longer than what is read at once. */
enum { BUDGET = 4 * 1024 * 1024, INPUT_MAX = 64 * 1024 };

typedef struct pick {
    int left;
    const ProtobufCMessageDescriptor *type;
} pick_t;

static bool
count_down(const ProtobufCMessageDescriptor *type, void *context)
{
    pick_t *pick = context;
    pick->type = type;
    return pick->left-- > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX) {
        return 0;
    }
    pick_t pick = {.left = data[0]};
    vln_contract_each_message(count_down, &pick);
    vln_arena_t *arena = vln_arena_new(BUDGET);
    vln_json_error_t error;
    ProtobufCMessage *message = NULL;
    const char *text = (const char *)data + 1;
    vln_err_t err = vln_json_parse(pick.type, text, size - 1, arena, &message, &error);
    vln_assert((err == VLN_OK) == (error.why[0] == '\0'));
    if (err == VLN_OK) {
        ProtobufCBinaryData first;
        ProtobufCBinaryData second;
        char *printed = vln_json_print(message, VLN_JSON_COMPACT, NULL);
        vln_arena_t *other = vln_arena_new(BUDGET);
        err = vln_json_to_wire(pick.type, text, size - 1, other, &first, &error);
        vln_assert(err == VLN_OK);
        err = vln_json_to_wire(pick.type, printed, strlen(printed), other, &second, &error);
        vln_assert(err == VLN_OK);
        vln_assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
        vln_arena_destroy(&other);
        free(printed);
    }
    vln_arena_destroy(&arena);
    return 0;
}
