#include "vln_tasks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vln_log.h"
#include "vln_text.h"
#include "vln_time.h"

enum {
    FREE_MAX = 64,               /* of one LeaseTasks */
    BEATS_MAX = 256,             /* of one Heartbeat */
    WAIT_MS = 2000,              /* how long LeaseTasks parks; a leaving worker waits for it */
    TOGETHER_MAX = 64,           /* of one CompleteTasks */
    TOGETHER_BYTES = 128 * 1024, /* of their results */
    ENDING_CALLS = 2,            /* in flight: what ends meanwhile goes together */
    CALL_MS = 20000,
    BEAT_CALL_MS = 4000,
    DEFAULT_LEASE_MS = 15000,
    PAUSE_MS = 1000, /* after LeaseTasks was refused */
    POLL_MS = 1000,
    TASK_BUDGET = 64 * 1024 * 1024,
    INSTANCE_ROOM = 128,
};

struct vln_tasks {
    vln_tasks_config_t config;
    char instance[INSTANCE_ROOM + 1];
    vln_calls_t *calls;
    vln_queue_t *queue;    /* to the worker threads */
    vln_outbox_t *outbox;  /* and back */
    int wake;              /* eventfd: told to leave */
    atomic_llong leave_ms; /* monotonic end of the grace time; 0: not told to leave */
    atomic_llong completed;
    pthread_t leaser;
    pthread_t *threads;

    /* ---- of the leasing thread ---- */
    vln_task_t **held;
    size_t held_count;
    vln_task_t **ended; /* to be completed, oldest first */
    size_t ended_count;
    int ending_calls;         /* CompleteTasks in flight */
    bool leasing;             /* a LeaseTasks is in flight */
    int64_t leasing_until_ms; /* its answer is waited for so long by who leaves */
    bool beating;             /* a Heartbeat is in flight */
    int64_t next_lease_ms;
    int64_t next_beat_ms;
    int64_t beat_every_ms;
};

/* ---- tasks held ---- */

static vln_task_t *
find_held(const vln_tasks_t *self, const ProtobufCBinaryData *id)
{
    for (size_t i = 0; i < self->held_count && id->len == VLN_ID_BYTES; i++) {
        if (memcmp(self->held[i]->id.bytes, id->data, VLN_ID_BYTES) == 0) {
            return self->held[i];
        }
    }
    return NULL;
}

/* Its slot is free. */
static void
drop(vln_tasks_t *self, vln_task_t *task)
{
    for (size_t i = 0; i < self->held_count; i++) {
        if (self->held[i] == task) {
            self->held[i] = self->held[--self->held_count];
            break;
        }
    }
    vln_arena_t *arena = task->arena;
    vln_arena_destroy(&arena);
}

static const uint8_t *
copy_bytes(vln_arena_t *arena, const ProtobufCBinaryData *from)
{
    return from->len ? vln_arena_memdup(arena, from->data, from->len) : NULL;
}

static const Valion__V1__SignedTicket *
copy_ticket(vln_arena_t *arena, const Valion__V1__SignedTicket *from)
{
    Valion__V1__SignedTicket *out = vln_arena_alloc(arena, sizeof *out);
    *out = *from;
    out->ticket.data = (uint8_t *)(uintptr_t)copy_bytes(arena, &from->ticket);
    out->signature.data = (uint8_t *)(uintptr_t)copy_bytes(arena, &from->signature);
    out->base.unknown_fields = NULL;
    out->base.n_unknown_fields = 0;
    return out;
}

/* The task lives in its own arena, which the function may use for what it needs. */
static vln_task_t *
new_task(vln_tasks_t *self, const Valion__V1__Lease *lease)
{
    vln_arena_t *arena = vln_arena_new(TASK_BUDGET);
    vln_task_t *task = vln_arena_alloc(arena, sizeof *task);
    task->arena = arena;
    task->tasks = self;
    memcpy(task->id.bytes, lease->task_id.data, VLN_ID_BYTES);
    task->token = lease->token;
    task->kind = vln_arena_strdup(arena, lease->kind ? lease->kind : "");
    task->submitter = vln_arena_strdup(arena, lease->submitter ? lease->submitter : "");
    task->spec = copy_bytes(arena, &lease->spec);
    task->spec_size = lease->spec.len;
    task->resume = copy_bytes(arena, &lease->resume);
    task->resume_size = lease->resume.len;
    task->attempt = lease->attempt;
    task->deadline_ms = vln_mono_ms() + lease->deadline_ms;
    task->ticket = lease->ticket ? copy_ticket(arena, lease->ticket) : NULL;
    valion__v1__complete_task_request__init(&task->end);
    atomic_init(&task->stopped, false);
    atomic_init(&task->progress_ppm, -1);
    return task;
}

static bool
is_leaving(const vln_tasks_t *self)
{
    return atomic_load(&self->leave_ms) != 0;
}

/* ---- worker threads ---- */

static void
run_task(vln_tasks_t *self, void *worker, vln_task_t *task)
{
    if (is_leaving(self)) {
        vln_task_hand_back(task); /* it has not begun */
        return;
    }
    if (!vln_task_is_stopped(task)) {
        self->config.run(worker, task);
    }
    if (!task->end.has_outcome && !vln_task_is_stopped(task)) {
        vln_task_fail(task, false, "a fault of the worker: it left the task without an end");
    }
}

static void *
worker_main(void *arg)
{
    vln_tasks_t *self = arg;
    size_t lane = 0;
    void *worker = self->config.open_worker ? self->config.open_worker(self->config.context) : NULL;
    vln_item_t *item = vln_queue_take(self->queue, &lane);
    while (item) {
        run_task(self, worker, (vln_task_t *)item);
        vln_outbox_put(self->outbox, item);
        item = vln_queue_take(self->queue, &lane);
    }
    if (self->config.close_worker) {
        self->config.close_worker(&worker);
    }
    return NULL;
}

/* ---- lease ---- */

static void
take_lease(vln_tasks_t *self, const Valion__V1__Lease *lease)
{
    if (lease->task_id.len != VLN_ID_BYTES || self->held_count == self->config.slots ||
        find_held(self, &lease->task_id)) {
        return;
    }
    vln_task_t *task = new_task(self, lease);
    int64_t third = (lease->lease_ms > 0 ? lease->lease_ms : DEFAULT_LEASE_MS) / 3;
    self->beat_every_ms = third < self->beat_every_ms ? third : self->beat_every_ms;
    self->held[self->held_count++] = task;
    if (is_leaving(self)) {
        vln_task_hand_back(task);
        vln_outbox_put(self->outbox, &task->item);
    } else {
        vln_queue_put(self->queue, 0, &task->item);
    }
}

static void
on_leases(void *context, vln_err_t err, vln_reply_t *reply)
{
    vln_tasks_t *self = context;
    self->leasing = false;
    if (err != VLN_OK) {
        vln_warn("tasks.no_lease", kv_err(err), kv_str("why", reply->why));
        self->next_lease_ms = vln_mono_ms() + PAUSE_MS;
        return;
    }
    const Valion__V1__LeaseTasksReply *leases = (const void *)reply->message;
    if (self->held_count == 0) {
        self->next_beat_ms = vln_mono_ms() + self->beat_every_ms;
    }
    for (size_t i = 0; i < leases->n_leases; i++) {
        take_lease(self, leases->leases[i]);
    }
}

static void
lease_more(vln_tasks_t *self)
{
    size_t free_slots = self->config.slots - self->held_count;
    if (self->leasing || is_leaving(self) || free_slots == 0 ||
        vln_mono_ms() < self->next_lease_ms) {
        return;
    }
    char *kinds[VLN_TASKS_KINDS_MAX];
    for (size_t i = 0; i < self->config.kind_count; i++) {
        kinds[i] = (char *)(uintptr_t)self->config.kinds[i];
    }
    Valion__V1__LeaseTasksRequest request = VALION__V1__LEASE_TASKS_REQUEST__INIT;
    request.n_kinds = self->config.kind_count;
    request.kinds = kinds;
    request.has_free = request.has_wait_ms = 1;
    request.free = (uint32_t)(free_slots < FREE_MAX ? free_slots : FREE_MAX);
    request.wait_ms = WAIT_MS;
    request.worker = self->instance;
    const vln_call_spec_t spec = {.service = "orchestrator",
                                  .method = "LeaseTasks",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__lease_tasks_reply__descriptor,
                                  .timeout_ms = CALL_MS,
                                  .attempt_ms = WAIT_MS + 2500};
    self->leasing = vln_calls_start(self->calls, &spec, on_leases, self) == VLN_OK;
    self->leasing_until_ms = vln_mono_ms() + spec.attempt_ms;
}

/* ---- heartbeat ---- */

static void
take_verdict(vln_tasks_t *self, const Valion__V1__BeatAnswer *answer)
{
    vln_task_t *task = find_held(self, &answer->task_id);
    if (!task || task->completing) {
        return;
    }
    if (answer->verdict == VALION__V1__BEAT_VERDICT__BEAT_VERDICT_FENCED) {
        task->fenced = true;
    }
    if (answer->verdict != VALION__V1__BEAT_VERDICT__BEAT_VERDICT_CONTINUE) {
        atomic_store(&task->stopped, true);
    }
}

static void
on_beats(void *context, vln_err_t err, vln_reply_t *reply)
{
    vln_tasks_t *self = context;
    self->beating = false;
    if (err != VLN_OK) {
        vln_warn("tasks.no_heartbeat", kv_err(err), kv_str("why", reply->why));
        return;
    }
    const Valion__V1__HeartbeatReply *answers = (const void *)reply->message;
    for (size_t i = 0; i < answers->n_answers; i++) {
        take_verdict(self, answers->answers[i]);
    }
}

static void
send_beats(vln_tasks_t *self)
{
    Valion__V1__Beat beats[BEATS_MAX];
    Valion__V1__Beat *rows[BEATS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < self->held_count && count < BEATS_MAX; i++) {
        vln_task_t *task = self->held[i];
        if (task->completing || task->fenced) {
            continue;
        }
        int ppm = atomic_load(&task->progress_ppm);
        valion__v1__beat__init(&beats[count]);
        beats[count].has_task_id = beats[count].has_token = 1;
        beats[count].task_id = (ProtobufCBinaryData){VLN_ID_BYTES, task->id.bytes};
        beats[count].token = task->token;
        beats[count].has_progress = ppm >= 0;
        beats[count].progress = ppm / 1e6;
        rows[count] = &beats[count];
        count++;
    }
    if (count == 0) {
        return;
    }
    Valion__V1__HeartbeatRequest request = VALION__V1__HEARTBEAT_REQUEST__INIT;
    request.n_beats = count;
    request.beats = rows;
    const vln_call_spec_t spec = {.service = "orchestrator",
                                  .method = "Heartbeat",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__heartbeat_reply__descriptor,
                                  .timeout_ms = BEAT_CALL_MS};
    self->beating = vln_calls_start(self->calls, &spec, on_beats, self) == VLN_OK;
}

static void
beat_when_due(vln_tasks_t *self)
{
    int64_t now = vln_mono_ms();
    if (now >= self->next_beat_ms && !self->beating) {
        self->next_beat_ms = now + self->beat_every_ms;
        send_beats(self);
    }
}

/* ---- complete ---- */

/* The tasks of one CompleteTasks, in its order. */
typedef struct together {
    vln_tasks_t *tasks;
    size_t count;
    vln_task_t *task[TOGETHER_MAX];
} together_t;

static void
end_task(vln_tasks_t *self, vln_task_t *task, vln_err_t err, const char *why)
{
    if (err == VLN_OK) {
        atomic_fetch_add(&self->completed, 1);
    } else {
        char id[VLN_ID_TEXT];
        vln_warn("tasks.not_completed", kv_str("task", vln_id_format(task->id.bytes, id)),
                 kv_err(err), kv_str("why", why));
    }
    drop(self, task);
}

static void
on_completed(void *context, vln_err_t err, vln_reply_t *reply)
{
    together_t *together = context;
    const Valion__V1__CompleteTasksReply *answers = (const void *)reply->message;
    if (err == VLN_OK && answers->n_answers != together->count) {
        err = VLN_INTERNAL;
        reply->why = "the orchestrator answered for another number of tasks";
    }
    together->tasks->ending_calls--;
    for (size_t i = 0; i < together->count; i++) {
        const Valion__V1__CompleteTasksAnswer *answer = err == VLN_OK ? answers->answers[i] : NULL;
        end_task(together->tasks, together->task[i],
                 answer ? vln_err_from_wire((int)answer->status) : err,
                 answer && answer->message ? answer->message : reply->why);
    }
    free(together);
}

/* What a task that was stopped before it said an end is: given back when the process leaves,
 * cancelled otherwise. */
static void
say_why_stopped(const vln_tasks_t *self, vln_task_t *task)
{
    if (is_leaving(self)) {
        vln_task_hand_back(task);
        return;
    }
    task->end.has_outcome = 1;
    task->end.outcome = VALION__V1__OUTCOME__OUTCOME_CANCELLED;
}

/* From the worker threads: what has ended waits to be completed with what ends beside it. */
static void
take_ended(vln_tasks_t *self)
{
    vln_item_t *item = vln_outbox_take_all(self->outbox);
    while (item) {
        vln_item_t *next = item->next;
        vln_task_t *task = (vln_task_t *)item;
        if (task->fenced) {
            drop(self, task); /* another worker has it; its result is the one that counts */
        } else {
            if (!task->end.has_outcome) {
                say_why_stopped(self, task);
            }
            task->completing = true;
            task->end.has_task_id = task->end.has_token = 1;
            task->end.task_id = (ProtobufCBinaryData){VLN_ID_BYTES, task->id.bytes};
            task->end.token = task->token;
            self->ended[self->ended_count++] = task;
        }
        item = next;
    }
}

/* The oldest that fit one call; at least one. */
static together_t *
gather(vln_tasks_t *self)
{
    together_t *out = vln_calloc(1, sizeof *out);
    size_t bytes = 0;
    out->tasks = self;
    while (out->count < TOGETHER_MAX && out->count < self->ended_count) {
        const vln_task_t *task = self->ended[out->count];
        bytes += task->end.result.len + task->end.resume.len;
        if (out->count > 0 && bytes > TOGETHER_BYTES) {
            break;
        }
        out->task[out->count] = self->ended[out->count];
        out->count++;
    }
    self->ended_count -= out->count;
    memmove(self->ended, self->ended + out->count, self->ended_count * sizeof *self->ended);
    return out;
}

static void
complete_ended(vln_tasks_t *self)
{
    take_ended(self);
    while (self->ended_count > 0 && self->ending_calls < ENDING_CALLS) {
        together_t *together = gather(self);
        Valion__V1__CompleteTaskRequest *ends[TOGETHER_MAX];
        for (size_t i = 0; i < together->count; i++) {
            ends[i] = &together->task[i]->end;
        }
        Valion__V1__CompleteTasksRequest request = VALION__V1__COMPLETE_TASKS_REQUEST__INIT;
        request.n_tasks = together->count;
        request.tasks = ends;
        const vln_call_spec_t spec = {.service = "orchestrator",
                                      .method = "CompleteTasks",
                                      .request = &request.base,
                                      .reply_type = &valion__v1__complete_tasks_reply__descriptor,
                                      .timeout_ms = CALL_MS};
        vln_err_t err = vln_calls_start(self->calls, &spec, on_completed, together);
        vln_assert(err == VLN_OK); /* of this thread's few calls there is always room for one */
        self->ending_calls++;
    }
}

/* ---- the leasing thread ---- */

/* After the grace time nothing may keep the process: tasks are told to stop. */
static void
stop_overdue(vln_tasks_t *self)
{
    int64_t leave_ms = atomic_load(&self->leave_ms);
    for (size_t i = 0; i < self->held_count && leave_ms && vln_mono_ms() >= leave_ms; i++) {
        atomic_store(&self->held[i]->stopped, true);
    }
}

/* What was leased is to be given back; but an orchestrator that does not answer keeps nobody here. */
static bool
has_to_stay(const vln_tasks_t *self)
{
    return !is_leaving(self) || self->held_count > 0 ||
           (self->leasing && vln_mono_ms() < self->leasing_until_ms);
}

static void *
leaser_main(void *arg)
{
    vln_tasks_t *self = arg;
    while (has_to_stay(self)) {
        lease_more(self);
        beat_when_due(self);
        zmq_pollitem_t items[] = {
            {.fd = vln_outbox_fd(self->outbox), .events = ZMQ_POLLIN},
            {.fd = self->wake, .events = (short)(is_leaving(self) ? 0 : ZMQ_POLLIN)}};
        vln_calls_poll(self->calls, POLL_MS, items, VLN_COUNT(items));
        stop_overdue(self);
        complete_ended(self);
    }
    return NULL;
}

static void
destroy(vln_tasks_t **self_p)
{
    vln_tasks_t *self = *self_p;
    vln_calls_close(&self->calls);
    vln_queue_destroy(&self->queue);
    vln_outbox_destroy(&self->outbox);
    if (self->wake >= 0) {
        close(self->wake);
    }
    free(self->threads);
    free(self->held);
    free(self->ended);
    free(self);
    *self_p = NULL;
}

vln_err_t
vln_tasks_start(vln_tasks_t **out, const vln_tasks_config_t *config)
{
    static const size_t one_by_one[] = {1};
    vln_assert(config->threads > 0 && config->threads <= config->slots);
    vln_assert(config->slots <= VLN_TASKS_SLOTS_MAX && config->kind_count > 0);
    vln_assert(config->kind_count <= VLN_TASKS_KINDS_MAX);
    *out = NULL;
    vln_tasks_t *self = vln_calloc(1, sizeof *self);
    self->wake = -1;
    self->config = *config;
    vln_err_t err = vln_calls_open(&self->calls, &config->client);
    if (err != VLN_OK) {
        destroy(&self);
        return err;
    }
    vln_text_copy(self->instance, sizeof self->instance, config->instance);
    self->beat_every_ms = DEFAULT_LEASE_MS / 3;
    self->queue = vln_queue_new(VLN_COUNT(one_by_one), one_by_one);
    self->outbox = vln_outbox_new();
    self->held = vln_calloc(config->slots, sizeof(vln_task_t *));
    self->ended = vln_calloc(config->slots, sizeof(vln_task_t *));
    self->threads = vln_calloc(config->threads, sizeof *self->threads);
    self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    vln_assert(self->wake >= 0);
    for (size_t i = 0; i < config->threads; i++) {
        vln_assert(pthread_create(&self->threads[i], NULL, worker_main, self) == 0);
    }
    vln_assert(pthread_create(&self->leaser, NULL, leaser_main, self) == 0);
    *out = self;
    return VLN_OK;
}

void
vln_tasks_stop(vln_tasks_t **self_p, int64_t grace_ms)
{
    static const uint64_t one = 1;
    vln_tasks_t *self = *self_p;
    if (!self) {
        return;
    }
    atomic_store(&self->leave_ms, vln_mono_ms() + (grace_ms > 0 ? grace_ms : 0));
    vln_assert(write(self->wake, &one, sizeof one) == sizeof one);
    pthread_join(self->leaser, NULL);
    vln_queue_close(self->queue);
    for (size_t i = 0; i < self->config.threads; i++) {
        pthread_join(self->threads[i], NULL);
    }
    destroy(self_p);
}

int64_t
vln_tasks_completed(const vln_tasks_t *self)
{
    return atomic_load(&self->completed);
}
