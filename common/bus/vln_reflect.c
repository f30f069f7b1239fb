#include "vln_reflect.h"

size_t
vln_reflect_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

bool
vln_reflect_is_pointer(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE;
}

static const void *
at_offset(const ProtobufCMessage *message, unsigned offset)
{
    return (const char *)message + offset;
}

size_t
vln_reflect_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return *(const size_t *)at_offset(message, field->quantifier_offset);
    }
    if (vln_reflect_is_pointer(field)) {
        return *(const void *const *)at_offset(message, field->offset) ? 1 : 0;
    }
    return *(const protobuf_c_boolean *)at_offset(message, field->quantifier_offset) ? 1 : 0;
}

const void *
vln_reflect_get(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                size_t index)
{
    const void *slot = at_offset(message, field->offset);
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        return slot;
    }
    return *(const char *const *)slot + index * vln_reflect_size(field->type);
}
