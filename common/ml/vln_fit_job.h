/*
 * vln_fit_job - what valion-trainer and valion-fit, two programs of one release, say to each other:
 * through two pieces of memory, one for each direction, at the descriptors 3 and 4.
 *
 * In (3): vln_fit_job_t; `text_bytes` of text: the library's parameters, "name=value", and then the names
 * of the columns, each ended by a NUL; then, from the next multiple of 64, float32s: train rows,
 * their labels, their weights if weighted, held-out rows, their labels, all row by row.
 * Out (4): vln_fit_result_t; then the model in XGBoost's UBJ; then a double of importance a column.
 */
#ifndef VLN_FIT_JOB_H
#define VLN_FIT_JOB_H

#include <stdint.h>

enum {
    VLN_FIT_IN = 3,
    VLN_FIT_OUT = 4,
    VLN_FIT_SENTENCE = 512,
    VLN_FIT_METRIC = 32,
    VLN_FIT_ALIGN = 64
};

#define VLN_FIT_MAGIC UINT64_C(0x76616c696f6e0002)

typedef struct vln_fit_job {
    uint64_t magic;
    uint64_t columns;
    uint64_t train_rows;
    uint64_t held_rows; /* 0: none, and no early stopping */
    uint64_t text_bytes;
    uint32_t parameters;          /* count of "name=value" */
    uint32_t rounds;              /* at most */
    uint32_t stop_after;          /* rounds without getting better; 0: never */
    uint32_t weighted;            /* 0 or 1 */
    uint32_t maximize;            /* what stops early is better when higher */
    uint32_t cpu_seconds;         /* limit */
    uint64_t memory_bytes;        /* limit of the address space */
    char judge[VLN_FIT_METRIC];   /* the result's metric, by the library's name: "rmse", "auc" */
    char stop_by[VLN_FIT_METRIC]; /* the one that stops early, likewise */
} vln_fit_job_t;

typedef struct vln_fit_result {
    uint64_t magic;       /* written last */
    uint64_t model_bytes; /* 0: it failed */
    uint32_t rounds;      /* in the model */
    uint32_t has_metric;
    double metric;                   /* the judge's, of the held-out rows */
    char sentence[VLN_FIT_SENTENCE]; /* why it failed */
} vln_fit_result_t;

#endif
