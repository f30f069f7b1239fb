/*
 * report - what a host tells the deployer, cut into messages that the bus carries.
 *
 * Parts (instances, their telemetry, HAProxy's counters) are added one by one; a report that is full is
 * sent and begun again. Each part stands in exactly one. Pure.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <valion/v1/deployer.pb-c.h>

#include "vln_mem.h"

typedef enum report_added {
    REPORT_ADDED,
    REPORT_FULL,      /* send what is there, report_begin, and add it again */
    REPORT_TOO_LARGE, /* it fits no message */
} report_added_t;

typedef struct report {
    Valion__V1__ReportHostStateRequest request;
    size_t parts;
    size_t bytes;
    size_t fields;
    size_t memory;
} report_t;

/* Empty, with `head`'s own fields (none of its lists), whose texts are borrowed. */
void report_begin(report_t *self, const Valion__V1__ReportHostStateRequest *head);

/* An InstanceReport, a Telemetry or a ProxyCounters, which is borrowed. The arena holds the lists. */
report_added_t report_add(report_t *self, ProtobufCMessage *part, vln_arena_t *arena);

#endif
