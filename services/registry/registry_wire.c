#include "registry_wire.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vln_text.h"

#include "registry_store.h"

enum {
    TAGS_MAX = 64,
    TAG_MAX = 250,
    LINE_ROOM = 256,
    PAGE_DEFAULT = 100,
    PAGE_MAX = 1000,
    TOKEN_MAX = 400
};

static int
compare_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* One a line, sorted, each once; NULL, and the call refused, if one is not a tag. */
const char *
registry_join_tags(vln_call_t *call, char *const *tags, size_t count)
{
    if (count > TAGS_MAX) {
        vln_call_refuse_field(call, "tags", "%zu tags; at most %d are kept", count, TAGS_MAX);
        return NULL;
    }
    char **sorted = vln_arena_memdup(call->arena, tags, count * sizeof *tags);
    qsort(sorted, count, sizeof *sorted, compare_text);
    const char *joined = "";
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(sorted[i]);
        if (len == 0 || len > TAG_MAX || strpbrk(sorted[i], "\n\r")) {
            vln_call_refuse_field(call, "tags", "a tag is one line of 1 to %d bytes", TAG_MAX);
            return NULL;
        }
        if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0) {
            joined =
                vln_arena_printf(call->arena, "%s%s%s", joined, *joined ? "\n" : "", sorted[i]);
        }
    }
    return joined;
}

void
registry_split_lines(vln_arena_t *arena, const char *joined, char ***out, size_t *count)
{
    *out = vln_arena_alloc(arena, TAGS_MAX * sizeof **out);
    *count = 0;
    char line[LINE_ROOM];
    while (*count < TAGS_MAX && vln_text_next(&joined, '\n', line, sizeof line)) {
        (*out)[(*count)++] = vln_arena_strdup(arena, line);
    }
}

static bool
contains(char *const *list, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], text) == 0) {
            return true;
        }
    }
    return false;
}

bool
registry_change_tags(vln_call_t *call, const registry_tag_change_t *change, const char **tags)
{
    char **before = NULL;
    size_t before_count = 0;
    size_t count = 0;
    registry_split_lines(call->arena, *tags, &before, &before_count);
    char **wanted =
        vln_arena_alloc(call->arena, (before_count + change->add_count + 1) * sizeof *wanted);
    for (size_t i = 0; i < before_count; i++) {
        if (!contains(change->remove, change->remove_count, before[i]) &&
            !contains(change->add, change->add_count, before[i])) {
            wanted[count++] = before[i];
        }
    }
    for (size_t i = 0; i < change->add_count; i++) {
        wanted[count++] = change->add[i];
    }
    const char *after = registry_join_tags(call, wanted, count);
    *tags = after && strcmp(after, *tags) != 0 ? after : *tags;
    return after != NULL;
}

char *
registry_borrowed(const char *text)
{
    return (char *)(uintptr_t)text; /* protobuf-c has no const; packing only reads */
}

bool
registry_check_text(vln_call_t *call, const char *field, const char *text, size_t max)
{
    if (text && strlen(text) > max) {
        vln_call_refuse_field(call, field, "%s has %zu bytes; at most %zu are kept", field,
                              strlen(text), max);
        return false;
    }
    return true;
}

bool
registry_check_name(vln_call_t *call, const char *field, const char *what, const char *name)
{
    if (vln_text_is_name(name, REGISTRY_NAME_MAX, "_.-")) {
        return true;
    }
    vln_call_refuse_field(call, field,
                          "'%.200s' cannot name %s: 1 to %d letters, digits, '_', '.', '-', "
                          "beginning with a letter or digit",
                          name ? name : "", what, REGISTRY_NAME_MAX);
    return false;
}

bool
registry_check_model_name(vln_call_t *call, const char *name)
{
    return registry_check_name(call, "name", "a model", name);
}

void
registry_refuse_no_model(vln_call_t *call, const char *name)
{
    vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                    "there is no model '%s'; ListModels lists them, CreateModel makes one", name);
}

/* Page size within bounds; false, and the call refused, if it is not. */
bool
registry_page_size(vln_call_t *call, const Valion__V1__Page *page, int *out)
{
    uint32_t size = page && page->has_size ? page->size : PAGE_DEFAULT;
    if (size == 0 || size > PAGE_MAX) {
        vln_call_refuse_field(call, "page.size", "a page has 1 to %d items", PAGE_MAX);
        return false;
    }
    *out = (int)size;
    return true;
}

void
registry_refuse_token(vln_call_t *call)
{
    vln_call_refuse_field(call, "page.token",
                          "not a token of this list: repeat next_token as it came, or leave it out "
                          "to begin anew");
}

/* The page's token as text, NULL at the start; false, and the call refused, if no list of ours has
 * such a token. */
bool
registry_page_token(vln_call_t *call, const Valion__V1__Page *page, const char **out)
{
    *out = NULL;
    if (!page || page->token.len == 0) {
        return true;
    }
    const char *bytes = (const char *)page->token.data;
    if (page->token.len > TOKEN_MAX || !vln_text_is_utf8(bytes, page->token.len)) {
        registry_refuse_token(call);
        return false;
    }
    char *text = vln_arena_alloc(call->arena, page->token.len + 1);
    memcpy(text, bytes, page->token.len);
    *out = text;
    return true;
}

ProtobufCBinaryData
registry_token_of(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

bool
registry_page_number(vln_call_t *call, const Valion__V1__Page *page, int64_t *out)
{
    const char *token = NULL;
    *out = 0;
    if (!registry_page_token(call, page, &token)) {
        return false;
    }
    if (token && !vln_text_to_i64(token, 1, INT64_MAX, out)) {
        registry_refuse_token(call);
        return false;
    }
    return true;
}

ProtobufCBinaryData
registry_token_of_number(vln_arena_t *arena, int64_t number)
{
    return registry_token_of(vln_arena_printf(arena, "%" PRId64, number));
}

ProtobufCBinaryData
registry_bytes(const uint8_t *bytes, size_t size)
{
    return (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)bytes};
}
