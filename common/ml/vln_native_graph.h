/*
 * vln_native_graph - an ONNX graph that is being read into a native program: what its names stand for,
 * and the attributes of its nodes. For vln_native*.c alone.
 */
#ifndef VLN_NATIVE_GRAPH_H
#define VLN_NATIVE_GRAPH_H

#include "vln_native_inside.h"

enum {
    VLN_GRAPH_NODES = 512,
    VLN_GRAPH_SYMBOLS = 8192,       /* each input is looked up among them */
    VLN_GRAPH_PARTS = 8192,         /* inputs, attributes and all else of the nodes together */
    VLN_GRAPH_CATEGORIES = 1 << 15, /* of all nodes; each is looked up among its node's */
};

typedef enum vln_symbol_kind {
    VLN_SYMBOL_NUMBERS, /* columns of the program */
    VLN_SYMBOL_TEXTS,   /* texts of the row */
    VLN_SYMBOL_LABEL,   /* the forest's */
    VLN_SYMBOL_FLOATS,  /* a constant */
    VLN_SYMBOL_WHOLES,  /* a constant */
    VLN_SYMBOL_OTHER,   /* nothing that may be used */
} vln_symbol_kind_t;

/* What a name in the graph stands for. */
typedef struct vln_symbol {
    vln_span_t name;
    vln_symbol_kind_t kind;
    size_t rank;
    int32_t type;      /* LABEL: of the tensor */
    uint32_t *columns; /* NUMBERS, TEXTS: which; allocated, as the two below */
    float *floats;
    int64_t *wholes;
    size_t count;
} vln_symbol_t;

typedef struct vln_graph {
    vln_native_t *out;
    const vln_model_t *about;
    char *why;
    vln_symbol_t *symbols;
    size_t symbol_count;
    size_t nodes;
    size_t parts;
    size_t categories;
    int32_t label_type;
    uint64_t ml_opset; /* of ai.onnx.ml; 0: not stated */
} vln_graph_t;

/* A node's parts; the names are borrowed from the file. */
typedef struct vln_graph_node {
    vln_span_t message;
    vln_span_t op;
    vln_span_t domain;
    vln_span_t *inputs; /* allocated */
    size_t input_count;
    vln_span_t outputs[2];
    size_t output_count;
} vln_graph_node_t;

/* What the node's i-th input stands for, or NULL. */
const vln_symbol_t *vln_graph_input(const vln_graph_t *self, const vln_graph_node_t *node,
                                    size_t i);

/* A new name for `count` columns from `first` on; false if it is none or is taken. */
bool vln_graph_define_numbers(vln_graph_t *self, vln_span_t name, size_t first, size_t count,
                              size_t rank);

/* OK if all of the node was good and it has one output; else its operator is not covered. */
vln_err_t vln_graph_made(const vln_graph_t *self, const vln_graph_node_t *node, bool good);

/* Nodes that make numbers of categories: of texts or whole numbers to zeros and ones; of texts to
 * numbers, whose attributes were others before opset 2. */
VLN_MUST_USE vln_err_t vln_graph_read_one_hot(vln_graph_t *self, const vln_graph_node_t *node);
VLN_MUST_USE vln_err_t vln_graph_read_labels(vln_graph_t *self, const vln_graph_node_t *node);

/* Types of attributes, numbered as ONNX does. */
typedef enum vln_attribute_type {
    VLN_ATTRIBUTE_FLOAT = 1,
    VLN_ATTRIBUTE_INT = 2,
    VLN_ATTRIBUTE_STRING = 3,
    VLN_ATTRIBUTE_FLOATS = 6,
    VLN_ATTRIBUTE_INTS = 7,
    VLN_ATTRIBUTE_STRINGS = 8,
} vln_attribute_type_t;

typedef struct vln_attribute {
    const char *name;
    vln_attribute_type_t type;
} vln_attribute_t;

/* True if the node has no attributes but these, each once and of its type. */
bool vln_attributes_known(vln_span_t node, const vln_attribute_t *known, size_t count);

/* The attribute of that name, or nothing. */
vln_span_t vln_attribute_find(vln_span_t node, const char *name);

/* Its value; false if there is none. */
bool vln_attribute_int(vln_span_t node, const char *name, int64_t *out);
bool vln_attribute_float(vln_span_t node, const char *name, float *out);
vln_span_t vln_attribute_string(vln_span_t node, const char *name);

/* Its list, which is yours by free(); NULL and 0 if there is none. False if it is damaged or longer than
 * `max`. */
bool vln_attribute_floats(vln_span_t node, const char *name, size_t max, float **out,
                          size_t *count);
bool vln_attribute_ints(vln_span_t node, const char *name, size_t max, int64_t **out,
                        size_t *count);
bool vln_attribute_strings(vln_span_t node, const char *name, size_t max, vln_span_t **out,
                           size_t *count);

/* Numbers of a repeated field of a message, packed or not; likewise. */
bool vln_list_floats(vln_span_t message, uint64_t field, size_t max, float **out, size_t *count);
bool vln_list_ints(vln_span_t message, uint64_t field, size_t max, int64_t **out, size_t *count);

/* The forest of a TreeEnsemble node that tests `features` columns, and its terms. */
VLN_MUST_USE vln_err_t vln_native_read_trees(vln_graph_t *self, const vln_graph_node_t *node,
                                             bool is_classifier, size_t features);

#endif
