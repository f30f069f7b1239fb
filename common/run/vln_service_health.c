#include <string.h>

#include "vln_service_inside.h"
#include "vln_text.h"
#include "vln_time.h"

/* ---- health and statistics, the same in every service ---- */

void
vln_service_set_health(vln_service_t *self, const char *dependency, bool ok, const char *detail)
{
    pthread_mutex_lock(&self->mutex);
    size_t at = 0;
    while (at < self->dependency_count && strcmp(self->dependencies[at].name, dependency) != 0) {
        at++;
    }
    if (at < DEPENDENCIES_MAX) {
        dependency_t *entry = &self->dependencies[at];
        vln_text_copy(entry->name, sizeof entry->name, dependency);
        vln_text_copy(entry->detail, sizeof entry->detail, detail);
        entry->ok = ok;
        self->dependency_count = at == self->dependency_count ? at + 1 : self->dependency_count;
    }
    pthread_mutex_unlock(&self->mutex);
}

Valion__V1__Health *
vln_service_make_health(vln_service_t *self, vln_arena_t *arena)
{
    Valion__V1__Health *health = vln_arena_alloc(arena, sizeof *health);
    valion__v1__health__init(health);
    health->has_ready = 1;
    health->ready = !self->draining;
    health->version = vln_arena_strdup(arena, vln_version());
    health->instance = self->instance;
    health->has_uptime_ms = 1;
    health->uptime_ms = (vln_mono_us() - self->started_us) / 1000;

    pthread_mutex_lock(&self->mutex);
    health->n_dependencies = self->dependency_count;
    health->dependencies = vln_arena_alloc(arena, DEPENDENCIES_MAX * sizeof(void *));
    for (size_t i = 0; i < self->dependency_count; i++) {
        Valion__V1__Dependency *entry = vln_arena_alloc(arena, sizeof *entry);
        valion__v1__dependency__init(entry);
        entry->name = vln_arena_strdup(arena, self->dependencies[i].name);
        entry->has_ok = 1;
        entry->ok = self->dependencies[i].ok;
        entry->detail = vln_arena_strdup(arena, self->dependencies[i].detail);
        health->ready = health->ready && entry->ok;
        health->dependencies[i] = entry;
    }
    pthread_mutex_unlock(&self->mutex);
    return health;
}

void
vln_service_get_health(void *worker, vln_call_t **calls, size_t count)
{
    const vln_builtin_t *builtin = worker;
    for (size_t i = 0; i < count; i++) {
        vln_call_reply(calls[i], &vln_service_make_health(builtin->service, calls[i]->arena)->base);
    }
}

static Valion__V1__KeyNumber *
make_number(vln_arena_t *arena, const char *name, double value)
{
    Valion__V1__KeyNumber *number = vln_arena_alloc(arena, sizeof *number);
    valion__v1__key_number__init(number);
    number->key = vln_arena_strdup(arena, name);
    number->has_value = 1;
    number->value = value;
    return number;
}

/* The service's own; none while its dependencies are away: the counters are told in any case. */
static size_t
own_numbers(const vln_builtin_t *builtin, vln_service_number_t *out)
{
    const vln_service_t *self = builtin->service;
    const vln_service_config_t *config = &self->config;
    if (!config->stats ||
        (config->ensure_worker && config->ensure_worker(builtin->worker) != VLN_OK)) {
        return 0;
    }
    size_t count = config->stats(builtin->worker, out);
    vln_assert(count <= VLN_SERVICE_NUMBERS_MAX);
    return count;
}

void
vln_service_get_stats(void *worker, vln_call_t **calls, size_t count)
{
    const vln_builtin_t *builtin = worker;
    vln_service_t *self = builtin->service;
    for (size_t i = 0; i < count; i++) {
        vln_arena_t *arena = calls[i]->arena;
        vln_service_number_t own[VLN_SERVICE_NUMBERS_MAX];
        size_t own_count = own_numbers(builtin, own);
        Valion__V1__GetStatsReply *reply = vln_arena_alloc(arena, sizeof *reply);
        valion__v1__get_stats_reply__init(reply);
        size_t counters = vln_metrics_count(self->metrics);
        reply->numbers = vln_arena_alloc(arena, (counters + own_count) * sizeof(void *));
        for (size_t at = 0; at < counters; at++) {
            reply->numbers[at] = make_number(arena, vln_metrics_name(self->metrics, at),
                                             (double)vln_metrics_value(self->metrics, at));
        }
        for (size_t at = 0; at < own_count; at++) {
            reply->numbers[counters + at] = make_number(arena, own[at].name, own[at].value);
        }
        reply->n_numbers = counters + own_count;
        reply->instance = self->instance;
        vln_call_reply(calls[i], &reply->base);
    }
}
