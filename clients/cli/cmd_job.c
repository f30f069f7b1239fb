/* job: single tasks, submitted and followed. */
#include <stdlib.h>
#include <string.h>
#include <valion/v1/orchestrator.pb-c.h>

#include "vln_json_form.h"

#include "cli.h"
#include "cli_job.h"
#include "cli_kinds.h"

enum {
    SPEC_MAX = 256 * 1024, /* of text; packed it is far less, and the service says what it takes */
    LABELS_MAX = 16,
    LABEL_KEY_MAX = 251,
    RESULT_BUDGET = 1024 * 1024,
};

static const char hint[] = "valion job list";

/* ---- submit ---- */

/* --label key=value … into `out`; false with a sentence. */
static bool
take_labels(const cli_t *cli, Valion__V1__KeyValue *out, char keys[][LABEL_KEY_MAX], size_t *count)
{
    size_t at = 0;
    for (const char *text; (text = cli_args_next(&cli->args, "label", &at)); ++*count) {
        size_t key_len;
        const char *value;
        if (*count == LABELS_MAX || !cli_pair_parse(text, &key_len, &value) ||
            key_len >= LABEL_KEY_MAX) {
            cli_fail(CLI_USAGE, "--label: at most %d, as key=value", LABELS_MAX);
            return false;
        }
        valion__v1__key_value__init(&out[*count]);
        memcpy(keys[*count], text, key_len);
        keys[*count][key_len] = '\0';
        out[*count].key = keys[*count];
        out[*count].value = (char *)(uintptr_t)value;
    }
    return true;
}

/* The numbers of the command line; false with a sentence. */
static bool
take_numbers(cli_t *cli, Valion__V1__SubmitJobRequest *out)
{
    int64_t priority;
    int64_t attempts;
    bool good = cli_args_number(&cli->args, "priority", 1, 5, 0, &priority) &&
                cli_args_number(&cli->args, "max-attempts", 1, 100, 0, &attempts) &&
                cli_args_duration(&cli->args, "deadline", 0, &out->deadline_ms) &&
                cli_args_duration(&cli->args, "delay", 0, &out->delay_ms);
    if (!good) {
        cli_fail(CLI_USAGE, "%s", cli->args.why);
        return false;
    }
    out->has_priority = cli_args_has(&cli->args, "priority");
    out->priority = (uint32_t)priority;
    out->has_max_attempts = cli_args_has(&cli->args, "max-attempts");
    out->max_attempts = (uint32_t)attempts;
    out->has_deadline_ms = cli_args_has(&cli->args, "deadline");
    out->has_delay_ms = cli_args_has(&cli->args, "delay");
    return true;
}

static bool
take_spec(const cli_t *cli, vln_arena_t *arena, Valion__V1__SubmitJobRequest *out)
{
    const char *value = cli_args_get(&cli->args, "spec");
    if (!value) {
        return true;
    }
    size_t size = 0;
    char *text = cli_read_value(value, SPEC_MAX, &size);
    if (!text) {
        return false;
    }
    vln_json_error_t error;
    vln_err_t err = cli_kind_pack(out->kind, text, size, arena, &out->spec, &error);
    out->has_spec = err == VLN_OK;
    if (err != VLN_OK) {
        cli_fail(CLI_USAGE, "--spec: %s", error.why);
    }
    free(text);
    return err == VLN_OK;
}

static cli_exit_t
take_accepted(cli_t *cli, const Valion__V1__SubmitJobReply *accepted)
{
    char id[VLN_ID_TEXT];
    if (accepted->job_id.len != VLN_ID_BYTES) {
        return cli_fail(CLI_FAILED, "the job was accepted, but the reply does not say its id; see "
                                    "'valion job list'");
    }
    vln_id_format(accepted->job_id.data, id);
    if (cli_args_has(&cli->args, "wait")) {
        fprintf(stderr, "job %s\n", id);
        return cli_job_watch(cli, accepted->job_id.data, NULL);
    }
    if (cli->form == CLI_FORM_JSON) {
        cli_show(CLI_FORM_JSON, &accepted->base, stdout);
    } else {
        puts(id);
    }
    return CLI_OK;
}

static cli_exit_t
submit(cli_t *cli, const Valion__V1__SubmitJobRequest *message)
{
    const cli_request_t request = {
        .service = "orchestrator", .method = "SubmitJob", .message = &message->base};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        code = take_accepted(cli, (const void *)reply.message);
    }
    vln_reply_wipe(&reply);
    return code;
}

cli_exit_t
cmd_job_submit(cli_t *cli)
{
    Valion__V1__SubmitJobRequest message = VALION__V1__SUBMIT_JOB_REQUEST__INIT;
    Valion__V1__KeyValue labels[LABELS_MAX];
    Valion__V1__KeyValue *label_pointers[LABELS_MAX];
    char keys[LABELS_MAX][LABEL_KEY_MAX];
    message.kind = cli_text_option(cli, "kind");
    message.labels = label_pointers;
    for (size_t i = 0; i < LABELS_MAX; i++) {
        label_pointers[i] = &labels[i];
    }
    if (!message.kind) {
        return cli_fail(CLI_USAGE, "--kind KIND is wanted: validate, train … or a worker's own");
    }
    vln_arena_t *arena = vln_arena_new(RESULT_BUDGET);
    bool good = take_labels(cli, labels, keys, &message.n_labels) && take_numbers(cli, &message) &&
                take_spec(cli, arena, &message);
    cli_exit_t code = good ? submit(cli, &message) : CLI_USAGE;
    vln_arena_destroy(&arena);
    return code;
}

/* ---- the others ---- */

cli_exit_t
cmd_job_watch(cli_t *cli)
{
    uint8_t id[VLN_ID_BYTES];
    if (!cli_parse_id(cli_args_word(&cli->args, 0), id)) {
        return CLI_USAGE;
    }
    cli_exit_t code = cli_open(cli);
    return code == CLI_OK ? cli_job_watch(cli, id, NULL) : code;
}

static const cli_column_t job_columns[] = {
    {"JOB", "job_id"},           {"KIND", "kind"},           {"STATE", "state"},
    {"ATTEMPTS", "attempts"},    {"SUBMITTER", "submitter"}, {"SUBMITTED", "submitted_us"},
    {"FINISHED", "finished_us"}, {"ERROR", "error"},         {NULL, NULL}};

cli_exit_t
cmd_job_list(cli_t *cli)
{
    Valion__V1__ListJobsRequest message = VALION__V1__LIST_JOBS_REQUEST__INIT;
    int state;
    if (!cli_enum_option(cli, "state", &valion__v1__task_state__descriptor, &state)) {
        return CLI_USAGE;
    }
    message.kind = cli_text_option(cli, "kind");
    message.submitter = cli_text_option(cli, "submitter");
    message.has_state = state != 0;
    message.state = (Valion__V1__TaskState)state;
    const cli_pages_t pages = {.service = "orchestrator",
                               .method = "ListJobs",
                               .message = &message.base,
                               .columns = job_columns,
                               .empty = "no jobs"};
    return cli_call_pages(cli, &pages);
}

cli_exit_t
cmd_job_show(cli_t *cli)
{
    uint8_t id[VLN_ID_BYTES];
    if (!cli_parse_id(cli_args_word(&cli->args, 0), id)) {
        return CLI_USAGE;
    }
    Valion__V1__GetJobRequest message = VALION__V1__GET_JOB_REQUEST__INIT;
    message.has_job_id = 1;
    message.job_id = (ProtobufCBinaryData){.len = sizeof id, .data = id};
    const cli_request_t request = {
        .service = "orchestrator", .method = "GetJob", .message = &message.base, .hint = hint};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    Valion__V1__GetJobReply *found = (void *)reply.message;
    if (code == CLI_OK && found->job) {
        cli_job_show(cli, found->job);
    }
    vln_reply_wipe(&reply);
    return code;
}

cli_exit_t
cmd_job_cancel(cli_t *cli)
{
    uint8_t id[VLN_ID_BYTES];
    if (!cli_parse_id(cli_args_word(&cli->args, 0), id)) {
        return CLI_USAGE;
    }
    Valion__V1__CancelJobRequest message = VALION__V1__CANCEL_JOB_REQUEST__INIT;
    message.has_job_id = 1;
    message.job_id = (ProtobufCBinaryData){.len = sizeof id, .data = id};
    message.reason = cli_text_option(cli, "reason");
    const cli_request_t request = {
        .service = "orchestrator", .method = "CancelJob", .message = &message.base, .hint = hint};
    return cli_call_and_show(cli, &request, "job");
}

cli_exit_t
cmd_job_requeue(cli_t *cli)
{
    uint8_t id[VLN_ID_BYTES];
    if (!cli_parse_id(cli_args_word(&cli->args, 0), id)) {
        return CLI_USAGE;
    }
    Valion__V1__RequeueJobRequest message = VALION__V1__REQUEUE_JOB_REQUEST__INIT;
    message.has_job_id = 1;
    message.job_id = (ProtobufCBinaryData){.len = sizeof id, .data = id};
    const cli_request_t request = {
        .service = "orchestrator", .method = "RequeueJob", .message = &message.base, .hint = hint};
    return cli_call_and_show(cli, &request, "job");
}
