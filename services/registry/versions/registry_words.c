#include "registry_words.h"

#include <string.h>

#include "vln_log.h"
#include "vln_pb.h"
#include "vln_text.h"

#include "registry_search_store.h"
#include "registry_wire.h"

enum { FILL_AT_ONCE = 200, DIGESTS_MAX = 64, ROOM = 16 * 1024, LEXEME_MAX = 400, HEX_ROOM = 80 };

/* Lines that grow to a bound: what is beyond is not found. */
typedef struct page {
    char *text;
    size_t len;
} page_t;

static bool
is_word_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

size_t
registry_words_next(const char **text)
{
    while (**text && !is_word_byte(**text)) {
        (*text)++;
    }
    size_t len = 0;
    while (is_word_byte((*text)[len])) {
        len++;
    }
    return len;
}

/* Bytes of the text up to `max` that are whole characters. */
static size_t
whole_length(const char *text, size_t len, size_t max)
{
    size_t whole = len < max ? len : max;
    while (whole > 0 && whole < len && (text[whole] & 0xc0) == 0x80) {
        whole--;
    }
    return whole;
}

static void
add_line(page_t *self, const char *prefix, const char *text, size_t len)
{
    size_t prefix_len = strlen(prefix);
    size_t whole = whole_length(text, len, LEXEME_MAX);
    if (whole == 0 || self->len + prefix_len + whole + 2 > ROOM) {
        return;
    }
    if (self->len > 0) {
        self->text[self->len++] = '\n';
    }
    memcpy(self->text + self->len, prefix, prefix_len);
    memcpy(self->text + self->len + prefix_len, text, whole);
    self->len += prefix_len + whole;
}

static void
add_words(page_t *self, const char *text)
{
    size_t len = 0;
    while (text && (len = registry_words_next(&text)) > 0) {
        add_line(self, "", text, len);
        text += len;
    }
}

/* A facet is one line. */
static void
add_facet(page_t *self, const char *prefix, const char *value)
{
    if (!value || !*value) {
        return;
    }
    size_t from = self->len;
    add_line(self, prefix, value, strlen(value));
    for (size_t i = from + 1; i < self->len; i++) {
        if (self->text[i] == '\n') {
            self->text[i] = ' ';
        }
    }
}

static void
add_bytes(page_t *self, vln_arena_t *arena, const char *prefix, const ProtobufCBinaryData *bytes)
{
    if (bytes->len > 0 && bytes->len <= VLN_DIGEST_BYTES) {
        add_facet(self, prefix,
                  vln_hex_encode(bytes->data, bytes->len, vln_arena_alloc(arena, HEX_ROOM)));
    }
}

static void
add_lineage(page_t *facets, vln_arena_t *arena, const Valion__V1__Lineage *lineage)
{
    add_facet(facets, "p:", lineage->parent_version);
    for (size_t i = 0; i < lineage->n_dataset_digests && i < DIGESTS_MAX; i++) {
        add_bytes(facets, arena, "d:", &lineage->dataset_digests[i]);
    }
    add_bytes(facets, arena, "r:", &lineage->run_id);
}

void
registry_words_of(vln_arena_t *arena, const Valion__V1__Version *version, const char **words,
                  const char **facets)
{
    page_t text = {.text = vln_arena_alloc(arena, ROOM)};
    page_t lines = {.text = vln_arena_alloc(arena, ROOM)};
    add_words(&text, version->model);
    add_words(&text, version->version);
    add_words(&text, version->author);
    add_words(&text, version->algorithm);
    add_words(&text, version->framework);
    add_facet(&lines, "a:", version->author);
    add_facet(&lines, "l:", version->algorithm);
    add_facet(&lines, "f:", version->framework);
    for (size_t i = 0; i < version->n_tags; i++) {
        add_words(&text, version->tags[i]);
        add_facet(&lines, "t:", version->tags[i]);
    }
    add_words(&text, version->description);
    if (version->lineage) {
        add_lineage(&lines, arena, version->lineage);
    }
    *words = text.text;
    *facets = lines.text;
}

/* As it is now: what may change lies over the record. */
static Valion__V1__Version *
read_version(vln_arena_t *arena, const registry_version_t *version)
{
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    if (vln_pb_unpack(&valion__v1__version__descriptor, version->record, version->record_size,
                      arena, &message, &scan) != VLN_OK) {
        vln_error("version.corrupt", kv_str("version", version->version), kv_str("why", scan.why));
        return NULL;
    }
    Valion__V1__Version *wire = (Valion__V1__Version *)message;
    if (version->description) {
        wire->description = registry_borrowed(version->description);
    }
    if (version->tags) {
        registry_split_lines(arena, version->tags, &wire->tags, &wire->n_tags);
    }
    return wire;
}

vln_err_t
registry_words_fill(registry_store_t *store, vln_arena_t *arena, size_t *filled)
{
    const char **models = NULL;
    registry_version_t *versions = NULL;
    size_t count = 0;
    *filled = 0;
    vln_err_t err =
        registry_search_without_words(store, arena, FILL_AT_ONCE, &models, &versions, &count);
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        const char *words = "";
        const char *facets = "";
        const Valion__V1__Version *wire = read_version(arena, &versions[i]);
        if (wire) {
            registry_words_of(arena, wire, &words, &facets);
        }
        err = registry_search_set_words(store, models[i], versions[i].version, words, facets);
        *filled += err == VLN_OK ? 1 : 0;
    }
    return err;
}
