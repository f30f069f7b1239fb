/*
 * registry_text - text that grows to a bound: what does not fit is left out as a whole, and `full`
 * says so. For the pages that people read: changelog, model card, graph.
 */
#ifndef REGISTRY_TEXT_H
#define REGISTRY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "vln_mem.h"

typedef struct registry_text {
    char *text; /* ends with 0 */
    size_t len;
    size_t room;
    bool full;
} registry_text_t;

registry_text_t registry_text_new(vln_arena_t *arena, size_t room);

void registry_text_put(registry_text_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What people wrote, so that it is one cell of a Markdown table and nothing else: no line ends, and
 * `|`, `<` and their like are escaped. NULL is nothing. */
void registry_text_put_cell(registry_text_t *self, const char *text);

/* Inside the quotes of a DOT string. */
void registry_text_put_quoted(registry_text_t *self, const char *text);

#endif
