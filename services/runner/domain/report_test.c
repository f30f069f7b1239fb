#include "report.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "vln_pb.h"

enum { ARENA = 64 * 1024 * 1024, MESSAGE_MAX = 160 * 1024, INSTANCES = 256, LATENCIES = 128 };

static vln_arena_t *arena;
static Valion__V1__ReportHostStateRequest head;

static void
open_all(void)
{
    arena = vln_arena_new(ARENA);
    valion__v1__report_host_state_request__init(&head);
    head.host = vln_arena_strdup(arena, "host-1");
    head.error = vln_arena_strdup(arena, "a sentence");
    head.has_generation = 1;
    head.generation = UINT64_MAX;
}

static void
close_all(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(report, .init = open_all, .fini = close_all);

static ProtobufCMessage *
make_instance(size_t at)
{
    Valion__V1__InstanceReport *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__instance_report__init(out);
    out->has_state = out->has_restarts = 1;
    out->restarts = (uint32_t)at;
    out->error = vln_arena_printf(arena, "%0900zu", at);
    return &out->base;
}

static ProtobufCMessage *
make_telemetry(size_t latencies)
{
    Valion__V1__Telemetry *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__telemetry__init(out);
    out->n_latency_counts = latencies;
    out->latency_counts = vln_arena_alloc(arena, latencies * sizeof(uint64_t));
    for (size_t i = 0; i < latencies; i++) {
        out->latency_counts[i] = UINT32_MAX;
    }
    return &out->base;
}

static ProtobufCMessage *
make_proxy(void)
{
    Valion__V1__ProxyCounters *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__proxy_counters__init(out);
    out->model = vln_arena_printf(arena, "%0120d", 1);
    out->has_requests = out->has_canary = 1;
    return &out->base;
}

static void
expect_sendable(const report_t *report)
{
    vln_pb_scan_t scan;
    size_t size = 0;
    const uint8_t *bytes = vln_pb_pack(&report->request.base, arena, &size);
    cr_assert_eq(vln_pb_scan(report->request.base.descriptor, bytes, size, &scan), VLN_OK, "%s",
                 scan.why);
    cr_assert_leq(size, MESSAGE_MAX);
    cr_assert_str_eq(report->request.host, "host-1");
}

/* Each part once, whatever they are; in messages that can be sent. */
Test(report, is_cut_into_messages_with_each_part_once)
{
    report_t report;
    size_t sent[3] = {0};
    size_t messages = 0;
    report_begin(&report, &head);
    for (size_t i = 0; i <= 3 * (size_t)INSTANCES; i++) {
        bool last = i == 3 * (size_t)INSTANCES;
        ProtobufCMessage *part = last         ? NULL
                                 : i % 3 == 0 ? make_instance(i)
                                 : i % 3 == 1 ? make_telemetry(LATENCIES)
                                              : make_proxy();
        report_added_t added = last ? REPORT_FULL : report_add(&report, part, arena);
        if (added == REPORT_FULL) {
            expect_sendable(&report);
            sent[0] += report.request.n_instances;
            sent[1] += report.request.n_telemetry;
            sent[2] += report.request.n_proxy;
            messages++;
            report_begin(&report, &head);
            added = last ? REPORT_ADDED : report_add(&report, part, arena);
        }
        cr_assert_eq(added, REPORT_ADDED);
    }
    cr_expect_gt(messages, 1);
    cr_expect_lt(messages, 10);
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(sent[i], (size_t)INSTANCES);
    }
}

Test(report, leaves_out_what_fits_no_message)
{
    report_t report;
    report_begin(&report, &head);
    cr_assert_eq(report_add(&report, make_instance(1), arena), REPORT_ADDED);
    cr_assert_eq(report_add(&report, make_telemetry(40000), arena), REPORT_TOO_LARGE);
    cr_assert_eq(report.request.n_telemetry, 0);
    cr_assert_eq(report_add(&report, make_telemetry(LATENCIES), arena), REPORT_ADDED);
    expect_sendable(&report);
}
