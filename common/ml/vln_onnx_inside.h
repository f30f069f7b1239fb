/*
 * vln_onnx_inside - an ONNX file that is being read: what the walk through it keeps, for those who then
 * look up what it means. For vln_onnx*.c alone.
 */
#ifndef VLN_ONNX_INSIDE_H
#define VLN_ONNX_INSIDE_H

#include "vln_model_inside.h"

enum {
    VLN_ONNX_DEPTH = 24, /* a plain model needs 6; each graph within a graph 3 more */
    VLN_ONNX_KEPT = 3,   /* inputs and outputs of a node that are looked at */
};

typedef struct vln_onnx_node {
    vln_span_t op;
    vln_span_t domain;
    vln_span_t inputs[VLN_ONNX_KEPT];
    vln_span_t outputs[VLN_ONNX_KEPT];
    vln_span_t labels; /* the attribute that lists classes */
} vln_onnx_node_t;

typedef struct vln_onnx_function {
    vln_span_t name;
    vln_span_t domain;
    vln_span_t body;
    size_t cost; /* nodes that a call of it is in the end */
} vln_onnx_function_t;

/* A message that the walk is in. */
typedef struct vln_onnx_frame {
    unsigned type; /* of the walk's table */
    vln_span_t rest;
} vln_onnx_frame_t;

typedef struct vln_onnx {
    vln_span_t file;
    vln_arena_t *arena;
    vln_model_t *out;
    char *why;
    vln_onnx_frame_t stack[VLN_ONNX_DEPTH];
    size_t depth;
    size_t graphs;
    size_t nodes_within;    /* of graphs within the main graph, and of functions */
    vln_onnx_node_t *nodes; /* of the main graph; malloc's, as the four below */
    size_t node_count;
    vln_span_t *initializers; /* TensorProto */
    size_t initializer_count;
    vln_span_t *inputs; /* ValueInfoProto */
    size_t input_count;
    vln_span_t *outputs;
    size_t output_count;
    vln_onnx_function_t *functions;
    size_t function_count;
} vln_onnx_t;

/* Write a sentence and return the error for it. */
vln_err_t vln_onnx_broken(vln_onnx_t *self, const char *what);
vln_err_t vln_onnx_too_much(vln_onnx_t *self, const char *what, size_t limit);

/* After the walk: inputs, outputs, classes, and which output is what. */
VLN_MUST_USE vln_err_t vln_onnx_read_roles(vln_onnx_t *self);

#endif
