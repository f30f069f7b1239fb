#include "cli_format.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_json.h"
#include "vln_json_form.h"
#include "vln_mem.h"
#include "vln_reflect.h"
#include "vln_text.h"
#include "vln_time.h"

enum { SHORT_VALUE = 64 };

char *
cli_format_duration(int64_t ms, char *out, size_t out_size)
{
    const char *sign = ms < 0 ? "-" : "";
    uint64_t size = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    uint64_t seconds = size / 1000;
    if (size < 1000) {
        snprintf(out, out_size, "%s%" PRIu64 " ms", sign, size);
    } else if (seconds < 60) {
        snprintf(out, out_size, "%s%" PRIu64 ".%" PRIu64 " s", sign, seconds, size % 1000 / 100);
    } else if (seconds < 3600) {
        snprintf(out, out_size, "%s%" PRIu64 " m %" PRIu64 " s", sign, seconds / 60, seconds % 60);
    } else if (seconds < 86400) {
        snprintf(out, out_size, "%s%" PRIu64 " h %" PRIu64 " m", sign, seconds / 3600,
                 seconds % 3600 / 60);
    } else {
        snprintf(out, out_size, "%s%" PRIu64 " d %" PRIu64 " h", sign, seconds / 86400,
                 seconds % 86400 / 3600);
    }
    return out;
}

char *
cli_format_size(int64_t bytes, char *out, size_t out_size)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(out, out_size, "%" PRId64 " B", bytes);
        return out;
    }
    double size = (double)bytes / 1024;
    size_t unit = 0;
    while (size >= 1024 && unit + 1 < VLN_COUNT(units)) {
        size /= 1024;
        unit++;
    }
    snprintf(out, out_size, "%.1f %s", size, units[unit]);
    return out;
}

static bool
ends_in(const char *text, const char *end)
{
    size_t text_len = strlen(text);
    size_t end_len = strlen(end);
    return text_len > end_len && strcmp(text + text_len - end_len, end) == 0;
}

static void
format_int64(const char *name, int64_t value, char *out, size_t out_size)
{
    if (ends_in(name, "_us")) {
        char text[VLN_TIME_TEXT];
        vln_text_copy(out, out_size, value ? vln_time_format(value, text) : "");
    } else if (ends_in(name, "_ms")) {
        cli_format_duration(value, out, out_size);
    } else if (ends_in(name, "_bytes")) {
        cli_format_size(value, out, out_size);
    } else {
        snprintf(out, out_size, "%" PRId64, value);
    }
}

static void
format_enum(const ProtobufCEnumDescriptor *type, int value, char *out, size_t out_size)
{
    const char *name = vln_form_enum_name(type, value);
    if (!name) {
        snprintf(out, out_size, "%d", value);
        return;
    }
    vln_text_copy(out, out_size, vln_form_enum_short(type, name));
    for (char *at = out; *at; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
}

/* A terminal obeys control characters, and these texts come from anybody. */
static void
format_text(const char *text, size_t size, char *out, size_t out_size)
{
    size_t kept = size < out_size ? size : out_size - 1;
    while (kept < size && kept && ((unsigned char)text[kept] & 0xc0) == 0x80) {
        kept--;
    }
    memcpy(out, text, kept);
    out[kept] = '\0';
    for (size_t i = 0; i < kept; i++) {
        unsigned char letter = (unsigned char)out[i];
        bool is_c1 = letter == 0xc2 && i + 1 < kept && (unsigned char)out[i + 1] < 0xa0;
        if (letter < 0x20 || letter == 0x7f) {
            out[i] = letter == '\n' || letter == '\t' ? ' ' : '?';
        } else if (is_c1) {
            out[i] = out[i + 1] = '?';
        }
    }
}

static void
format_bytes(const char *name, const ProtobufCBinaryData *bytes, char *out, size_t out_size)
{
    if (vln_form_of(name, bytes->len) != VLN_FORM_BASE64) {
        char text[2 * 64 + 1];
        vln_text_copy(out, out_size,
                      vln_form_write(vln_form_of(name, bytes->len), bytes->data, bytes->len, text));
    } else if (bytes->len && vln_text_is_utf8((const char *)bytes->data, bytes->len)) {
        format_text((const char *)bytes->data, bytes->len, out, out_size);
    } else {
        snprintf(out, out_size, "%zu bytes", bytes->len);
    }
}

static void
format_message(const ProtobufCMessage *message, char *out, size_t out_size)
{
    char *text = vln_json_print(message, VLN_JSON_COMPACT, NULL);
    format_text(text, strlen(text), out, out_size);
    free(text);
}

char *
cli_format_value(const ProtobufCFieldDescriptor *field, const void *slot, char *out,
                 size_t out_size)
{
    out[0] = '\0';
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        format_int64(field->name, *(const int64_t *)slot, out, out_size);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        snprintf(out, out_size, "%" PRIu64, *(const uint64_t *)slot);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        format_int64(field->name, *(const uint32_t *)slot, out, out_size);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        format_enum(field->descriptor, *(const int *)slot, out, out_size);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        snprintf(out, out_size, "%.6g", *(const double *)slot);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        snprintf(out, out_size, "%.6g", (double)*(const float *)slot);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        vln_text_copy(out, out_size, *(const protobuf_c_boolean *)slot ? "yes" : "no");
        break;
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = *(const char *const *)slot;
        format_text(text, strlen(text), out, out_size);
        break;
    }
    case PROTOBUF_C_TYPE_BYTES:
        format_bytes(field->name, slot, out, out_size);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        format_message(*(const ProtobufCMessage *const *)slot, out, out_size);
        break;
    default:
        snprintf(out, out_size, "%" PRId32, *(const int32_t *)slot);
    }
    return out;
}

static void
format_list(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, char *out,
            size_t out_size)
{
    size_t count = vln_reflect_count(message, field);
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count && (i == 0 || len + 4 < out_size); i++) {
        if (i) {
            len += (size_t)snprintf(out + len, out_size - len, ", ");
        }
        cli_format_value(field, vln_reflect_get(message, field, i), out + len, out_size - len);
        len += strlen(out + len);
    }
}

char *
cli_format_field(const ProtobufCMessage *message, const char *path, char *out, size_t out_size)
{
    out[0] = '\0';
    char name[SHORT_VALUE];
    const char *rest = path;
    while (message && vln_text_next(&rest, '.', name, sizeof name)) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
        vln_assert(field); /* our own tables name fields */
        if (*rest == '\0') {
            format_list(message, field, out, out_size);
            return out;
        }
        message = vln_reflect_count(message, field)
                      ? *(const ProtobufCMessage *const *)vln_reflect_get(message, field, 0)
                      : NULL;
    }
    return out;
}
