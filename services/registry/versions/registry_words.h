/*
 * registry_words - what a version is found by: words of its texts, and facets, which are found whole.
 *
 * A facet is a letter, a colon and a value: "t:" a tag, "a:" the author, "l:" the algorithm, "f:" the
 * framework, "p:" the parent's version, "d:" the digest of data it was trained on, "r:" the run that
 * made it. The SQL function registry.words() makes the lexemes.
 */
#ifndef REGISTRY_WORDS_H
#define REGISTRY_WORDS_H

#include "registry_store.h"
#include "valion/v1/registry.pb-c.h"

/* Words are parted by ASCII that is no letter or digit. Moves *text on to the next one and gives its
 * length; 0: there is none. */
size_t registry_words_next(const char **text);

/* Texts in the arena, one lexeme a line. */
void registry_words_of(vln_arena_t *arena, const Valion__V1__Version *version, const char **words,
                       const char **facets);

/* Gives some of the versions of an older release their words; `*filled` says how many. */
VLN_MUST_USE vln_err_t registry_words_fill(registry_store_t *store, vln_arena_t *arena,
                                           size_t *filled);

#endif
