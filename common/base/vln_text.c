#include "vln_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_mem.h"

bool
vln_text_copy(char *out, size_t out_size, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    size_t kept = len < out_size ? len : out_size - 1;
    if (text && kept) {
        memcpy(out, text, kept);
    }
    out[kept] = '\0';
    return kept == len;
}

char *
vln_hex_encode(const uint8_t *bytes, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 0xf];
    }
    out[2 * size] = '\0';
    return out;
}

static int
hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

bool
vln_hex_decode(const char *hex, uint8_t *out, size_t size)
{
    if (strlen(hex) != 2 * size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(hex[2 * i]);
        int low = hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool
vln_text_is_name(const char *text, size_t max, const char *more)
{
    size_t len = text ? strlen(text) : 0;
    if (len == 0 || len > max || !isalnum((unsigned char)text[0])) {
        return false;
    }
    for (size_t i = 1; i < len; i++) {
        if (!isalnum((unsigned char)text[i]) && !strchr(more, text[i])) {
            return false;
        }
    }
    return true;
}

/* Length of the sequence that starts with `lead`, and the bits of it that count; 0 if none. */
static size_t
utf8_sequence(unsigned char lead, unsigned *bits)
{
    if (lead < 0x80) {
        *bits = lead;
        return 1;
    }
    if (lead >= 0xc2 && lead < 0xe0) {
        *bits = lead & 0x1f;
        return 2;
    }
    if (lead >= 0xe0 && lead < 0xf0) {
        *bits = lead & 0x0f;
        return 3;
    }
    if (lead >= 0xf0 && lead < 0xf5) {
        *bits = lead & 0x07;
        return 4;
    }
    return 0;
}

bool
vln_text_is_utf8(const char *text, size_t size)
{
    static const unsigned least[] = {0, 1, 0x80, 0x800, 0x10000};
    size_t at = 0;
    while (at < size) {
        unsigned code = 0;
        size_t len = utf8_sequence((unsigned char)text[at], &code);
        if (len == 0 || at + len > size) {
            return false;
        }
        for (size_t i = 1; i < len; i++) {
            unsigned char next = (unsigned char)text[at + i];
            if ((next & 0xc0) != 0x80) {
                return false;
            }
            code = code << 6 | (next & 0x3f);
        }
        if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
            return false;
        }
        at += len;
    }
    return true;
}

bool
vln_text_to_i64(const char *text, int64_t min, int64_t max, int64_t *out)
{
    if (!text || (!isdigit((unsigned char)text[0]) && text[0] != '-')) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || end == text || value < min || value > max) {
        return false;
    }
    *out = value;
    return true;
}

/* Without the blanks around it: where it starts now. */
static const char *
trim(const char *start, size_t *len)
{
    while (*len && isspace((unsigned char)*start)) {
        start++;
        --*len;
    }
    while (*len && isspace((unsigned char)start[*len - 1])) {
        --*len;
    }
    return start;
}

bool
vln_text_next(const char **rest, char separator, char *out, size_t out_size)
{
    while (**rest) {
        const char *start = *rest;
        const char *end = strchr(start, separator);
        size_t len = end ? (size_t)(end - start) : strlen(start);
        *rest = start + len + (end ? 1 : 0);
        start = trim(start, &len);
        if (len) {
            size_t kept = len < out_size ? len : out_size - 1;
            memcpy(out, start, kept);
            out[kept] = '\0';
            return true;
        }
    }
    return false;
}

vln_err_t
vln_text_read_file(const char *path, size_t max, char **out, size_t *size)
{
    *out = NULL;
    FILE *file = fopen(path, "rb");
    if (!file) {
        return errno == EACCES ? VLN_PERMISSION_DENIED : VLN_NOT_FOUND;
    }
    char *text = vln_calloc(1, max + 2);
    size_t len = fread(text, 1, max + 1, file);
    bool failed = ferror(file) != 0; /* a folder, too, opens and cannot be read */
    fclose(file);
    if (failed || len > max) {
        free(text);
        return VLN_INVALID_ARGUMENT;
    }
    text[len] = '\0';
    *out = text;
    if (size) {
        *size = len;
    }
    return VLN_OK;
}
