/*
 * The contract on the wire. contract.txt holds, for every message type, bytes and JSON that
 * Python's protobuf made (golden.py); here protobuf-c and vln_json must agree with it to the bit.
 * Then what a newer peer may send, and the example of docs/wire-protocol.md.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valion/v1/header.pb-c.h>
#include <valion/v1/registry.pb-c.h>

#include "vln_contract.h"
#include "vln_id.h"
#include "vln_json.h"
#include "vln_pb.h"
#include "vln_text.h"

enum { FILE_MAX = 16 * 1024 * 1024, BUDGET = 8 * 1024 * 1024 };

typedef struct golden {
    char *text; /* of contract.txt, cut into words */
    size_t count;
    struct {
        const char *name;
        const char *hex;
        const char *json;
    } rows[512];
} golden_t;

static golden_t golden;
static vln_arena_t *arena;

static void
load(void)
{
    arena = vln_arena_new(BUDGET);
    size_t size = 0;
    vln_err_t err = vln_text_read_file(VALION_SOURCE "/tests/golden/contract.txt", FILE_MAX,
                                       &golden.text, &size);
    cr_assert(err == VLN_OK);
    char *rest = golden.text;
    for (char *line; (line = strsep(&rest, "\n")) && *line; golden.count++) {
        cr_assert(golden.count < sizeof golden.rows / sizeof golden.rows[0]);
        golden.rows[golden.count].name = strsep(&line, "\t");
        golden.rows[golden.count].hex = strsep(&line, "\t");
        golden.rows[golden.count].json = line;
    }
}

static void
unload(void)
{
    vln_arena_destroy(&arena);
    free(golden.text);
}

TestSuite(golden, .init = load, .fini = unload, .timeout = 60);

/* From hex, into the arena, with `more` zeroed bytes behind. */
static uint8_t *
bytes_of(const char *hex, size_t *size, size_t more)
{
    *size = strlen(hex) / 2;
    uint8_t *bytes = vln_arena_alloc(arena, *size + more + 1);
    cr_assert(vln_hex_decode(hex, bytes, *size));
    return bytes;
}

static const char *
golden_hex(const char *name)
{
    for (size_t i = 0; i < golden.count; i++) {
        if (strcmp(golden.rows[i].name, name) == 0) {
            return golden.rows[i].hex;
        }
    }
    cr_assert_fail("no golden bytes of %s", name);
    return "";
}

static ProtobufCMessage *
unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t size,
       vln_pb_scan_t *scan)
{
    ProtobufCMessage *message = NULL;
    vln_err_t err = vln_pb_unpack(type, bytes, size, arena, &message, scan);
    cr_assert(err == VLN_OK, "%s: %s", type->name, scan->why);
    return message;
}

static bool
has_golden(const ProtobufCMessageDescriptor *type, void *context)
{
    (*(size_t *)context)++;
    golden_hex(type->short_name);
    return true;
}

Test(golden, has_every_message_of_the_contract)
{
    size_t count = 0;
    vln_contract_each_message(has_golden, &count);
    cr_expect(count == golden.count, "%zu here, %zu in contract.txt", count, golden.count);
}

Test(golden, bytes_come_back_to_the_bit)
{
    for (size_t i = 0; i < golden.count; i++) {
        vln_arena_reset(arena);
        const ProtobufCMessageDescriptor *type = vln_contract_find_message(golden.rows[i].name);
        cr_assert(type, "%s", golden.rows[i].name);
        size_t size = 0;
        size_t again_size = 0;
        vln_pb_scan_t scan = {0};
        const uint8_t *bytes = bytes_of(golden.rows[i].hex, &size, 0);
        const ProtobufCMessage *message = unpack(type, bytes, size, &scan);
        cr_expect(scan.unknown == 0, "%s", type->name);
        const uint8_t *again = vln_pb_pack(message, arena, &again_size);
        cr_expect(size == again_size && memcmp(bytes, again, size) == 0, "%s", type->name);
    }
}

Test(golden, json_is_the_same_both_ways)
{
    vln_json_error_t error;
    for (size_t i = 0; i < golden.count; i++) {
        vln_arena_reset(arena);
        const ProtobufCMessageDescriptor *type = vln_contract_find_message(golden.rows[i].name);
        size_t size = 0;
        ProtobufCBinaryData again = {0};
        vln_pb_scan_t scan = {0};
        const uint8_t *bytes = bytes_of(golden.rows[i].hex, &size, 0);
        const char *json = golden.rows[i].json;
        char *printed = vln_json_print(unpack(type, bytes, size, &scan), VLN_JSON_COMPACT, NULL);
        cr_expect_str_eq(printed, json);
        free(printed);
        cr_expect(vln_json_to_wire(type, json, strlen(json), arena, &again, &error) == VLN_OK, "%s",
                  error.why);
        cr_expect(size == again.len && memcmp(bytes, again.data, size) == 0, "%s", type->name);
    }
}

/* ---- what a newer peer may send ---- */

/* Field 5000, a varint, and field 5001, bytes "new", as a newer .proto might have them. */
static const uint8_t newer[] = {0xc0, 0xb8, 0x02, 0x07, 0xca, 0xb8, 0x02, 0x03, 'n', 'e', 'w'};

static bool
bears_new_fields(const ProtobufCMessageDescriptor *type, void *context)
{
    (void)context;
    vln_arena_reset(arena);
    size_t size = 0;
    size_t again_size = 0;
    vln_pb_scan_t scan = {0};
    uint8_t *bytes = bytes_of(golden_hex(type->short_name), &size, sizeof newer);
    char *before = vln_json_print(unpack(type, bytes, size, &scan), VLN_JSON_COMPACT, NULL);
    memcpy(bytes + size, newer, sizeof newer);
    size += sizeof newer;
    const ProtobufCMessage *message = unpack(type, bytes, size, &scan);
    char *after = vln_json_print(message, VLN_JSON_COMPACT, NULL);
    cr_expect(scan.unknown == 2, "%s: %zu unknown", type->name, scan.unknown);
    cr_expect_str_eq(before, after);
    const uint8_t *again = vln_pb_pack(message, arena, &again_size);
    cr_expect(size == again_size && memcmp(bytes, again, size) == 0, "%s", type->name);
    free(before);
    free(after);
    return true;
}

Test(golden, fields_of_a_newer_peer_are_ignored_and_survive)
{
    vln_contract_each_message(bears_new_fields, NULL);
}

Test(golden, fields_of_a_newer_peer_survive_within_a_message)
{
    /* A GetModelReply whose Model has name "m" and the two new fields. */
    uint8_t bytes[2 + 3 + sizeof newer] = {0x0a, 3 + sizeof newer, 0x0a, 1, 'm'};
    memcpy(bytes + 5, newer, sizeof newer);
    vln_pb_scan_t scan = {0};
    size_t again_size = 0;
    ProtobufCMessage *message =
        unpack(&valion__v1__get_model_reply__descriptor, bytes, sizeof bytes, &scan);
    const Valion__V1__GetModelReply *reply = (const void *)message;
    cr_expect_str_eq(reply->model->name, "m");
    const uint8_t *again = vln_pb_pack(message, arena, &again_size);
    cr_expect(again_size == sizeof bytes && memcmp(again, bytes, sizeof bytes) == 0);
}

Test(golden, an_enum_value_of_a_newer_peer_is_kept)
{
    static const uint8_t bytes[] = {0x0a, 1, 'm', 0x18, 77}; /* PromoteRequest: stage 77 */
    vln_pb_scan_t scan = {0};
    size_t again_size = 0;
    ProtobufCMessage *message =
        unpack(&valion__v1__promote_request__descriptor, bytes, sizeof bytes, &scan);
    const Valion__V1__PromoteRequest *request = (const void *)message;
    cr_expect(request->has_stage && (int)request->stage == 77);
    cr_expect(!vln_pb_enum_knows(&valion__v1__stage__descriptor, (int)request->stage));
    char *text = vln_json_print(message, VLN_JSON_COMPACT, NULL);
    cr_expect_str_eq(text, "{\"model\":\"m\",\"stage\":77}");
    free(text);
    const uint8_t *again = vln_pb_pack(message, arena, &again_size);
    cr_expect(again_size == sizeof bytes && memcmp(again, bytes, sizeof bytes) == 0);
}

/* ---- the example of docs/wire-protocol.md ---- */

/* The bytes of the block "```hex NAME" in the text: two digits each, up to a '#' in a line. */
static size_t
hex_block(const char *text, const char *name, uint8_t *out, size_t max)
{
    char fence[64];
    snprintf(fence, sizeof fence, "```hex %s\n", name);
    const char *at = strstr(text, fence);
    cr_assert(at, "docs/wire-protocol.md has no block %s", name);
    size_t size = 0;
    for (at += strlen(fence); strncmp(at, "```", 3) != 0; at++) {
        if (*at == '#') {
            at = strchr(at, '\n');
        } else if (isxdigit((unsigned char)*at)) {
            char pair[3] = {at[0], at[1], '\0'};
            cr_assert(size < max && vln_hex_decode(pair, &out[size++], 1), "%.20s", at);
            at++;
        }
    }
    return size;
}

static void
check_block(const char *text, const char *name, const ProtobufCMessage *expected)
{
    uint8_t block[512];
    size_t size = 0;
    size_t block_size = hex_block(text, name, block, sizeof block);
    const uint8_t *bytes = vln_pb_pack(expected, arena, &size);
    char hex[1025];
    vln_hex_encode(bytes, size, hex);
    cr_expect(size == block_size && memcmp(bytes, block, size) == 0, "%s is %s", name, hex);
}

Test(golden, the_documented_example_is_true)
{
    char *text = NULL;
    cr_assert(vln_text_read_file(VALION_SOURCE "/docs/wire-protocol.md", FILE_MAX, &text, NULL) ==
              VLN_OK);
    vln_id_t id;
    cr_assert(vln_id_parse("01932a4b-5c6d-7e8f-9012-3456789abcde", &id));
    Valion__V1__Header header = VALION__V1__HEADER__INIT;
    header.has_request_id = header.has_remaining_ms = header.has_attempt = 1;
    header.request_id = (ProtobufCBinaryData){.data = id.bytes, .len = sizeof id.bytes};
    header.remaining_ms = 5000;
    header.attempt = 1;
    char service[] = "registry";
    char method[] = "GetModel";
    char name[] = "houses";
    header.service = service;
    header.method = method;
    check_block(text, "header", &header.base);
    Valion__V1__GetModelRequest request = VALION__V1__GET_MODEL_REQUEST__INIT;
    request.name = name;
    check_block(text, "body", &request.base);

    char message[] = "no model \"houses\"; see 'valion model list'";
    Valion__V1__Header reply = VALION__V1__HEADER__INIT;
    reply.has_request_id = reply.has_status = 1;
    reply.request_id = header.request_id;
    reply.status = VALION__V1__STATUS__STATUS_NOT_FOUND;
    reply.message = message;
    check_block(text, "reply", &reply.base);
    free(text);
}
