/*
 * vln_stop - how threads are told to end, and wait meanwhile. Thread-safe.
 */
#ifndef VLN_STOP_H
#define VLN_STOP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct vln_stop vln_stop_t;

vln_stop_t *vln_stop_new(void);
void vln_stop_destroy(vln_stop_t **self_p);

void vln_stop_set(vln_stop_t *self);

/* Waits at most this long; true if it is time to end. */
bool vln_stop_wait(vln_stop_t *self, int64_t ms);

/* Ends the current or next wait early, without stopping. */
void vln_stop_nudge(vln_stop_t *self);

/*
 * SIGTERM and SIGINT make this descriptor readable, and nothing else; SIGPIPE is ignored. Before
 * other threads start, so that they inherit the mask.
 */
int vln_signals_open(void);

#endif
