#include "counts.h"

#include <criterion/criterion.h>
#include <math.h>

enum { ARENA = 1024 * 1024, BINS = 3 };

static vln_arena_t *arena;

static void
open_arena(void)
{
    arena = vln_arena_new(ARENA);
}

static void
close_arena(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(counts, .init = open_arena, .fini = close_arena);

static Valion__V1__ValueTelemetry *
make_values(const char *column, uint64_t n)
{
    Valion__V1__ValueTelemetry *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__value_telemetry__init(out);
    out->column = column ? vln_arena_strdup(arena, column) : NULL;
    out->has_n = out->has_sum = out->has_sum_squares = 1;
    out->n = n;
    out->sum = 2.0 * (double)n;
    out->sum_squares = 4.0 * (double)n;
    out->n_counts = BINS;
    out->counts = vln_arena_alloc(arena, BINS * sizeof(uint64_t));
    out->counts[1] = n;
    return out;
}

/* A server that answered n requests, one in ten with an error of its model. */
static Valion__V1__Telemetry *
make_telemetry(uint64_t n)
{
    static uint8_t id[16] = {1};
    Valion__V1__Telemetry *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__telemetry__init(out);
    out->instance_id = (ProtobufCBinaryData){sizeof id, id};
    out->start_id = vln_arena_strdup(arena, "boot/1");
    out->requests = out->rows = n;
    out->errors = vln_arena_alloc(arena, 2 * sizeof(void *));
    out->errors[0] = vln_arena_alloc(arena, sizeof **out->errors);
    valion__v1__key_number__init(out->errors[0]);
    out->errors[0]->key = vln_arena_strdup(arena, "model");
    out->errors[0]->value = (double)(n / 10);
    out->n_errors = 1;
    out->n_latency_counts = BINS;
    out->latency_counts = vln_arena_alloc(arena, BINS * sizeof(uint64_t));
    out->latency_counts[0] = n;
    out->prediction = make_values(NULL, n);
    out->features = vln_arena_alloc(arena, 2 * sizeof(void *));
    out->features[out->n_features++] = make_values("area", n);
    return out;
}

Test(counts, adds_what_an_ended_start_counted)
{
    Valion__V1__Telemetry *sum =
        counts_telemetry_add(make_telemetry(40), make_telemetry(20), arena);
    cr_assert_eq(sum->requests, 60);
    cr_assert_eq(counts_error(sum, "model"), 6);
    cr_assert_eq(sum->latency_counts[0], 60);
    cr_assert_eq(sum->prediction->n, 60);
    cr_assert_eq(sum->prediction->sum, 120);
    cr_assert_eq(counts_values(sum, "area")->counts[1], 60);
    cr_assert_eq(counts_values(sum, ""), sum->prediction);
    cr_assert_null(counts_values(sum, "rooms"));
}

Test(counts, adds_to_nothing)
{
    cr_assert_eq(counts_telemetry_add(NULL, NULL, arena)->requests, 0);
    Valion__V1__Telemetry *sum = counts_telemetry_add(NULL, make_telemetry(7), arena);
    cr_assert_eq(sum->requests, 7);
    cr_assert_eq(sum->latency_counts[0], 7);
    cr_assert_eq(counts_values(sum, "area")->n, 7);
}

Test(counts, keeps_a_column_that_only_one_of_them_has)
{
    Valion__V1__Telemetry *other = make_telemetry(5);
    other->features[0]->column = vln_arena_strdup(arena, "rooms");
    Valion__V1__Telemetry *sum = counts_telemetry_add(make_telemetry(3), other, arena);
    cr_assert_eq(counts_values(sum, "area")->n, 3);
    cr_assert_eq(counts_values(sum, "rooms")->n, 5);
}

Test(counts, tells_what_came_since)
{
    Valion__V1__Telemetry *since =
        counts_telemetry_since(make_telemetry(40), make_telemetry(100), arena);
    cr_assert_not_null(since);
    cr_assert_eq(since->requests, 60);
    cr_assert_eq(counts_error(since, "model"), 6);
    cr_assert_eq(counts_values(since, "area")->counts[1], 60);
    cr_assert_eq(since->prediction->sum_squares, 240);
}

/* A restart: the total of both starts is above what was seen before, whatever the new start says. */
Test(counts, of_a_restarted_server_do_not_go_back)
{
    Valion__V1__Telemetry *seen = counts_telemetry_add(NULL, make_telemetry(40), arena);
    Valion__V1__Telemetry *after =
        counts_telemetry_add(make_telemetry(40), make_telemetry(10), arena);
    Valion__V1__Telemetry *since = counts_telemetry_since(seen, after, arena);
    cr_assert_not_null(since);
    cr_assert_eq(since->requests, 10);
}

Test(counts, cannot_tell_when_something_went_back_or_bins_changed)
{
    cr_assert_null(counts_telemetry_since(make_telemetry(41), make_telemetry(40), arena));
    Valion__V1__Telemetry *now = make_telemetry(50);
    now->features[0]->n_counts = BINS - 1;
    cr_assert_null(counts_telemetry_since(make_telemetry(40), now, arena));
    now = make_telemetry(50);
    now->n_features = 0;
    cr_assert_null(counts_telemetry_since(make_telemetry(40), now, arena));
    now = make_telemetry(50);
    now->n_latency_counts = BINS - 1;
    cr_assert_null(counts_telemetry_since(make_telemetry(40), now, arena));
}

Test(counts, stop_at_the_largest_number)
{
    Valion__V1__Telemetry *much = make_telemetry(1);
    much->requests = UINT64_MAX;
    cr_assert_eq(counts_telemetry_add(much, much, arena)->requests, UINT64_MAX);
    cr_assert_eq(counts_telemetry_amount(much), INT64_MAX);
}

Test(counts, of_the_proxy_are_added_and_told_apart)
{
    Valion__V1__ProxyCounters before = VALION__V1__PROXY_COUNTERS__INIT;
    Valion__V1__ProxyCounters now = VALION__V1__PROXY_COUNTERS__INIT;
    before.requests = 10;
    before.responses_5xx = 3;
    now.requests = 25;
    now.responses_5xx = 4;
    cr_assert_eq(counts_proxy_add(&before, &now, arena)->requests, 35);
    cr_assert_eq(counts_proxy_since(&before, &now, arena)->responses_5xx, 1);
    cr_assert_null(counts_proxy_since(&now, &before, arena));
    cr_assert_eq(counts_proxy_amount(&before), 13);
}

/* The kept start, the reported one, its amount, and what becomes of it. */
Test(counts, know_a_new_start_from_a_late_report)
{
    static const struct {
        counts_kept_t kept;
        const char *start_id;
        int64_t amount;
        counts_turn_t turn;
    } cases[] = {
        {{NULL, NULL, 0}, "a", 0, COUNTS_NEWER}, {{"a", "", 10}, "a", 11, COUNTS_NEWER},
        {{"a", "", 10}, "a", 10, COUNTS_OLD},    {{"a", "", 10}, "a", 9, COUNTS_OLD},
        {{"a", "", 10}, "b", 0, COUNTS_STARTED}, {{"b", "a", 2}, "a", 12, COUNTS_OLD},
        {{"b", "a", 2}, "c", 1, COUNTS_STARTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(counts_turn(&cases[i].kept, cases[i].start_id, cases[i].amount), cases[i].turn,
                     "case %zu", i);
    }
}

Test(counts, that_are_too_large_are_not_kept)
{
    cr_assert(counts_telemetry_is_sane(make_telemetry(1)));
    Valion__V1__Telemetry *wrong = make_telemetry(1);
    wrong->features[0]->n_counts = COUNTS_BINS_MAX + 1;
    cr_assert_not(counts_telemetry_is_sane(wrong));
    wrong = make_telemetry(1);
    wrong->prediction->sum = (double)INFINITY;
    cr_assert_not(counts_telemetry_is_sane(wrong));
    wrong = make_telemetry(1);
    wrong->start_id = NULL;
    cr_assert_not(counts_telemetry_is_sane(wrong));
    wrong = make_telemetry(1);
    wrong->instance_id.len = 15;
    cr_assert_not(counts_telemetry_is_sane(wrong));
    wrong = make_telemetry(1);
    wrong->n_latency_counts = COUNTS_LATENCIES_MAX + 1;
    cr_assert_not(counts_telemetry_is_sane(wrong));
}
