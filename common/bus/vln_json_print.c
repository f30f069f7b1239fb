#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "vln_json.h"
#include "vln_json_form.h"
#include "vln_reflect.h"
#include "vln_text.h"

enum { SKELETON_DEPTH = 3 };

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* Length of the valid UTF-8 at the start of the text. */
static size_t
utf8_prefix(const char *text, size_t size)
{
    size_t good = 0;
    for (size_t len = 1; good < size; len = 1) {
        while (len <= 4 && good + len <= size && !vln_text_is_utf8(text + good, len)) {
            len++;
        }
        if (len > 4 || good + len > size) {
            return good;
        }
        good += len;
    }
    return good;
}

/* A copy with each byte that does not belong replaced. */
static yyjson_mut_val *
repaired(yyjson_mut_doc *document, const char *text, size_t size)
{
    char *copy = vln_calloc(size + 1, sizeof replacement);
    size_t len = 0;
    for (size_t at = 0; at < size;) {
        size_t good = utf8_prefix(text + at, size - at);
        memcpy(copy + len, text + at, good);
        len += good;
        at += good;
        if (at < size) {
            memcpy(copy + len, replacement, sizeof replacement - 1);
            len += sizeof replacement - 1;
            at++;
        }
    }
    yyjson_mut_val *value = yyjson_mut_strncpy(document, copy, len);
    free(copy);
    return value;
}

/* Borrows the text: the document does not outlive the message. */
static yyjson_mut_val *
text_value(yyjson_mut_doc *document, const char *text)
{
    size_t size = text ? strlen(text) : 0;
    if (size == 0) {
        return yyjson_mut_str(document, "");
    }
    return vln_text_is_utf8(text, size) ? yyjson_mut_strn(document, text, size)
                                        : repaired(document, text, size);
}

static yyjson_mut_val *
bytes_value(yyjson_mut_doc *document, const char *field_name, const ProtobufCBinaryData *bytes)
{
    char *text = vln_calloc(1, vln_form_text_size(bytes->len));
    vln_form_write(vln_form_of(field_name, bytes->len), bytes->data, bytes->len, text);
    yyjson_mut_val *value = yyjson_mut_strcpy(document, text);
    free(text);
    return value;
}

static yyjson_mut_val *
signed_text(yyjson_mut_doc *document, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    return yyjson_mut_strcpy(document, text);
}

static yyjson_mut_val *
unsigned_text(yyjson_mut_doc *document, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    return yyjson_mut_strcpy(document, text);
}

static yyjson_mut_val *
real_value(yyjson_mut_doc *document, double number)
{
    return isfinite(number) ? yyjson_mut_real(document, number) : yyjson_mut_null(document);
}

static yyjson_mut_val *
enum_value(yyjson_mut_doc *document, const ProtobufCEnumDescriptor *type, int value)
{
    const char *name = vln_form_enum_name(type, value);
    return name ? yyjson_mut_str(document, name) : yyjson_mut_sint(document, value);
}

static yyjson_mut_val *message_value(yyjson_mut_doc *document, const ProtobufCMessage *message);

static yyjson_mut_val *
one_value(yyjson_mut_doc *document, const ProtobufCFieldDescriptor *field, const void *slot)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return yyjson_mut_sint(document, *(const int32_t *)slot);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return yyjson_mut_uint(document, *(const uint32_t *)slot);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return signed_text(document, *(const int64_t *)slot);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return unsigned_text(document, *(const uint64_t *)slot);
    case PROTOBUF_C_TYPE_DOUBLE:
        return real_value(document, *(const double *)slot);
    case PROTOBUF_C_TYPE_FLOAT:
        return real_value(document, (double)*(const float *)slot);
    case PROTOBUF_C_TYPE_BOOL:
        return yyjson_mut_bool(document, *(const protobuf_c_boolean *)slot != 0);
    case PROTOBUF_C_TYPE_ENUM:
        return enum_value(document, field->descriptor, *(const int *)slot);
    case PROTOBUF_C_TYPE_STRING:
        return text_value(document, *(const char *const *)slot);
    case PROTOBUF_C_TYPE_BYTES:
        return bytes_value(document, field->name, slot);
    case PROTOBUF_C_TYPE_MESSAGE:
        return message_value(document, *(const ProtobufCMessage *const *)slot);
    }
    return yyjson_mut_null(document);
}

/* NULL when the field is absent. */
static yyjson_mut_val *
field_value(yyjson_mut_doc *document, const ProtobufCMessage *message,
            const ProtobufCFieldDescriptor *field)
{
    size_t count = vln_reflect_count(message, field);
    if (count == 0) {
        return NULL;
    }
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        return one_value(document, field, vln_reflect_get(message, field, 0));
    }
    yyjson_mut_val *list = yyjson_mut_arr(document);
    for (size_t i = 0; i < count; i++) {
        yyjson_mut_arr_append(list, one_value(document, field, vln_reflect_get(message, field, i)));
    }
    return list;
}

/* Recurses as deep as the contract's types nest, and none of them holds itself. */
static yyjson_mut_val *
message_value(yyjson_mut_doc *document, const ProtobufCMessage *message)
{
    yyjson_mut_val *object = yyjson_mut_obj(document);
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        yyjson_mut_val *value = field_value(document, message, field);
        if (value) {
            yyjson_mut_obj_add(object, yyjson_mut_str(document, field->name), value);
        }
    }
    return object;
}

/* Written out, and the document ended. */
static char *
write_out(yyjson_mut_doc **document_p, yyjson_mut_val *root, yyjson_write_flag flags, size_t *size)
{
    yyjson_mut_doc_set_root(*document_p, root);
    size_t len = 0;
    yyjson_write_err wrong = {0};
    char *text = yyjson_mut_write_opts(*document_p, flags, NULL, &len, &wrong);
    vln_assert(text); /* every text in it is UTF-8, every number finite: only memory can fail */
    yyjson_mut_doc_free(*document_p);
    *document_p = NULL;
    if (size) {
        *size = len;
    }
    return text;
}

char *
vln_json_print(const ProtobufCMessage *message, vln_json_style_t style, size_t *size)
{
    yyjson_mut_doc *document = yyjson_mut_doc_new(NULL);
    vln_assert(document);
    yyjson_write_flag flags =
        style == VLN_JSON_PRETTY ? YYJSON_WRITE_PRETTY_TWO_SPACES : YYJSON_WRITE_NOFLAG;
    return write_out(&document, message_value(document, message), flags, size);
}

/* ---- skeletons ---- */

static yyjson_mut_val *skeleton_value(yyjson_mut_doc *document,
                                      const ProtobufCMessageDescriptor *type, int depth);

static yyjson_mut_val *
example_bytes(yyjson_mut_doc *document, const char *field_name)
{
    static const uint8_t zeros[64];
    size_t size;
    vln_form_bytes_t form = vln_form_of_field(field_name, &size);
    char text[2 * sizeof zeros + 1];
    return yyjson_mut_strcpy(document, vln_form_write(form, zeros, size, text));
}

static yyjson_mut_val *
example_of(yyjson_mut_doc *document, const ProtobufCFieldDescriptor *field, int depth)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return yyjson_mut_str(document, "");
    case PROTOBUF_C_TYPE_BYTES:
        return example_bytes(document, field->name);
    case PROTOBUF_C_TYPE_BOOL:
        return yyjson_mut_bool(document, false);
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FLOAT:
        return yyjson_mut_real(document, 0);
    case PROTOBUF_C_TYPE_MESSAGE:
        return skeleton_value(document, field->descriptor, depth + 1);
    case PROTOBUF_C_TYPE_ENUM: {
        /* The second value: the first is UNSPECIFIED. */
        const ProtobufCEnumDescriptor *type = field->descriptor;
        return yyjson_mut_str(document, type->values[type->n_values > 1 ? 1 : 0].name);
    }
    default:
        return yyjson_mut_uint(document, 0);
    }
}

static yyjson_mut_val *
skeleton_value(yyjson_mut_doc *document, const ProtobufCMessageDescriptor *type, int depth)
{
    yyjson_mut_val *object = yyjson_mut_obj(document);
    for (unsigned i = 0; depth <= SKELETON_DEPTH && i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        yyjson_mut_val *value = example_of(document, field, depth);
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            yyjson_mut_val *list = yyjson_mut_arr(document);
            yyjson_mut_arr_append(list, value);
            value = list;
        }
        yyjson_mut_obj_add(object, yyjson_mut_str(document, field->name), value);
    }
    return object;
}

char *
vln_json_skeleton(const ProtobufCMessageDescriptor *type)
{
    yyjson_mut_doc *document = yyjson_mut_doc_new(NULL);
    vln_assert(document);
    yyjson_mut_val *root = skeleton_value(document, type, 1);
    return write_out(&document, root, YYJSON_WRITE_PRETTY_TWO_SPACES, NULL);
}
