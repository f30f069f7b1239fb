/*
 * registry_search_store - lists of models and versions with filters, a part of registry_store.
 *
 * The SQL of a list is put together from the filters that were given, so that each is found by an
 * index, and planned with their values: whether a word is rare or common decides which one. Used by
 * one thread, outside of transactions.
 */
#ifndef REGISTRY_SEARCH_STORE_H
#define REGISTRY_SEARCH_STORE_H

#include "range.h"
#include "registry_store.h"

typedef enum registry_order {
    REGISTRY_BY_NAME,       /* of models */
    REGISTRY_BY_PRECEDENCE, /* of the versions of one model */
    REGISTRY_BY_CREATED,
    REGISTRY_BY_UPDATED, /* of models */
} registry_order_t;

/* What models and versions alike are found by. NULL: any. */
typedef struct registry_words {
    const char *text; /* each word begins a word of the row */
    const char *tag;  /* these whole */
    const char *author;
    const char *algorithm;
    const char *framework;
} registry_words_t;

typedef struct registry_model_filter {
    registry_words_t words;
    int stage; /* has a version in it; 0: any */
    registry_order_t order;
    bool descending;
    const char *after_name; /* the page before ended with it; NULL: from the start */
    int64_t after_number;   /* by created or updated: its place */
    int limit;
} registry_model_filter_t;

VLN_MUST_USE vln_err_t registry_search_models(registry_store_t *self, vln_arena_t *arena,
                                              const registry_model_filter_t *filter,
                                              registry_model_t **out, size_t *count);

typedef struct registry_version_filter {
    const char *model; /* NULL: all, and then only by created */
    registry_words_t words;
    const char *facet;       /* one more lexeme, whole; NULL: none */
    const semver_t *minimum; /* inclusive; NULL: any */
    const semver_t *maximum;
    bool prereleases;
    int stage; /* 0: any */
    int status;
    registry_order_t order;
    bool ascending;
    const semver_t *after; /* the page before ended with it; NULL: from the start */
    int64_t after_seq;     /* by created; 0: from the start */
    int limit;
    int64_t bytes_max; /* of records: none that begins beyond */
} registry_version_filter_t;

VLN_MUST_USE vln_err_t registry_search_versions(registry_store_t *self, vln_arena_t *arena,
                                                const registry_version_filter_t *filter,
                                                registry_version_t **out, size_t *count);

/* The model's highest version in the range; NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_search_in_range(registry_store_t *self, vln_arena_t *arena,
                                                const char *model, const range_t *range,
                                                const char **out);

enum { REGISTRY_CHILDREN_MAX = 50 };

/* Versions of the model that name this one as their parent, the oldest of them first, at most
 * REGISTRY_CHILDREN_MAX; also in a transaction. */
VLN_MUST_USE vln_err_t registry_search_children(registry_store_t *self, vln_arena_t *arena,
                                                const char *model, const char *version,
                                                const char ***out, size_t *count);

/* Versions of an older release that cannot be found by words yet: at most `limit`, each with its
 * model in `models`. */
VLN_MUST_USE vln_err_t registry_search_without_words(registry_store_t *self, vln_arena_t *arena,
                                                     int limit, const char ***models,
                                                     registry_version_t **out, size_t *count);
VLN_MUST_USE vln_err_t registry_search_set_words(registry_store_t *self, const char *model,
                                                 const char *version, const char *words,
                                                 const char *facets);

#endif
