#include "room.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "vln_pb.h"

enum {
    ARENA = 64 * 1024 * 1024,
    MESSAGE_MAX = 160 * 1024,
    INSTANCES_MAX = 20,
    HOST_MAX = 300,
    COLUMNS = 200,
    EDGES = 64,
    CATEGORIES = 64,
};

static vln_arena_t *arena;
static Valion__V1__HostState state;

static void
open_all(void)
{
    arena = vln_arena_new(ARENA);
    valion__v1__host_state__init(&state);
    state.instances = vln_arena_alloc(arena, HOST_MAX * sizeof(void *));
}

static void
close_all(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(room, .init = open_all, .fini = close_all);

static char *
make_name(const char *word, size_t i)
{
    return vln_arena_printf(arena, "%s_of_some_length_%zu", word, i);
}

static Valion__V1__TelemetryBins *
make_bins(size_t at, size_t edges, size_t categories)
{
    Valion__V1__TelemetryBins *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__telemetry_bins__init(out);
    out->column = make_name("column", at);
    out->n_edges = edges;
    out->edges = vln_arena_alloc(arena, (edges + 1) * sizeof(double));
    out->categories = vln_arena_alloc(arena, (categories + 1) * sizeof(char *));
    while (out->n_categories < categories) {
        out->categories[out->n_categories] = make_name("category", out->n_categories);
        out->n_categories++;
    }
    return out;
}

/* With a signature as wide as its bins. */
static Valion__V1__WantedInstance *
make_instance(size_t columns, size_t edges, size_t categories)
{
    static uint8_t id[16];
    Valion__V1__WantedInstance *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__wanted_instance__init(out);
    out->has_instance_id = 1;
    out->instance_id = (ProtobufCBinaryData){sizeof id, id};
    out->version = vln_arena_strdup(arena, "1.0.0");
    out->signature = vln_arena_alloc(arena, sizeof *out->signature);
    valion__v1__signature__init(out->signature);
    out->signature->inputs = vln_arena_alloc(arena, columns * sizeof(void *));
    out->bins = vln_arena_alloc(arena, columns * sizeof(void *));
    for (size_t i = 0; i < columns; i++) {
        Valion__V1__Column *input = vln_arena_alloc(arena, sizeof *input);
        valion__v1__column__init(input);
        input->name = make_name("column", i);
        input->has_type = 1;
        out->signature->inputs[out->signature->n_inputs++] = input;
        out->bins[out->n_bins++] = make_bins(i, edges, categories);
    }
    return out;
}

/* The report that servers with these bins make when every count is large. */
static Valion__V1__Telemetry *
make_telemetry(const Valion__V1__WantedInstance *wanted)
{
    Valion__V1__Telemetry *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__telemetry__init(out);
    out->has_instance_id = out->has_requests = out->has_rows = out->has_sequence = 1;
    out->instance_id = wanted->instance_id;
    out->start_id = vln_arena_strdup(arena, "0123456789abcdef0123456789abcdef0123/1234567");
    out->version = wanted->version;
    out->n_latency_counts = 128;
    out->latency_counts = vln_arena_alloc(arena, 128 * sizeof(uint64_t));
    out->features = vln_arena_alloc(arena, (wanted->n_bins + 1) * sizeof(void *));
    for (size_t i = 0; i < 128; i++) {
        out->latency_counts[i] = UINT32_MAX;
    }
    for (size_t i = 0; i < wanted->n_bins; i++) {
        const Valion__V1__TelemetryBins *bins = wanted->bins[i];
        Valion__V1__ValueTelemetry *values = vln_arena_alloc(arena, sizeof *values);
        valion__v1__value_telemetry__init(values);
        values->column = bins->column;
        values->has_n = values->has_sum = values->has_sum_squares = values->has_missing = 1;
        values->n = UINT32_MAX;
        values->n_counts = bins->n_edges + bins->n_categories + 2;
        values->counts = vln_arena_alloc(arena, values->n_counts * sizeof(uint64_t));
        for (size_t at = 0; at < values->n_counts; at++) {
            values->counts[at] = UINT32_MAX;
        }
        out->features[out->n_features++] = values;
    }
    return out;
}

static void
expect_sendable(const ProtobufCMessage *message)
{
    vln_pb_scan_t scan;
    size_t size = 0;
    const uint8_t *bytes = vln_pb_pack(message, arena, &size);
    vln_err_t err = vln_pb_scan(message->descriptor, bytes, size, &scan);
    cr_assert_eq(err, VLN_OK, "%s: %s", message->descriptor->short_name, scan.why);
    cr_assert_leq(size, MESSAGE_MAX, "%s", message->descriptor->short_name);
}

/* Servers count what they were given when they started, whatever the state says later. */
static void
expect_all_sendable(void)
{
    Valion__V1__ReportHostStateRequest report = VALION__V1__REPORT_HOST_STATE_REQUEST__INIT;
    report.telemetry = vln_arena_alloc(arena, INSTANCES_MAX * sizeof(void *));
    for (size_t i = 0; i < state.n_instances; i++) {
        report.telemetry[report.n_telemetry++] = make_telemetry(state.instances[i]);
    }
    room_cut(&state, arena);
    expect_sendable(&state.base);
    expect_sendable(&report.base);
}

Test(room, has_all_columns_of_a_usual_model)
{
    room_t room = {0};
    for (size_t i = 0; i < INSTANCES_MAX; i++) {
        state.instances[i] = make_instance(7, 19, 0);
        state.n_instances++;
        cr_assert(room_fit(&room, state.instances[i], arena), "instance %zu", i);
    }
    expect_all_sendable();
    for (size_t i = 0; i < INSTANCES_MAX; i++) {
        cr_assert_eq(state.instances[i]->n_bins, 7);
    }
}

/* Whatever a host runs, what it is told and what it reports can be sent; columns are cut, instances
 * are not, and who came first keeps most. */
Test(room, cuts_columns_before_a_message_is_too_large)
{
    enum { WIDE = 5 };
    static const struct {
        size_t edges;
        size_t categories;
    } cases[] = {{19, 0}, {EDGES, 0}, {0, CATEGORIES}, {0, 5}};
    for (size_t of = 0; of < sizeof cases / sizeof cases[0]; of++) {
        room_t room = {0};
        bool cut = false;
        close_all();
        open_all();
        for (size_t i = 0; i < WIDE; i++) {
            state.instances[i] = make_instance(COLUMNS, cases[of].edges, cases[of].categories);
            state.n_instances++;
            cut = !room_fit(&room, state.instances[i], arena) || cut;
        }
        cr_assert(cut, "case %zu", of);
        cr_assert_gt(state.instances[0]->n_bins, 10, "case %zu", of);
        expect_all_sendable();
        cr_assert_gt(state.instances[0]->n_bins, 0, "case %zu", of);
        cr_assert_eq(state.instances[WIDE - 1]->n_bins, 0, "case %zu", of);
    }
}

Test(room, counts_what_is_there_already)
{
    room_t fresh = {0};
    room_t known = {0};
    Valion__V1__WantedInstance *first = make_instance(COLUMNS, EDGES, 0);
    Valion__V1__WantedInstance *alone = make_instance(COLUMNS, EDGES, 0);
    Valion__V1__WantedInstance *second = make_instance(COLUMNS, EDGES, 0);
    room_fit(&fresh, first, arena);
    room_add(&known, first, arena);
    cr_assert_eq(memcmp(&fresh, &known, sizeof fresh), 0);
    room_fit(&known, second, arena);
    room_fit(&(room_t){0}, alone, arena);
    cr_assert_lt(second->n_bins, alone->n_bins);
}

/* Endpoint and route of its own for each, which is the most that they can take. */
static void
add_endpoint(Valion__V1__WantedInstance *wanted)
{
    Valion__V1__HostEndpoint *endpoint = vln_arena_alloc(arena, sizeof *endpoint);
    Valion__V1__VersionRoute *route = vln_arena_alloc(arena, sizeof *route);
    valion__v1__host_endpoint__init(endpoint);
    valion__v1__version_route__init(route);
    endpoint->environment = wanted->environment;
    endpoint->model = wanted->model;
    endpoint->has_share_permille = 1;
    endpoint->n_stable_ids = route->n_instance_ids = endpoint->n_routes = 1;
    endpoint->stable_ids = route->instance_ids = &wanted->instance_id;
    endpoint->routes = vln_arena_alloc(arena, sizeof(void *));
    endpoint->routes[0] = route;
    route->version = wanted->version;
    state.endpoints[state.n_endpoints++] = endpoint;
}

Test(room, takes_instances_while_the_host_can_be_told_of_them)
{
    static const size_t columns[] = {1, 7, COLUMNS};
    for (size_t of = 0; of < sizeof columns / sizeof columns[0]; of++) {
        room_t room = {0};
        close_all();
        open_all();
        state.endpoints = vln_arena_alloc(arena, HOST_MAX * sizeof(void *));
        for (;;) {
            Valion__V1__WantedInstance *next = make_instance(columns[of], 19, 0);
            next->model = vln_arena_printf(arena, "%0100zu", state.n_instances);
            next->environment = vln_arena_printf(arena, "%060zu", state.n_instances);
            next->has_draining = 1;
            if (!room_take(&room, next, arena)) {
                break;
            }
            cr_assert_lt(state.n_instances, HOST_MAX);
            state.instances[state.n_instances++] = next;
            add_endpoint(next);
        }
        cr_expect_geq(state.n_instances, columns[of] > 100 ? 4 : 64, "%zu", state.n_instances);
        room_cut(&state, arena);
        expect_sendable(&state.base);
        cr_assert_not(room_take(&room, state.instances[0], arena));
    }
}
