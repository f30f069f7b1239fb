#include "vln_pb.h"

#include <stdbool.h>
#include <string.h>

#include "vln_text.h"

/*
 * The scan is a walk with a stack of levels, one a message that is open, and never goes back: each
 * byte is read once or twice. What it adds up as memory is what protobuf-c allocates, so that the
 * arena's budget cannot run out half way through a message that was found good:
 *
 *     a message          its struct
 *     a string, bytes    its length, and an end for a string
 *     a repeated field   one array of all elements
 *     an unknown field   an entry of an array and a copy of its bytes
 *     beyond 16 fields   "slabs" of 16, 32, 64 … notes, one a field of the message
 */
enum {
    SEEN_WORDS = 4, /* bits of the fields of a descriptor: at most 256 fields */
    ALIGNMENT = 16, /* of the arena's pieces */
    TAG_BYTES = 5,
    LENGTH_BYTES = 5,
    VARINT_BYTES = 10,
    FIRST_SLAB = 16,
    SLAB_ENTRY_BYTES = 40, /* protobuf-c's ScannedMember is 32 where pointers have 8 bytes */
    ON_STACK_REQUIRED_FIELDS = 128,
};

/* One message that is open. */
typedef struct level {
    const ProtobufCMessageDescriptor *descriptor;
    const uint8_t *end;
    uint64_t seen[SEEN_WORDS]; /* fields that occurred, by their index */
    unsigned members;
    unsigned slab_end; /* so many members fit the slabs that are counted */
    unsigned next;     /* fields mostly come in order: look here first */
    bool has_unknown;
} level_t;

typedef struct walk {
    const uint8_t *at;
    level_t *top;
    vln_pb_scan_t *out;
    level_t levels[VLN_PB_MAX_DEPTH];
} walk_t;

/* One field on the wire, after its tag. */
typedef struct member {
    const ProtobufCFieldDescriptor *field; /* NULL if not in the descriptor */
    const uint8_t *value;                  /* of bytes, without the length */
    size_t size;
    unsigned wire_type;
} member_t;

static bool
refuse(walk_t *walk, const ProtobufCFieldDescriptor *field, const char *why)
{
    walk->out->why = why;
    walk->out->field = field ? field->name : NULL;
    return false;
}

static bool
refuse_size(walk_t *walk, const char *why)
{
    walk->out->too_large = true;
    return refuse(walk, NULL, why);
}

static size_t
rounded(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static bool
take_memory(walk_t *walk, size_t size)
{
    walk->out->memory_bytes += size;
    return walk->out->memory_bytes <= VLN_PB_MAX_MEMORY ||
           refuse_size(walk, "unpacking would take more memory than is allowed");
}

/* A varint of at most `most` bytes; false when it does not end. */
static inline bool
read_varint(walk_t *walk, const uint8_t *end, size_t most, uint64_t *out)
{
    const uint8_t *at = walk->at;
    if (at < end && *at < 0x80) {
        *out = *at;
        walk->at = at + 1;
        return true;
    }
    uint64_t value = 0;
    for (unsigned shift = 0; most > 0 && at < end; most--, shift += 7) {
        uint8_t byte = *at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            walk->at = at;
            return true;
        }
    }
    return refuse(walk, NULL, "a number does not end");
}

static bool
open_message(walk_t *walk, const ProtobufCMessageDescriptor *descriptor, const uint8_t *end)
{
    level_t *level = walk->top ? walk->top + 1 : walk->levels;
    if (level == walk->levels + VLN_PB_MAX_DEPTH) {
        return refuse_size(walk, "messages are nested too deep");
    }
    vln_assert(descriptor->n_fields <= SEEN_WORDS * 64);
    *level = (level_t){.descriptor = descriptor, .end = end, .slab_end = FIRST_SLAB};
    walk->top = level;
    size_t bitmap =
        descriptor->n_fields > ON_STACK_REQUIRED_FIELDS ? rounded(descriptor->n_fields / 8 + 1) : 0;
    return take_memory(walk, rounded(descriptor->sizeof_message) + bitmap);
}

/* The field of this number; protobuf-c's ranges hold runs of numbers that follow each other. */
static const ProtobufCFieldDescriptor *
find_field(level_t *level, uint32_t number)
{
    const ProtobufCMessageDescriptor *descriptor = level->descriptor;
    unsigned next = level->next;
    if (next < descriptor->n_fields && descriptor->fields[next].id == number) {
        level->next = next + 1;
        return &descriptor->fields[next];
    }
    unsigned low = 0;
    unsigned high = descriptor->n_field_ranges;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        const ProtobufCIntRange *range = &descriptor->field_ranges[middle];
        unsigned count = (unsigned)(range[1].orig_index - range->orig_index);
        if ((int64_t)number < range->start_value) {
            high = middle;
        } else if ((int64_t)number >= (int64_t)range->start_value + count) {
            low = middle + 1;
        } else {
            unsigned index = range->orig_index + number - (unsigned)range->start_value;
            level->next = index + 1;
            return &descriptor->fields[index];
        }
    }
    return NULL;
}

/* Move over the value, and say where it lies. */
static bool
read_value(walk_t *walk, const uint8_t *end, member_t *member)
{
    uint64_t length = 0;
    switch (member->wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        member->value = walk->at;
        if (!read_varint(walk, end, VARINT_BYTES, &length)) {
            return false;
        }
        member->size = (size_t)(walk->at - member->value);
        return true;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        if (!read_varint(walk, end, LENGTH_BYTES, &length)) {
            return false;
        }
        break;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        length = 8;
        break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        length = 4;
        break;
    default:
        return refuse(walk, member->field, "groups and reserved wire types are not allowed");
    }
    if (length > (uint64_t)(end - walk->at)) {
        return refuse(walk, member->field, "a field goes past the end");
    }
    member->value = walk->at;
    member->size = (size_t)length;
    walk->at += length;
    return true;
}

/* protobuf-c notes each field of a message before it makes any. */
static bool
count_member(walk_t *walk, level_t *level)
{
    if (++walk->out->fields > VLN_PB_MAX_FIELDS) {
        return refuse_size(walk, "too many fields");
    }
    if (level->members++ < level->slab_end) {
        return true;
    }
    size_t slab = level->slab_end + FIRST_SLAB; /* 16 were covered: 32 more, then 64, … */
    level->slab_end += (unsigned)slab;
    return take_memory(walk, rounded(slab * SLAB_ENTRY_BYTES));
}

static bool
keep_unknown(walk_t *walk, level_t *level, const member_t *member)
{
    walk->out->unknown++;
    size_t size = sizeof(ProtobufCMessageUnknownField) + rounded(member->size + LENGTH_BYTES);
    if (!level->has_unknown) {
        level->has_unknown = true;
        size += ALIGNMENT;
    }
    return take_memory(walk, size);
}

/* How a type is sent, and what an element of its repeated array takes. */
typedef struct shape {
    unsigned wire_type;
    unsigned element_bytes;
} shape_t;

static shape_t
shape_of(ProtobufCType type)
{
    enum { VARINT = PROTOBUF_C_WIRE_TYPE_VARINT, PREFIXED = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED };
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_ENUM:
        return (shape_t){VARINT, sizeof(int32_t)};
    case PROTOBUF_C_TYPE_BOOL:
        return (shape_t){VARINT, sizeof(protobuf_c_boolean)};
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
        return (shape_t){VARINT, sizeof(int64_t)};
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return (shape_t){PROTOBUF_C_WIRE_TYPE_32BIT, sizeof(int32_t)};
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return (shape_t){PROTOBUF_C_WIRE_TYPE_64BIT, sizeof(int64_t)};
    case PROTOBUF_C_TYPE_BYTES:
        return (shape_t){PREFIXED, sizeof(ProtobufCBinaryData)};
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        break;
    }
    return (shape_t){PREFIXED, sizeof(void *)};
}

/* A repeated field's element: its place in the array. The array itself is rounded once. */
static bool
take_element(walk_t *walk, size_t count, size_t element_bytes, bool first)
{
    return take_memory(walk, count * element_bytes + (first ? ALIGNMENT : 0));
}

static bool
scan_packed(walk_t *walk, const member_t *member, shape_t shape, bool first)
{
    if (shape.wire_type != PROTOBUF_C_WIRE_TYPE_VARINT) {
        size_t each = shape.element_bytes;
        if (member->size % each != 0) {
            return refuse(walk, member->field, "a packed field has a piece of a number");
        }
        return take_element(walk, member->size / each, each, first);
    }
    const uint8_t *after = walk->at;
    const uint8_t *end = member->value + member->size;
    size_t count = 0;
    uint64_t ignored = 0;
    for (walk->at = member->value; walk->at < end; count++) {
        if (!read_varint(walk, end, VARINT_BYTES, &ignored)) {
            return false;
        }
    }
    walk->at = after;
    /* Of bools protobuf-c makes an element a byte, however the numbers are written. */
    return take_element(walk, member->field->type == PROTOBUF_C_TYPE_BOOL ? member->size : count,
                        shape.element_bytes, first);
}

/* Eight bytes at a time while they are plain ASCII, which names and texts mostly are. */
static bool
is_text(const uint8_t *bytes, size_t size)
{
    const uint64_t ones = 0x0101010101010101;
    const uint64_t tops = 0x8080808080808080;
    while (size >= 8) {
        uint64_t word = 0;
        memcpy(&word, bytes, sizeof word);
        if (((word | (word - ones)) & tops) != 0) {
            break;
        }
        bytes += 8;
        size -= 8;
    }
    return vln_text_is_utf8((const char *)bytes, size);
}

/* Mark the field; false if a singular one occurs again. */
static bool
mark_seen(walk_t *walk, level_t *level, const ProtobufCFieldDescriptor *field, bool *first)
{
    size_t index = (size_t)(field - level->descriptor->fields);
    uint64_t bit = (uint64_t)1 << (index % 64);
    *first = (level->seen[index / 64] & bit) == 0;
    level->seen[index / 64] |= bit;
    return *first || field->label == PROTOBUF_C_LABEL_REPEATED ||
           refuse(walk, field, "a field that occurs once occurs again");
}

static bool
scan_content(walk_t *walk, const member_t *member)
{
    switch (member->field->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (!is_text(member->value, member->size)) {
            return refuse(walk, member->field, "a text is not UTF-8 or has a NUL");
        }
        return take_memory(walk, rounded(member->size + 1));
    case PROTOBUF_C_TYPE_BYTES:
        return take_memory(walk, rounded(member->size));
    case PROTOBUF_C_TYPE_MESSAGE:
        walk->at = member->value;
        return open_message(walk, member->field->descriptor, member->value + member->size);
    default:
        return true;
    }
}

static bool
scan_known(walk_t *walk, level_t *level, const member_t *member)
{
    const ProtobufCFieldDescriptor *field = member->field;
    shape_t shape = shape_of(field->type);
    bool first = false;
    if (!mark_seen(walk, level, field, &first)) {
        return false;
    }
    if (member->wire_type != shape.wire_type) {
        bool packed = field->label == PROTOBUF_C_LABEL_REPEATED &&
                      member->wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
        return packed ? scan_packed(walk, member, shape, first)
                      : refuse(walk, field, "a field has the wire type of another type");
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED &&
        !take_element(walk, 1, shape.element_bytes, first)) {
        return false;
    }
    return scan_content(walk, member);
}

static bool
scan_member(walk_t *walk)
{
    level_t *level = walk->top;
    uint64_t tag = 0;
    if (!read_varint(walk, level->end, TAG_BYTES, &tag)) {
        return false;
    }
    uint64_t number = tag >> 3;
    if (number == 0 || number > INT32_MAX / 4) {
        return refuse(walk, NULL, "a field has a number that no field can have");
    }
    member_t member = {.wire_type = (unsigned)(tag & 7),
                       .field = find_field(level, (uint32_t)number)};
    if (!read_value(walk, level->end, &member) || !count_member(walk, level)) {
        return false;
    }
    return member.field ? scan_known(walk, level, &member) : keep_unknown(walk, level, &member);
}

vln_err_t
vln_pb_scan(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
            vln_pb_scan_t *out)
{
    static const uint8_t nothing[1];
    const uint8_t *start = bytes ? bytes : nothing;
    *out = (vln_pb_scan_t){0};

    walk_t walk; /* its levels are set when they are opened: zeroing them would cost the most */
    walk.at = start;
    walk.top = NULL;
    walk.out = out;
    bool good = open_message(&walk, descriptor, start + size);
    while (good && walk.top) {
        if (walk.at == walk.top->end) {
            walk.top = walk.top == walk.levels ? NULL : walk.top - 1;
        } else {
            good = scan_member(&walk);
        }
    }
    return good ? VLN_OK : VLN_INVALID_ARGUMENT;
}

static void *
arena_alloc(void *arena, size_t size)
{
    return vln_arena_try_alloc(arena, size);
}

/* Pieces of an arena end together. */
static void
arena_free(void *arena, void *piece)
{
    (void)arena;
    (void)piece;
}

ProtobufCAllocator
vln_pb_allocator(vln_arena_t *arena)
{
    return (ProtobufCAllocator){.alloc = arena_alloc, .free = arena_free, .allocator_data = arena};
}

vln_err_t
vln_pb_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
              vln_arena_t *arena, ProtobufCMessage **out, vln_pb_scan_t *scan)
{
    *out = NULL;
    vln_err_t err = vln_pb_scan(descriptor, bytes, size, scan);
    if (err) {
        return err;
    }
    ProtobufCAllocator allocator = vln_pb_allocator(arena);
    *out = protobuf_c_message_unpack(descriptor, &allocator, size, bytes);
    if (!*out) {
        scan->why = "a required field is missing, or the arena is full";
        return VLN_INVALID_ARGUMENT;
    }
    return VLN_OK;
}

uint8_t *
vln_pb_pack(const ProtobufCMessage *message, vln_arena_t *arena, size_t *size)
{
    size_t wanted = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = vln_arena_alloc(arena, wanted ? wanted : 1);
    *size = protobuf_c_message_pack(message, bytes);
    vln_assert(*size == wanted);
    return bytes;
}

bool
vln_pb_enum_knows(const ProtobufCEnumDescriptor *descriptor, int value)
{
    return protobuf_c_enum_descriptor_get_value(descriptor, value) != NULL;
}

static size_t
put_varint(uint8_t *out, uint64_t value)
{
    size_t len = 0;
    while (value >= 0x80) {
        out[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[len++] = (uint8_t)value;
    return len;
}

const uint8_t *
vln_pb_wrap(vln_arena_t *arena, uint32_t number, const uint8_t *packed, size_t size,
            size_t *out_size)
{
    enum { LENGTH_DELIMITED = 2, VARINT_MAX = 10 };
    uint8_t *out = vln_arena_alloc(arena, size + 2 * (size_t)VARINT_MAX);
    size_t len = put_varint(out, (uint64_t)number << 3 | LENGTH_DELIMITED);
    len += put_varint(out + len, size);
    memcpy(out + len, packed, size);
    *out_size = len + size;
    return out;
}
