/*
 * bench_versions - makes or reads versions through the bus with many calls in flight, and says how
 * fast and how long each took. For bench_registry.py, which measures the limit beside it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "vln_id.h"
#include "vln_keys.h"
#include "vln_mem.h"
#include "vln_pb.h"
#include "vln_socket.h"
#include "vln_text.h"
#include "vln_time.h"

#include "valion/v1/header.pb-c.h"
#include "valion/v1/registry.pb-c.h"

enum { SILENCE_MS = 30000, ROOM = 512 * 1024, IN_FLIGHT_MAX = 1024, NAME_ROOM = 64 };

typedef struct bench {
    void *socket;
    vln_arena_t *arena;
    bool reads;
    const char *prefix; /* of the models' names */
    int64_t count;
    int64_t models;
    int64_t per_model; /* reads: versions 1.0.0 to 1.0.(per_model - 1) are there */
    int64_t bytes;     /* of the artifact of each new version; 0: none */
    int64_t in_flight;
    uint64_t random;
    uint8_t *content;
    struct {
        vln_id_t id;
        int64_t sent_us; /* 0: free */
    } slots[IN_FLIGHT_MAX];
    int64_t *took_us;
} bench_t;

/* Deterministic: xorshift. */
static uint64_t
next_random(bench_t *self)
{
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return self->random;
}

static Valion__V1__KeyValue **
make_pairs(vln_arena_t *arena, const char *const (*pairs)[2], size_t count)
{
    Valion__V1__KeyValue **out = vln_arena_alloc(arena, count * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        out[i] = vln_arena_alloc(arena, sizeof **out);
        valion__v1__key_value__init(out[i]);
        out[i]->key = (char *)(uintptr_t)pairs[i][0];
        out[i]->value = (char *)(uintptr_t)pairs[i][1];
    }
    return out;
}

/* What a small real version says of itself. */
static const uint8_t *
pack_create(bench_t *self, char *model, size_t *size)
{
    static const char *const parameters[][2] = {
        {"max_depth", "6"}, {"eta", "0.1"}, {"rounds", "100"}, {"objective", "reg:squarederror"}};
    char *tags[] = {(char *)(uintptr_t)"bench", (char *)(uintptr_t)"regression"};
    Valion__V1__CreateVersionRequest request = VALION__V1__CREATE_VERSION_REQUEST__INIT;
    Valion__V1__KeyNumber metric = VALION__V1__KEY_NUMBER__INIT;
    Valion__V1__KeyNumber *metrics[] = {&metric};
    Valion__V1__Artifact artifact = VALION__V1__ARTIFACT__INIT;
    Valion__V1__Artifact *artifacts[] = {&artifact};
    metric.key = (char *)(uintptr_t)"r2_score";
    metric.has_value = 1;
    metric.value = 0.87;
    request.model = model;
    request.description = (char *)(uintptr_t)"prices of houses by size, age and place";
    request.algorithm = (char *)(uintptr_t)"XGBRegressor";
    request.tags = tags;
    request.n_tags = VLN_COUNT(tags);
    request.hyperparameters = make_pairs(self->arena, parameters, VLN_COUNT(parameters));
    request.n_hyperparameters = VLN_COUNT(parameters);
    request.metrics = metrics;
    request.n_metrics = 1;
    if (self->bytes > 0) {
        for (int64_t at = 0; at + 8 <= self->bytes; at += 8) {
            uint64_t word = next_random(self);
            memcpy(self->content + at, &word, sizeof word);
        }
        artifact.role = (char *)(uintptr_t)"model";
        artifact.has_inline_bytes = 1;
        artifact.inline_bytes = (ProtobufCBinaryData){(size_t)self->bytes, self->content};
        request.artifacts = artifacts;
        request.n_artifacts = 1;
    }
    return vln_pb_pack(&request.base, self->arena, size);
}

static const uint8_t *
pack_get(bench_t *self, char *model, size_t *size)
{
    char version[NAME_ROOM];
    Valion__V1__GetVersionRequest request = VALION__V1__GET_VERSION_REQUEST__INIT;
    snprintf(version, sizeof version, "1.0.%" PRIu64,
             next_random(self) % (uint64_t)self->per_model);
    request.model = model;
    request.version = version;
    return vln_pb_pack(&request.base, self->arena, size);
}

static size_t
free_slot(const bench_t *self)
{
    size_t slot = 0;
    while (self->slots[slot].sent_us != 0) {
        slot++;
    }
    return slot;
}

static void
send_call(bench_t *self)
{
    size_t slot = free_slot(self);
    char model[NAME_ROOM];
    size_t size = 0;
    vln_arena_reset(self->arena);
    snprintf(model, sizeof model, "%s%" PRIu64, self->prefix,
             next_random(self) % (uint64_t)self->models);
    const uint8_t *body = (self->reads ? pack_get : pack_create)(self, model, &size);
    self->slots[slot].id = vln_id_new();
    Valion__V1__Header header = VALION__V1__HEADER__INIT;
    header.has_request_id = header.has_remaining_ms = 1;
    header.request_id = (ProtobufCBinaryData){VLN_ID_BYTES, self->slots[slot].id.bytes};
    header.service = (char *)(uintptr_t)"registry";
    header.method = (char *)(uintptr_t)(self->reads ? "GetVersion" : "CreateVersion");
    header.remaining_ms = SILENCE_MS;
    size_t header_size = 0;
    const uint8_t *head = vln_pb_pack(&header.base, self->arena, &header_size);
    self->slots[slot].sent_us = vln_mono_us();
    vln_assert(zmq_send(self->socket, head, header_size, ZMQ_SNDMORE) >= 0);
    vln_assert(zmq_send(self->socket, body, size, 0) >= 0);
}

static size_t
slot_of(const bench_t *self, const ProtobufCBinaryData *id)
{
    size_t slot = 0;
    while (id->len != VLN_ID_BYTES ||
           memcmp(self->slots[slot].id.bytes, id->data, VLN_ID_BYTES) != 0) {
        slot++;
        vln_assert(slot < IN_FLIGHT_MAX);
    }
    return slot;
}

/* True if the reply says OK. */
static bool
receive_reply(bench_t *self, int64_t *took_us)
{
    static uint8_t bytes[ROOM];
    int len = zmq_recv(self->socket, bytes, sizeof bytes, 0);
    int64_t now = vln_mono_us();
    vln_assert(len > 0 && len <= ROOM);
    Valion__V1__Header *header = valion__v1__header__unpack(NULL, (size_t)len, bytes);
    vln_assert(header != NULL);
    size_t slot = slot_of(self, &header->request_id);
    *took_us = now - self->slots[slot].sent_us;
    self->slots[slot].sent_us = 0;
    bool good = header->status == VALION__V1__STATUS__STATUS_OK;
    if (!good) {
        fprintf(stderr, "refused: %s\n", header->message);
    }
    valion__v1__header__free_unpacked(header, NULL);
    vln_assert(zmq_recv(self->socket, bytes, sizeof bytes, 0) >= 0);
    return good;
}

static int
compare_times(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static int
run(bench_t *self)
{
    int64_t sent = 0;
    int64_t good = 0;
    int64_t start = vln_mono_us();
    for (int64_t answered = 0; answered < self->count; answered++) {
        while (sent < self->count && sent - answered < self->in_flight) {
            send_call(self);
            sent++;
        }
        good += receive_reply(self, &self->took_us[answered]);
    }
    double seconds = (double)(vln_mono_us() - start) / 1e6;
    qsort(self->took_us, (size_t)self->count, sizeof *self->took_us, compare_times);
    printf("%" PRId64 " %.3f %" PRId64 " %" PRId64 " %" PRId64 "\n", good, seconds,
           self->took_us[self->count / 2], self->took_us[self->count * 99 / 100],
           self->took_us[self->count - 1]);
    return good == self->count ? 0 : 1;
}

static void *
connect_socket(const char *endpoint, const char *folder)
{
    char path[NAME_ROOM * 8];
    char bus_key[VLN_Z85_TEXT];
    vln_keypair_t keys;
    snprintf(path, sizeof path, "%s/secret/admin.key_secret", folder);
    vln_assert(vln_keys_load_pair(path, &keys) == VLN_OK);
    snprintf(path, sizeof path, "%s/bus.key", folder);
    vln_assert(vln_keys_load_public(path, bus_key) == VLN_OK);
    void *socket = vln_socket_new(ZMQ_DEALER);
    int wait_ms = SILENCE_MS;
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    zmq_setsockopt(socket, ZMQ_SNDTIMEO, &wait_ms, sizeof wait_ms);
    vln_socket_secure_client(socket, &keys, bus_key);
    vln_assert(zmq_connect(socket, endpoint) == 0);
    return socket;
}

int
main(int argc, char **argv)
{
    bench_t bench = {.random = 88172645463325252U};
    bool sound = argc == 9 && vln_text_to_i64(argv[5], 1, 100000000, &bench.count) &&
                 vln_text_to_i64(argv[6], 1, 10000000, &bench.models) &&
                 vln_text_to_i64(argv[7], 0, 64 * 1024, &bench.bytes) &&
                 vln_text_to_i64(argv[8], 1, IN_FLIGHT_MAX, &bench.in_flight);
    if (!sound) {
        fprintf(stderr, "usage: bench_versions create|get ENDPOINT KEYS PREFIX COUNT MODELS "
                        "BYTES|VERSIONS-OF-EACH IN-FLIGHT\n"
                        "prints: good seconds p50_us p99_us longest_us\n");
        return 2;
    }
    bench.reads = strcmp(argv[1], "get") == 0;
    bench.prefix = argv[4];
    bench.per_model = bench.reads ? bench.bytes : 0;
    bench.bytes = bench.reads ? 0 : bench.bytes;
    bench.content = vln_calloc(1, (size_t)bench.bytes + 8);
    bench.took_us = vln_calloc((size_t)bench.count, sizeof *bench.took_us);
    bench.arena = vln_arena_new(ROOM);
    bench.socket = connect_socket(argv[2], argv[3]);
    int code = run(&bench);
    vln_socket_close(&bench.socket);
    vln_socket_context_end();
    vln_arena_destroy(&bench.arena);
    free(bench.took_us);
    free(bench.content);
    return code;
}
