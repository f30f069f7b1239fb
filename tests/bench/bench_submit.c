/*
 * bench_submit - submits no-op jobs through the bus with many calls in flight, and says when the
 * last one was accepted. For bench_jobs.py, which measures the limit beside it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "vln_id.h"
#include "vln_keys.h"
#include "vln_socket.h"
#include "vln_text.h"
#include "vln_time.h"

#include "valion/v1/header.pb-c.h"
#include "valion/v1/orchestrator.pb-c.h"

enum { IN_FLIGHT = 256, SILENCE_MS = 10000, ROOM = 512 };

static void
send_job(void *socket)
{
    vln_id_t id = vln_id_new();
    Valion__V1__Header header = VALION__V1__HEADER__INIT;
    header.has_request_id = header.has_remaining_ms = 1;
    header.request_id = (ProtobufCBinaryData){sizeof id.bytes, id.bytes};
    header.service = (char *)(uintptr_t)"orchestrator";
    header.method = (char *)(uintptr_t)"SubmitJob";
    header.remaining_ms = SILENCE_MS;
    Valion__V1__SubmitJobRequest job = VALION__V1__SUBMIT_JOB_REQUEST__INIT;
    job.kind = (char *)(uintptr_t)"test.noop";
    uint8_t bytes[ROOM];
    size_t size = valion__v1__header__pack(&header, bytes);
    vln_assert(zmq_send(socket, bytes, size, ZMQ_SNDMORE) >= 0);
    size = valion__v1__submit_job_request__pack(&job, bytes);
    vln_assert(zmq_send(socket, bytes, size, 0) >= 0);
}

/* True if the reply says OK. */
static bool
receive_reply(void *socket)
{
    uint8_t bytes[ROOM];
    int len = zmq_recv(socket, bytes, sizeof bytes, 0);
    vln_assert(len > 0 && len <= ROOM);
    Valion__V1__Header *header = valion__v1__header__unpack(NULL, (size_t)len, bytes);
    bool good = header && header->status == VALION__V1__STATUS__STATUS_OK;
    if (header && !good) {
        fprintf(stderr, "refused: %s\n", header->message);
    }
    valion__v1__header__free_unpacked(header, NULL);
    vln_assert(zmq_recv(socket, bytes, sizeof bytes, 0) >= 0);
    return good;
}

int
main(int argc, char **argv)
{
    int64_t jobs = 0;
    char path[ROOM];
    char bus_key[VLN_Z85_TEXT];
    vln_keypair_t keys;
    if (argc != 4 || !vln_text_to_i64(argv[3], 1, 10000000, &jobs)) {
        fprintf(stderr, "usage: bench_submit ENDPOINT KEYS JOBS\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/secret/admin.key_secret", argv[2]);
    vln_assert(vln_keys_load_pair(path, &keys) == VLN_OK);
    snprintf(path, sizeof path, "%s/bus.key", argv[2]);
    vln_assert(vln_keys_load_public(path, bus_key) == VLN_OK);
    void *socket = vln_socket_new(ZMQ_DEALER);
    int wait_ms = SILENCE_MS;
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    zmq_setsockopt(socket, ZMQ_SNDTIMEO, &wait_ms, sizeof wait_ms);
    vln_socket_secure_client(socket, &keys, bus_key);
    vln_assert(zmq_connect(socket, argv[1]) == 0);
    int64_t sent = 0;
    int64_t accepted = 0;
    int64_t start = vln_mono_us();
    for (int64_t answered = 0; answered < jobs; answered++) {
        while (sent < jobs && sent - answered < IN_FLIGHT) {
            send_job(socket);
            sent++;
        }
        accepted += receive_reply(socket);
    }
    printf("%lld %.3f\n", (long long)accepted, (double)(vln_mono_us() - start) / 1e6);
    vln_socket_close(&socket);
    vln_socket_context_end();
    return accepted == jobs ? 0 : 1;
}
