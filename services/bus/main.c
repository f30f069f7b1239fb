/*
 * valion-bus: options, open, run, close.
 */
#include <stdio.h>

#include "vln_log.h"
#include "vln_opt.h"
#include "vln_socket.h"

#include "broker.h"

/* clang-format off */
static const vln_opt_t options[] = {
    VLN_OPT_ROW_TEXT(broker_config_t, client_endpoint, "client-endpoint", "tcp://127.0.0.1:7001",
                     "where clients connect"),
    VLN_OPT_ROW_TEXT(broker_config_t, service_endpoint, "service-endpoint", "tcp://127.0.0.1:7002",
                     "where services connect: the client port + 1"),
    VLN_OPT_ROW_TEXT(broker_config_t, publish_endpoint, "publish-endpoint", "tcp://127.0.0.1:7003",
                     "where services publish events: the client port + 2"),
    VLN_OPT_ROW_TEXT(broker_config_t, subscribe_endpoint, "subscribe-endpoint", "tcp://127.0.0.1:7004",
                     "where services subscribe to events: the client port + 3"),
    VLN_OPT_ROW_TEXT(broker_config_t, keys, "keys", "var/keys",
                     "folder of certificates; secret/bus.key_secret and public/ are read"),
    VLN_OPT_ROW_INT(broker_config_t, max_calls, "max-calls", "65536", 1, 1 << 20,
                    "calls known at once, of everybody"),
    VLN_OPT_ROW_INT(broker_config_t, max_calls_per_principal, "max-calls-per-principal", "1024", 1, 1 << 20,
                    "calls of one principal that wait or are worked on"),
    VLN_OPT_ROW_INT(broker_config_t, max_parked_per_principal, "max-parked-per-principal", "4096", 1, 1 << 20,
                    "parked calls of one service or worker"),
    VLN_OPT_ROW_INT(broker_config_t, max_waiting_per_principal, "max-waiting-per-principal", "256", 1, 1 << 20,
                    "calls of one principal that wait for one service"),
    VLN_OPT_ROW_INT(broker_config_t, max_waiting_per_service, "max-waiting-per-service", "8192", 1, 1 << 20,
                    "calls that wait for one service"),
    VLN_OPT_ROW_INT(broker_config_t, max_waiting_mib_per_service, "max-waiting-mib-per-service", "64", 1, 1 << 20,
                    "MiB that wait for one service"),
    VLN_OPT_ROW_INT(broker_config_t, max_waiting_mib, "max-waiting-mib", "256", 1, 1 << 20,
                    "MiB that wait in all"),
    VLN_OPT_ROW_INT(broker_config_t, max_refusals_per_second, "max-refusals-per-second", "20000", 100, 100000000,
                    "refusals of what is too much, beyond which clients are not read for a moment"),
    VLN_OPT_ROW_INT(broker_config_t, no_instance_ms, "no-instance-ms", "2000", 0, 60000,
                    "how long a call waits for a service that nobody serves"),
    VLN_OPT_ROW_INT(broker_config_t, memory_limit_mib, "memory-limit-mib", "768", 64, 1 << 20,
                    "MiB of this process; at 70 % client connections are dropped and made anew"),
    {0},
};
/* clang-format on */

static const vln_opt_program_t program = {
    .name = "valion-bus",
    .summary = "carries calls to services by name, and events between services",
    .options = options,
};

int
main(int argc, char **argv)
{
    broker_config_t config = {0};
    vln_log_level_t level = VLN_LOG_INFO;
    vln_err_t err = vln_opt_parse(&program, &config, &level, argc, argv);
    if (err) {
        return err == VLN_CANCELLED ? 0 : 2;
    }
    vln_log_init("bus", config.client_endpoint, level);

    broker_t *broker = NULL;
    err = broker_open(&broker, &config);
    if (!err) {
        broker_run(broker);
    }
    broker_close(&broker);
    vln_socket_context_end();
    return err ? 1 : 0;
}
