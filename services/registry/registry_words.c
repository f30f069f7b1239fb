#include "registry_words.h"

#include <string.h>

#include "vln_log.h"
#include "vln_pb.h"
#include "vln_text.h"

#include "registry_search_store.h"
#include "registry_wire.h"

enum { FILL_AT_ONCE = 200, DIGESTS_MAX = 64, ROOM = 32 * 1024 };

/* Text that grows to a bound; what is beyond is not found. */
typedef struct page {
    char *text;
    size_t len;
} page_t;

static void
add(page_t *self, const char *text)
{
    size_t left = ROOM - 1 - self->len;
    size_t len = strlen(text);
    len = len < left ? len : left;
    memcpy(self->text + self->len, text, len);
    self->len += len;
}

static void
add_word(page_t *self, const char *text)
{
    if (text && *text) {
        add(self, text);
        add(self, "\n");
    }
}

/* A facet is one line. */
static void
add_facet(page_t *self, const char *prefix, const char *value)
{
    if (!value || !*value) {
        return;
    }
    add(self, prefix);
    size_t from = self->len;
    add(self, value);
    for (size_t i = from; i < self->len; i++) {
        if (self->text[i] == '\n') {
            self->text[i] = ' ';
        }
    }
    add(self, "\n");
}

static void
add_bytes(page_t *self, vln_arena_t *arena, const char *prefix, const ProtobufCBinaryData *bytes)
{
    if (bytes->len > 0 && bytes->len <= VLN_DIGEST_BYTES) {
        add_facet(self, prefix,
                  vln_hex_encode(bytes->data, bytes->len, vln_arena_alloc(arena, ROOM / 256)));
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
    add_word(&text, version->model);
    add_word(&text, version->version);
    add_word(&text, version->author);
    add_word(&text, version->algorithm);
    add_word(&text, version->framework);
    add_facet(&lines, "a:", version->author);
    add_facet(&lines, "l:", version->algorithm);
    add_facet(&lines, "f:", version->framework);
    for (size_t i = 0; i < version->n_tags; i++) {
        add_word(&text, version->tags[i]);
        add_facet(&lines, "t:", version->tags[i]);
    }
    add_word(&text, version->description);
    if (version->lineage) {
        add_lineage(&lines, arena, version->lineage);
    }
    text.text[text.len] = lines.text[lines.len] = '\0';
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
