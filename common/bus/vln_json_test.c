#include "vln_json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valion/v1/deployer.pb-c.h>
#include <valion/v1/registry.pb-c.h>

#include "vln_contract.h"
#include "vln_pb.h"
#include "vln_reflect.h"

enum { BUDGET = 8 * 1024 * 1024 };

static vln_arena_t *arena;
static vln_json_error_t error;

static void
setup(void)
{
    arena = vln_arena_new(BUDGET);
}

static void
teardown(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(vln_json, .init = setup, .fini = teardown, .timeout = 60);

static void *
parse(const ProtobufCMessageDescriptor *type, const char *text)
{
    ProtobufCMessage *message = NULL;
    vln_err_t err = vln_json_parse(type, text, strlen(text), arena, &message, &error);
    cr_expect(err == VLN_OK, "%s: %s", text, error.why);
    cr_expect_str_eq(error.why, "");
    return message;
}

/* Why the text is refused. */
static const char *
why_not(const ProtobufCMessageDescriptor *type, const char *text)
{
    ProtobufCMessage *message = NULL;
    vln_err_t err = vln_json_parse(type, text, strlen(text), arena, &message, &error);
    cr_expect(err == VLN_INVALID_ARGUMENT, "%s was taken", text);
    cr_expect_null(message);
    return error.why;
}

static void
prints(const void *message, const char *expected)
{
    size_t size = 0;
    char *text = vln_json_print(message, VLN_JSON_COMPACT, &size);
    cr_expect_str_eq(text, expected);
    cr_expect(size == strlen(text));
    free(text);
}

#define VERSION   (&valion__v1__create_version_request__descriptor)
#define CHECK     (&valion__v1__check_result__descriptor)
#define EVENTS    (&valion__v1__read_events_request__descriptor)
#define GRANT     (&valion__v1__grant__descriptor)
#define COMPARE   (&valion__v1__compare_versions_reply__descriptor)
#define TELEMETRY (&valion__v1__telemetry_bins__descriptor)

Test(vln_json, reads_every_kind_of_value)
{
    const Valion__V1__CreateVersionRequest *request =
        parse(VERSION, "{\"model\":\"houses\",\"bump\":\"BUMP_MINOR\",\"backport\":true,"
                       "\"tags\":[\"a\",\"b\"],\"metrics\":[{\"key\":\"r2\",\"value\":0.5}],"
                       "\"artifacts\":[{\"size_bytes\":\"7\",\"inline_bytes\":\"AQID\"}]}");
    cr_expect_str_eq(request->model, "houses");
    cr_expect(request->has_bump && request->bump == VALION__V1__BUMP__BUMP_MINOR);
    cr_expect(request->has_backport && request->backport);
    cr_expect(request->n_tags == 2 && strcmp(request->tags[1], "b") == 0);
    cr_expect(request->metrics[0]->has_value && request->metrics[0]->value == 0.5);
    cr_expect(request->artifacts[0]->size_bytes == 7);
    cr_expect(request->artifacts[0]->inline_bytes.len == 3);
    cr_expect_null(request->version);
}

Test(vln_json, takes_enums_by_full_name_short_name_and_number)
{
    static const char *const forms[] = {"\"BUMP_MAJOR\"", "\"bump_major\"", "\"MAJOR\"",
                                        "\"major\"", "1"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"bump\":%s}", forms[i]);
        const Valion__V1__CreateVersionRequest *request = parse(VERSION, text);
        cr_expect(request->bump == VALION__V1__BUMP__BUMP_MAJOR, "%s", text);
        prints(request, "{\"bump\":\"BUMP_MAJOR\"}");
    }
}

Test(vln_json, keeps_an_enum_value_of_a_newer_peer)
{
    prints(parse(VERSION, "{\"bump\":77}"), "{\"bump\":77}");
}

Test(vln_json, takes_64_bits_as_text_and_as_number_and_prints_text)
{
    prints(parse(EVENTS, "{\"after\":18446744073709551615}"),
           "{\"after\":\"18446744073709551615\"}");
    prints(parse(EVENTS, "{\"after\":\"18446744073709551615\"}"),
           "{\"after\":\"18446744073709551615\"}");
    prints(parse(EVENTS, "{\"wait_ms\":\"-9223372036854775808\",\"limit\":4294967295}"),
           "{\"limit\":4294967295,\"wait_ms\":\"-9223372036854775808\"}");
    prints(parse(COMPARE, "{\"order\":-2147483648}"), "{\"order\":-2147483648}");
}

Test(vln_json, refuses_numbers_that_do_not_fit)
{
    static const char *const wrong[] = {
        "{\"after\":-1}",
        "{\"after\":18446744073709551616}",
        "{\"after\":\"18446744073709551616\"}",
        "{\"after\":1.5}",
        "{\"after\":\"\"}",
        "{\"after\":\"+1\"}",
        "{\"after\":\"1 \"}",
        "{\"limit\":4294967296}",
        "{\"limit\":\"-1\"}",
        "{\"wait_ms\":9223372036854775808}",
        "{\"wait_ms\":\"-9223372036854775809\"}",
        "{\"wait_ms\":true}",
        "{\"after\":\"1\\u0000\"}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        why_not(EVENTS, wrong[i]);
    }
    cr_expect_str_eq(why_not(EVENTS, "{\"limit\":4294967296}"),
                     "limit: the number is outside 0 to 4294967295");
    cr_expect_str_eq(why_not(COMPARE, "{\"order\":2147483648}"),
                     "order: the number is outside -2147483648 to 2147483647");
}

Test(vln_json, writes_ids_as_uuid_and_digests_as_hex)
{
    const char *text = "{\"grant_id\":\"00112233-4455-6677-8899-aabbccddeeff\",\"digest\":"
                       "\"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"}";
    const Valion__V1__Grant *grant = parse(GRANT, text);
    cr_assert(grant->grant_id.len == 16 && grant->digest.len == 32);
    cr_expect(grant->grant_id.data[15] == 0xff && grant->digest.data[31] == 0x1f);
    prints(grant, text);
}

Test(vln_json, writes_signatures_as_hex)
{
    const Valion__V1__LogHead *head =
        parse(&valion__v1__log_head__descriptor,
              "{\"signature\":\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
              "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}");
    cr_expect(head->signature.len == 64 && head->signature.data[63] == 0xff);
    prints(parse(&valion__v1__log_head__descriptor, "{\"signature\":\"AQI=\"}"),
           "{\"signature\":\"AQI=\"}");
}

Test(vln_json, takes_ids_and_digests_as_base64_too)
{
    const Valion__V1__Grant *grant = parse(GRANT, "{\"grant_id\":\"ABEiM0RVZneImaq7zN3u/w==\"}");
    prints(grant, "{\"grant_id\":\"00112233-4455-6677-8899-aabbccddeeff\"}");
    prints(parse(GRANT, "{\"digest\":\"AQI=\",\"grant_id\":\"\"}"),
           "{\"grant_id\":\"\",\"digest\":\"AQI=\"}");
}

Test(vln_json, refuses_bytes_that_are_not_base64)
{
    cr_expect_str_eq(why_not(GRANT, "{\"grant_id\":\"0011-22\"}"),
                     "grant_id: a UUID, or base64, is wanted");
    cr_expect_str_eq(why_not(GRANT, "{\"digest\":\"A\"}"), "digest: hex, or base64, is wanted");
    why_not(VERSION, "{\"artifacts\":[{\"inline_bytes\":\"AQI\"}]}");
    why_not(VERSION, "{\"artifacts\":[{\"inline_bytes\":\"AQJ=\"}]}");
    why_not(VERSION, "{\"artifacts\":[{\"inline_bytes\":\"A Q=\"}]}");
}

Test(vln_json, prints_doubles_so_that_they_come_back)
{
    static const double numbers[] = {0.1, -0.0, 1e300, 5e-324, 1.0 / 3, 123456789.0, 1e16};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        Valion__V1__CheckResult check = VALION__V1__CHECK_RESULT__INIT;
        check.has_statistic = 1;
        check.statistic = numbers[i];
        char *text = vln_json_print(&check.base, VLN_JSON_COMPACT, NULL);
        const Valion__V1__CheckResult *back = parse(CHECK, text);
        cr_expect(memcmp(&back->statistic, &numbers[i], sizeof numbers[i]) == 0, "%s", text);
        free(text);
    }
    prints(parse(CHECK, "{\"statistic\":0.1}"), "{\"statistic\":0.1}");
}

Test(vln_json, refuses_infinities_and_prints_them_as_null)
{
    why_not(CHECK, "{\"statistic\":NaN}");
    why_not(CHECK, "{\"statistic\":Infinity}");
    why_not(CHECK, "{\"statistic\":1e999}");
    why_not(CHECK, "{\"statistic\":\"0.5\"}");
    Valion__V1__CheckResult check = VALION__V1__CHECK_RESULT__INIT;
    check.has_statistic = check.has_threshold = 1;
    check.statistic = NAN;
    check.threshold = -INFINITY;
    prints(&check, "{\"statistic\":null,\"threshold\":null}");
}

Test(vln_json, counts_null_as_absent)
{
    prints(parse(CHECK, "{\"statistic\":null,\"columns\":null,\"sentence\":null}"), "{}");
    cr_expect_str_eq(why_not(CHECK, "{\"columns\":[null]}"),
                     "columns[0]: an object {…} of ColumnResult is wanted");
}

Test(vln_json, tells_the_path_of_a_wrong_name_and_what_was_meant)
{
    cr_expect_str_eq(why_not(VERSION, "{\"metrics\":[{},{},{\"valeu\":1}]}"),
                     "metrics[2].valeu: no such field; did you mean value?");
    cr_expect_str_eq(why_not(VERSION, "{\"lineage\":{\"zzzzzzzzz\":1}}"),
                     "lineage.zzzzzzzzz: no such field of Lineage");
    cr_expect_str_eq(why_not(VERSION, "{\"model\\u0000\":\"x\"}"),
                     "model: no such field; did you mean model?");
}

Test(vln_json, tells_what_an_enum_has)
{
    cr_expect_str_eq(why_not(VERSION, "{\"bump\":\"minro\"}"),
                     "bump: no such Bump \"minro\"; did you mean MINOR?");
    cr_expect_str_eq(why_not(VERSION, "{\"bump\":\"quxquxqux\"}"),
                     "bump: no such Bump \"quxquxqux\"; there are UNSPECIFIED, MAJOR, MINOR, "
                     "PATCH, PRERELEASE, BUILD, AUTO");
    why_not(VERSION, "{\"bump\":2.0}");
    why_not(VERSION, "{\"bump\":4294967296}");
    why_not(VERSION, "{\"bump\":[]}");
}

Test(vln_json, refuses_values_of_the_wrong_type)
{
    cr_expect_str_eq(why_not(VERSION, "{\"model\":1}"), "model: text is wanted");
    cr_expect_str_eq(why_not(VERSION, "{\"tags\":\"a\"}"), "tags: a list is wanted");
    cr_expect_str_eq(why_not(VERSION, "{\"backport\":1}"), "backport: true or false is wanted");
    cr_expect_str_eq(why_not(VERSION, "{\"lineage\":[]}"),
                     "lineage: an object {…} of Lineage is wanted");
    cr_expect_str_eq(why_not(VERSION, "[]"), "an object {…} of CreateVersionRequest is wanted");
    cr_expect_str_eq(why_not(VERSION, "{\"metrics\":[{\"value\":\"x\"}]}"),
                     "metrics[0].value: a number is wanted");
}

Test(vln_json, refuses_a_name_twice)
{
    cr_expect_str_eq(why_not(VERSION, "{\"model\":\"a\",\"model\":\"b\"}"), "model: given twice");
    why_not(VERSION, "{\"model\":null,\"model\":\"b\"}");
}

Test(vln_json, refuses_what_is_not_json)
{
    static const char *const wrong[] = {"",
                                        "{",
                                        "{}x",
                                        "{\"model\":}",
                                        "{'a':1}",
                                        "{\"a\":1,}",
                                        "// x\n{}",
                                        "\xef\xbb\xbf{}",
                                        "\"\xff\"",
                                        "{\"model\":\"\xc3\"}",
                                        "{\"model\":\"\\ud800\"}",
                                        "{\"model\":\"\n\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        why_not(VERSION, wrong[i]);
    }
    cr_expect(strncmp(why_not(VERSION, "{\"model\":}"), "not JSON at byte 9: ", 20) == 0);
}

Test(vln_json, refuses_a_nul_in_text)
{
    cr_expect_str_eq(why_not(VERSION, "{\"model\":\"a\\u0000b\"}"), "model: the text holds a NUL");
}

Test(vln_json, bounds_the_size_of_a_text)
{
    char *text = malloc(VLN_JSON_MAX_TEXT + 2);
    cr_assert(text);
    memset(text, ' ', VLN_JSON_MAX_TEXT + 2);
    text[0] = '{';
    text[VLN_JSON_MAX_TEXT - 1] = '}';
    ProtobufCMessage *message = NULL;
    cr_expect(vln_json_parse(VERSION, text, VLN_JSON_MAX_TEXT, arena, &message, &error) == VLN_OK);
    cr_expect(vln_json_parse(VERSION, text, VLN_JSON_MAX_TEXT + 1, arena, &message, &error) ==
              VLN_INVALID_ARGUMENT);
    free(text);
}

Test(vln_json, bounds_the_number_of_values)
{
    enum { TEXT = 16 * VLN_JSON_MAX_VALUES };
    char *text = malloc(TEXT);
    cr_assert(text);
    for (int extra = 0; extra <= 1; extra++) {
        size_t len = (size_t)snprintf(text, TEXT, "{\"edges\":[0");
        for (int i = 1; i < VLN_JSON_MAX_VALUES + extra; i++) {
            len += (size_t)snprintf(text + len, TEXT - len, ",1");
        }
        snprintf(text + len, TEXT - len, "]}");
        ProtobufCMessage *message = NULL;
        vln_err_t err = vln_json_parse(TELEMETRY, text, strlen(text), arena, &message, &error);
        cr_expect(err == (extra ? VLN_INVALID_ARGUMENT : VLN_OK), "%s", error.why);
    }
    free(text);
}

Test(vln_json, bounds_nesting_without_recursing_on_it)
{
    enum { LEVELS = 200000 };
    char *text = malloc(2 * LEVELS + 1);
    cr_assert(text);
    memset(text, '[', LEVELS);
    memset(text + LEVELS, ']', LEVELS);
    text[2 * LEVELS] = '\0';
    cr_expect_str_eq(why_not(VERSION, text), "an object {…} of CreateVersionRequest is wanted");
    free(text);
}

Test(vln_json, keeps_to_the_budget_of_the_arena)
{
    vln_arena_t *small = vln_arena_new(2048);
    ProtobufCMessage *message = NULL;
    char text[4096];
    memset(text, 'x', sizeof text);
    memcpy(text, "{\"model\":\"", 10);
    memcpy(text + sizeof text - 3, "\"}", 3);
    cr_expect(vln_json_parse(VERSION, text, strlen(text), small, &message, &error) ==
              VLN_INVALID_ARGUMENT);
    cr_expect_str_eq(error.why, "model: the text holds more than is taken at once");
    vln_arena_destroy(&small);
}

Test(vln_json, repairs_text_that_is_not_utf8_when_printing)
{
    char name[] = "a\xff\xc3z\xe2\x82";
    Valion__V1__GetModelRequest request = VALION__V1__GET_MODEL_REQUEST__INIT;
    request.name = name;
    prints(&request, "{\"name\":\"a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\"}");
}

Test(vln_json, packs_a_text_as_it_goes_over_the_wire)
{
    ProtobufCBinaryData wire;
    const char *text = "{\"model\":\"m\"}";
    cr_assert(vln_json_to_wire(VERSION, text, strlen(text), arena, &wire, &error) == VLN_OK);
    cr_expect(wire.len == 3 && memcmp(wire.data, "\x0a\x01m", 3) == 0);
    cr_expect(vln_json_to_wire(VERSION, "{", 1, arena, &wire, &error) == VLN_INVALID_ARGUMENT);
    cr_expect(wire.data == NULL && wire.len == 0);
}

Test(vln_json, prints_pretty_for_people)
{
    const Valion__V1__GetModelRequest *request =
        parse(&valion__v1__get_model_request__descriptor, "{\"name\":\"x\"}");
    char *text = vln_json_print(&request->base, VLN_JSON_PRETTY, NULL);
    cr_expect_str_eq(text, "{\n  \"name\": \"x\"\n}");
    free(text);
}

static bool
skeleton_can_be_read(const ProtobufCMessageDescriptor *type, void *context)
{
    (void)context;
    char *text = vln_json_skeleton(type);
    parse(type, text);
    free(text);
    vln_arena_reset(arena);
    return true;
}

Test(vln_json, makes_skeletons_that_it_reads)
{
    vln_contract_each_message(skeleton_can_be_read, NULL);
    char *text = vln_json_skeleton(&valion__v1__get_model_request__descriptor);
    cr_expect_str_eq(text, "{\n  \"name\": \"\"\n}");
    free(text);
}

/* ---- any message: print, parse, the same bytes ---- */

typedef struct dice {
    uint64_t state;
} dice_t;

static uint64_t
roll(dice_t *self)
{
    self->state ^= self->state << 13;
    self->state ^= self->state >> 7;
    self->state ^= self->state << 17;
    return self->state;
}

static uint64_t
odd_number(dice_t *self)
{
    static const uint64_t odd[] = {0, 1, UINT64_MAX, INT64_MAX, (uint64_t)1 << 63, 1u << 31, 255};
    uint64_t number = roll(self);
    return number % 3 ? number : odd[number / 3 % (sizeof odd / sizeof odd[0])];
}

static double
any_double(dice_t *self)
{
    uint64_t bits = odd_number(self);
    double number;
    memcpy(&number, &bits, sizeof number);
    return isfinite(number) ? number : -0.0;
}

static char *
any_text(dice_t *self)
{
    static const char *const texts[] = {
        "", "a", "é€😀", "\"\\/\b\f\n\r\t\x01\x7f", "</script>", "a longer text, to be sure"};
    return vln_arena_strdup(arena, texts[roll(self) % (sizeof texts / sizeof texts[0])]);
}

static ProtobufCBinaryData
any_bytes(dice_t *self)
{
    static const size_t sizes[] = {0, 1, 2, 3, 16, 32, 64, 100};
    size_t size = sizes[roll(self) % (sizeof sizes / sizeof sizes[0])];
    ProtobufCBinaryData bytes = {.len = size, .data = vln_arena_alloc(arena, size + 1)};
    for (size_t i = 0; i < size; i++) {
        bytes.data[i] = (uint8_t)roll(self);
    }
    return bytes;
}

static ProtobufCMessage *any_message(dice_t *self, const ProtobufCMessageDescriptor *type,
                                     int depth);

static void
fill(dice_t *self, const ProtobufCFieldDescriptor *field, int depth, void *slot)
{
    uint64_t number = odd_number(self);
    double real = any_double(self);
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        *(char **)slot = any_text(self);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        *(ProtobufCBinaryData *)slot = any_bytes(self);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)slot = any_message(self, field->descriptor, depth + 1);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        memcpy(slot, &real, sizeof real);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)slot = number & 1;
        break;
    case PROTOBUF_C_TYPE_ENUM: {
        const ProtobufCEnumDescriptor *type = field->descriptor;
        *(int *)slot = number % 5 ? type->values[number % type->n_values].value : 4711;
        break;
    }
    default:
        memcpy(slot, &number, vln_reflect_size(field->type));
    }
}

static ProtobufCMessage *
any_message(dice_t *self, const ProtobufCMessageDescriptor *type, int depth)
{
    char *message = vln_arena_alloc(arena, type->sizeof_message);
    protobuf_c_message_init(type, message);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (depth > 3 || roll(self) % 3 == 0) {
            continue;
        }
        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            fill(self, field, depth, message + field->offset);
            if (!vln_reflect_is_pointer(field)) {
                *(protobuf_c_boolean *)(void *)(message + field->quantifier_offset) = 1;
            }
            continue;
        }
        size_t count = roll(self) % 3;
        size_t step = vln_reflect_size(field->type);
        char *list = vln_arena_alloc(arena, count * step + 1);
        for (size_t n = 0; n < count; n++) {
            fill(self, field, depth, list + n * step);
        }
        *(size_t *)(void *)(message + field->quantifier_offset) = count;
        *(void **)(void *)(message + field->offset) = list;
    }
    return (ProtobufCMessage *)(void *)message;
}

typedef struct round_trip {
    dice_t dice;
    size_t types;
    size_t bytes;
} round_trip_t;

static bool
comes_back(const ProtobufCMessageDescriptor *type, void *context)
{
    round_trip_t *self = context;
    for (int i = 0; i < 8; i++) {
        vln_arena_reset(arena);
        const ProtobufCMessage *message = any_message(&self->dice, type, 1);
        char *text = vln_json_print(message, i % 2 ? VLN_JSON_PRETTY : VLN_JSON_COMPACT, NULL);
        size_t wire_size = 0;
        ProtobufCBinaryData back;
        const uint8_t *wire = vln_pb_pack(message, arena, &wire_size);
        vln_err_t err = vln_json_to_wire(type, text, strlen(text), arena, &back, &error);
        cr_assert(err == VLN_OK, "%s: %s: %s", type->name, error.why, text);
        cr_assert(wire_size == back.len && memcmp(wire, back.data, wire_size) == 0, "%s: %s",
                  type->name, text);
        self->bytes += wire_size;
        free(text);
    }
    self->types++;
    return true;
}

Test(vln_json, brings_any_message_of_the_contract_back_byte_for_byte)
{
    round_trip_t trip = {.dice = {.state = 0x9e3779b97f4a7c15}};
    vln_contract_each_message(comes_back, &trip);
    cr_expect(trip.types > 200 && trip.bytes > 100000, "%zu types, %zu bytes", trip.types,
              trip.bytes);
}

Test(vln_json, takes_a_map_for_a_list_of_pairs)
{
    const ProtobufCMessageDescriptor *type = &valion__v1__check_spec__descriptor;
    const Valion__V1__CheckSpec *check = parse(
        type, "{\"thresholds\":{\"folds\":5,\"cv_threshold\":0.8},\"parameters\":{\"a\":\"b\"}}");
    cr_assert_eq(check->n_thresholds, 2);
    cr_expect_str_eq(check->thresholds[1]->key, "cv_threshold");
    cr_expect_eq(check->thresholds[1]->value, 0.8);
    cr_assert_eq(check->n_parameters, 1);
    cr_expect_str_eq(check->parameters[0]->value, "b");
    prints(check, "{\"parameters\":[{\"key\":\"a\",\"value\":\"b\"}],\"thresholds\":"
                  "[{\"key\":\"folds\",\"value\":5.0},{\"key\":\"cv_threshold\",\"value\":0.8}]}");
    cr_expect_eq(((const Valion__V1__CheckSpec *)parse(type, "{\"thresholds\":{}}"))->n_thresholds,
                 0);
    cr_expect_str_eq(why_not(type, "{\"thresholds\":{\"folds\":\"many\"}}"),
                     "thresholds.folds: a number is wanted");
    cr_expect_str_eq(why_not(type, "{\"thresholds\":{\"a\":1,\"b\":2,\"a\":3}}"),
                     "thresholds.a: given twice");
    cr_expect_str_eq(why_not(type, "{\"metrics\":{\"a\":1}}"), "metrics: a list is wanted");
}
