/* call, methods, ping, status: the bus itself. */
#include <stdlib.h>
#include <string.h>
#include <valion/v1/header.pb-c.h>

#include "vln_address.h"
#include "vln_contract.h"
#include "vln_guess.h"
#include "vln_json.h"
#include "vln_socket.h"
#include "vln_text.h"
#include "vln_time.h"

#include "cli.h"
#include "cli_format.h"

enum { NAME_MAX_BYTES = 80, CALL_BUDGET = 4 * 1024 * 1024, STATUS_TIMEOUT_MS = 2500 };

/* ---- call ---- */

/* "registry.GetModel", also "runner.host-7.GetStats": the method is behind the last dot. */
static bool
split_method(const char *text, char service[NAME_MAX_BYTES], const char **method)
{
    const char *dot = strrchr(text, '.');
    if (!dot || dot == text || (size_t)(dot - text) >= NAME_MAX_BYTES) {
        return false;
    }
    memcpy(service, text, (size_t)(dot - text));
    service[dot - text] = '\0';
    *method = dot + 1;
    return true;
}

static cli_exit_t
fail_service(const char *service)
{
    vln_guess_t guess = {.typed = service};
    size_t count = 0;
    const vln_contract_service_t *services = vln_contract_services(&count);
    for (size_t i = 0; i < count; i++) {
        vln_guess_offer(&guess, services[i].name);
    }
    return guess.best
               ? cli_fail(CLI_USAGE, "no service \"%s\"; did you mean %s?", service, guess.best)
               : cli_fail(CLI_USAGE, "no service \"%s\"; see 'valion methods'", service);
}

static cli_exit_t
fail_method(const ProtobufCServiceDescriptor *service, const char *name, const char *method)
{
    vln_guess_t guess = {.typed = method};
    for (unsigned i = 0; i < service->n_methods; i++) {
        vln_guess_offer(&guess, service->methods[i].name);
    }
    if (guess.best) {
        return cli_fail(CLI_USAGE, "%s has no method \"%s\"; did you mean %s?", name, method,
                        guess.best);
    }
    return cli_fail(CLI_USAGE, "%s has no method \"%s\"; see 'valion methods %s'", name, method,
                    name);
}

/* The method that a word names; NULL, with a sentence, if there is none. */
static const ProtobufCMethodDescriptor *
find_method(const char *word, char service[NAME_MAX_BYTES], cli_exit_t *code)
{
    const char *method = NULL;
    if (!split_method(word, service, &method)) {
        *code = cli_fail(CLI_USAGE, "\"%s\" is not service.Method; see 'valion methods'", word);
        return NULL;
    }
    const ProtobufCServiceDescriptor *found = vln_contract_find_service(service);
    if (!found) {
        *code = fail_service(service);
        return NULL;
    }
    const ProtobufCMethodDescriptor *result = vln_contract_find_method(service, method);
    if (!result) {
        *code = fail_method(found, service, method);
    }
    return result;
}

static ProtobufCMessage *
read_request(const ProtobufCMessageDescriptor *type, const char *value, vln_arena_t *arena)
{
    size_t size = 0;
    char *text = cli_read_value(value, VLN_JSON_MAX_TEXT, &size);
    if (!text) {
        return NULL;
    }
    vln_json_error_t error;
    ProtobufCMessage *message = NULL;
    if (vln_json_parse(type, text, size, arena, &message, &error) != VLN_OK) {
        cli_fail(CLI_USAGE, "%s", error.why);
    }
    free(text);
    return message;
}

/* Frame `raw` of the reply, where --raw-out wants it. */
static cli_exit_t
keep_raw(const cli_t *cli, const vln_reply_t *reply)
{
    const char *path = cli_args_get(&cli->args, "raw-out");
    if (!path) {
        return reply->raw_size ? cli_fail(CLI_OK,
                                          "the reply has %zu raw bytes: --raw-out FILE "
                                          "keeps them",
                                          reply->raw_size)
                               : CLI_OK;
    }
    FILE *file = fopen(path, "wb");
    bool good = file && fwrite(reply->raw, 1, reply->raw_size, file) == reply->raw_size;
    good = (file && fclose(file) == 0) && good;
    return good ? CLI_OK : cli_fail(CLI_FAILED, "%s cannot be written", path);
}

static cli_exit_t
call_with(cli_t *cli, cli_request_t *request)
{
    const char *raw_path = cli_args_get(&cli->args, "raw");
    char *raw = NULL;
    if (raw_path) {
        vln_err_t err = vln_text_read_file(raw_path, VLN_RAW_MAX, &raw, &request->raw_size);
        if (err != VLN_OK) {
            return cli_fail(CLI_USAGE, "%s: cannot be read, or is more than %d bytes", raw_path,
                            VLN_RAW_MAX);
        }
        request->raw = raw;
    }
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, request, &reply);
    if (code == CLI_OK) {
        cli_show(cli->args.given_count && cli_args_has(&cli->args, "output") ? cli->form
                                                                             : CLI_FORM_JSON,
                 reply.message, stdout);
        code = keep_raw(cli, &reply);
    }
    vln_reply_wipe(&reply);
    free(raw);
    return code;
}

cli_exit_t
cmd_call(cli_t *cli)
{
    char service[NAME_MAX_BYTES];
    cli_exit_t code = CLI_OK;
    const ProtobufCMethodDescriptor *method =
        find_method(cli_args_word(&cli->args, 0), service, &code);
    if (!method) {
        return code;
    }
    const char *value = cli_args_word(&cli->args, 1);
    vln_arena_t *arena = vln_arena_new(CALL_BUDGET);
    ProtobufCMessage *message = read_request(method->input, value ? value : "{}", arena);
    cli_request_t request = {.service = service, .method = method->name, .message = message};
    code = message ? call_with(cli, &request) : CLI_USAGE;
    vln_arena_destroy(&arena);
    return code;
}

/* ---- methods ---- */

static const cli_column_t method_columns[] = {
    {"METHOD", "method"}, {"REQUEST", "request"}, {"REPLY", "reply"}, {NULL, NULL}};

static void
list_methods(cli_list_t *list, const char *service, const ProtobufCServiceDescriptor *descriptor)
{
    for (unsigned i = 0; i < descriptor->n_methods; i++) {
        const ProtobufCMethodDescriptor *method = &descriptor->methods[i];
        char name[2 * NAME_MAX_BYTES];
        snprintf(name, sizeof name, "%s.%s", service, method->name);
        const char *const cells[] = {name, method->input->short_name, method->output->short_name};
        cli_list_add_cells(list, cells);
    }
}

static void
show_method(const char *name, const ProtobufCMethodDescriptor *method)
{
    char *request = vln_json_skeleton(method->input);
    char *reply = vln_json_skeleton(method->output);
    printf("%s\n\nrequest %s\n%s\n\nreply %s\n%s\n\nvalion call %s '{…}'\n", name,
           method->input->short_name, request, method->output->short_name, reply, name);
    free(request);
    free(reply);
}

cli_exit_t
cmd_methods(cli_t *cli)
{
    const char *word = cli_args_word(&cli->args, 0);
    char service[NAME_MAX_BYTES];
    if (word && !vln_contract_find_service(word)) {
        cli_exit_t code = CLI_OK;
        if (!strchr(word, '.')) {
            return fail_service(word);
        }
        const ProtobufCMethodDescriptor *method = find_method(word, service, &code);
        if (method) {
            show_method(word, method);
        }
        return code;
    }
    cli_list_t *list = cli_list_new(cli->form, method_columns, cli->color, stdout);
    size_t count = 0;
    const vln_contract_service_t *services = vln_contract_services(&count);
    for (size_t i = 0; i < count; i++) {
        if (!word || vln_contract_find_service(word) == services[i].descriptor) {
            list_methods(list, word ? word : services[i].name, services[i].descriptor);
        }
    }
    cli_list_end(&list, "no methods");
    return CLI_OK;
}

/* ---- ping ---- */

cli_exit_t
cmd_ping(cli_t *cli)
{
    int64_t count;
    if (!cli_args_number(&cli->args, "count", 1, 1000000, 1, &count)) {
        return cli_fail(CLI_USAGE, "%s", cli->args.why);
    }
    Valion__V1__PingRequest message = VALION__V1__PING_REQUEST__INIT;
    const cli_request_t request = {.service = "bus", .method = "Ping", .message = &message.base};
    for (int64_t i = 0; i < count; i++) {
        vln_reply_t reply;
        int64_t start_us = vln_mono_us();
        cli_exit_t code = cli_call(cli, &request, &reply);
        if (code == CLI_OK) {
            const Valion__V1__PingReply *pong = (const void *)reply.message;
            printf("%s answers in %.3f ms (version %s)\n", cli->bus,
                   (double)(vln_mono_us() - start_us) / 1000, pong->version ? pong->version : "?");
        }
        vln_reply_wipe(&reply);
        if (code != CLI_OK) {
            return code;
        }
    }
    return CLI_OK;
}

/* ---- status ---- */

static const cli_column_t instance_columns[] = {
    {"BROKER", "broker"}, {"SERVICE", "service"}, {"HEALTH", "health"},   {"HOST", "host"},
    {"PID", "pid"},       {"FREE", "credit"},     {"BUSY", "in_flight"},  {"PARKED", "parked"},
    {"SERVED", "served"}, {"SEEN", "seen"},       {"VERSION", "version"}, {"INSTANCE", "instance"},
    {NULL, NULL}};

enum { CELL = 128 };

/* "ready", "draining", or what is missing. */
static void
describe_health(const Valion__V1__Instance *instance, char out[CELL])
{
    const Valion__V1__Health *health = instance->health;
    vln_text_copy(out, CELL, "unknown");
    if (instance->draining) {
        vln_text_copy(out, CELL, "draining");
    } else if (health && health->ready) {
        vln_text_copy(out, CELL, "ready");
    } else if (health) {
        vln_text_copy(out, CELL, "not ready");
        for (size_t i = 0; i < health->n_dependencies; i++) {
            const Valion__V1__Dependency *dependency = health->dependencies[i];
            size_t len = strlen(out);
            if (!dependency->ok && dependency->name) {
                snprintf(out + len, CELL - len, "%s%s", strchr(out, ':') ? ", " : ": no ",
                         dependency->name);
            }
        }
    }
}

static void
add_instance(cli_list_t *list, const char *broker, const Valion__V1__Instance *instance)
{
    static const char *const paths[] = {"services",     "",          "host",    "pid",
                                        "credit",       "in_flight", "parked",  "served",
                                        "last_seen_ms", "version",   "instance"};
    char cells[VLN_COUNT(paths)][CELL];
    const char *row[VLN_COUNT(paths) + 1] = {broker};
    for (size_t i = 0; i < VLN_COUNT(paths); i++) {
        if (*paths[i]) {
            cli_format_field(&instance->base, paths[i], cells[i], CELL);
        } else {
            describe_health(instance, cells[i]);
        }
        row[i + 1] = cells[i];
    }
    row[1] = instance->n_services > 0 ? instance->services[0] : "";
    cli_list_add_cells(list, row);
}

/* Asks one broker; its row goes into the list, its reply onto the output in JSON. */
static vln_err_t
ask_broker(const cli_t *cli, const vln_client_config_t *config, const char *broker,
           cli_list_t *list)
{
    vln_client_t *client = NULL;
    vln_err_t err = vln_client_open(&client, config);
    if (err != VLN_OK) {
        return err;
    }
    vln_client_stop_on(client, cli->stop);
    Valion__V1__GetBusStatusRequest message = VALION__V1__GET_BUS_STATUS_REQUEST__INIT;
    const vln_call_spec_t spec = {
        .service = "bus",
        .method = "GetStatus",
        .request = &message.base,
        .reply_type = &valion__v1__get_bus_status_reply__descriptor,
        .timeout_ms = cli->timeout_ms < STATUS_TIMEOUT_MS ? cli->timeout_ms : STATUS_TIMEOUT_MS};
    vln_reply_t reply;
    err = vln_client_call(client, &spec, &reply);
    const Valion__V1__GetBusStatusReply *status = (const void *)reply.message;
    if (err != VLN_OK) {
        cli_fail_with(cli, err, reply.why, NULL);
    } else if (cli->form == CLI_FORM_JSON) {
        cli_list_add(list, reply.message);
    } else {
        char uptime[CELL];
        printf("%s%s%s  up %s, version %s, %zu instances; you are \"%s\"\n", cli_bold(cli), broker,
               cli_plain(cli), cli_format_duration(status->uptime_ms, uptime, sizeof uptime),
               status->version ? status->version : "?", status->n_instances,
               status->principal ? status->principal : "?");
        for (size_t i = 0; i < status->n_instances; i++) {
            add_instance(list, broker, status->instances[i]);
        }
    }
    vln_reply_wipe(&reply);
    vln_client_close(&client);
    return err;
}

static cli_exit_t
ask_brokers(const cli_t *cli, vln_client_config_t *config)
{
    vln_addresses_t addresses;
    vln_err_t err = vln_addresses_resolve(cli->bus, &addresses);
    if (err != VLN_OK) {
        return cli_fail(err == VLN_UNAVAILABLE ? CLI_UNAVAILABLE : CLI_USAGE,
                        "--bus: \"%s\" leads nowhere", cli->bus);
    }
    cli_list_t *list = cli_list_new(cli->form, instance_columns, cli->color, stdout);
    size_t answered = 0;
    vln_err_t last = VLN_UNAVAILABLE;
    for (size_t i = 0; i < addresses.count && !*cli->stop; i++) {
        const char *broker = addresses.endpoint[i];
        broker += strncmp(broker, "tcp://", 6) == 0 ? 6 : 0;
        config->bus = broker;
        err = ask_broker(cli, config, broker, list);
        answered += err == VLN_OK;
        last = err == VLN_OK ? last : err;
    }
    config->bus = cli->bus; /* not the text of `addresses`, which ends here */
    cli_list_end(&list, answered ? "no instance of any service" : "no broker answers");
    if (*cli->stop) {
        return CLI_INTERRUPTED;
    }
    return answered ? CLI_OK : cli_exit_of(last);
}

cli_exit_t
cmd_status(cli_t *cli)
{
    char bus_key[VLN_Z85_TEXT];
    vln_client_config_t config = {0};
    cli_exit_t code = CLI_OK;
    if (cli_client_config(cli, bus_key, &config, &code)) {
        code = ask_brokers(cli, &config);
    }
    vln_keypair_wipe(&config.keys);
    return code;
}
