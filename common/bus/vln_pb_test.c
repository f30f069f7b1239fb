#include "vln_pb.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#include "vln_pb_test_node.h"

#include "valion/v1/header.pb-c.h"
#include "valion/v1/registry.pb-c.h"

TestSuite(vln_pb, .timeout = 20);

/* Bytes of a message as they are put together. */
typedef struct wire {
    uint8_t *bytes;
    size_t size;
    size_t room;
} wire_t;

static void
put(wire_t *wire, const void *bytes, size_t size)
{
    if (wire->size + size > wire->room) {
        wire->room = 2 * (wire->size + size);
        wire->bytes = vln_realloc(wire->bytes, wire->room);
    }
    if (size > 0) {
        memcpy(wire->bytes + wire->size, bytes, size);
        wire->size += size;
    }
}

static void
put_varint(wire_t *wire, uint64_t value)
{
    do {
        uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        put(wire, &byte, 1);
        value >>= 7;
    } while (value);
}

static void
put_bytes(wire_t *wire, unsigned number, const void *bytes, size_t size)
{
    put_varint(wire, number << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
    put_varint(wire, size);
    put(wire, bytes, size);
}

/* The wire ends here, whatever is found. */
static vln_err_t
scan_node(wire_t *wire, vln_pb_scan_t *scan)
{
    vln_err_t err = vln_pb_scan(&node_descriptor, wire->bytes, wire->size, scan);
    free(wire->bytes);
    *wire = (wire_t){0};
    return err;
}

static vln_err_t
scan_literal(const char *bytes, size_t size, vln_pb_scan_t *scan)
{
    wire_t wire = {0};
    put(&wire, bytes, size);
    return scan_node(&wire, scan);
}

/* Unpacks, and checks that the scan's estimate held. */
static node_t *
unpack_node(wire_t *wire, vln_arena_t *arena, vln_pb_scan_t *scan)
{
    ProtobufCMessage *message = NULL;
    vln_err_t err = vln_pb_unpack(&node_descriptor, wire->bytes, wire->size, arena, &message, scan);
    free(wire->bytes);
    *wire = (wire_t){0};
    cr_assert(err == VLN_OK, "%s", scan->why);
    cr_expect(vln_arena_used(arena) <= scan->memory_bytes);
    return (node_t *)message;
}

Test(vln_pb, unpacks_a_header_as_it_was_packed)
{
    vln_arena_t *arena = vln_arena_new(VLN_PB_MAX_MEMORY);
    uint8_t id[16] = "0123456789abcdef";
    Valion__V1__SignedTicket ticket = VALION__V1__SIGNED_TICKET__INIT;
    ticket.has_ticket = true;
    ticket.ticket = (ProtobufCBinaryData){5, (uint8_t *)"bytes"};
    Valion__V1__Header header = VALION__V1__HEADER__INIT;
    header.has_request_id = true;
    header.request_id = (ProtobufCBinaryData){sizeof id, id};
    header.service = (char *)"registry";
    header.method = (char *)"GetVersion";
    header.has_remaining_ms = true;
    header.remaining_ms = 2500;
    header.ticket = &ticket;
    size_t size = 0;
    uint8_t *bytes = vln_pb_pack(&header.base, arena, &size);

    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    cr_assert(vln_pb_unpack(&valion__v1__header__descriptor, bytes, size, arena, &message, &scan) ==
              VLN_OK);
    Valion__V1__Header *back = (Valion__V1__Header *)message;
    cr_expect(eq(str, back->service, (char *)"registry"));
    cr_expect(eq(str, back->method, (char *)"GetVersion"));
    cr_expect(back->remaining_ms == 2500);
    cr_expect(back->ticket->ticket.len == 5);
    cr_expect(scan.fields == 6);
    cr_expect(scan.unknown == 0);
    vln_arena_destroy(&arena);
}

Test(vln_pb, takes_an_empty_message_with_and_without_bytes)
{
    vln_pb_scan_t scan;
    cr_expect(vln_pb_scan(&node_descriptor, NULL, 0, &scan) == VLN_OK);
    cr_expect(scan.fields == 0);
    cr_expect(scan.why == NULL);
    cr_expect(scan.memory_bytes >= sizeof(node_t));
}

/* `depth` messages within each other, of one field. */
static wire_t
nested(size_t depth, unsigned number)
{
    wire_t wire = {0};
    for (size_t i = 1; i < depth; i++) {
        wire_t outer = {0};
        put_bytes(&outer, number, wire.bytes, wire.size);
        free(wire.bytes);
        wire = outer;
    }
    return wire;
}

Test(vln_pb, takes_sixteen_levels_and_refuses_seventeen)
{
    vln_pb_scan_t scan;
    wire_t wire = nested(VLN_PB_MAX_DEPTH, 2);
    cr_expect(scan_node(&wire, &scan) == VLN_OK);
    wire = nested(VLN_PB_MAX_DEPTH + 1, 2);
    cr_expect(scan_node(&wire, &scan) == VLN_INVALID_ARGUMENT);
    cr_expect(eq(str, (char *)scan.why, (char *)"messages are nested too deep"));
    cr_expect(scan.too_large);
}

/* 9,000 levels end a process with the usual stack; here they cost sixteen steps. */
Test(vln_pb, refuses_deep_nesting_after_sixteen_steps)
{
    vln_pb_scan_t scan;
    wire_t wire = nested(9000, 4);
    cr_expect(scan_node(&wire, &scan) == VLN_INVALID_ARGUMENT);
    cr_expect(scan.fields == VLN_PB_MAX_DEPTH);
}

/* The merge of protobuf-c is quadratic in them. */
Test(vln_pb, refuses_a_singular_message_twice_at_its_second_field)
{
    wire_t wire = {0};
    for (int i = 0; i < 100000; i++) {
        put_bytes(&wire, 2, "", 0);
    }
    vln_pb_scan_t scan;
    cr_expect(scan_node(&wire, &scan) == VLN_INVALID_ARGUMENT);
    cr_expect(scan.fields == 2);
    cr_expect(eq(str, (char *)scan.field, (char *)"child"));
}

Test(vln_pb, refuses_a_singular_text_twice)
{
    wire_t wire = {0};
    put_bytes(&wire, 900, "a", 1);
    put_bytes(&wire, 900, "b", 1);
    vln_pb_scan_t scan;
    cr_expect(scan_node(&wire, &scan) == VLN_INVALID_ARGUMENT);
    cr_expect(eq(str, (char *)scan.field, (char *)"text"));
}

Test(vln_pb, takes_the_same_singular_field_in_two_messages)
{
    wire_t inner = {0};
    put_bytes(&inner, 900, "a", 1);
    wire_t wire = {0};
    put_bytes(&wire, 4, inner.bytes, inner.size);
    put_bytes(&wire, 4, inner.bytes, inner.size);
    put(&wire, inner.bytes, inner.size);
    free(inner.bytes);
    vln_pb_scan_t scan;
    cr_expect(scan_node(&wire, &scan) == VLN_OK);
    cr_expect(scan.fields == 5);
}

/* Of 1 MiB of these protobuf-c makes 29 MB of messages; the walk ends at the limit. */
Test(vln_pb, refuses_too_many_empty_messages_at_the_limit)
{
    wire_t wire = {0};
    for (int i = 0; i < 500000; i++) {
        put_bytes(&wire, 4, "", 0);
    }
    vln_pb_scan_t scan;
    cr_expect(scan_node(&wire, &scan) == VLN_INVALID_ARGUMENT);
    cr_expect(scan.fields <= VLN_PB_MAX_FIELDS + 1);
    cr_expect(scan.memory_bytes <= VLN_PB_MAX_MEMORY + sizeof(node_t) + 4096);
}

Test(vln_pb, takes_4096_fields_and_refuses_one_more)
{
    wire_t wire = {0};
    for (int i = 0; i < VLN_PB_MAX_FIELDS; i++) {
        put_bytes(&wire, 1, "", 0);
    }
    uint8_t *more = vln_memdup(wire.bytes, wire.size);
    wire_t longer = {.bytes = more, .size = wire.size, .room = wire.size};
    put_bytes(&longer, 1, "", 0);

    vln_pb_scan_t scan;
    vln_arena_t *arena = vln_arena_new(VLN_PB_MAX_MEMORY);
    node_t *node = unpack_node(&wire, arena, &scan);
    cr_expect(node->n_names == VLN_PB_MAX_FIELDS);
    cr_expect(scan_node(&longer, &scan) == VLN_INVALID_ARGUMENT);
    cr_expect(eq(str, (char *)scan.why, (char *)"too many fields"));
    cr_expect(scan.too_large);
    vln_arena_destroy(&arena);
}

Test(vln_pb, skips_unknown_fields_and_counts_them_and_their_memory)
{
    wire_t wire = {0};
    char blob[100] = {0};
    for (int i = 0; i < 200; i++) {
        put_bytes(&wire, 77, blob, sizeof blob);
    }
    put_varint(&wire, 78 << 3 | PROTOBUF_C_WIRE_TYPE_VARINT);
    put_varint(&wire, UINT64_MAX);
    put_varint(&wire, 79 << 3 | PROTOBUF_C_WIRE_TYPE_64BIT);
    put(&wire, blob, 8);
    vln_pb_scan_t scan;
    vln_arena_t *arena = vln_arena_new(VLN_PB_MAX_MEMORY);
    node_t *node = unpack_node(&wire, arena, &scan);
    cr_expect(scan.unknown == 202);
    cr_expect(node->base.n_unknown_fields == 202);
    vln_arena_destroy(&arena);
}

Test(vln_pb, takes_256_kib_of_bytes_and_refuses_what_the_budget_does_not_hold)
{
    enum { BODY = 256 * 1024 + 100 };
    char *body = vln_calloc(1, VLN_PB_MAX_MEMORY);
    wire_t wire = {0};
    put_bytes(&wire, 6, body, BODY);
    vln_pb_scan_t scan;
    vln_arena_t *arena = vln_arena_new(VLN_PB_MAX_MEMORY);
    cr_expect(unpack_node(&wire, arena, &scan)->data.len == BODY);
    put_bytes(&wire, 6, body, VLN_PB_MAX_MEMORY);
    cr_expect(scan_node(&wire, &scan) == VLN_INVALID_ARGUMENT);
    vln_arena_destroy(&arena);
    free(body);
}

Test(vln_pb, estimates_packed_and_unpacked_numbers)
{
    wire_t wire = {0};
    put_bytes(&wire, 3, "\x01\x80\x01\x05", 4);
    put_varint(&wire, 3 << 3);
    put_varint(&wire, 9);
    put_bytes(&wire, 5, "\x01\x00\x01", 3);
    put_bytes(&wire, 7, "12345678abcdefgh", 16);
    vln_pb_scan_t scan;
    vln_arena_t *arena = vln_arena_new(VLN_PB_MAX_MEMORY);
    node_t *node = unpack_node(&wire, arena, &scan);
    cr_assert(node->n_numbers == 4);
    cr_expect(node->numbers[1] == 128);
    cr_expect(node->numbers[3] == 9);
    cr_expect(node->n_flags == 3);
    cr_expect(node->n_wide == 2);
    vln_arena_destroy(&arena);
}

/* 1 MiB of them would be 4 MiB of bools. */
Test(vln_pb, refuses_packed_numbers_beyond_the_budget)
{
    char *body = vln_calloc(1, VLN_PB_MAX_MEMORY / 2);
    wire_t wire = {0};
    put_bytes(&wire, 5, body, VLN_PB_MAX_MEMORY / 2);
    vln_pb_scan_t scan;
    cr_expect(scan_node(&wire, &scan) == VLN_INVALID_ARGUMENT);
    free(body);
}

Test(vln_pb, refuses_what_is_broken)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t size;
    } cases[] = {
        /* what                               bytes                                       size */
        {"a tag that does not end", "\x80\x80", 2},
        {"a tag of six bytes", "\x8a\x80\x80\x80\x80\x00", 6},
        {"field number 0", "\x00\x01", 2},
        {"a field number above 2^29 - 1", "\x80\x80\x80\x80\x7f\x01", 6},
        {"the start of a group", "\x0b\x0c", 2},
        {"the end of a group", "\x0c", 1},
        {"an unknown group", "\xa3\x06\xa4\x06", 4},
        {"wire type 6", "\x0e", 1},
        {"wire type 7", "\x0f", 1},
        {"a length past the end", "\x0a\x05xxxx", 6},
        {"a length of 2^63", "\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11},
        {"a length that does not end", "\x0a\xff", 2},
        {"a child that is longer than its parent", "\x12\x02\x0a\x05", 4},
        {"a varint of eleven bytes", "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},
        {"a varint that does not end", "\x18\xff", 2},
        {"four of eight bytes", "\x39xxxx", 5},
        {"a piece of a packed number", "\x3a\x07xxxxxxx", 9},
        {"a packed varint that does not end", "\x1a\x02\x01\x80", 4},
        {"a text sent as a number", "\x08\x01", 2},
        {"a message sent as a number", "\x10\x01", 2},
        {"a singular text sent as 8 bytes", "\xa1\x38xxxxxxxx", 10},
        {"a text that is not UTF-8", "\x0a\x02\xc3(", 4},
        {"a text that is cut", "\x0a\x09xxxxxxxx\xc3", 11},
        {"a surrogate", "\x0a\x03\xed\xa0\x80", 5},
        {"a NUL in a text", "\x0a\x03x\x00y", 5},
        {"a NUL in a longer text", "\x0a\x0axxxx\x00yyyyy", 12},
    };
    for (size_t i = 0; i < VLN_COUNT(cases); i++) {
        vln_pb_scan_t scan;
        vln_err_t err = scan_literal(cases[i].bytes, cases[i].size, &scan);
        cr_expect(err == VLN_INVALID_ARGUMENT, "%s", cases[i].what);
        cr_expect(scan.why != NULL, "%s", cases[i].what);
    }
}

Test(vln_pb, takes_text_that_is_utf8)
{
    vln_pb_scan_t scan;
    cr_expect(scan_literal("\x0a\x0cvalidação", 13, &scan) == VLN_INVALID_ARGUMENT); /* cut */
    cr_expect(scan_literal("\x0a\x0bvalidação", 13, &scan) == VLN_OK);
}

/*
 * Whatever the scan takes, protobuf-c unpacks within the estimate: random bytes of the right
 * alphabet, mutated from messages that are good.
 */
Test(vln_pb, what_it_takes_can_be_unpacked_within_its_estimate)
{
    static const uint8_t alphabet[] = {0x0a, 0x12, 0x18, 0x22, 0x2a, 0x32, 0x3a, 0x00, 0x01,
                                       0x02, 0x03, 0x04, 0x08, 0x10, 0x80, 0x7f, 'a',  0xa2};
    uint64_t state = 42;
    vln_arena_t *arena = vln_arena_new(VLN_PB_MAX_MEMORY);
    int taken = 0;
    for (int round = 0; round < 200000; round++) {
        uint8_t bytes[48];
        size_t size = (size_t)round % sizeof bytes;
        for (size_t i = 0; i < size; i++) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            bytes[i] = alphabet[(state >> 33) % sizeof alphabet];
        }
        vln_pb_scan_t scan;
        ProtobufCMessage *message = NULL;
        vln_err_t err = vln_pb_scan(&node_descriptor, bytes, size, &scan);
        if (err == VLN_OK) {
            cr_assert(vln_pb_unpack(&node_descriptor, bytes, size, arena, &message, &scan) ==
                      VLN_OK);
            cr_assert(vln_arena_used(arena) <= scan.memory_bytes);
            taken++;
        }
        vln_arena_reset(arena);
    }
    cr_expect(taken > 5000, "%d", taken);
    vln_arena_destroy(&arena);
}

Test(vln_pb, knows_the_values_of_an_enum)
{
    cr_expect(vln_pb_enum_knows(&valion__v1__status__descriptor, 17));
    cr_expect(not(vln_pb_enum_knows(&valion__v1__status__descriptor, 99)));
}

Test(vln_pb, wraps_a_packed_message_as_the_field_of_another)
{
    vln_arena_t *arena = vln_arena_new(1024 * 1024);
    static char text[70000];
    static const size_t lengths[] = {0, 1, 100, 127, 128, 16383, 16384, 69999};
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < VLN_COUNT(lengths); i++) {
        Valion__V1__Model model = VALION__V1__MODEL__INIT;
        Valion__V1__GetModelReply reply = VALION__V1__GET_MODEL_REPLY__INIT;
        text[lengths[i]] = '\0';
        model.description = text;
        reply.model = &model;
        size_t size = 0;
        size_t wrapped_size = 0;
        size_t wanted_size = 0;
        const uint8_t *packed = vln_pb_pack(&model.base, arena, &size);
        const uint8_t *wrapped = vln_pb_wrap(arena, 1, packed, size, &wrapped_size);
        const uint8_t *wanted = vln_pb_pack(&reply.base, arena, &wanted_size);
        cr_expect(wrapped_size == wanted_size && memcmp(wrapped, wanted, wanted_size) == 0,
                  "%zu bytes", lengths[i]);
        text[lengths[i]] = 'x';
    }
    vln_arena_destroy(&arena);
}
