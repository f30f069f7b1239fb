/*
 * vln_time - clocks and how times are written.
 *
 * Monotonic time measures durations within a process; the wall clock is only to show. What
 * processes compare is Postgres' clock, read in the same statement.
 */
#ifndef VLN_TIME_H
#define VLN_TIME_H

#include <stddef.h>
#include <stdint.h>

int64_t vln_mono_us(void);
int64_t vln_mono_ms(void);
int64_t vln_wall_us(void);

enum { VLN_TIME_TEXT = 28 };

/* "2026-11-23T06:59:54.435Z"; out holds at least VLN_TIME_TEXT bytes. Returns out. */
char *vln_time_format(int64_t wall_us, char *out);

/* Wait; returns early when a signal comes. Only for backoff on threads that hold nothing. */
void vln_sleep_ms(int64_t ms);

#endif
