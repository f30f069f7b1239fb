/*
 * cli - what the commands of `valion` share: the table of commands, the connection, errors.
 *
 * A command is a row of the table in main.c and one function. Everything runs in one thread.
 */
#ifndef CLI_H
#define CLI_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "vln_client.h"
#include "vln_err.h"

#include "cli_args.h"
#include "cli_out.h"

/* How the program ends; also in `valion --help`. */
typedef enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,      /* refused, or failed */
    CLI_USAGE = 2,       /* the command line is wrong */
    CLI_UNAVAILABLE = 3, /* nobody answers, or not in time */
    CLI_NOT_FOUND = 4,
    CLI_DENIED = 5, /* the principal may not, or its key is not known */
    CLI_INTERRUPTED = 130,
} cli_exit_t;

typedef struct cli cli_t;

typedef struct cli_command {
    const char *path;            /* "job submit" */
    const char *words;           /* "ID", for help */
    const char *help;            /* what it does, one line */
    const char *more;            /* examples and details, for its own --help; may be NULL */
    const cli_option_t *options; /* may be NULL */
    size_t least_words;          /* after the path */
    size_t most_words;
    cli_exit_t (*run)(cli_t *cli);
} cli_command_t;

struct cli {
    cli_args_t args;
    const cli_command_t *command;
    const char *bus;
    const char *keys; /* folder; may not exist */
    const char *principal;
    int64_t timeout_ms;
    cli_form_t form;
    bool color;               /* standard output is a terminal that shows it */
    const volatile int *stop; /* becomes 1 on Ctrl-C */
    vln_client_t *client;     /* opened by the first call */
};

/* ---- cli_call.c ---- */

/* "valion: " and a sentence on stderr; returns `code`. */
cli_exit_t cli_fail(cli_exit_t code, const char *format, ...) VLN_PRINTF(2, 3);

/* The exit code of a status. */
cli_exit_t cli_exit_of(vln_err_t err);

/* "valion: NOT_FOUND: no model "x"; see 'valion model list'" on stderr; returns the exit code.
 * `hint` may be NULL. */
cli_exit_t cli_fail_with(const cli_t *cli, vln_err_t err, const char *why, const char *hint);

typedef struct cli_request {
    const char *service;
    const char *method;
    const ProtobufCMessage *message;
    const char *hint; /* said when the answer is NOT_FOUND; may be NULL */
    const void *raw;
    size_t raw_size;
    int64_t timeout_ms; /* 0: --timeout */
    int64_t attempt_ms; /* 0: the client's own */
} cli_request_t;

/* Connects, if that was not done; the calls below need it or do it. */
cli_exit_t cli_open(cli_t *cli);

/* The call, without a word on stderr, after cli_open(). `*reply` must be wiped in every case. */
vln_err_t cli_try(cli_t *cli, const cli_request_t *request, vln_reply_t *reply);

/* The same, with the sentence on stderr when it fails. */
cli_exit_t cli_call(cli_t *cli, const cli_request_t *request, vln_reply_t *reply);

/* Calls, prints the message in field `shows` of the reply (NULL: the reply) and wipes it. */
cli_exit_t cli_call_and_show(cli_t *cli, const cli_request_t *request, const char *shows);

/*
 * Calls page after page and prints a list: the first repeated field of the reply. `request` has a
 * field `page` of type Page, which is set here. Ends after --limit items.
 */
typedef struct cli_pages {
    const char *service;
    const char *method;
    ProtobufCMessage *message;
    const cli_column_t *columns;
    const char *empty; /* what to say when there is nothing */
    const char *hint;
} cli_pages_t;
cli_exit_t cli_call_pages(cli_t *cli, const cli_pages_t *pages);

/* Client configuration from --bus, --keys, --as; false with a sentence. Wiped with
 * vln_keypair_wipe(&out->keys). `bus_key` must hold VLN_Z85_TEXT. */
bool cli_client_config(const cli_t *cli, char *bus_key, vln_client_config_t *out, cli_exit_t *code);

/* The text of TEXT, @file or - (standard input). Yours, end it with free(); NULL with a sentence. */
char *cli_read_value(const char *value, size_t max, size_t *size);

/* A UUID of an argument, or false with a sentence. */
bool cli_parse_id(const char *text, uint8_t out[VLN_ID_BYTES]);

/* Waits, unless Ctrl-C comes; false if it did. */
bool cli_pause(const cli_t *cli, int64_t ms);

/* --option as text that a message can point at; NULL if it was not given. The contract's structs
 * have `char *` that is only read. */
char *cli_text_option(const cli_t *cli, const char *name);
char *cli_text_word(const cli_t *cli, size_t index);

/* Every value of a repeated option. Yours, end it with free(). */
char **cli_text_options(const cli_t *cli, const char *name, size_t *count);

/* The enum of an option by name; false with a sentence. `*out` stays 0 if it was not given. */
bool cli_enum_option(const cli_t *cli, const char *name, const ProtobufCEnumDescriptor *type,
                     int *out);

/* Colours, "" where they are not shown. */
const char *cli_bold(const cli_t *cli);
const char *cli_plain(const cli_t *cli);

/* ---- commands ---- */

cli_exit_t cmd_call(cli_t *cli);
cli_exit_t cmd_methods(cli_t *cli);
cli_exit_t cmd_ping(cli_t *cli);
cli_exit_t cmd_status(cli_t *cli);
cli_exit_t cmd_keys_init(cli_t *cli);
cli_exit_t cmd_keys_new(cli_t *cli);
cli_exit_t cmd_keys_list(cli_t *cli);
cli_exit_t cmd_keys_show(cli_t *cli);
cli_exit_t cmd_keys_revoke(cli_t *cli);
cli_exit_t cmd_event_watch(cli_t *cli);
cli_exit_t cmd_event_list(cli_t *cli);
cli_exit_t cmd_event_export(cli_t *cli);
cli_exit_t cmd_audit_verify(cli_t *cli);
cli_exit_t cmd_job_submit(cli_t *cli);
cli_exit_t cmd_job_watch(cli_t *cli);
cli_exit_t cmd_job_list(cli_t *cli);
cli_exit_t cmd_job_show(cli_t *cli);
cli_exit_t cmd_job_cancel(cli_t *cli);
cli_exit_t cmd_job_requeue(cli_t *cli);
cli_exit_t cmd_model_create(cli_t *cli);
cli_exit_t cmd_model_list(cli_t *cli);
cli_exit_t cmd_model_show(cli_t *cli);
cli_exit_t cmd_model_update(cli_t *cli);
cli_exit_t cmd_model_delete(cli_t *cli);
cli_exit_t cmd_version_create(cli_t *cli);
cli_exit_t cmd_version_list(cli_t *cli);
cli_exit_t cmd_version_update(cli_t *cli);
cli_exit_t cmd_version_card(cli_t *cli);
cli_exit_t cmd_version_lineage(cli_t *cli);
cli_exit_t cmd_at(cli_t *cli);
cli_exit_t cmd_version_show(cli_t *cli);
cli_exit_t cmd_version_suggest(cli_t *cli);
cli_exit_t cmd_data_add(cli_t *cli);
cli_exit_t cmd_data_list(cli_t *cli);
cli_exit_t cmd_data_show(cli_t *cli);
cli_exit_t cmd_artifact_put(cli_t *cli);
cli_exit_t cmd_artifact_get(cli_t *cli);
cli_exit_t cmd_artifact_show(cli_t *cli);
cli_exit_t cmd_version_compare(cli_t *cli);
cli_exit_t cmd_version_changelog(cli_t *cli);
cli_exit_t cmd_version_check_range(cli_t *cli);
cli_exit_t cmd_version_rule(cli_t *cli);
cli_exit_t cmd_train(cli_t *cli);
cli_exit_t cmd_data_split(cli_t *cli);
cli_exit_t cmd_data_profile(cli_t *cli);
cli_exit_t cmd_data_prepare(cli_t *cli);
cli_exit_t cmd_validate(cli_t *cli);
cli_exit_t cmd_version_inspect(cli_t *cli);
cli_exit_t cmd_version_promote(cli_t *cli);
cli_exit_t cmd_version_alias(cli_t *cli);
cli_exit_t cmd_version_delete(cli_t *cli);
cli_exit_t cmd_version_history(cli_t *cli);
cli_exit_t cmd_report_list(cli_t *cli);
cli_exit_t cmd_report_show(cli_t *cli);
cli_exit_t cmd_report_diff(cli_t *cli);
cli_exit_t cmd_report_summary(cli_t *cli);
cli_exit_t cmd_policy_list(cli_t *cli);
cli_exit_t cmd_policy_show(cli_t *cli);
cli_exit_t cmd_policy_put(cli_t *cli);
cli_exit_t cmd_deploy(cli_t *cli);
cli_exit_t cmd_rollback(cli_t *cli);
cli_exit_t cmd_rollout_list(cli_t *cli);
cli_exit_t cmd_rollout_show(cli_t *cli);
cli_exit_t cmd_rollout_watch(cli_t *cli);
cli_exit_t cmd_rollout_abort(cli_t *cli);
cli_exit_t cmd_rollout_pause(cli_t *cli);
cli_exit_t cmd_rollout_resume(cli_t *cli);
cli_exit_t cmd_endpoint_list(cli_t *cli);
cli_exit_t cmd_endpoint_history(cli_t *cli);
cli_exit_t cmd_host_list(cli_t *cli);
cli_exit_t cmd_pipeline_apply(cli_t *cli);
cli_exit_t cmd_pipeline_list(cli_t *cli);
cli_exit_t cmd_pipeline_show(cli_t *cli);
cli_exit_t cmd_run_start(cli_t *cli);
cli_exit_t cmd_run_watch(cli_t *cli);
cli_exit_t cmd_run_list(cli_t *cli);
cli_exit_t cmd_run_show(cli_t *cli);
cli_exit_t cmd_run_cancel(cli_t *cli);
cli_exit_t cmd_run_pause(cli_t *cli);
cli_exit_t cmd_run_resume(cli_t *cli);
cli_exit_t cmd_logs(cli_t *cli);
cli_exit_t cmd_stats(cli_t *cli);
cli_exit_t cmd_completion(cli_t *cli);

#endif
