/*
 * vln_native_inside - the parts of the native engine: trees as they are walked, and the program of
 * column operations around them. For vln_native*.c and their tests alone.
 *
 * Everything is computed for VLN_LANES rows at a time, column by column: a column is VLN_LANES
 * numbers, one a row. Lanes never meet, so a row's bits do not depend on its neighbours.
 */
#ifndef VLN_NATIVE_INSIDE_H
#define VLN_NATIVE_INSIDE_H

#include "vln_field.h"
#include "vln_native.h"

enum {
    VLN_LANES = 64,
    VLN_TOP_TESTS = 31, /* of a tree's first levels, done at once */
    VLN_TOP_EXITS = 32,
    VLN_WORD_COLUMN_BITS = 14,
    VLN_WORD_COLUMN = (1 << VLN_WORD_COLUMN_BITS) - 1,
    VLN_WORD_JUMP_MAX = (1 << (32 - VLN_WORD_COLUMN_BITS)) - 1,
};

/* Write why the file is not covered, and return VLN_FAILED_PRECONDITION. */
vln_err_t vln_native_uncovered(char *why, const char *format, ...) VLN_PRINTF(2, 3);

/* ---- trees ---- */

/* A node as a file has it, all conditions turned into `x <= threshold`. */
typedef struct vln_branch {
    int32_t yes; /* child; -1: this is a leaf */
    int32_t no;
    uint32_t feature;
    float threshold;  /* NaN: no number passes */
    bool missing_yes; /* where a NaN goes */
    float value;      /* of a leaf */
} vln_branch_t;

/*
 * A node as it is walked. Its children are neighbours: `yes` lies jump nodes on, `no` behind it. A
 * leaf tests a column that is -infinity in every row, and jumps to itself; its threshold is its value.
 */
typedef struct vln_node {
    float threshold;
    uint32_t word; /* column; above it the jump */
} vln_node_t;

/*
 * The first levels of a tree are not walked: all their tests are made, each of which, where it
 * fails, rules out the exits below its `yes`; the first exit that is left is where the walk would
 * have come out.
 */
typedef struct vln_test {
    float threshold;
    uint32_t column;
    uint32_t keep; /* exits that remain if it fails */
} vln_test_t;

typedef union vln_exit {
    float value;   /* of a tree that ends there everywhere */
    uint32_t node; /* where the walk goes on */
} vln_exit_t;

typedef struct vln_tree {
    size_t first_test;
    uint32_t tests;
    uint32_t rest; /* levels below the exits */
    uint32_t group;
} vln_tree_t;

/* What a test's column holds. */
typedef struct vln_source {
    uint32_t feature;
    bool missing_yes; /* a NaN is -infinity there, so that it passes */
} vln_source_t;

typedef struct vln_forest {
    vln_node_t *nodes;
    size_t node_count;
    size_t node_room;
    vln_test_t *tests;
    size_t test_count;
    vln_exit_t *exits; /* VLN_TOP_EXITS a tree */
    vln_tree_t *trees;
    size_t tree_count;
    vln_source_t *sources; /* of the columns; one more column is -infinity */
    size_t source_count;
    uint32_t *places; /* of each feature and its twin: its column + 1; 0: none; while it is built */
    size_t features;
    size_t groups;
    size_t steps;
    size_t
        weights_width; /* 0: a leaf is one number of its tree's group; else it is a row of these */
    float *weights;
    size_t weight_rows;
} vln_forest_t;

void vln_forest_begin(vln_forest_t *self, size_t features, size_t groups);

/* Add a tree whose root is branches[0]. `group` < groups. Not covered: `why` says so. */
VLN_MUST_USE vln_err_t vln_forest_add(vln_forest_t *self, const vln_branch_t *branches,
                                      size_t count, size_t group, char *why);

/* No more trees come: let go of what only the building needs. */
void vln_forest_settle(vln_forest_t *self);
void vln_forest_end(vln_forest_t *self);
size_t vln_forest_bytes(const vln_forest_t *self);

/* `x < threshold` as a threshold of `x <= …`. */
float vln_forest_below(float threshold);

/* Add every tree's leaf, tree by tree, to `sums`: groups columns. `columns` are the sources' and the
 * one of -infinity. */
typedef void vln_walk_fn(const vln_forest_t *forest, const float *columns, float *sums);

/* Ways to walk, from the plainest on; they give the same bits. */
typedef enum vln_walk {
    VLN_WALK_PLAIN,
    VLN_WALK_AVX2,
    VLN_WALK_AVX512,
    VLN_WALK_BEST, /* that this machine can */
} vln_walk_t;

/* NULL: this machine or this build cannot. */
vln_walk_fn *vln_walk_find(vln_walk_t walk);

/* ---- programs ---- */

typedef enum vln_step_kind {
    VLN_STEP_SCALE,  /* (x - a) * b, column by column */
    VLN_STEP_IMPUTE, /* b where x is a, or both are NaN */
    VLN_STEP_ADD,    /* x + a, … */
    VLN_STEP_SUB,
    VLN_STEP_MUL,
    VLN_STEP_DIV,
    VLN_STEP_ADD_COLUMNS, /* x + y, … */
    VLN_STEP_SUB_COLUMNS,
    VLN_STEP_MUL_COLUMNS,
    VLN_STEP_DIV_COLUMNS,
    VLN_STEP_CONSTANT_MINUS, /* a - x */
    VLN_STEP_ENCODE,         /* 1 in the column of the text's category, 0 in the others */
    VLN_STEP_LOOK_UP,        /* a of the text's category; b where it has none */
    VLN_STEP_ONE_HOT,        /* 1 in the column of the whole number that x is, 0 in the others */
    VLN_STEP_NORMALIZE,      /* x / sum of |x| of the row */
    VLN_STEP_FOREST,
} vln_step_kind_t;

/* What is made of a forest's sums. */
typedef enum vln_finish {
    VLN_FINISH_XGBOOST,
    VLN_FINISH_REGRESSOR,
    VLN_FINISH_CLASSIFIER,
} vln_finish_t;

typedef enum vln_transform {
    VLN_TRANSFORM_NONE,
    VLN_TRANSFORM_LOGISTIC,
    VLN_TRANSFORM_SOFTMAX,
    VLN_TRANSFORM_EXP,   /* XGBoost */
    VLN_TRANSFORM_HINGE, /* XGBoost */
    VLN_TRANSFORM_CLASS, /* XGBoost: the greatest's number */
} vln_transform_t;

typedef struct vln_step {
    vln_step_kind_t kind;
    uint32_t *from; /* columns; allocated */
    size_t count;
    uint32_t *with;    /* … of the other operand */
    uint32_t to;       /* the first of those that are made */
    size_t made;       /* how many */
    float *a;          /* allocated, one for each of `from`; LOOK_UP: for each category */
    float *b;          /* … */
    size_t text;       /* ENCODE, LOOK_UP: which text of the row */
    char **categories; /* … allocated, as each of them */
    size_t category_count;
    int64_t *wholes; /* ONE_HOT; allocated, `made` of them */
} vln_step_t;

struct vln_native {
    const vln_model_t *about;
    vln_walk_fn *walk;
    size_t numbers; /* a row; they are the first columns */
    size_t texts;
    size_t columns;
    vln_step_t *steps;
    size_t step_count;
    bool has_forest;
    vln_forest_t forest;
    vln_finish_t finish;
    vln_transform_t transform;
    float start;   /* XGBoost: where each sum begins */
    float divisor; /* REGRESSOR: of the sums; 1 changes nothing */
    float *bases;  /* of ONNX; allocated */
    size_t base_count;
    bool positive;    /* CLASSIFIER: no weight is below 0 */
    size_t classes;   /* … numbers that it makes */
    uint32_t *scores; /* columns that are the answer; allocated */
    size_t width;
    bool labelled; /* the forest's labels are an output */
    size_t bytes;
};

/* Read the file's trees, or graph, into an empty `self`, which the caller ends in any case. */
VLN_MUST_USE vln_err_t vln_native_read_xgboost(vln_native_t *self, vln_span_t file,
                                               const vln_model_t *about, char *why);
VLN_MUST_USE vln_err_t vln_native_read_onnx(vln_native_t *self, vln_span_t file,
                                            const vln_model_t *about, char *why);

/* A new step that makes `made` columns; its kind and operands are the caller's to fill. NULL: more
 * columns than are covered. */
vln_step_t *vln_native_step(vln_native_t *self, vln_step_kind_t kind, size_t made);

/* Memory of a thread that predicts. */
typedef struct vln_native_room {
    float *columns; /* of the program */
    float *forest;  /* of the forest's sources */
    float *sums;
    int32_t *labels; /* VLN_LANES */
    size_t *memo;    /* of texts: inside */
    const char **memo_words;
} vln_native_room_t;

/* Run the program for `count` <= VLN_LANES rows from `first` on. */
void vln_native_run(const vln_native_t *self, const vln_sandbox_rows_t *rows, size_t first,
                    size_t count, vln_native_room_t *room);

/* Scores and labels of the forest's sums, in the step's columns. */
void vln_native_finish(const vln_native_t *self, const vln_step_t *step, vln_native_room_t *room);

#endif
