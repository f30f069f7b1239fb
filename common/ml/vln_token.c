#include "vln_token.h"

#include <string.h>

static vln_token_t
fail(vln_token_reader_t *self, const char *why)
{
    self->why = why;
    self->at = self->end;
    self->depth = 0;
    self->started = true;
    return (vln_token_t){.kind = VLN_TOKEN_ERROR};
}

static vln_token_t
plain(vln_token_kind_t kind)
{
    return (vln_token_t){.kind = kind};
}

static vln_token_t
open_level(vln_token_reader_t *self, vln_token_level_t level)
{
    if (self->depth == VLN_TOKEN_DEPTH) {
        return fail(self, "it nests deeper than 32 levels");
    }
    level.is_new = true;
    self->levels[self->depth++] = level;
    return plain(level.is_object ? VLN_TOKEN_OBJECT : VLN_TOKEN_ARRAY);
}

static vln_token_t
close_level(vln_token_reader_t *self)
{
    bool is_object = self->levels[--self->depth].is_object;
    return plain(is_object ? VLN_TOKEN_OBJECT_END : VLN_TOKEN_ARRAY_END);
}

/* ---- JSON ---- */

static void
skip_blanks(vln_token_reader_t *self)
{
    while (self->at < self->end &&
           (*self->at == ' ' || *self->at == '\n' || *self->at == '\t' || *self->at == '\r')) {
        self->at++;
    }
}

static vln_token_t
json_text(vln_token_reader_t *self, vln_token_kind_t kind)
{
    vln_token_t token = {.kind = kind, .text = ++self->at};
    while (self->at < self->end && *self->at != '"') {
        if (*self->at == '\\') {
            token.is_escaped = true;
            self->at++;
        }
        self->at++;
    }
    if (self->at >= self->end) {
        return fail(self, "a text has no end");
    }
    token.size = (size_t)(self->at++ - token.text);
    return token;
}

static bool
take_word(vln_token_reader_t *self, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(self->end - self->at) < size || memcmp(self->at, word, size) != 0) {
        return false;
    }
    self->at += size;
    return true;
}

static bool
is_number_byte(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || byte == '-' || byte == '+' || byte == '.' ||
           byte == 'e' || byte == 'E';
}

static void
set_whole(vln_token_t *token)
{
    size_t at = token->size > 0 && token->text[0] == '-' ? 1 : 0;
    int64_t value = 0;
    if (token->size == at || token->size > at + 18) {
        return;
    }
    for (size_t i = at; i < token->size; i++) {
        if (token->text[i] < '0' || token->text[i] > '9') {
            return;
        }
        value = value * 10 + (token->text[i] - '0');
    }
    token->is_whole = true;
    token->whole = at ? -value : value;
}

static vln_token_t
json_number(vln_token_reader_t *self)
{
    vln_token_t token = {.kind = VLN_TOKEN_NUMBER, .text = self->at};
    if (take_word(self, "NaN") || take_word(self, "-Infinity") || take_word(self, "Infinity")) {
        token.size = (size_t)(self->at - token.text);
        return token;
    }
    while (self->at < self->end && is_number_byte(*self->at)) {
        self->at++;
    }
    token.size = (size_t)(self->at - token.text);
    if (token.size == 0) {
        return fail(self, "a value is none of JSON's");
    }
    set_whole(&token);
    return token;
}

static vln_token_t
json_value(vln_token_reader_t *self)
{
    switch (*self->at) {
    case '{':
        self->at++;
        return open_level(self, (vln_token_level_t){.is_object = true});
    case '[':
        self->at++;
        return open_level(self, (vln_token_level_t){0});
    case '"':
        return json_text(self, VLN_TOKEN_TEXT);
    case 't':
        return take_word(self, "true") ? plain(VLN_TOKEN_TRUE) : fail(self, "a word is unknown");
    case 'f':
        return take_word(self, "false") ? plain(VLN_TOKEN_FALSE) : fail(self, "a word is unknown");
    case 'n':
        return take_word(self, "null") ? plain(VLN_TOKEN_NULL) : fail(self, "a word is unknown");
    default:
        return json_number(self);
    }
}

static vln_token_t
json_key(vln_token_reader_t *self)
{
    if (*self->at != '"') {
        return fail(self, "a name is not in quotes");
    }
    vln_token_t key = json_text(self, VLN_TOKEN_KEY);
    skip_blanks(self);
    if (key.kind == VLN_TOKEN_ERROR) {
        return key;
    }
    if (self->at == self->end || *self->at != ':') {
        return fail(self, "a name has no value");
    }
    self->at++;
    self->levels[self->depth - 1].after_key = true;
    return key;
}

static vln_token_t
json_item(vln_token_reader_t *self, vln_token_level_t *level)
{
    bool ends = *self->at == (level->is_object ? '}' : ']');
    if (ends && !level->after_key) {
        self->at++;
        return close_level(self);
    }
    if (!level->is_new && !level->after_key) {
        if (*self->at != ',') {
            return fail(self, "a comma is missing");
        }
        self->at++;
        skip_blanks(self);
        if (self->at == self->end) {
            return fail(self, "it ends too early");
        }
    }
    level->is_new = false;
    if (level->is_object && !level->after_key) {
        return json_key(self);
    }
    level->after_key = false;
    return json_value(self);
}

/* ---- UBJSON ---- */

static bool
take_bytes(vln_token_reader_t *self, size_t size, const uint8_t **out)
{
    if ((size_t)(self->end - self->at) < size) {
        return false;
    }
    *out = self->at;
    self->at += size;
    return true;
}

static size_t
width_of(uint8_t type)
{
    switch (type) {
    case 'i':
    case 'U':
    case 'C':
        return 1;
    case 'I':
        return 2;
    case 'l':
    case 'd':
        return 4;
    case 'L':
    case 'D':
        return 8;
    default:
        return 0;
    }
}

/* Integers are big-endian and, but for 'U', signed. */
static int64_t
integer_of(uint8_t type, const uint8_t *bytes)
{
    size_t width = width_of(type);
    bool negative = type != 'U' && (bytes[0] & 0x80) != 0;
    uint64_t value = negative ? UINT64_MAX : 0;
    for (size_t i = 0; i < width; i++) {
        value = value << 8 | bytes[i];
    }
    return (int64_t)value;
}

static bool
is_integer_type(uint8_t type)
{
    return type != 0 && strchr("iUIlL", type) != NULL;
}

/* A length or count: its type, then it. */
static bool
take_count(vln_token_reader_t *self, uint64_t *out)
{
    const uint8_t *type = NULL;
    const uint8_t *bytes = NULL;
    if (!take_bytes(self, 1, &type) || !is_integer_type(*type) ||
        !take_bytes(self, width_of(*type), &bytes)) {
        return false;
    }
    int64_t count = integer_of(*type, bytes);
    *out = (uint64_t)count;
    return count >= 0;
}

static vln_token_t
ubj_text(vln_token_reader_t *self, vln_token_kind_t kind)
{
    vln_token_t token = {.kind = kind};
    uint64_t size = 0;
    if (!take_count(self, &size) || size > (uint64_t)(self->end - self->at) ||
        !take_bytes(self, (size_t)size, &token.text)) {
        return fail(self, "a text is longer than the file");
    }
    token.size = (size_t)size;
    return token;
}

static vln_token_t
ubj_number(vln_token_reader_t *self, uint8_t type)
{
    vln_token_t token = {.kind = VLN_TOKEN_NUMBER};
    if (!take_bytes(self, width_of(type), &token.text)) {
        return fail(self, "it ends within a number");
    }
    token.size = width_of(type);
    token.is_whole = is_integer_type(type);
    token.whole = token.is_whole ? integer_of(type, token.text) : 0;
    return token;
}

/* "[" or "{" was read: its type and count may follow. Each item is at least a byte, so a count
 * beyond the file's end is refused before anybody believes it. */
static vln_token_t
ubj_open(vln_token_reader_t *self, bool is_object)
{
    vln_token_level_t level = {.is_object = is_object};
    if (self->at < self->end && *self->at == '$') {
        self->at++;
        if (self->at == self->end || width_of(*self->at) == 0) {
            return fail(self, "an array is of a type that is not known");
        }
        level.type = *self->at++;
    }
    if (self->at < self->end && *self->at == '#') {
        self->at++;
        level.counted = true;
        if (!take_count(self, &level.left) || level.left > (uint64_t)(self->end - self->at)) {
            return fail(self, "an array claims more than the file holds");
        }
    }
    if (level.type && !level.counted) {
        return fail(self, "an array has a type and no count");
    }
    return open_level(self, level);
}

static vln_token_t
ubj_value(vln_token_reader_t *self, uint8_t type)
{
    switch (type) {
    case '{':
        return ubj_open(self, true);
    case '[':
        return ubj_open(self, false);
    case 'S':
        return ubj_text(self, VLN_TOKEN_TEXT);
    case 'T':
        return plain(VLN_TOKEN_TRUE);
    case 'F':
        return plain(VLN_TOKEN_FALSE);
    case 'Z':
        return plain(VLN_TOKEN_NULL);
    default:
        return width_of(type) > 0 ? ubj_number(self, type) : fail(self, "a type is not known");
    }
}

static vln_token_t
ubj_item(vln_token_reader_t *self, vln_token_level_t *level)
{
    bool due = !level->is_object || !level->after_key; /* not between a name and its value */
    if (due && level->counted && level->left == 0) {
        return close_level(self);
    }
    if (self->at == self->end) {
        return fail(self, "it ends too early");
    }
    if (due && !level->counted && *self->at == (level->is_object ? '}' : ']')) {
        self->at++;
        return close_level(self);
    }
    if (due && level->counted) {
        level->left--;
    }
    if (level->is_object && !level->after_key) {
        level->after_key = true;
        return ubj_text(self, VLN_TOKEN_KEY);
    }
    level->after_key = false;
    uint8_t type = level->type ? level->type : *self->at++;
    return ubj_value(self, type);
}

/* ---- both ---- */

void
vln_token_open(vln_token_reader_t *self, const uint8_t *bytes, size_t size, bool is_ubj)
{
    *self = (vln_token_reader_t){.at = bytes, .end = bytes + size, .is_ubj = is_ubj};
}

vln_token_t
vln_token_next(vln_token_reader_t *self)
{
    if (self->why) {
        return plain(VLN_TOKEN_ERROR);
    }
    if (!self->is_ubj) {
        skip_blanks(self);
    }
    if (self->depth > 0) {
        vln_token_level_t *level = &self->levels[self->depth - 1];
        if (self->is_ubj) {
            return ubj_item(self, level);
        }
        return self->at == self->end ? fail(self, "it ends too early") : json_item(self, level);
    }
    if (self->started) {
        return self->at == self->end ? plain(VLN_TOKEN_END)
                                     : fail(self, "there is more after its end");
    }
    if (self->at == self->end) {
        return fail(self, "it is empty");
    }
    self->started = true;
    return self->is_ubj ? ubj_value(self, *self->at++) : json_value(self);
}

/* ---- stepping over ---- */

static void
ubj_skip_numbers(vln_token_reader_t *self, vln_token_level_t *level)
{
    size_t width = width_of(level->type);
    if (level->counted && width > 0 && level->left <= (size_t)(self->end - self->at) / width) {
        self->at += level->left * width;
        level->left = 0;
    }
}

static void
json_skip_numbers(vln_token_reader_t *self)
{
    const uint8_t *at = self->at;
    while (at < self->end && (is_number_byte(*at) || *at == ',' || *at == ' ')) {
        at++;
    }
    if (at < self->end && *at == ']') {
        self->at = at;
    }
}

void
vln_token_skip_numbers(vln_token_reader_t *self)
{
    vln_token_level_t *level = self->depth > 0 ? &self->levels[self->depth - 1] : NULL;
    if (!level || level->is_object || !level->is_new) {
        return;
    }
    if (self->is_ubj) {
        ubj_skip_numbers(self, level);
    } else {
        json_skip_numbers(self);
    }
}

/* ---- escapes ---- */

/* 16 for what is no hex digit. */
static uint32_t
hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return (uint32_t)(c - '0');
    }
    if (c >= 'a' && c <= 'f') {
        return (uint32_t)(c - 'a' + 10);
    }
    return c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10) : 16;
}

static bool
hex4(const uint8_t *text, size_t size, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < 4; i++) {
        uint32_t digit = i < size ? hex_digit(text[i]) : 16;
        if (digit == 16) {
            return false;
        }
        *out = *out << 4 | digit;
    }
    return true;
}

static size_t
put_utf8(uint32_t character, char *out)
{
    if (character < 0x80) {
        out[0] = (char)character;
        return 1;
    }
    if (character < 0x800) {
        out[0] = (char)(0xc0 | character >> 6);
        out[1] = (char)(0x80 | (character & 0x3f));
        return 2;
    }
    if (character < 0x10000) {
        out[0] = (char)(0xe0 | character >> 12);
        out[1] = (char)(0x80 | (character >> 6 & 0x3f));
        out[2] = (char)(0x80 | (character & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | character >> 18);
    out[1] = (char)(0x80 | (character >> 12 & 0x3f));
    out[2] = (char)(0x80 | (character >> 6 & 0x3f));
    out[3] = (char)(0x80 | (character & 0x3f));
    return 4;
}

/* "\uXXXX", or two of them for what lies beyond 16 bits; what was read of `text`, 0 if wrong. */
static size_t
unescape_unicode(const uint8_t *text, size_t size, char *out, size_t *used)
{
    uint32_t high = 0;
    uint32_t low = 0;
    if (size < 6 || !hex4(text + 2, size - 2, &high) || high == 0) {
        return 0;
    }
    if (high < 0xd800 || high > 0xdfff) {
        *used += put_utf8(high, out + *used);
        return 6;
    }
    if (high > 0xdbff || size < 12 || text[6] != '\\' || text[7] != 'u' ||
        !hex4(text + 8, size - 8, &low) || low < 0xdc00 || low > 0xdfff) {
        return 0;
    }
    *used += put_utf8(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), out + *used);
    return 12;
}

static size_t
unescape_one(const uint8_t *text, size_t size, char *out, size_t *used)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    if (size < 2) {
        return 0;
    }
    if (text[1] == 'u') {
        return unescape_unicode(text, size, out, used);
    }
    const char *found = text[1] ? strchr(from, text[1]) : NULL;
    if (!found) {
        return 0;
    }
    out[(*used)++] = to[found - from];
    return 2;
}

size_t
vln_token_unescape(const vln_token_t *token, char *out, size_t out_size)
{
    size_t used = 0;
    size_t at = 0;
    while (at < token->size) {
        if (used + 5 > out_size) {
            return SIZE_MAX;
        }
        if (!token->is_escaped || token->text[at] != '\\') {
            out[used++] = (char)token->text[at++];
            continue;
        }
        size_t read = unescape_one(token->text + at, token->size - at, out, &used);
        if (read == 0) {
            return SIZE_MAX;
        }
        at += read;
    }
    out[used] = '\0';
    return used;
}
