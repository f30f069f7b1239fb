/* pipeline, run, logs: work of several steps. */
#include <stdlib.h>
#include <string.h>
#include <valion/v1/orchestrator.pb-c.h>

#include "cli.h"
#include "cli_format.h"

enum {
    SOURCE_MAX = 256 * 1024,
    PARAMS_MAX = 64,
    KEY_MAX = 251,
    WATCH_MS = 10000,
    PAUSE_MS = 250,
    STEPS_MAX = 256,
    LOG_WAIT_MS = 5000
};

static const char run_hint[] = "valion run list";
static const char pipeline_hint[] = "valion pipeline list";

#define R(name) VALION__V1__RUN_STATE__RUN_STATE_##name

/* ---- pipelines ---- */

cli_exit_t
cmd_pipeline_apply(cli_t *cli)
{
    Valion__V1__ApplyPipelineRequest message = VALION__V1__APPLY_PIPELINE_REQUEST__INIT;
    char value[4100];
    size_t size = 0;
    const char *file = cli_args_word(&cli->args, 0);
    snprintf(value, sizeof value, "%s%.4090s", strcmp(file, "-") == 0 ? "" : "@", file);
    char *text = cli_read_value(value, SOURCE_MAX, &size);
    if (!text) {
        return CLI_USAGE;
    }
    message.source = text;
    message.has_dry_run = message.dry_run = cli_args_has(&cli->args, "dry-run");
    const cli_request_t request = {
        .service = "orchestrator", .method = "ApplyPipeline", .message = &message.base};
    cli_exit_t code = cli_call_and_show(cli, &request, NULL);
    free(text);
    return code;
}

static const cli_column_t pipeline_columns[] = {
    {"PIPELINE", "name"}, {"VERSION", "version"},         {"STEPS", "steps.name"},
    {"BY", "created_by"}, {"DESCRIPTION", "description"}, {NULL, NULL}};

cli_exit_t
cmd_pipeline_list(cli_t *cli)
{
    Valion__V1__ListPipelinesRequest message = VALION__V1__LIST_PIPELINES_REQUEST__INIT;
    const cli_pages_t pages = {.service = "orchestrator",
                               .method = "ListPipelines",
                               .message = &message.base,
                               .columns = pipeline_columns,
                               .empty = "no pipelines"};
    return cli_call_pages(cli, &pages);
}

cli_exit_t
cmd_pipeline_show(cli_t *cli)
{
    Valion__V1__GetPipelineRequest message = VALION__V1__GET_PIPELINE_REQUEST__INIT;
    message.name = cli_text_word(cli, 0);
    const cli_request_t request = {.service = "orchestrator",
                                   .method = "GetPipeline",
                                   .message = &message.base,
                                   .hint = pipeline_hint};
    return cli_call_and_show(cli, &request, "pipeline");
}

/* ---- following a run ---- */

static bool
is_end(Valion__V1__RunState state)
{
    return state == R(COMPLETED) || state == R(FAILED) || state == R(CANCELLED);
}

/* A line for each step whose state is another one than before. */
static void
say_steps(const Valion__V1__Run *run, int seen[STEPS_MAX])
{
    for (size_t i = 0; i < run->n_steps && i < STEPS_MAX; i++) {
        const Valion__V1__StepRun *step = run->steps[i];
        char state[CLI_VALUE_MAX];
        if (seen[i] == (int)step->state) {
            continue;
        }
        bool first = seen[i] == 0 && step->state == VALION__V1__STEP_STATE__STEP_STATE_PENDING;
        seen[i] = (int)step->state;
        if (!first) {
            cli_format_field(&step->base, "state", state, sizeof state);
            fprintf(stderr, "%-24s %-10s %s\n", step->name, state,
                    step->error && step->error[0] ? step->error
                    : step->why                   ? step->why
                                                  : "");
        }
    }
}

static cli_exit_t
end_watch(const cli_t *cli, Valion__V1__Run *run)
{
    if (cli->form == CLI_FORM_JSON || run->state == R(COMPLETED)) {
        cli_show(cli->form, &run->base, stdout);
    }
    if (run->state == R(COMPLETED)) {
        return CLI_OK;
    }
    return cli_fail(CLI_FAILED, "the run did not complete: %s",
                    run->error && run->error[0] ? run->error : "it was cancelled");
}

static vln_err_t
look(cli_t *cli, const ProtobufCBinaryData *id, vln_reply_t *reply)
{
    Valion__V1__GetRunRequest message = VALION__V1__GET_RUN_REQUEST__INIT;
    message.has_run_id = 1;
    message.run_id = *id;
    const cli_request_t request = {.service = "orchestrator",
                                   .method = "GetRun",
                                   .message = &message.base,
                                   .timeout_ms = WATCH_MS};
    return cli_try(cli, &request, reply);
}

static cli_exit_t
watch(cli_t *cli, const uint8_t id_bytes[VLN_ID_BYTES])
{
    const ProtobufCBinaryData id = {VLN_ID_BYTES, (uint8_t *)(uintptr_t)id_bytes};
    int seen[STEPS_MAX] = {0};
    char text[VLN_ID_TEXT];
    while (!*cli->stop) {
        vln_reply_t reply;
        vln_err_t err = look(cli, &id, &reply);
        cli_exit_t code = CLI_OK;
        bool end = false;
        if (err == VLN_OK) {
            Valion__V1__Run *run = ((Valion__V1__GetRunReply *)(void *)reply.message)->run;
            say_steps(run, seen);
            end = is_end(run->state);
            code = end ? end_watch(cli, run) : CLI_OK;
        } else if (!vln_err_is_transient(err)) {
            code = cli_fail_with(cli, err, reply.why, run_hint);
            end = true;
        }
        vln_reply_wipe(&reply);
        if (end) {
            return code;
        }
        cli_pause(cli, PAUSE_MS);
    }
    fprintf(stderr, "the run goes on; 'valion run watch %s' follows it\n",
            vln_id_format(id_bytes, text));
    return CLI_INTERRUPTED;
}

/* ---- runs ---- */

typedef struct params {
    Valion__V1__KeyValue pairs[PARAMS_MAX];
    Valion__V1__KeyValue *pointers[PARAMS_MAX];
    char keys[PARAMS_MAX][KEY_MAX];
    char values[PARAMS_MAX][5004];
    size_t count;
} params_t;

/* A value that is no JSON is meant as text. */
static void
put_value(char out[5004], const char *value)
{
    bool json = strchr("[{\"", value[0]) != NULL && value[0];
    char *end = NULL;
    strtod(value, &end);
    json = json || (value[0] && end && !*end) || strcmp(value, "true") == 0 ||
           strcmp(value, "false") == 0 || strcmp(value, "null") == 0;
    snprintf(out, 5004, json ? "%.5000s" : "\"%.4998s\"", value);
}

static bool
take_params(const cli_t *cli, params_t *self)
{
    size_t at = 0;
    for (const char *text; (text = cli_args_next(&cli->args, "param", &at)); self->count++) {
        size_t len = 0;
        const char *value = NULL;
        if (self->count == PARAMS_MAX || !cli_pair_parse(text, &len, &value) || len >= KEY_MAX) {
            cli_fail(CLI_USAGE, "--param: at most %d, as dataset=houses", PARAMS_MAX);
            return false;
        }
        valion__v1__key_value__init(&self->pairs[self->count]);
        memcpy(self->keys[self->count], text, len);
        put_value(self->values[self->count], value);
        self->pairs[self->count].key = self->keys[self->count];
        self->pairs[self->count].value = self->values[self->count];
        self->pointers[self->count] = &self->pairs[self->count];
    }
    return true;
}

static cli_exit_t
follow(cli_t *cli, const Valion__V1__SubmitRunReply *accepted)
{
    char text[VLN_ID_TEXT];
    if (accepted->run_id.len != VLN_ID_BYTES) {
        return cli_fail(CLI_FAILED, "the reply has no run; see 'valion run list'");
    }
    vln_id_format(accepted->run_id.data, text);
    if (cli_args_has(&cli->args, "no-wait")) {
        puts(text);
        return CLI_OK;
    }
    fprintf(stderr, "run %s\n", text);
    return watch(cli, accepted->run_id.data);
}

cli_exit_t
cmd_run_start(cli_t *cli)
{
    Valion__V1__SubmitRunRequest message = VALION__V1__SUBMIT_RUN_REQUEST__INIT;
    params_t *params = vln_calloc(1, sizeof *params);
    cli_exit_t code = CLI_USAGE;
    if (take_params(cli, params)) {
        vln_reply_t reply;
        message.pipeline = cli_text_word(cli, 0);
        message.params = params->pointers;
        message.n_params = params->count;
        const cli_request_t request = {.service = "orchestrator",
                                       .method = "SubmitRun",
                                       .message = &message.base,
                                       .hint = pipeline_hint};
        code = cli_call(cli, &request, &reply);
        if (code == CLI_OK) {
            code = follow(cli, (const void *)reply.message);
        }
        vln_reply_wipe(&reply);
    }
    free(params);
    return code;
}

cli_exit_t
cmd_run_watch(cli_t *cli)
{
    uint8_t id[VLN_ID_BYTES];
    if (!cli_parse_id(cli_args_word(&cli->args, 0), id)) {
        return CLI_USAGE;
    }
    cli_exit_t code = cli_open(cli);
    return code == CLI_OK ? watch(cli, id) : code;
}

static const cli_column_t run_columns[] = {
    {"RUN", "run_id"},           {"PIPELINE", "pipeline"},   {"STATE", "state"},
    {"STAGE", "current_stage"},  {"SUBMITTER", "submitter"}, {"SUBMITTED", "submitted_us"},
    {"FINISHED", "finished_us"}, {"ERROR", "error"},         {NULL, NULL}};

cli_exit_t
cmd_run_list(cli_t *cli)
{
    Valion__V1__ListRunsRequest message = VALION__V1__LIST_RUNS_REQUEST__INIT;
    int state = 0;
    if (!cli_enum_option(cli, "state", &valion__v1__run_state__descriptor, &state)) {
        return CLI_USAGE;
    }
    message.pipeline = cli_text_option(cli, "pipeline");
    message.has_state = state != 0;
    message.state = (Valion__V1__RunState)state;
    const cli_pages_t pages = {.service = "orchestrator",
                               .method = "ListRuns",
                               .message = &message.base,
                               .columns = run_columns,
                               .empty = "no runs"};
    return cli_call_pages(cli, &pages);
}

cli_exit_t
cmd_run_show(cli_t *cli)
{
    Valion__V1__GetRunRequest message = VALION__V1__GET_RUN_REQUEST__INIT;
    uint8_t id[VLN_ID_BYTES];
    if (!cli_parse_id(cli_args_word(&cli->args, 0), id)) {
        return CLI_USAGE;
    }
    message.has_run_id = 1;
    message.run_id = (ProtobufCBinaryData){sizeof id, id};
    const cli_request_t request = {
        .service = "orchestrator", .method = "GetRun", .message = &message.base, .hint = run_hint};
    return cli_call_and_show(cli, &request, "run");
}

static cli_exit_t
change(cli_t *cli, Valion__V1__RunChange what)
{
    Valion__V1__ChangeRunRequest message = VALION__V1__CHANGE_RUN_REQUEST__INIT;
    uint8_t id[VLN_ID_BYTES];
    if (!cli_parse_id(cli_args_word(&cli->args, 0), id)) {
        return CLI_USAGE;
    }
    message.has_run_id = message.has_change = 1;
    message.run_id = (ProtobufCBinaryData){sizeof id, id};
    message.change = what;
    message.reason = cli_text_option(cli, "reason");
    const cli_request_t request = {.service = "orchestrator",
                                   .method = "ChangeRun",
                                   .message = &message.base,
                                   .hint = run_hint};
    return cli_call_and_show(cli, &request, "run");
}

cli_exit_t
cmd_run_cancel(cli_t *cli)
{
    return change(cli, VALION__V1__RUN_CHANGE__RUN_CHANGE_CANCEL);
}

cli_exit_t
cmd_run_pause(cli_t *cli)
{
    return change(cli, VALION__V1__RUN_CHANGE__RUN_CHANGE_PAUSE);
}

cli_exit_t
cmd_run_resume(cli_t *cli)
{
    return change(cli, VALION__V1__RUN_CHANGE__RUN_CHANGE_RESUME);
}

/* ---- logs ---- */

static size_t
print_lines(const Valion__V1__ReadLogReply *reply)
{
    for (size_t i = 0; i < reply->n_lines; i++) {
        const Valion__V1__LogLine *line = reply->lines[i];
        char when[CLI_VALUE_MAX];
        cli_format_field(&line->base, "time_us", when, sizeof when);
        printf("%s %s %s\n", when, line->level ? line->level : "", line->text ? line->text : "");
    }
    return reply->n_lines;
}

cli_exit_t
cmd_logs(cli_t *cli)
{
    Valion__V1__ReadLogRequest message = VALION__V1__READ_LOG_REQUEST__INIT;
    uint8_t id[VLN_ID_BYTES];
    bool wait = cli_args_has(&cli->args, "follow");
    bool more = true;
    cli_exit_t code = CLI_OK;
    if (!cli_parse_id(cli_args_word(&cli->args, 0), id)) {
        return CLI_USAGE;
    }
    message.has_task_id = message.has_after = 1;
    message.task_id = (ProtobufCBinaryData){sizeof id, id};
    message.has_wait_ms = wait;
    message.wait_ms = LOG_WAIT_MS;
    const cli_request_t request = {.service = "orchestrator",
                                   .method = "ReadLog",
                                   .message = &message.base,
                                   .hint = "valion job list",
                                   .timeout_ms = WATCH_MS,
                                   .attempt_ms = WATCH_MS};
    while (code == CLI_OK && more && !*cli->stop) {
        vln_reply_t reply;
        code = cli_call(cli, &request, &reply);
        if (code == CLI_OK) {
            const Valion__V1__ReadLogReply *answer = (const void *)reply.message;
            more = print_lines(answer) > 0 || wait;
            message.after = answer->next;
        }
        vln_reply_wipe(&reply);
    }
    return code;
}
