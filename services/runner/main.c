/*
 * valion-runner - one per serving host: makes its wanted state true.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vln_log.h"
#include "vln_text.h"

#include "runner.h"

enum { PORT_MIN = 1, PORT_MAX = 65535, NAME_MAX_BYTES = 64 };

/* clang-format off */
static const vln_opt_t options[] = {
    VLN_SERVICE_OPTIONS(runner_config_t, service, "1"),
    VLN_CACHE_OPTIONS(runner_config_t, cache),
    VLN_OPT_ROW_TEXT(runner_config_t, host, "host", "local", "name of this host"),
    VLN_OPT_ROW_TEXT(runner_config_t, environments, "environments",
        "production:8080,staging:8081", "environments that this host offers, each with its port"),
    {"path", VLN_OPT_TEXT, offsetof(runner_config_t, path), "var/runner", 0, 0,
        "MLOPS_DEPLOYMENT_PATH", "folder of its state: what is wanted, files, sockets, haproxy.cfg"},
    VLN_OPT_ROW_TEXT(runner_config_t, supervisor, "supervisor", "var/s6",
        "scan folder of the s6-svscan that runs the servers"),
    VLN_OPT_ROW_TEXT(runner_config_t, haproxy, "haproxy-service", "var/s6/haproxy",
        "s6 service folder of HAProxy, which reads haproxy.cfg in --path"),
    VLN_OPT_ROW_TEXT(runner_config_t, bind, "bind", "127.0.0.1",
        "address that the environments' ports are opened on; there is no authentication on them"),
    VLN_OPT_ROW_TEXT(runner_config_t, server, "server", NULL,
        "program that serves a version; default: valion-server beside this one"),
    VLN_OPT_ROW_TEXT(runner_config_t, sandbox, "sandbox", NULL,
        "program that runs models; default: valion-sandbox beside the server"),
    {0},
};

static const vln_method_t methods[] = {
    /* method              handler                    roles                                  flags        body_max */
    {"ReadInstanceLog", runner_read_instance_log, VLN_ROLE(ADMIN) | VLN_ROLE(DEPLOYER) | VLN_ROLE(OPERATOR), 0, 1024},
    {"RestartInstance", runner_restart_instance,  VLN_ROLE(ADMIN) | VLN_ROLE(DEPLOYER), VLN_MUTATES, 1024},
};
/* clang-format on */

/* "staging:8081,production:8080" */
static bool
read_environments(runner_t *self)
{
    const char *rest = self->config->environments;
    char word[128];
    while (vln_text_next(&rest, ',', word, sizeof word)) {
        char *colon = strchr(word, ':');
        int64_t port = 0;
        if (colon) {
            *colon = '\0';
        }
        if (!colon || !vln_text_is_name(word, NAME_MAX_BYTES, "-") ||
            !vln_text_to_i64(colon + 1, PORT_MIN, PORT_MAX, &port) ||
            self->environment_count == RUNNER_ENVIRONMENTS_MAX) {
            return false;
        }
        Valion__V1__Environment *environment = &self->environments[self->environment_count];
        valion__v1__environment__init(environment);
        environment->name = vln_strdup(word);
        environment->has_port = 1;
        environment->port = (uint32_t)port;
        self->offered[self->environment_count++] = environment;
    }
    return self->environment_count > 0;
}

static void
find_server(runner_config_t *config)
{
    static char beside[RUNNER_PATH];
    if (!config->server) {
        char *self_path = realpath("/proc/self/exe", NULL);
        char *slash = self_path ? strrchr(self_path, '/') : NULL;
        vln_assert(slash);
        snprintf(beside, sizeof beside, "%.*s/valion-server", (int)(slash - self_path), self_path);
        config->server = beside;
        free(self_path);
    }
}

static bool
prepare(runner_t *self, runner_config_t *config)
{
    if (!vln_text_is_name(config->host, NAME_MAX_BYTES, "._-")) {
        vln_error("option.wrong", kv_str("option", "--host"),
                  kv_str("detail", "1 to 64 letters, digits, '.', '_', '-'"));
        return false;
    }
    if (!read_environments(self)) {
        vln_error("option.wrong", kv_str("option", "--environments"),
                  kv_str("detail", "as production:8080,staging:8081"));
        return false;
    }
    if ((mkdir(config->path, 0755) != 0 && errno != EEXIST) ||
        !realpath(config->path, self->root)) {
        vln_error("option.wrong", kv_str("option", "--path"), kv_str("why", strerror(errno)));
        return false;
    }
    snprintf(self->name, sizeof self->name, "runner.%s", config->host);
    find_server(config);
    return true;
}

/* Handlers need nothing but the runner itself. */
static void *
open_worker(void *context)
{
    return context;
}

static void
close_worker(void **worker_p)
{
    *worker_p = NULL;
}

static vln_err_t
serve(runner_t *self)
{
    static const vln_background_t background[] = {{"poll", runner_run_poll},
                                                  {"keep", runner_run_keep}};
    const vln_service_config_t service = {.name = self->name,
                                          .options = &self->config->service,
                                          .descriptor = &valion__v1__runner__descriptor,
                                          .methods = methods,
                                          .method_count = VLN_COUNT(methods),
                                          .background = background,
                                          .background_count = VLN_COUNT(background),
                                          .context = self,
                                          .open_worker = open_worker,
                                          .close_worker = close_worker};
    vln_err_t err = vln_service_open(&self->service, &service);
    if (err == VLN_OK) {
        runner_restore(self);
        err = vln_service_run(self->service);
    }
    vln_service_close(&self->service);
    return err;
}

int
main(int argc, char **argv)
{
    runner_config_t config = {0};
    vln_log_level_t level = VLN_LOG_INFO;
    const vln_opt_program_t program = {"valion-runner",
                                       "Runs what this host is to serve, for Valion.", options};
    vln_err_t err = vln_opt_parse(&program, &config, &level, argc, argv);
    if (err != VLN_OK) {
        return err == VLN_CANCELLED ? EXIT_SUCCESS : 2;
    }
    config.service.key_name = config.service.key_name ? config.service.key_name : "runner";
    vln_log_init("runner", config.service.instance, level);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    runner_t runner = {.config = &config, .mutex = PTHREAD_MUTEX_INITIALIZER};
    err = prepare(&runner, &config) ? serve(&runner) : VLN_INVALID_ARGUMENT;
    for (size_t i = 0; i < runner.environment_count; i++) {
        free(runner.environments[i].name);
    }
    free(runner.wanted);
    curl_global_cleanup();
    vln_info("service.stopped", kv_err(err));
    return err == VLN_OK || err == VLN_CANCELLED ? EXIT_SUCCESS : EXIT_FAILURE;
}
