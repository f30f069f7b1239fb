#include "batch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vln_log.h"
#include "vln_rows.h"
#include "vln_time.h"

enum {
    QUICK_US = 20,    /* that asking for one request may take before company is waited for */
    MEMORY_WEIGHT = 8 /* how slowly the last times are forgotten */
};

struct batch {
    batch_config_t config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    batch_item_t *first; /* the oldest */
    batch_item_t *last;
    batch_counts_t counts;
    bool ending;
    vln_sandbox_result_t result; /* of who asks */
    int64_t one_us;              /* that asking for one request takes, smoothed */
};

/* ---- the queue ---- */

bool
batch_put(batch_t *self, batch_item_t *item)
{
    item->next = NULL;
    pthread_mutex_lock(&self->lock);
    bool room = self->counts.queued < self->config.queue_max && !self->ending;
    if (room) {
        *(self->last ? &self->last->next : &self->first) = item;
        self->last = item;
        self->counts.queued++;
        pthread_cond_signal(&self->changed);
    } else {
        self->counts.rejected++;
    }
    pthread_mutex_unlock(&self->lock);
    return room;
}

batch_counts_t
batch_counts(batch_t *self)
{
    pthread_mutex_lock(&self->lock);
    batch_counts_t counts = self->counts;
    pthread_mutex_unlock(&self->lock);
    return counts;
}

static size_t
rows_waiting(const batch_t *self)
{
    size_t rows = 0;
    for (const batch_item_t *item = self->first; item; item = item->next) {
        rows += item->request.rows;
    }
    return rows;
}

/* Until the first has waited long enough, or there are rows enough. */
static void
await_more(batch_t *self)
{
    int64_t until_us = self->first->asked_us + self->config.wait_us;
    while (!self->ending && rows_waiting(self) < self->config.rows_max &&
           vln_mono_us() < until_us) {
        struct timespec until = {.tv_sec = until_us / 1000000,
                                 .tv_nsec = until_us % 1000000 * 1000};
        pthread_cond_timedwait(&self->changed, &self->lock, &until);
    }
}

static void
await_some(batch_t *self)
{
    while (!self->first && !self->ending) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    if (self->first && self->config.wait_us > 0) {
        await_more(self);
    }
}

/* The oldest ones, as many as are asked at once; NULL: there are none. */
static batch_item_t *
take(batch_t *self, size_t *count)
{
    pthread_mutex_lock(&self->lock);
    if (self->config.threaded) {
        await_some(self);
    }
    batch_item_t *taken = self->first;
    batch_item_t *end = NULL;
    size_t rows = 0;
    *count = 0;
    while (self->first && *count < self->config.together &&
           (*count == 0 || rows + self->first->request.rows <= self->config.rows_max)) {
        end = self->first;
        rows += end->request.rows;
        self->first = end->next;
        ++*count;
    }
    if (end) {
        end->next = NULL;
        self->last = self->first ? self->last : NULL;
        self->counts.queued -= *count;
        self->counts.batches++;
        self->counts.requests += *count;
    }
    pthread_mutex_unlock(&self->lock);
    return taken;
}

/* ---- answers ---- */

static void
fail(batch_item_t *item, batch_status_t status, const char *sentence)
{
    item->status = status;
    item->answer = vln_strdup(sentence);
    item->size = strlen(sentence);
}

/* The request's own fault, the model's, or nobody there to ask. */
static void
fail_with(batch_item_t *item, vln_err_t err, const vln_outcome_t *outcome)
{
    if (err == VLN_INVALID_ARGUMENT) {
        fail(item, BATCH_BAD_INPUT, outcome->sentence);
        return;
    }
    vln_warn("server.predict_failed", kv_err(err), kv_str("why", outcome->sentence));
    fail(item, err == VLN_UNAVAILABLE ? BATCH_UNAVAILABLE : BATCH_FAILED, outcome->sentence);
}

/* Rows `first` … of the result. */
static void
answer(batch_t *self, batch_item_t *item, const vln_sandbox_result_t *all, size_t first)
{
    server_t *server = self->config.server;
    vln_sandbox_result_t part = {.rows = item->request.rows, .width = all->width};
    part.values = all->values + first * all->width;
    part.labels = all->labels ? all->labels + first : NULL;
    item->status = BATCH_DONE;
    item->answer = oip_response_write(&server->about, item->request.id, &part, &item->size);
    server_count(server, item->request.table, &part, vln_mono_us() - item->asked_us);
}

static void
ask_for_one(batch_t *self, batch_item_t *item)
{
    vln_outcome_t outcome;
    vln_err_t err = vln_predictor_predict(self->config.server->predictor, item->request.table, 0,
                                          item->request.rows, &self->result, &outcome);
    if (err == VLN_OK) {
        answer(self, item, &self->result, 0);
    } else {
        fail_with(item, err, &outcome);
    }
}

/* All rows in one table. False: something is wrong, maybe with one of them alone. */
static bool
ask_for_all(batch_t *self, batch_item_t *items)
{
    vln_rows_part_t parts[BATCH_TOGETHER_MAX] = {0};
    char why[VLN_ROWS_WHY];
    vln_table_t *table = NULL;
    vln_outcome_t outcome;
    size_t count = 0;
    size_t rows = 0;
    for (const batch_item_t *item = items; item; item = item->next) {
        parts[count++] = (vln_rows_part_t){item->request.table, 0, item->request.rows, ""};
        rows += item->request.rows;
    }
    bool good = vln_rows_join(parts, count, rows, &table, why) == VLN_OK &&
                vln_predictor_predict(self->config.server->predictor, table, 0, rows, &self->result,
                                      &outcome) == VLN_OK;
    size_t at = 0;
    for (batch_item_t *item = items; good && item; item = item->next) {
        answer(self, item, &self->result, at);
        at += item->request.rows;
    }
    vln_table_destroy(&table);
    return good;
}

static void
note_time(batch_t *self, int64_t us)
{
    self->one_us += (us - self->one_us) / MEMORY_WEIGHT;
}

/* ---- the thread ---- */

static void
give_back(batch_t *self, batch_item_t *items)
{
    while (items) {
        batch_item_t *next = items->next;
        self->config.done(self->config.context, items);
        items = next;
    }
}

/* Those that nobody waits for any more are not asked about: what is left of the list. */
static batch_item_t *
drop_late(batch_t *self, batch_item_t *items, size_t *count)
{
    batch_item_t *kept = NULL;
    batch_item_t **end = &kept;
    int64_t now_us = vln_mono_us();
    for (batch_item_t *item = items, *next = NULL; item; item = next) {
        next = item->next;
        item->next = NULL;
        if (item->deadline_us >= now_us) {
            *end = item;
            end = &item->next;
        } else {
            --*count;
            fail(item, BATCH_LATE, "the model was busy until the request's time was over");
            give_back(self, item);
        }
    }
    return kept;
}

bool
batch_ask_now(batch_t *self, batch_item_t *item)
{
    if (self->one_us > QUICK_US || self->first) {
        return false;
    }
    int64_t start_us = vln_mono_us();
    ask_for_one(self, item);
    note_time(self, vln_mono_us() - start_us);
    pthread_mutex_lock(&self->lock);
    self->counts.batches++;
    self->counts.requests++;
    pthread_mutex_unlock(&self->lock);
    return true;
}

bool
batch_work(batch_t *self)
{
    size_t count = 0;
    bool some = false;
    for (batch_item_t *items = take(self, &count); items; items = take(self, &count)) {
        some = true;
        items = drop_late(self, items, &count);
        bool asked = count > 1 && ask_for_all(self, items);
        int64_t start_us = vln_mono_us();
        for (batch_item_t *item = items; item && !asked; item = item->next) {
            ask_for_one(self, item);
        }
        if (!asked && count > 0) {
            note_time(self, (vln_mono_us() - start_us) / (int64_t)count);
        }
        give_back(self, items);
    }
    return some;
}

static void *
run(void *self)
{
    batch_work(self);
    return NULL;
}

batch_t *
batch_new(const batch_config_t *config)
{
    batch_t *self = vln_calloc(1, sizeof *self);
    pthread_condattr_t attributes;
    self->config = *config;
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (config->threaded && pthread_create(&self->thread, NULL, run, self) != 0) {
        pthread_cond_destroy(&self->changed);
        pthread_mutex_destroy(&self->lock);
        free(self);
        return NULL;
    }
    return self;
}

void
batch_destroy(batch_t **self_p)
{
    batch_t *self = *self_p;
    if (!self) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
    if (self->config.threaded) {
        pthread_join(self->thread, NULL);
    } else {
        batch_work(self);
    }
    vln_sandbox_result_end(&self->result);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}
