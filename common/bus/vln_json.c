#include "vln_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "vln_guess.h"
#include "vln_json_form.h"
#include "vln_pb.h"
#include "vln_reflect.h"

enum { PATH_SIZE = 256 };

/* Reading one text. `path` leads to the value that is looked at. */
typedef struct reader {
    vln_arena_t *arena;
    vln_json_error_t *error;
    size_t values;
    size_t path_len;
    char path[PATH_SIZE];
} reader_t;

VLN_PRINTF(2, 3) static vln_err_t
refuse(const reader_t *self, const char *format, ...)
{
    char *why = self->error->why;
    size_t at = 0;
    if (self->path_len) {
        at = (size_t)snprintf(why, VLN_JSON_WHY, "%s: ", self->path);
    }
    va_list args;
    va_start(args, format);
    vsnprintf(why + at, VLN_JSON_WHY - at, format, args);
    va_end(args);
    return VLN_INVALID_ARGUMENT;
}

/* Adds a name or an index to the path; what does not fit is cut off. Returns the length before,
 * for leave(). */
static size_t
enter(reader_t *self, const char *name, size_t index)
{
    size_t before = self->path_len;
    size_t room = PATH_SIZE - before;
    const char *dot = before ? "." : "";
    int added = name ? snprintf(self->path + before, room, "%s%.64s", dot, name)
                     : snprintf(self->path + before, room, "[%zu]", index);
    size_t len = before + (size_t)added;
    self->path_len = len < PATH_SIZE ? len : PATH_SIZE - 1;
    return before;
}

static void
leave(reader_t *self, size_t before)
{
    self->path_len = before;
    self->path[before] = '\0';
}

static vln_err_t
take(reader_t *self, size_t size, void **out)
{
    *out = vln_arena_try_alloc(self->arena, size);
    return *out ? VLN_OK : refuse(self, "the text holds more than is taken at once");
}

/* ---- scalars ---- */

static bool
digits_to_u64(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return *text != '\0';
}

/* A whole number as sign and size, from a number or from text. */
static bool
whole_of(yyjson_val *value, bool *negative, uint64_t *size)
{
    *negative = false;
    if (yyjson_is_uint(value)) {
        *size = yyjson_get_uint(value);
        return true;
    }
    if (yyjson_is_sint(value)) {
        int64_t number = yyjson_get_sint(value);
        *negative = number < 0;
        *size = *negative ? 0 - (uint64_t)number : (uint64_t)number;
        return true;
    }
    const char *text = yyjson_get_str(value);
    if (!text || strlen(text) != yyjson_get_len(value)) {
        return false;
    }
    *negative = text[0] == '-';
    return digits_to_u64(text + (*negative ? 1 : 0), size);
}

static vln_err_t
read_signed(const reader_t *self, yyjson_val *value, int64_t max, int64_t *out)
{
    bool negative;
    uint64_t size;
    if (!whole_of(value, &negative, &size)) {
        return refuse(self, "a whole number is wanted");
    }
    uint64_t bound = (uint64_t)max + (negative ? 1 : 0);
    if (size > bound) {
        return refuse(self, "the number is outside -%" PRIu64 " to %" PRId64, (uint64_t)max + 1,
                      max);
    }
    *out = (int64_t)(negative ? 0 - size : size);
    return VLN_OK;
}

static vln_err_t
read_unsigned(const reader_t *self, yyjson_val *value, uint64_t max, uint64_t *out)
{
    bool negative;
    if (!whole_of(value, &negative, out)) {
        return refuse(self, "a whole number is wanted");
    }
    if (*out > max || (negative && *out > 0)) {
        return refuse(self, "the number is outside 0 to %" PRIu64, max);
    }
    return VLN_OK;
}

static vln_err_t
read_int32(const reader_t *self, yyjson_val *value, int32_t *out)
{
    int64_t number = 0;
    vln_err_t err = read_signed(self, value, INT32_MAX, &number);
    *out = (int32_t)number;
    return err;
}

static vln_err_t
read_uint32(const reader_t *self, yyjson_val *value, uint32_t *out)
{
    uint64_t number = 0;
    vln_err_t err = read_unsigned(self, value, UINT32_MAX, &number);
    *out = (uint32_t)number;
    return err;
}

static vln_err_t
read_double(const reader_t *self, yyjson_val *value, double *out)
{
    if (!yyjson_is_num(value)) {
        return refuse(self, "a number is wanted");
    }
    *out = yyjson_get_num(value);
    return VLN_OK;
}

static vln_err_t
read_float(const reader_t *self, yyjson_val *value, float *out)
{
    double number = 0;
    vln_err_t err = read_double(self, value, &number);
    *out = (float)number;
    if (err == VLN_OK && *out - *out != 0) {
        return refuse(self, "the number is too large");
    }
    return err;
}

static vln_err_t
read_bool(const reader_t *self, yyjson_val *value, protobuf_c_boolean *out)
{
    if (!yyjson_is_bool(value)) {
        return refuse(self, "true or false is wanted");
    }
    *out = yyjson_get_bool(value);
    return VLN_OK;
}

/* Text without NUL, which C's strings cannot hold. yyjson has checked its UTF-8. */
static vln_err_t
read_text(reader_t *self, yyjson_val *value, const char **out)
{
    *out = NULL;
    const char *text = yyjson_get_str(value);
    if (!text) {
        return refuse(self, "text is wanted");
    }
    size_t len = yyjson_get_len(value);
    if (strlen(text) != len) {
        return refuse(self, "the text holds a NUL");
    }
    void *copy;
    vln_err_t err = take(self, len + 1, &copy);
    if (err == VLN_OK) {
        memcpy(copy, text, len);
        *out = copy;
    }
    return err;
}

static vln_err_t
read_bytes(reader_t *self, const ProtobufCFieldDescriptor *field, yyjson_val *value,
           ProtobufCBinaryData *out)
{
    const char *text;
    vln_err_t err = read_text(self, value, &text);
    if (err != VLN_OK) {
        return err;
    }
    void *room;
    err = take(self, strlen(text) + 1, &room);
    if (err != VLN_OK) {
        return err;
    }
    out->data = room;
    if (vln_form_read(field->name, text, out->data, &out->len)) {
        return VLN_OK;
    }
    static const char *const wanted[] = {
        [VLN_FORM_BASE64] = "base64",
        [VLN_FORM_UUID] = "a UUID, or base64,",
        [VLN_FORM_HEX] = "hex, or base64,",
    };
    return refuse(self, "%s is wanted", wanted[vln_form_of_field(field->name, NULL)]);
}

static vln_err_t
refuse_enum(const reader_t *self, const ProtobufCEnumDescriptor *type, const char *text)
{
    vln_guess_t guess = {.typed = text};
    for (unsigned i = 0; i < type->n_values; i++) {
        vln_guess_offer(&guess, vln_form_enum_short(type, type->values[i].name));
        vln_guess_offer(&guess, type->values[i].name);
    }
    if (guess.best) {
        return refuse(self, "no such %s \"%.64s\"; did you mean %s?", type->short_name, text,
                      guess.best);
    }
    char names[VLN_JSON_WHY / 2] = "";
    for (unsigned i = 0; i < type->n_values; i++) {
        size_t at = strlen(names);
        snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "",
                 vln_form_enum_short(type, type->values[i].name));
    }
    return refuse(self, "no such %s \"%.64s\"; there are %s", type->short_name, text, names);
}

static vln_err_t
read_enum(const reader_t *self, const ProtobufCEnumDescriptor *type, yyjson_val *value, int *out)
{
    if (yyjson_is_int(value)) {
        return read_int32(self, value, out);
    }
    const char *text = yyjson_get_str(value);
    if (!text) {
        return refuse(self, "a name of %s is wanted", type->short_name);
    }
    return vln_form_enum_parse(type, text, out) ? VLN_OK : refuse_enum(self, type, text);
}

/* ---- fields and messages ---- */

static vln_err_t read_message(reader_t *self, const ProtobufCMessageDescriptor *type,
                              yyjson_val *value, int depth, ProtobufCMessage **out);
static vln_err_t read_field(reader_t *self, const ProtobufCFieldDescriptor *field,
                            yyjson_val *value, int depth, ProtobufCMessage *message);

/* One value of the field into `slot`, which has the size of its type. */
static vln_err_t
read_value(reader_t *self, const ProtobufCFieldDescriptor *field, yyjson_val *value, int depth,
           void *slot)
{
    if (++self->values > VLN_JSON_MAX_VALUES) {
        return refuse(self, "more than %d values", VLN_JSON_MAX_VALUES);
    }
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return read_int32(self, value, slot);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return read_uint32(self, value, slot);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return read_signed(self, value, INT64_MAX, slot);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return read_unsigned(self, value, UINT64_MAX, slot);
    case PROTOBUF_C_TYPE_DOUBLE:
        return read_double(self, value, slot);
    case PROTOBUF_C_TYPE_FLOAT:
        return read_float(self, value, slot);
    case PROTOBUF_C_TYPE_BOOL:
        return read_bool(self, value, slot);
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(self, field->descriptor, value, slot);
    case PROTOBUF_C_TYPE_STRING:
        return read_text(self, value, slot);
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(self, field, value, slot);
    case PROTOBUF_C_TYPE_MESSAGE:
        return read_message(self, field->descriptor, value, depth + 1, slot);
    }
    return refuse(self, "a type that is not known here");
}

static void *
field_at(ProtobufCMessage *message, unsigned offset)
{
    return (char *)message + offset;
}

static vln_err_t
read_list(reader_t *self, const ProtobufCFieldDescriptor *field, yyjson_val *value, int depth,
          ProtobufCMessage *message)
{
    size_t count = yyjson_arr_size(value);
    if (!yyjson_is_arr(value)) {
        return refuse(self, "a list is wanted");
    }
    if (count > VLN_JSON_MAX_VALUES) {
        return refuse(self, "more than %d values", VLN_JSON_MAX_VALUES);
    }
    size_t step = vln_reflect_size(field->type);
    void *elements;
    vln_err_t err = take(self, count * step + 1, &elements);
    size_t index = 0;
    size_t max;
    yyjson_val *element;
    yyjson_arr_foreach(value, index, max, element)
    {
        if (err != VLN_OK) {
            return err;
        }
        size_t before = enter(self, NULL, index);
        err = read_value(self, field, element, depth, (char *)elements + index * step);
        leave(self, before);
    }
    if (err == VLN_OK && count) {
        *(size_t *)field_at(message, field->quantifier_offset) = count;
        *(void **)field_at(message, field->offset) = elements;
    }
    return err;
}

/* KeyValue, KeyNumber. */
static bool
is_pair(const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *type =
        field->type == PROTOBUF_C_TYPE_MESSAGE ? field->descriptor : NULL;
    return type && type->n_fields == 2 && strcmp(type->fields[0].name, "key") == 0 &&
           strcmp(type->fields[1].name, "value") == 0;
}

/* The entry `name: value` of a map as the message of a pair. */
static vln_err_t
read_entry(reader_t *self, const ProtobufCMessageDescriptor *type, yyjson_val *key, int depth,
           ProtobufCMessage **out)
{
    void *pair;
    vln_err_t err = take(self, type->sizeof_message, &pair);
    if (err != VLN_OK) {
        return err;
    }
    protobuf_c_message_init(type, pair);
    err = read_field(self, &type->fields[0], key, depth, pair);
    if (err == VLN_OK) {
        err = read_field(self, &type->fields[1], yyjson_obj_iter_get_val(key), depth, pair);
    }
    *out = pair;
    return err;
}

/* A map, which the contract has as a list of pairs, as {"name": value}. */
static vln_err_t
read_map(reader_t *self, const ProtobufCFieldDescriptor *field, yyjson_val *value, int depth,
         ProtobufCMessage *message)
{
    size_t count = yyjson_obj_size(value);
    size_t index = 0;
    void *room;
    if (count > VLN_JSON_MAX_VALUES) {
        return refuse(self, "more than %d values", VLN_JSON_MAX_VALUES);
    }
    vln_err_t err = take(self, count * sizeof(ProtobufCMessage *) + 1, &room);
    ProtobufCMessage **pairs = room;
    yyjson_obj_iter entries;
    yyjson_obj_iter_init(value, &entries);
    for (yyjson_val *key; err == VLN_OK && (key = yyjson_obj_iter_next(&entries)); index++) {
        size_t before = enter(self, yyjson_get_str(key), 0);
        bool again = yyjson_obj_get(value, yyjson_get_str(key)) != yyjson_obj_iter_get_val(key);
        err = again ? refuse(self, "given twice")
                    : read_entry(self, field->descriptor, key, depth + 1, &pairs[index]);
        leave(self, before);
    }
    if (err == VLN_OK && count) {
        *(size_t *)field_at(message, field->quantifier_offset) = count;
        *(void **)field_at(message, field->offset) = room;
    }
    return err;
}

static vln_err_t
read_field(reader_t *self, const ProtobufCFieldDescriptor *field, yyjson_val *value, int depth,
           ProtobufCMessage *message)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED && yyjson_is_obj(value) && is_pair(field)) {
        return read_map(self, field, value, depth, message);
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return read_list(self, field, value, depth, message);
    }
    vln_err_t err = read_value(self, field, value, depth, field_at(message, field->offset));
    if (err == VLN_OK && !vln_reflect_is_pointer(field)) {
        *(protobuf_c_boolean *)field_at(message, field->quantifier_offset) = 1;
    }
    return err;
}

static vln_err_t
refuse_name(const reader_t *self, const ProtobufCMessageDescriptor *type, const char *name)
{
    vln_guess_t guess = {.typed = name};
    for (unsigned i = 0; i < type->n_fields; i++) {
        vln_guess_offer(&guess, type->fields[i].name);
    }
    if (guess.best) {
        return refuse(self, "no such field; did you mean %s?", guess.best);
    }
    return refuse(self, "no such field of %s", type->short_name);
}

/* A key and its value; `seen` has a mark for each field of the type. */
static vln_err_t
read_pair(reader_t *self, const ProtobufCMessageDescriptor *type, yyjson_val *key, int depth,
          ProtobufCMessage *message, bool *seen)
{
    const char *name = yyjson_get_str(key);
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(type, name);
    if (!field || strlen(name) != yyjson_get_len(key)) {
        return refuse_name(self, type, name);
    }
    if (seen[field - type->fields]) {
        return refuse(self, "given twice");
    }
    seen[field - type->fields] = true;
    return yyjson_is_null(value) ? VLN_OK : read_field(self, field, value, depth, message);
}

/* Recurses at most VLN_JSON_MAX_DEPTH levels, whatever the text. */
static vln_err_t
read_message(reader_t *self, const ProtobufCMessageDescriptor *type, yyjson_val *value, int depth,
             ProtobufCMessage **out)
{
    *out = NULL;
    if (!yyjson_is_obj(value)) {
        return refuse(self, "an object {…} of %s is wanted", type->short_name);
    }
    if (depth > VLN_JSON_MAX_DEPTH) {
        return refuse(self, "deeper than %d levels", VLN_JSON_MAX_DEPTH);
    }
    void *message;
    void *seen;
    vln_err_t err = take(self, type->sizeof_message, &message);
    if (err == VLN_OK) {
        protobuf_c_message_init(type, message);
        err = take(self, type->n_fields + 1, &seen);
    }
    yyjson_obj_iter pairs;
    yyjson_obj_iter_init(value, &pairs);
    for (yyjson_val *key; err == VLN_OK && (key = yyjson_obj_iter_next(&pairs));) {
        size_t before = enter(self, yyjson_get_str(key), 0);
        err = read_pair(self, type, key, depth, message, seen);
        leave(self, before);
    }
    *out = err == VLN_OK ? message : NULL;
    return err;
}

/* yyjson_read_opts takes `char *` and writes to it only with YYJSON_READ_INSITU. */
static yyjson_doc *
read_text_document(const char *text, size_t size, yyjson_read_err *error)
{
    return yyjson_read_opts((char *)(uintptr_t)text, size, YYJSON_READ_NOFLAG, NULL, error);
}

vln_err_t
vln_json_parse(const ProtobufCMessageDescriptor *type, const char *text, size_t size,
               vln_arena_t *arena, ProtobufCMessage **out, vln_json_error_t *error)
{
    *out = NULL;
    error->why[0] = '\0';
    reader_t reader = {.arena = arena, .error = error};
    if (size > VLN_JSON_MAX_TEXT) {
        return refuse(&reader, "more than %d bytes of JSON", VLN_JSON_MAX_TEXT);
    }
    yyjson_read_err wrong = {0};
    yyjson_doc *document = read_text_document(text, size, &wrong);
    if (!document) {
        return refuse(&reader, "not JSON at byte %zu: %s", wrong.pos, wrong.msg);
    }
    vln_err_t err = read_message(&reader, type, yyjson_doc_get_root(document), 1, out);
    yyjson_doc_free(document);
    return err;
}

vln_err_t
vln_json_to_wire(const ProtobufCMessageDescriptor *type, const char *text, size_t size,
                 vln_arena_t *arena, ProtobufCBinaryData *out, vln_json_error_t *error)
{
    *out = (ProtobufCBinaryData){0};
    ProtobufCMessage *message;
    vln_err_t err = vln_json_parse(type, text, size, arena, &message, error);
    if (err == VLN_OK) {
        out->data = vln_pb_pack(message, arena, &out->len);
    }
    return err;
}
