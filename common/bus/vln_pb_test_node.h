/*
 * vln_pb_test_node - a message type that holds itself, for tests and fuzz targets of vln_pb alone.
 *
 * The contract has no recursive type, and protoc's code for one would be in every program. Written
 * as protoc-c would:
 *
 *     message Node {
 *       repeated string names = 1;
 *       optional Node child = 2;
 *       repeated int32 numbers = 3;
 *       repeated Node children = 4;
 *       repeated bool flags = 5 [packed = true];
 *       optional bytes data = 6;
 *       repeated fixed64 wide = 7 [packed = true];
 *       optional string text = 900;
 *     }
 */
#ifndef VLN_PB_TEST_NODE_H
#define VLN_PB_TEST_NODE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

typedef struct node {
    ProtobufCMessage base;
    size_t n_names;
    char **names;
    struct node *child;
    size_t n_numbers;
    int32_t *numbers;
    size_t n_children;
    struct node **children;
    size_t n_flags;
    protobuf_c_boolean *flags;
    protobuf_c_boolean has_data;
    ProtobufCBinaryData data;
    size_t n_wide;
    uint64_t *wide;
    char *text;
} node_t;

extern const ProtobufCMessageDescriptor node_descriptor;

#define NODE_REPEATED(name, id, type, count, at, of) \
    {name,                                           \
     id,                                             \
     PROTOBUF_C_LABEL_REPEATED,                      \
     PROTOBUF_C_TYPE_##type,                         \
     offsetof(node_t, count),                        \
     offsetof(node_t, at),                           \
     of,                                             \
     NULL,                                           \
     0,                                              \
     0,                                              \
     NULL,                                           \
     NULL}
#define NODE_OPTIONAL(name, id, type, has, at, of) \
    {name,                                         \
     id,                                           \
     PROTOBUF_C_LABEL_OPTIONAL,                    \
     PROTOBUF_C_TYPE_##type,                       \
     has,                                          \
     offsetof(node_t, at),                         \
     of,                                           \
     NULL,                                         \
     0,                                            \
     0,                                            \
     NULL,                                         \
     NULL}

static const ProtobufCFieldDescriptor node_fields[] = {
    NODE_REPEATED("names", 1, STRING, n_names, names, NULL),
    NODE_OPTIONAL("child", 2, MESSAGE, 0, child, &node_descriptor),
    NODE_REPEATED("numbers", 3, INT32, n_numbers, numbers, NULL),
    NODE_REPEATED("children", 4, MESSAGE, n_children, children, &node_descriptor),
    NODE_REPEATED("flags", 5, BOOL, n_flags, flags, NULL),
    NODE_OPTIONAL("data", 6, BYTES, offsetof(node_t, has_data), data, NULL),
    NODE_REPEATED("wide", 7, FIXED64, n_wide, wide, NULL),
    NODE_OPTIONAL("text", 900, STRING, 0, text, NULL),
};
static const unsigned node_by_name[] = {3, 1, 5, 4, 0, 2, 7, 6};
static const ProtobufCIntRange node_ranges[] = {{1, 0}, {900, 7}, {0, 8}};

const ProtobufCMessageDescriptor node_descriptor = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .name = "Node",
    .short_name = "Node",
    .c_name = "Node",
    .package_name = "",
    .sizeof_message = sizeof(node_t),
    .n_fields = 8,
    .fields = node_fields,
    .fields_sorted_by_name = node_by_name,
    .n_field_ranges = 2,
    .field_ranges = node_ranges,
};

#endif
