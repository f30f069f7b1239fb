#include "room.h"

#include <string.h>

#include "vln_pb.h"

#include "reference.h"

/* A HostState may be 160 KiB, and 4096 fields and 1 MiB of memory as vln_pb has it; endpoints and
 * environments take the rest. A server counts what it was given until it ends, so of a report half is
 * left for the instances that come later. */
enum {
    INSTANCES_MAX = 256,
    BYTES_MAX = 144 * 1024,
    FIELDS_MAX = 3600,
    MEMORY_MAX = 900 * 1024,
    COUNTED_BYTES_MAX = 80 * 1024,
    COUNTED_FIELDS_MAX = 2048,
};

/* A column's bins in the state; in the report, counts of up to five bytes each. */
static room_t
cost_of_bins(const Valion__V1__TelemetryBins *bins)
{
    size_t counts = bins->n_edges + bins->n_categories + 2;
    return (room_t){
        .bytes = protobuf_c_message_get_packed_size(&bins->base) + 4,
        .fields = 3 + bins->n_categories,
        .memory = 128 + sizeof *bins + bins->n_edges * sizeof(double) +
                  bins->n_categories * (sizeof(char *) + REFERENCE_CATEGORY_BYTES),
        .counted_bytes = 48 + strlen(bins->column) + 5 * counts,
        .counted_fields = 8,
    };
}

static const char *
text_of(const char *text)
{
    return text ? text : "";
}

static room_t
cost_without_bins(const Valion__V1__WantedInstance *wanted, vln_arena_t *arena)
{
    Valion__V1__WantedInstance bare = *wanted;
    vln_pb_scan_t scan;
    size_t size = 0;
    bare.n_bins = 0;
    const uint8_t *bytes = vln_pb_pack(&bare.base, arena, &size);
    bool scanned = vln_pb_scan(wanted->base.descriptor, bytes, size, &scan) == VLN_OK;
    /* Its endpoint and its route, as if no other instance had the same. */
    size_t names = strlen(text_of(wanted->environment)) + strlen(text_of(wanted->model)) +
                   strlen(text_of(wanted->version));
    return (room_t){.instances = 1,
                    .bytes = size + names + 96,
                    .fields = (scanned ? scan.fields : FIELDS_MAX) + 10,
                    .memory = (scanned ? scan.memory_bytes : MEMORY_MAX) + names + 512};
}

static void
add(room_t *self, const room_t *cost)
{
    self->instances += cost->instances;
    self->bytes += cost->bytes;
    self->fields += cost->fields;
    self->memory += cost->memory;
    self->counted_bytes += cost->counted_bytes;
    self->counted_fields += cost->counted_fields;
}

static bool
is_within(const room_t *self)
{
    return self->instances <= INSTANCES_MAX && self->bytes <= BYTES_MAX &&
           self->fields <= FIELDS_MAX && self->memory <= MEMORY_MAX &&
           self->counted_bytes <= COUNTED_BYTES_MAX && self->counted_fields <= COUNTED_FIELDS_MAX;
}

bool
room_take(room_t *self, const Valion__V1__WantedInstance *wanted, vln_arena_t *arena)
{
    room_t next = *self;
    room_t cost = cost_without_bins(wanted, arena);
    add(&next, &cost);
    if (!is_within(&next)) {
        return false;
    }
    *self = next;
    return true;
}

void
room_add_bare(room_t *self, const Valion__V1__WantedInstance *wanted, vln_arena_t *arena)
{
    room_t cost = cost_without_bins(wanted, arena);
    add(self, &cost);
}

void
room_add(room_t *self, const Valion__V1__WantedInstance *wanted, vln_arena_t *arena)
{
    room_t cost;
    room_add_bare(self, wanted, arena);
    for (size_t i = 0; i < wanted->n_bins; i++) {
        cost = cost_of_bins(wanted->bins[i]);
        add(self, &cost);
    }
}

/* False: some are cut off. */
static bool
fit_bins(room_t *self, Valion__V1__WantedInstance *wanted)
{
    for (size_t i = 0; i < wanted->n_bins; i++) {
        room_t next = *self;
        room_t cost = cost_of_bins(wanted->bins[i]);
        add(&next, &cost);
        if (!is_within(&next)) {
            wanted->n_bins = i;
            return false;
        }
        *self = next;
    }
    return true;
}

bool
room_fit(room_t *self, Valion__V1__WantedInstance *wanted, vln_arena_t *arena)
{
    room_add_bare(self, wanted, arena);
    return fit_bins(self, wanted);
}

void
room_cut(Valion__V1__HostState *state, vln_arena_t *arena)
{
    room_t room = {0};
    for (size_t i = 0; i < state->n_instances; i++) {
        room_add_bare(&room, state->instances[i], arena);
    }
    for (size_t i = 0; i < state->n_instances; i++) {
        fit_bins(&room, state->instances[i]);
    }
}
