/* deploy, rollback, rollout, endpoint, host: what serves, and how it came to. */
#include <string.h>
#include <valion/v1/deployer.pb-c.h>

#include "cli.h"
#include "cli_format.h"
#include "cli_reference.h"

enum { WATCH_MS = 10000, FIRST_PAUSE_MS = 250 };

static const char hint[] = "valion rollout list";

#define S(name) VALION__V1__ROLLOUT_STATE__ROLLOUT_STATE_##name

/* ---- following ---- */

static bool
serves(Valion__V1__RolloutState state)
{
    return state == S(LIVE) || state == S(WATCHING) || state == S(DONE);
}

static bool
is_settled(Valion__V1__RolloutState state)
{
    return serves(state) || state == S(ROLLED_BACK) || state == S(FAILED);
}

/* A line for each decision that is new. */
static void
say_decisions(const Valion__V1__Rollout *rollout)
{
    for (size_t i = 0; i < rollout->n_decisions; i++) {
        const Valion__V1__Decision *decision = rollout->decisions[i];
        char state[CLI_VALUE_MAX];
        cli_format_field(&decision->base, "to_state", state, sizeof state);
        fprintf(stderr, "%-11s %s\n", state, decision->reason ? decision->reason : "");
    }
}

static cli_exit_t
end_watch(const cli_t *cli, Valion__V1__Rollout *rollout)
{
    if (!serves(rollout->state)) {
        return cli_fail(CLI_FAILED, "the rollout did not go through: %s",
                        rollout->end_reason ? rollout->end_reason : "");
    }
    if (cli->form == CLI_FORM_JSON) {
        cli_show(CLI_FORM_JSON, &rollout->base, stdout);
    } else {
        printf("%s\n", rollout->endpoint ? rollout->endpoint : "");
    }
    return CLI_OK;
}

static vln_err_t
look(cli_t *cli, const ProtobufCBinaryData *id, uint64_t after, vln_reply_t *reply)
{
    Valion__V1__WatchRolloutRequest message = VALION__V1__WATCH_ROLLOUT_REQUEST__INIT;
    message.has_rollout_id = message.has_after = message.has_wait_ms = 1;
    message.rollout_id = *id;
    message.after = after;
    message.wait_ms = WATCH_MS / 2;
    const cli_request_t request = {.service = "deployer",
                                   .method = "WatchRollout",
                                   .message = &message.base,
                                   .timeout_ms = WATCH_MS,
                                   .attempt_ms = WATCH_MS};
    return cli_try(cli, &request, reply);
}

/* Until it serves, or has ended; or Ctrl-C, which does not end it. */
static cli_exit_t
watch(cli_t *cli, const uint8_t id_bytes[VLN_ID_BYTES])
{
    const ProtobufCBinaryData id = {VLN_ID_BYTES, (uint8_t *)(uintptr_t)id_bytes};
    uint64_t after = 0;
    char text[VLN_ID_TEXT];
    while (!*cli->stop) {
        vln_reply_t reply;
        vln_err_t err = look(cli, &id, after, &reply);
        cli_exit_t code = CLI_OK;
        bool end = false;
        if (err == VLN_OK) {
            Valion__V1__Rollout *rollout =
                ((Valion__V1__WatchRolloutReply *)(void *)reply.message)->rollout;
            say_decisions(rollout);
            after = rollout->sequence;
            end = is_settled(rollout->state);
            code = end ? end_watch(cli, rollout) : CLI_OK;
        } else if (!vln_err_is_transient(err)) {
            code = cli_fail_with(cli, err, reply.why, hint);
            end = true;
        } else {
            cli_pause(cli, FIRST_PAUSE_MS);
        }
        vln_reply_wipe(&reply);
        if (end) {
            return code;
        }
    }
    fprintf(stderr, "the rollout goes on; 'valion rollout watch %s' follows it\n",
            vln_id_format(id_bytes, text));
    return CLI_INTERRUPTED;
}

static cli_exit_t
follow(cli_t *cli, const Valion__V1__Rollout *rollout)
{
    char text[VLN_ID_TEXT];
    if (!rollout || rollout->rollout_id.len != VLN_ID_BYTES) {
        return cli_fail(CLI_FAILED, "the reply has no rollout; see 'valion rollout list'");
    }
    vln_id_format(rollout->rollout_id.data, text);
    if (cli_args_has(&cli->args, "no-wait")) {
        puts(text);
        return CLI_OK;
    }
    fprintf(stderr, "rollout %s\n", text);
    return watch(cli, rollout->rollout_id.data);
}

/* ---- deploy, rollback ---- */

static bool
take_numbers(cli_t *cli, Valion__V1__RolloutSpec *spec)
{
    int64_t replicas = 0;
    bool good = cli_args_number(&cli->args, "replicas", 1, 16, 1, &replicas) &&
                cli_args_duration(&cli->args, "keep-warm", 0, &spec->keep_warm_ms) &&
                cli_args_duration(&cli->args, "ready-within", 0, &spec->health_check_timeout_ms);
    if (!good) {
        cli_fail(CLI_USAGE, "%s", cli->args.why);
    }
    spec->has_min_replicas = cli_args_has(&cli->args, "replicas");
    spec->min_replicas = (uint32_t)replicas;
    spec->has_keep_warm_ms = cli_args_has(&cli->args, "keep-warm");
    spec->has_health_check_timeout_ms = cli_args_has(&cli->args, "ready-within");
    return good;
}

cli_exit_t
cmd_deploy(cli_t *cli)
{
    Valion__V1__CreateRolloutRequest message = VALION__V1__CREATE_ROLLOUT_REQUEST__INIT;
    Valion__V1__RolloutSpec spec = VALION__V1__ROLLOUT_SPEC__INIT;
    cli_reference_t version;
    char alias[300];
    cli_reference_parse(cli_args_word(&cli->args, 0), &version);
    if ((!version.version && !version.alias) || !cli_args_has(&cli->args, "to")) {
        return cli_fail(CLI_USAGE, "MODEL@VERSION --to ENVIRONMENT is wanted, such as "
                                   "houses@1.0.0 --to staging");
    }
    snprintf(alias, sizeof alias, "@%s", version.alias ? version.alias : "");
    spec.model = version.model;
    spec.version = version.version ? version.version : alias;
    spec.environment = cli_text_option(cli, "to");
    spec.memory_limit = cli_text_option(cli, "memory");
    spec.reason = cli_text_option(cli, "reason");
    spec.has_queue = spec.queue = cli_args_has(&cli->args, "queue");
    if (!take_numbers(cli, &spec)) {
        return CLI_USAGE;
    }
    message.spec = &spec;
    message.has_dry_run = message.dry_run = cli_args_has(&cli->args, "dry-run");
    const cli_request_t request = {
        .service = "deployer", .method = "CreateRollout", .message = &message.base};
    if (message.dry_run) {
        return cli_call_and_show(cli, &request, "rollout");
    }
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        code = follow(cli, ((Valion__V1__CreateRolloutReply *)(void *)reply.message)->rollout);
    }
    vln_reply_wipe(&reply);
    return code;
}

cli_exit_t
cmd_rollback(cli_t *cli)
{
    Valion__V1__RollbackRequest message = VALION__V1__ROLLBACK_REQUEST__INIT;
    int64_t revision = 0;
    message.model = cli_text_word(cli, 0);
    message.environment = cli_text_option(cli, "in");
    message.reason = cli_text_option(cli, "reason");
    if (!message.environment) {
        return cli_fail(CLI_USAGE, "--in ENVIRONMENT is wanted");
    }
    if (!cli_args_number(&cli->args, "revision", 1, INT64_MAX, 0, &revision)) {
        return cli_fail(CLI_USAGE, "%s", cli->args.why);
    }
    message.has_revision = cli_args_has(&cli->args, "revision");
    message.revision = (uint64_t)revision;
    const cli_request_t request = {
        .service = "deployer", .method = "Rollback", .message = &message.base};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        code = follow(cli, ((Valion__V1__RollbackReply *)(void *)reply.message)->rollout);
    }
    vln_reply_wipe(&reply);
    return code;
}

/* ---- rollouts ---- */

static const cli_column_t rollout_columns[] = {{"ROLLOUT", "rollout_id"},
                                               {"MODEL", "spec.model"},
                                               {"VERSION", "spec.version"},
                                               {"ENVIRONMENT", "spec.environment"},
                                               {"STATE", "state"},
                                               {"BY", "actor"},
                                               {"WHEN", "created_us"},
                                               {"ERROR", "error"},
                                               {NULL, NULL}};

cli_exit_t
cmd_rollout_list(cli_t *cli)
{
    Valion__V1__ListRolloutsRequest message = VALION__V1__LIST_ROLLOUTS_REQUEST__INIT;
    message.environment = cli_text_option(cli, "in");
    message.model = cli_text_option(cli, "model");
    message.has_active = message.active = cli_args_has(&cli->args, "active");
    const cli_pages_t pages = {.service = "deployer",
                               .method = "ListRollouts",
                               .message = &message.base,
                               .columns = rollout_columns,
                               .empty = "no rollouts"};
    return cli_call_pages(cli, &pages);
}

cli_exit_t
cmd_rollout_show(cli_t *cli)
{
    Valion__V1__GetRolloutRequest message = VALION__V1__GET_ROLLOUT_REQUEST__INIT;
    uint8_t id[VLN_ID_BYTES];
    if (!cli_parse_id(cli_args_word(&cli->args, 0), id)) {
        return CLI_USAGE;
    }
    message.has_rollout_id = 1;
    message.rollout_id = (ProtobufCBinaryData){sizeof id, id};
    const cli_request_t request = {
        .service = "deployer", .method = "GetRollout", .message = &message.base, .hint = hint};
    return cli_call_and_show(cli, &request, "rollout");
}

cli_exit_t
cmd_rollout_watch(cli_t *cli)
{
    uint8_t id[VLN_ID_BYTES];
    if (!cli_parse_id(cli_args_word(&cli->args, 0), id)) {
        return CLI_USAGE;
    }
    cli_exit_t code = cli_open(cli);
    return code == CLI_OK ? watch(cli, id) : code;
}

static cli_exit_t
change(cli_t *cli, Valion__V1__RolloutChange what)
{
    Valion__V1__ChangeRolloutRequest message = VALION__V1__CHANGE_ROLLOUT_REQUEST__INIT;
    uint8_t id[VLN_ID_BYTES];
    if (!cli_parse_id(cli_args_word(&cli->args, 0), id)) {
        return CLI_USAGE;
    }
    message.has_rollout_id = message.has_change = 1;
    message.rollout_id = (ProtobufCBinaryData){sizeof id, id};
    message.change = what;
    message.reason = cli_text_option(cli, "reason");
    const cli_request_t request = {
        .service = "deployer", .method = "ChangeRollout", .message = &message.base, .hint = hint};
    return cli_call_and_show(cli, &request, "rollout");
}

cli_exit_t
cmd_rollout_abort(cli_t *cli)
{
    return change(cli, VALION__V1__ROLLOUT_CHANGE__ROLLOUT_CHANGE_ABORT);
}

cli_exit_t
cmd_rollout_pause(cli_t *cli)
{
    return change(cli, VALION__V1__ROLLOUT_CHANGE__ROLLOUT_CHANGE_PAUSE);
}

cli_exit_t
cmd_rollout_resume(cli_t *cli)
{
    return change(cli, VALION__V1__ROLLOUT_CHANGE__ROLLOUT_CHANGE_RESUME);
}

/* ---- endpoints, hosts ---- */

static const cli_column_t endpoint_columns[] = {{"ENVIRONMENT", "environment"},
                                                {"MODEL", "model"},
                                                {"VERSION", "stable.version"},
                                                {"READY", "stable.replicas_ready"},
                                                {"OF", "stable.replicas_wanted"},
                                                {"REVISION", "revision"},
                                                {"WARM", "others.version"},
                                                {"URL", "url"},
                                                {NULL, NULL}};

cli_exit_t
cmd_endpoint_list(cli_t *cli)
{
    Valion__V1__ListEndpointsRequest message = VALION__V1__LIST_ENDPOINTS_REQUEST__INIT;
    message.environment = cli_text_option(cli, "in");
    const cli_pages_t pages = {.service = "deployer",
                               .method = "ListEndpoints",
                               .message = &message.base,
                               .columns = endpoint_columns,
                               .empty = "nothing is served; 'valion deploy' changes that"};
    return cli_call_pages(cli, &pages);
}

static const cli_column_t revision_columns[] = {
    {"REVISION", "number"}, {"VERSION", "version"}, {"FROM", "from_us"}, {"UNTIL", "until_us"},
    {"BY", "actor"},        {"WHY", "why"},         {NULL, NULL}};

cli_exit_t
cmd_endpoint_history(cli_t *cli)
{
    Valion__V1__ListRevisionsRequest message = VALION__V1__LIST_REVISIONS_REQUEST__INIT;
    message.model = cli_text_word(cli, 0);
    message.environment = cli_text_option(cli, "in");
    if (!message.environment) {
        return cli_fail(CLI_USAGE, "--in ENVIRONMENT is wanted");
    }
    const cli_pages_t pages = {.service = "deployer",
                               .method = "ListRevisions",
                               .message = &message.base,
                               .columns = revision_columns,
                               .empty = "nothing was served there"};
    return cli_call_pages(cli, &pages);
}

cli_exit_t
cmd_host_list(cli_t *cli)
{
    Valion__V1__ListHostsRequest message = VALION__V1__LIST_HOSTS_REQUEST__INIT;
    const cli_request_t request = {
        .service = "deployer", .method = "ListHosts", .message = &message.base};
    return cli_call_and_show(cli, &request, NULL);
}
