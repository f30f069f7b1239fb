/*
 * metrics - what a server has counted, as Prometheus reads it. Pure.
 */
#ifndef METRICS_H
#define METRICS_H

#include <valion/v1/deployer.pb-c.h>

#include "batch.h"

/* Ended by a NUL; end with free(). */
char *metrics_write(const oip_model_t *model, const Valion__V1__Telemetry *report,
                    const batch_counts_t *batches, size_t *size);

#endif
