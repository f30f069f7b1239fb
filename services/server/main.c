/*
 * valion-server - serves one model version over HTTP on a unix socket, and nothing else: it has no
 * bus, no key and no network. The runner starts it.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "vln_log.h"
#include "vln_opt.h"
#include "vln_stop.h"

#include "batch.h"
#include "http.h"

typedef struct config {
    const char *folder;
    const char *socket;
    const char *sandbox;
    int64_t drain_ms;
    const char *access;
    http_options_t http;
} config_t;

static const vln_opt_t options[] = {
    VLN_OPT_ROW_TEXT(
        config_t, folder, "folder", NULL,
        "what to serve: instance.pb and the version's files, as the runner wrote them"),
    VLN_OPT_ROW_TEXT(config_t, socket, "socket", NULL, "path of the unix socket to listen on"),
    VLN_OPT_ROW_TEXT(config_t, sandbox, "sandbox", NULL,
                     "program that runs models; default: valion-sandbox beside this one"),
    VLN_OPT_ROW_INT(config_t, drain_ms, "drain-ms", "10000", 0, 600000,
                    "how long SIGTERM waits for open connections"),
    VLN_OPT_ROW_INT(config_t, http.queue_max, "queue", "256", 1, 65536,
                    "requests that wait for the model; more are answered 503"),
    VLN_OPT_ROW_INT(config_t, http.batch_max, "batch-max", "256", 1, BATCH_TOGETHER_MAX,
                    "requests that the model is asked about at once; a rollout may say it"),
    VLN_OPT_ROW_INT(config_t, http.batch_rows, "batch-rows", "1024", 1, 65536,
                    "rows that the model is asked at once"),
    VLN_OPT_ROW_INT(config_t, http.batch_wait_us, "batch-wait-us", "0", 0, 1000000,
                    "microseconds that a request waits for others to join it; likewise"),
    VLN_OPT_ROW_INT(
        config_t, http.deadline_ms, "deadline-ms", "30000", 1, 3600000,
        "of a request: when it is over before the model came to it, it is answered 504"),
    VLN_OPT_ROW_TEXT(config_t, access, "access-log", "errors",
                     "which predictions are logged: none, errors, all"),
    {0},
};

static bool
parse_access(const char *word, http_log_t *out)
{
    static const char *const words[] = {
        [HTTP_LOG_NONE] = "none", [HTTP_LOG_ERRORS] = "errors", [HTTP_LOG_ALL] = "all"};
    for (size_t i = 0; i < VLN_COUNT(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            *out = (http_log_t)i;
            return true;
        }
    }
    return false;
}

static void
await_signal(int signals)
{
    struct pollfd item = {.fd = signals, .events = POLLIN};
    while (poll(&item, 1, -1) < 0) {
        /* something else interrupted the wait */
    }
}

/* What the rollout says goes before what the program was given. */
static http_options_t
http_options(const config_t *config, const Valion__V1__WantedInstance *instance)
{
    http_options_t out = config->http;
    if (instance->has_batch_max && instance->batch_max >= 1) {
        out.batch_max =
            instance->batch_max < BATCH_TOGETHER_MAX ? instance->batch_max : BATCH_TOGETHER_MAX;
    }
    if (instance->has_batch_wait_micros) {
        out.batch_wait_us = instance->batch_wait_micros;
    }
    return out;
}

static vln_err_t
serve(const config_t *config, server_t *server)
{
    int signals = vln_signals_open();
    http_t *http = NULL;
    vln_err_t err = server_load(server, config->folder, config->sandbox);
    if (err == VLN_OK) {
        const http_options_t how = http_options(config, server->instance);
        err = http_start(&http, server, &how, config->socket);
    }
    if (err == VLN_OK) {
        vln_info("server.ready", kv_str("model", server->about.name),
                 kv_str("version", server->about.version), kv_str("socket", config->socket));
        await_signal(signals);
        server->draining = true;
        vln_info("server.draining", kv_i64("ms", config->drain_ms));
        http_stop(&http, config->drain_ms);
    }
    return err;
}

int
main(int argc, char **argv)
{
    config_t config = {0};
    vln_log_level_t level = VLN_LOG_INFO;
    const vln_opt_program_t program = {"valion-server", "Serves one model version over HTTP.",
                                       options};
    vln_err_t err = vln_opt_parse(&program, &config, &level, argc, argv);
    if (err != VLN_OK) {
        return err == VLN_CANCELLED ? EXIT_SUCCESS : 2;
    }
    if (!config.folder || !config.socket) {
        fprintf(stderr, "valion-server: --folder and --socket are needed; the runner gives both\n");
        return 2;
    }
    if (!parse_access(config.access, &config.http.access)) {
        fprintf(stderr, "valion-server: --access-log: none, errors or all\n");
        return 2;
    }
    vln_log_init("server", config.socket, level);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    server_t server = {0};
    err = serve(&config, &server);
    server_unload(&server);
    return err == VLN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
