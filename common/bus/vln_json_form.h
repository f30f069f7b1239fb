/*
 * vln_json_form - how the contract's enums and bytes are written for people: in JSON, on the
 * command line, in tables. Pure; any thread.
 */
#ifndef VLN_JSON_FORM_H
#define VLN_JSON_FORM_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value's full name as in the .proto: "STAGE_STAGING". NULL if the number is not known. */
const char *vln_form_enum_name(const ProtobufCEnumDescriptor *type, int value);

/* Of a full name what follows the prefix that the enum's values share: "STAGING". Borrowed from
 * `name`. */
const char *vln_form_enum_short(const ProtobufCEnumDescriptor *type, const char *name);

/* By full or short name, in any case. False if there is none. */
bool vln_form_enum_parse(const ProtobufCEnumDescriptor *type, const char *text, int *out);

typedef enum vln_form_bytes {
    VLN_FORM_BASE64, /* standard alphabet, padded */
    VLN_FORM_UUID,   /* a field `…_id`, `…_ids` or `rerun_of`, of 16 bytes */
    VLN_FORM_HEX,    /* a field `…digest`, `…digests` or `hash` of 32 bytes, `signature` of 64 */
} vln_form_bytes_t;

/* What the field's name asks for when the size is the one above, which goes into `*size` (0 for
 * base64). `size` may be NULL. */
vln_form_bytes_t vln_form_of_field(const char *field_name, size_t *size);

/* How bytes of that many are written in the field. */
vln_form_bytes_t vln_form_of(const char *field_name, size_t size);

/* Bytes that the text of this form takes at most, its end included. */
size_t vln_form_text_size(size_t bytes);

/* Written into out, which holds vln_form_text_size(size). Returns out. */
char *vln_form_write(vln_form_bytes_t form, const uint8_t *bytes, size_t size, char *out);

/*
 * Read text of the field, in the form of its name or as base64, into out, which holds as many bytes
 * as the text. False if it is neither.
 */
bool vln_form_read(const char *field_name, const char *text, uint8_t *out, size_t *size);

#endif
