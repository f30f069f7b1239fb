/*
 * vln_sandbox_inside - the parts of the sandbox's client: valion-sandbox as a process, a child of it
 * as the holder of a model, and rows for that. For vln_sandbox*.c alone.
 */
#ifndef VLN_SANDBOX_INSIDE_H
#define VLN_SANDBOX_INSIDE_H

#include <valion/v1/sandbox.pb-c.h>

#include "vln_sandbox.h"

enum { VLN_SANDBOX_VERSION = 64 };

struct vln_sandbox {
    vln_sandbox_config_t config;
    char *program;
    int pid;    /* 0: not running */
    int orders; /* socket to it; -1 */
    int starts; /* so that a model knows whether its sandbox is still the same */
    int models; /* that borrow this; it is freed with the last of them */
    bool closed;
    char xgboost[VLN_SANDBOX_VERSION];
    char onnxruntime[VLN_SANDBOX_VERSION];
    uint8_t *frame; /* VLN_FRAME_MAX bytes for messages */
};

/* How a child ended. */
typedef struct vln_child_end {
    int signal; /* 0: it ended by itself, */
    int exit_code;
    int64_t cpu_us;
    int64_t peak_kib;
} vln_child_end_t;

/* A model in its child. */
struct vln_sandbox_model {
    vln_sandbox_t *sandbox;
    int start;          /* of the sandbox that it is in */
    int pid;            /* 0: lost */
    int job;            /* socket; -1 */
    int texts;          /* pipe; -1 */
    uint8_t *in;        /* the two halves that are shared; NULL */
    uint8_t *out;       /* … */
    vln_arena_t *arena; /* of `about`; NULL: somebody else's */
    vln_model_t about;
    int64_t begun_us; /* of the call that is on */
    size_t said;      /* bytes in `words` */
    char words[VLN_SANDBOX_DETAIL];
};

/* ---- the process ---- */

/* Start valion-sandbox unless it runs. VLN_UNAVAILABLE: it cannot be, which is logged. */
VLN_MUST_USE vln_err_t vln_sandbox_start(vln_sandbox_t *self);

/* End it, if it runs, and wait for that. */
void vln_sandbox_stop(vln_sandbox_t *self);

/* Fork a child that has these descriptors (borrowed, in the order of sandbox.proto). On
 * VLN_UNAVAILABLE valion-sandbox is no more. */
VLN_MUST_USE vln_err_t vln_sandbox_fork(vln_sandbox_t *self, const int *fds, size_t fd_count,
                                        int *pid);

/* Kill the child unless it has ended, and learn how it did. Likewise. */
VLN_MUST_USE vln_err_t vln_sandbox_reap(vln_sandbox_t *self, int pid, vln_child_end_t *out);

/* ---- a child ---- */

/* Fork a child for `about` of the model, whose file these bytes are, and open what leads to it.
 * VLN_UNAVAILABLE: there is no sandbox or no descriptor to be had, which is logged. */
VLN_MUST_USE vln_err_t vln_sandbox_start_child(vln_sandbox_model_t *self, const uint8_t *bytes,
                                               size_t size);

/* Close what leads to it. */
void vln_sandbox_end_ends(vln_sandbox_model_t *self);

/* A call begins: the clock runs, the outcome is empty. */
void vln_sandbox_begin(vln_sandbox_model_t *self, vln_outcome_t *outcome);

/* It ends with a child that lives. VLN_OK, or VLN_FAILED_PRECONDITION if the verdict is another. */
vln_err_t vln_sandbox_end_with(vln_sandbox_model_t *self, vln_outcome_t *outcome,
                               vln_sandbox_verdict_t verdict);

/* End the child and say how it ended: for a reason of ours (TIME, PROTOCOL …), or, with CRASHED, for
 * its own, which may turn out to be TIME or MEMORY. VLN_UNAVAILABLE: its sandbox is lost. */
vln_err_t vln_sandbox_bury(vln_sandbox_model_t *self, vln_sandbox_verdict_t verdict,
                           vln_outcome_t *outcome);

/* True if the child has ended, or its sandbox; and the words for that: VLN_UNAVAILABLE. */
bool vln_sandbox_is_lost(const vln_sandbox_model_t *self);
vln_err_t vln_sandbox_lost(vln_outcome_t *outcome);

/* Send a job and take its answer, which is yours. NULL: the child gave none, and is no more; *err
 * and the outcome say why. */
Valion__V1__SandboxAnswer *vln_sandbox_ask(vln_sandbox_model_t *self,
                                           const Valion__V1__SandboxJob *job, int64_t until_ms,
                                           vln_outcome_t *outcome, vln_err_t *err);

/* What an answer that is not OK means. */
vln_err_t vln_sandbox_take_refusal(vln_sandbox_model_t *self,
                                   const Valion__V1__SandboxAnswer *answer, vln_outcome_t *outcome);

/* Each call has the whole of its CPU seconds; before it. */
void vln_sandbox_renew_cpu(const vln_sandbox_model_t *self);

/* ---- words ---- */

/* A library's words as one line for people: UTF-8, without source paths, times and stack traces. */
void vln_sandbox_clean(const char *words, size_t size, char *out, size_t out_size);

/* True if they tell of a failed allocation. */
bool vln_sandbox_tells_of_memory(const char *words);

#endif
