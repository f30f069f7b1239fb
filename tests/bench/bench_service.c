/*
 * bench_service - a service on the real runtime that does nothing: what it costs is what any call
 * costs. It stands in the validator's place, whose contract has no methods of its own.
 */
#include <stdlib.h>

#include "vln_log.h"
#include "vln_opt.h"
#include "vln_service.h"

#include "valion/v1/validator.pb-c.h"

typedef struct config {
    vln_service_options_t service;
} config_t;

int
main(int argc, char **argv)
{
    static const vln_opt_t options[] = {VLN_SERVICE_OPTIONS(config_t, service, "1"), {0}};
    config_t config = {0};
    vln_log_level_t level = VLN_LOG_INFO;
    const vln_opt_program_t program = {"bench_service", "A service that does nothing.", options};
    if (vln_opt_parse(&program, &config, &level, argc, argv) != VLN_OK) {
        return 2;
    }
    vln_log_init("validator", config.service.instance, level);
    const vln_service_config_t service = {.name = "validator",
                                          .options = &config.service,
                                          .descriptor = &valion__v1__validator__descriptor};
    vln_service_t *self = NULL;
    vln_err_t err = vln_service_open(&self, &service);
    if (err == VLN_OK) {
        err = vln_service_run(self);
    }
    vln_service_close(&self);
    return err == VLN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
