/*
 * broker_inside - what the files of the broker share. No one else includes it.
 */
#ifndef BROKER_INSIDE_H
#define BROKER_INSIDE_H

#include <czmq.h>

#include "vln_mem.h"
#include "vln_socket.h"

#include "broker.h"
#include "broker_principals.h"
#include "broker_request.h"
#include "domain/route.h"
#include "valion/v1/header.pb-c.h"

enum {
    MESSAGE_FRAMES = VLN_FRAMES_MAX + 1, /* and ROUTER's routing id */
    ROUTING_ID_BYTES = 5,                /* of the ids that ROUTER makes: 0 and a number */
    DRAIN_MAX = 200,                     /* messages taken from a socket before the others' turn */
    HEARTBEAT_MS = 1000,
    LIVENESS_MS = 4 * HEARTBEAT_MS,
    TICK_MS = 20,
    HELD_CHUNK = 1024,
    HELD_CHUNKS = 1024, /* at most 2^20 calls */
    PEER_BUCKETS = 2048,
    PEER_TEXT = 65,
    HEALTH_MAX = 2048,
};

/*
 * Two I/O threads, as bits of ZMQ_AFFINITY. One thread gives each connection the same turn, and a
 * service is one connection among all those of clients: beside a hundred busy clients its replies
 * would come through at a hundredth of what the thread can do, and with them everybody's work.
 */
enum { IO_CLIENTS = 1, IO_SERVICES = 2, IO_THREADS = 2 };

/* clang-format off */
#define BROKER_COUNTER_MAP(X)                                                            \
    X(calls)                /* taken from clients */                                      \
    X(replies)              /* of services, passed on */                                  \
    X(refused_malformed)    /* frames or header wrong */                                  \
    X(refused_unknown)      /* no such service */                                         \
    X(refused_busy)         /* a bound */                                                 \
    X(refused_unauthenticated)                                                            \
    X(expired)              /* deadline passed here or with the instance */               \
    X(nobody)               /* no instance in time */                                     \
    X(lost)                 /* with their instance */                                     \
    X(replies_late)         /* call unknown or of another instance */                     \
    X(replies_other_epoch)  /* of an earlier life of this broker */                       \
    X(replies_undelivered)  /* client gone */                                             \
    X(service_messages_wrong)                                                             \
    X(resets)               /* told unknown services to say READY */                      \
    X(instances_gone)       /* by silence, BYE, or an unreachable peer */                 \
    X(events)               /* forwarded */                                               \
    X(events_refused)                                                                     \
    X(client_socket_resets) /* memory bound */                                            \
    X(connection_pauses)    /* descriptor bound */                                        \
    X(refusal_pauses)       /* clients not read for a moment */                           \
    X(unknown_fields)       /* in headers: a newer peer */
/* clang-format on */

typedef enum broker_counter {
#define X(name) COUNT_##name,
    BROKER_COUNTER_MAP(X)
#undef X
        BROKER_COUNTERS,
} broker_counter_t;

/* A message as it came: the routing id first. */
typedef struct message {
    int count;
    bool too_many;
    zmq_msg_t frame[MESSAGE_FRAMES];
} message_t;

/* The way back to a caller. A value. */
typedef struct origin {
    uint32_t socket_serial; /* of the client socket: ids mean nothing to a later one */
    uint8_t routing_id[ROUTING_ID_BYTES];
    uint8_t prefixes;
    uint8_t delimiter;
    uint8_t request_id_size;
    uint8_t prefix_size[REQUEST_PREFIXES_MAX];
    uint8_t prefix[REQUEST_PREFIXES_MAX][REQUEST_PREFIX_BYTES];
    uint8_t request_id[REQUEST_ID_BYTES];
} origin_t;

/* What the broker keeps of a call, by the call's index in route. */
typedef struct held {
    origin_t origin;
    int principal;
    int frame_count; /* while it waits: header, body, raw */
    zmq_msg_t frame[3];
} held_t;

/* What the broker keeps of an instance, by its index in route. */
typedef struct peer {
    uint8_t routing_id[ROUTING_ID_BYTES];
    int bucket_next;
    int principal;
    int64_t last_seen_ms;
    int64_t pid;
    char instance[PEER_TEXT];
    char version[PEER_TEXT];
    char host[PEER_TEXT];
    size_t health_size;
    uint8_t health[HEALTH_MAX]; /* as its last heartbeat said, checked */
} peer_t;

typedef struct guard {
    int listen_fd; /* of the client socket */
    bool paused;   /* takes no new connections */
    int descriptor_limit;
    int statm_fd;
    int64_t quiet_until_ms; /* memory was given back: wait for the effect */
} guard_t;

struct broker {
    const broker_config_t *config;
    vln_keypair_t keys;
    uint64_t epoch;
    int64_t now_ms;
    int64_t started_ms;
    int64_t second_ms; /* when on_second ran last */
    int64_t ticked_ms;
    zloop_t *loop;
    int signals;
    void *zap;
    void *client;
    void *service;
    void *publish;
    void *subscribe;
    void *monitor; /* of the client socket */
    uint32_t client_serial;
    bool client_bound;
    bool client_rests;         /* not read until the next tick */
    int64_t busy_at_last_tick; /* COUNT_refused_busy then */
    bool events_bound;
    principals_t *principals;
    route_t *route;
    vln_arena_t *arena; /* of the message in hand */
    guard_t guard;
    int64_t counters[BROKER_COUNTERS];
    held_t *held[HELD_CHUNKS];
    int peer_buckets[PEER_BUCKETS];
    peer_t *peers[ROUTE_INSTANCES_MAX];
};

/* ---- broker.c ---- */

/* As vln_socket_new(), with its connections on that I/O thread. */
void *broker_socket_new(int type, uint64_t io);

/* Reads the clock, turns the wheel; at the start of each callback. */
void broker_clock(broker_t *self);

/* Calls that ended without a reply are answered; at the end of each callback. */
void broker_finish_ended(broker_t *self);

/* ---- broker_client.c ---- */

VLN_MUST_USE vln_err_t client_open(broker_t *self);
void client_close(broker_t *self);
/* Again when the port was not free yet. */
void client_try_bind(broker_t *self);
/* Each TICK_MS: clients may be refused again, and are read again. */
void client_tick(broker_t *self);

/* ---- broker_service.c ---- */

VLN_MUST_USE vln_err_t service_open(broker_t *self);
/* Send what waits, while the instance has credit. */
void service_pump(broker_t *self, int instance);
/* Heartbeats, silence, revoked certificates. */
void service_second(broker_t *self);
void service_forget(broker_t *self, int instance, const char *why);

/* ---- broker_reply.c ---- */

/* False when nothing waits; the frames are the caller's to close. */
bool message_receive(void *socket, message_t *out);
void message_close(message_t *self);
/* Principal by the User-Id of the second frame, which ROUTER's first does not have; -1 if none. */
int message_principal(const broker_t *self, message_t *message);
request_view_t message_view(message_t *message, int frame);

held_t *broker_held(broker_t *self, int call);
/* Closes what it still holds; the call's index is free. */
void broker_release(broker_t *self, int call);

/* An error instead of a reply. */
void reply_refuse(broker_t *self, const origin_t *origin, const refusal_t *refusal);
/* The same to a client that named its connection itself, which no reply may depend on. */
void reply_refuse_named(broker_t *self, message_t *message, const refusal_t *refusal);
/* `count` frames, which are taken. */
void reply_forward(broker_t *self, const origin_t *origin, zmq_msg_t *frames, int count);
/* A reply of our own. */
void reply_message(broker_t *self, const origin_t *origin, const ProtobufCMessage *body);

/* A call to an instance; the frames are taken. False if the instance cannot be reached. */
bool send_request(broker_t *self, int call, int instance, zmq_msg_t *frames, int count);
/* An envelope alone. False if the peer cannot be reached. */
bool send_control(broker_t *self, const uint8_t *routing_id, Valion__V1__EnvelopeKind kind);

/* ---- broker_self.c ---- */

/* A call to "bus". */
void self_answer(broker_t *self, const origin_t *origin, int principal,
                 const Valion__V1__Header *header, request_view_t body);

/* ---- broker_events.c ---- */

VLN_MUST_USE vln_err_t events_open(broker_t *self);
void events_close(broker_t *self);
/* Drop every subscriber, because one of them may no longer be one. */
void events_restart(broker_t *self);
void events_try_bind(broker_t *self);

/* ---- broker_guard.c ---- */

void guard_open(broker_t *self);
void guard_close(broker_t *self);
/* Follow the connections of the client socket, before it is bound. */
void guard_watch_client(broker_t *self);
void guard_unwatch_client(broker_t *self);
/* Memory; each tick. */
void guard_check_memory(broker_t *self);
/* Connections; each second. */
void guard_check_connections(broker_t *self);

#endif
