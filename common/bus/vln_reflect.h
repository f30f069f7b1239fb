/*
 * vln_reflect - the fields of any message, by its descriptor. Proto2's optional and repeated only,
 * as the contract has them. Pure; any thread.
 */
#ifndef VLN_REFLECT_H
#define VLN_REFLECT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/* Bytes that one value of the type takes in a message or a list. */
size_t vln_reflect_size(ProtobufCType type);

/* True if the field is a pointer, whose NULL means absent: text and messages. */
bool vln_reflect_is_pointer(const ProtobufCFieldDescriptor *field);

/* How many values the message has of the field: 0 or 1 of an optional one. */
size_t vln_reflect_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

/* The value at `index`, below the count. Borrowed from the message. */
const void *vln_reflect_get(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                            size_t index);

#endif
