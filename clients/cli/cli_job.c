#include "cli_job.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vln_json.h"
#include "vln_pb.h"
#include "vln_text.h"

#include "cli_format.h"
#include "cli_kinds.h"

enum {
    ATTEMPT_MS = 10000, /* of a parked GetJob: progress is shown as often */
    FIRST_PAUSE_MS = 250,
    MAX_PAUSE_MS = 5000,
    RESULT_BUDGET = 1024 * 1024,
};

static const char hint[] = "valion job list";

static bool
is_end(Valion__V1__TaskState state)
{
    return state == VALION__V1__TASK_STATE__TASK_STATE_DONE ||
           state == VALION__V1__TASK_STATE__TASK_STATE_FAILED ||
           state == VALION__V1__TASK_STATE__TASK_STATE_CANCELLED ||
           state == VALION__V1__TASK_STATE__TASK_STATE_POISONED;
}

/* ---- showing ---- */

/* Bytes of a kind's message as that message, indented below their name. */
static void
show_typed(const char *name, const ProtobufCMessageDescriptor *type,
           const ProtobufCBinaryData *bytes)
{
    if (!type || bytes->len == 0) {
        return;
    }
    vln_arena_t *arena = vln_arena_new(RESULT_BUDGET);
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    if (vln_pb_unpack(type, bytes->data, bytes->len, arena, &message, &scan) == VLN_OK) {
        cli_show_below(name, message, stdout);
    } else {
        printf("%-22s  %zu bytes that are no %s\n", name, bytes->len, type->short_name);
    }
    vln_arena_destroy(&arena);
}

void
cli_job_show(const cli_t *cli, Valion__V1__Job *job)
{
    if (cli->form == CLI_FORM_JSON) {
        cli_show(CLI_FORM_JSON, &job->base, stdout);
        return;
    }
    const ProtobufCBinaryData spec = job->spec;
    const ProtobufCBinaryData result = job->result;
    const protobuf_c_boolean has_spec = job->has_spec;
    const protobuf_c_boolean has_result = job->has_result;
    job->has_spec = job->has_spec && !cli_kind_spec(job->kind);
    job->has_result = job->has_result && !cli_kind_result(job->kind);
    cli_show(cli->form, &job->base, stdout);
    job->has_spec = has_spec;
    job->has_result = has_result;
    show_typed("spec", cli_kind_spec(job->kind), &spec);
    show_typed("result", cli_kind_result(job->kind), &result);
}

static cli_exit_t
exit_of_job(const Valion__V1__Job *job)
{
    return job->state == VALION__V1__TASK_STATE__TASK_STATE_DONE ? CLI_OK : CLI_FAILED;
}

/* ---- following ---- */

/* One line when something changed, on stderr: standard output is for the result. */
static void
say_progress(const Valion__V1__Job *job, char last[CLI_VALUE_MAX])
{
    char state[CLI_VALUE_MAX];
    char line[CLI_VALUE_MAX];
    char text[CLI_VALUE_MAX];
    cli_format_field(&job->base, "state", state, sizeof state);
    cli_format_field(&job->base, "progress_text", text, sizeof text);
    int len = snprintf(line, sizeof line, "%s", state);
    if (job->has_progress && job->state == VALION__V1__TASK_STATE__TASK_STATE_RUNNING) {
        len += snprintf(line + len, sizeof line - (size_t)len, " %.0f %%", job->progress * 100);
    }
    if (*text) {
        snprintf(line + len, sizeof line - (size_t)len, " %.*s", 200, text);
    }
    if (strcmp(line, last) != 0) {
        fprintf(stderr, "%s\n", line);
        vln_text_copy(last, CLI_VALUE_MAX, line);
    }
}

/* One look at the job, parked while its state stays. */
static vln_err_t
look(cli_t *cli, const uint8_t *id, Valion__V1__TaskState seen, vln_reply_t *reply)
{
    Valion__V1__GetJobRequest message = VALION__V1__GET_JOB_REQUEST__INIT;
    message.has_job_id = 1;
    message.job_id = (ProtobufCBinaryData){.len = VLN_ID_BYTES, .data = (uint8_t *)(uintptr_t)id};
    message.has_wait_while = seen != 0;
    message.wait_while = seen;
    const cli_request_t request = {.service = "orchestrator",
                                   .method = "GetJob",
                                   .message = &message.base,
                                   .timeout_ms = ATTEMPT_MS,
                                   .attempt_ms = ATTEMPT_MS};
    return cli_try(cli, &request, reply);
}

/* True if the job is at its end, with `*code` then, and it has been shown. */
static bool
take_state(cli_t *cli, Valion__V1__Job *job, cli_job_shown_fn *shown, char last[CLI_VALUE_MAX],
           cli_exit_t *code)
{
    if (!job) {
        return true;
    }
    say_progress(job, last);
    if (!is_end(job->state)) {
        return false;
    }
    shown(cli, job);
    *code = exit_of_job(job);
    return true;
}

static void
pause_longer(const cli_t *cli, int64_t *pause_ms)
{
    *pause_ms = *pause_ms ? 2 * *pause_ms : FIRST_PAUSE_MS;
    *pause_ms = *pause_ms < MAX_PAUSE_MS ? *pause_ms : MAX_PAUSE_MS;
    cli_pause(cli, *pause_ms);
}

/* After a job is accepted nothing but its end, or Ctrl-C, ends the wait. */
cli_exit_t
cli_job_watch(cli_t *cli, const uint8_t id[VLN_ID_BYTES], cli_job_shown_fn *shown)
{
    char last[CLI_VALUE_MAX] = "";
    Valion__V1__TaskState seen = VALION__V1__TASK_STATE__TASK_STATE_UNSPECIFIED;
    int64_t pause_ms = 0;
    while (!*cli->stop) {
        vln_reply_t reply;
        vln_err_t err = look(cli, id, seen, &reply);
        cli_exit_t code = CLI_OK;
        bool end = false;
        if (err == VLN_OK) {
            Valion__V1__Job *job = ((Valion__V1__GetJobReply *)(void *)reply.message)->job;
            pause_ms = 0;
            seen = job ? job->state : VALION__V1__TASK_STATE__TASK_STATE_UNSPECIFIED;
            end = take_state(cli, job, shown ? shown : cli_job_show, last, &code);
        } else if (!vln_err_is_transient(err)) {
            code = cli_fail_with(cli, err, reply.why, hint);
            end = true;
        } else if (err != VLN_DEADLINE_EXCEEDED) {
            pause_longer(cli, &pause_ms);
        }
        vln_reply_wipe(&reply);
        if (end) {
            return code;
        }
    }
    char text[VLN_ID_TEXT];
    fprintf(stderr, "the job goes on; 'valion job watch %s' follows it\n", vln_id_format(id, text));
    return CLI_INTERRUPTED;
}

/* ---- commands that are a job ---- */

void
cli_job_show_result(const cli_t *cli, const Valion__V1__Job *job)
{
    const ProtobufCMessageDescriptor *type = cli_kind_result(job->kind);
    vln_arena_t *arena = vln_arena_new(RESULT_BUDGET);
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    if (type &&
        vln_pb_unpack(type, job->result.data, job->result.len, arena, &message, &scan) == VLN_OK) {
        cli_show(cli->form, message, stdout);
    }
    vln_arena_destroy(&arena);
}

static void
show_result(const cli_t *cli, Valion__V1__Job *job)
{
    char id[VLN_ID_TEXT];
    if (job->state == VALION__V1__TASK_STATE__TASK_STATE_DONE) {
        cli_job_show_result(cli, job);
        return;
    }
    fprintf(stderr, "valion: %s: %s (job %s)\n", job->kind,
            job->error && job->error[0] ? job->error : "it did not end well",
            job->job_id.len == VLN_ID_BYTES ? vln_id_format(job->job_id.data, id) : "?");
}

static cli_exit_t
follow(cli_t *cli, const Valion__V1__SubmitJobReply *accepted)
{
    char id[VLN_ID_TEXT];
    if (accepted->job_id.len != VLN_ID_BYTES) {
        return cli_fail(CLI_FAILED, "the job was accepted, but the reply does not say its id; see "
                                    "'valion job list'");
    }
    vln_id_format(accepted->job_id.data, id);
    if (cli_args_has(&cli->args, "no-wait")) {
        puts(id);
        return CLI_OK;
    }
    fprintf(stderr, "job %s\n", id);
    return cli_job_watch(cli, accepted->job_id.data, show_result);
}

cli_exit_t
cli_job_run(cli_t *cli, const char *kind, const ProtobufCMessage *spec)
{
    Valion__V1__SubmitJobRequest message = VALION__V1__SUBMIT_JOB_REQUEST__INIT;
    vln_arena_t *arena = vln_arena_new(RESULT_BUDGET);
    vln_reply_t reply;
    message.kind = (char *)(uintptr_t)kind;
    message.has_spec = 1;
    message.spec.data = vln_pb_pack(spec, arena, &message.spec.len);
    const cli_request_t request = {
        .service = "orchestrator", .method = "SubmitJob", .message = &message.base};
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        code = follow(cli, (const void *)reply.message);
    }
    vln_reply_wipe(&reply);
    vln_arena_destroy(&arena);
    return code;
}
