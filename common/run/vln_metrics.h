/*
 * vln_metrics - counters of a service. Thread-safe.
 *
 * A fixed number of named counters, added to without locks, read for GetStats.
 */
#ifndef VLN_METRICS_H
#define VLN_METRICS_H

#include <stddef.h>
#include <stdint.h>

typedef struct vln_metrics vln_metrics_t;

enum { VLN_METRICS_MAX = 512, VLN_METRIC_NAME_MAX = 80 };

vln_metrics_t *vln_metrics_new(void);
void vln_metrics_destroy(vln_metrics_t **self_p);

/* Index of the counter "prefix.name" (or "name", where the prefix is empty), made when it is not
 * there; before threads start. */
size_t vln_metrics_counter(vln_metrics_t *self, const char *prefix, const char *name);

void vln_metrics_add(vln_metrics_t *self, size_t counter, int64_t amount);

size_t vln_metrics_count(const vln_metrics_t *self);
const char *vln_metrics_name(const vln_metrics_t *self, size_t counter);
int64_t vln_metrics_value(const vln_metrics_t *self, size_t counter);

#endif
