#include "vln_json_form.h"

#include <ctype.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "vln_err.h"
#include "vln_id.h"
#include "vln_text.h"

enum { PREFIX_MAX = 128, HEX_MAX = 64, UUID_TEXT = 36 };

const char *
vln_form_enum_name(const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);
    return found ? found->name : NULL;
}

/* "CheckStatus" to "CHECK_STATUS_". */
static void
make_prefix(const char *camel, char out[PREFIX_MAX])
{
    size_t len = 0;
    for (size_t i = 0; camel[i] && len + 3 < PREFIX_MAX; i++) {
        if (i > 0 && isupper((unsigned char)camel[i])) {
            out[len++] = '_';
        }
        out[len++] = (char)toupper((unsigned char)camel[i]);
    }
    out[len++] = '_';
    out[len] = '\0';
}

const char *
vln_form_enum_short(const ProtobufCEnumDescriptor *type, const char *name)
{
    char prefix[PREFIX_MAX];
    make_prefix(type->short_name, prefix);
    size_t len = strlen(prefix);
    return strncmp(name, prefix, len) == 0 ? name + len : name;
}

bool
vln_form_enum_parse(const ProtobufCEnumDescriptor *type, const char *text, int *out)
{
    for (unsigned i = 0; i < type->n_values; i++) {
        const char *name = type->values[i].name;
        if (strcasecmp(name, text) == 0 || strcasecmp(vln_form_enum_short(type, name), text) == 0) {
            *out = type->values[i].value;
            return true;
        }
    }
    return false;
}

static bool
ends_in(const char *text, const char *end)
{
    size_t text_len = strlen(text);
    size_t end_len = strlen(end);
    return text_len >= end_len && strcmp(text + text_len - end_len, end) == 0;
}

/* clang-format off */
static const struct {
    const char *end; /* of the field's name */
    vln_form_bytes_t form;
    size_t size;
} forms[] = {
    /* name ends in  form           bytes */
    {"_id",        VLN_FORM_UUID,  VLN_ID_BYTES},
    {"_ids",       VLN_FORM_UUID,  VLN_ID_BYTES},
    {"rerun_of",   VLN_FORM_UUID,  VLN_ID_BYTES},
    {"digest",     VLN_FORM_HEX,   32},
    {"digests",    VLN_FORM_HEX,   32},
    {"hash",       VLN_FORM_HEX,   32},
    {"signature",  VLN_FORM_HEX,   HEX_MAX},
};
/* clang-format on */

vln_form_bytes_t
vln_form_of_field(const char *field_name, size_t *size)
{
    for (size_t i = 0; i < VLN_COUNT(forms); i++) {
        if (ends_in(field_name, forms[i].end)) {
            if (size) {
                *size = forms[i].size;
            }
            return forms[i].form;
        }
    }
    if (size) {
        *size = 0;
    }
    return VLN_FORM_BASE64;
}

vln_form_bytes_t
vln_form_of(const char *field_name, size_t size)
{
    size_t wanted;
    vln_form_bytes_t form = vln_form_of_field(field_name, &wanted);
    return size == wanted ? form : VLN_FORM_BASE64;
}

size_t
vln_form_text_size(size_t bytes)
{
    size_t base64 = (bytes + 2) / 3 * 4 + 1;
    size_t hex = 2 * HEX_MAX + 1;
    return base64 > hex ? base64 : hex;
}

char *
vln_form_write(vln_form_bytes_t form, const uint8_t *bytes, size_t size, char *out)
{
    if (form == VLN_FORM_UUID) {
        return vln_id_format(bytes, out);
    }
    if (form == VLN_FORM_HEX) {
        return vln_hex_encode(bytes, size, out);
    }
    return sodium_bin2base64(out, vln_form_text_size(size), bytes, size,
                             sodium_base64_VARIANT_ORIGINAL);
}

bool
vln_form_read(const char *field_name, const char *text, uint8_t *out, size_t *size)
{
    size_t len = strlen(text);
    size_t wanted;
    vln_form_bytes_t form = vln_form_of_field(field_name, &wanted);
    vln_id_t id;
    if (form == VLN_FORM_UUID && len == UUID_TEXT && vln_id_parse(text, &id)) {
        memcpy(out, id.bytes, VLN_ID_BYTES);
        *size = VLN_ID_BYTES;
        return true;
    }
    if (form == VLN_FORM_HEX && len == 2 * wanted && vln_hex_decode(text, out, wanted)) {
        *size = wanted;
        return true;
    }
    return sodium_base642bin(out, len, text, len, NULL, size, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0;
}
