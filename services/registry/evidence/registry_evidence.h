/*
 * registry_evidence - policy in force and report for a promotion or a grant, in its transaction.
 */
#ifndef REGISTRY_EVIDENCE_H
#define REGISTRY_EVIDENCE_H

#include "registry.h"
#include "registry_evidence_store.h"

/* The policy in force for this question; NOT_FOUND. Texts live in the arena. */
VLN_MUST_USE vln_err_t registry_policy_in_force(registry_store_t *store, vln_arena_t *arena,
                                                const policy_question_t *question,
                                                const policy_candidate_t **candidate,
                                                const evidence_policy_t **rule);

typedef struct registry_evidence_ask {
    const char *model;
    const registry_version_t *version; /* locked */
    policy_question_t question;        /* a stage or an environment, and the task */
    const uint8_t *report_id;          /* this report and no other; NULL: the newest that fits */
} registry_evidence_ask_t;

typedef struct registry_evidence {
    const uint8_t *report_id; /* NULL: there is none, and the call was refused */
    const char *sentence;
} registry_evidence_t;

/* The report that allows it. Without one the call is refused: FAILED_PRECONDITION, with a sentence
 * that says what is missing and what to do, and "evidence" as what is meant. */
VLN_MUST_USE vln_err_t registry_evidence_find(registry_worker_t *self, vln_call_t *call,
                                              const registry_evidence_ask_t *ask,
                                              registry_evidence_t *out);

#endif
