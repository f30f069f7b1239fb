#include "vln_metrics.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_mem.h"

typedef struct counter {
    char name[VLN_METRIC_NAME_MAX];
    _Atomic int64_t value;
} counter_t;

struct vln_metrics {
    size_t count;
    counter_t counters[VLN_METRICS_MAX];
};

vln_metrics_t *
vln_metrics_new(void)
{
    return vln_calloc(1, sizeof(vln_metrics_t));
}

void
vln_metrics_destroy(vln_metrics_t **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

size_t
vln_metrics_counter(vln_metrics_t *self, const char *prefix, const char *name)
{
    char full[VLN_METRIC_NAME_MAX];
    snprintf(full, sizeof full, "%s%s%s", prefix, prefix[0] ? "." : "", name);
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->counters[i].name, full) == 0) {
            return i;
        }
    }
    vln_assert(self->count < VLN_METRICS_MAX);
    memcpy(self->counters[self->count].name, full, sizeof full);
    return self->count++;
}

void
vln_metrics_add(vln_metrics_t *self, size_t counter, int64_t amount)
{
    atomic_fetch_add_explicit(&self->counters[counter].value, amount, memory_order_relaxed);
}

size_t
vln_metrics_count(const vln_metrics_t *self)
{
    return self->count;
}

const char *
vln_metrics_name(const vln_metrics_t *self, size_t counter)
{
    return self->counters[counter].name;
}

int64_t
vln_metrics_value(const vln_metrics_t *self, size_t counter)
{
    return atomic_load_explicit(&self->counters[counter].value, memory_order_relaxed);
}
