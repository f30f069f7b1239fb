#include "report.h"

#include "vln_err.h"
#include "vln_pb.h"

/* Of a message of 160 KiB, 4096 fields and 1 MiB of memory; the rest is for its head. */
enum {
    BYTES_MAX = 144 * 1024,
    FIELDS_MAX = 3900,
    MEMORY_MAX = 900 * 1024,
    PARTS_MAX = 1024,
};

void
report_begin(report_t *self, const Valion__V1__ReportHostStateRequest *head)
{
    *self = (report_t){.request = *head};
    self->request.n_instances = self->request.n_telemetry = self->request.n_proxy = 0;
    self->request.instances = NULL;
    self->request.telemetry = NULL;
    self->request.proxy = NULL;
}

static void
append(report_t *self, ProtobufCMessage *part, vln_arena_t *arena)
{
    Valion__V1__ReportHostStateRequest *request = &self->request;
    if (!request->instances) {
        request->instances = vln_arena_alloc(arena, PARTS_MAX * sizeof(void *));
        request->telemetry = vln_arena_alloc(arena, PARTS_MAX * sizeof(void *));
        request->proxy = vln_arena_alloc(arena, PARTS_MAX * sizeof(void *));
    }
    if (part->descriptor == &valion__v1__instance_report__descriptor) {
        request->instances[request->n_instances++] = (Valion__V1__InstanceReport *)part;
    } else if (part->descriptor == &valion__v1__telemetry__descriptor) {
        request->telemetry[request->n_telemetry++] = (Valion__V1__Telemetry *)part;
    } else {
        vln_assert(part->descriptor == &valion__v1__proxy_counters__descriptor);
        request->proxy[request->n_proxy++] = (Valion__V1__ProxyCounters *)part;
    }
}

report_added_t
report_add(report_t *self, ProtobufCMessage *part, vln_arena_t *arena)
{
    vln_pb_scan_t scan;
    size_t size = 0;
    const uint8_t *bytes = vln_pb_pack(part, arena, &size);
    if (vln_pb_scan(part->descriptor, bytes, size, &scan) != VLN_OK || size > BYTES_MAX ||
        scan.fields > FIELDS_MAX || scan.memory_bytes > MEMORY_MAX) {
        return REPORT_TOO_LARGE;
    }
    size_t bytes_then = self->bytes + size + 8;
    size_t fields_then = self->fields + scan.fields + 1;
    size_t memory_then = self->memory + scan.memory_bytes + 64;
    if (self->parts > 0 && (self->parts == PARTS_MAX || bytes_then > BYTES_MAX ||
                            fields_then > FIELDS_MAX || memory_then > MEMORY_MAX)) {
        return REPORT_FULL;
    }
    append(self, part, arena);
    self->parts++;
    self->bytes = bytes_then;
    self->fields = fields_then;
    self->memory = memory_then;
    return REPORT_ADDED;
}
