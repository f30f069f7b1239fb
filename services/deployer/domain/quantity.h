/*
 * quantity - Kubernetes' quantities of processors and memory: "500m", "2", "512Mi", "1G". Pure.
 */
#ifndef QUANTITY_H
#define QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

/* Thousandths of a processor; 1 to 1024000. */
bool quantity_read_cpu(const char *text, int64_t *millis);

/* Bytes; 1 MiB to 1 TiB. Ki, Mi, Gi are powers of 1024, k, M, G of 1000. */
bool quantity_read_memory(const char *text, int64_t *bytes);

#endif
