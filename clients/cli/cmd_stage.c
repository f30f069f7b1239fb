/* version promote, archive, alias, delete, history: what a version is allowed to be. */
#include <string.h>
#include <valion/v1/registry.pb-c.h>

#include "cli.h"
#include "cli_reference.h"

static const char hint[] = "valion version list --model MODEL";

/* A version that is named; false with a sentence. */
static bool
take_version(cli_t *cli, cli_reference_t *out)
{
    cli_reference_parse(cli_args_word(&cli->args, 0), out);
    if (!out->version) {
        cli_fail(CLI_USAGE, "MODEL@VERSION is wanted, such as houses@1.0.0");
    }
    return out->version != NULL;
}

static bool
stage_of(const char *text, Valion__V1__Stage *out)
{
    static const char *const names[] = {"development", "staging", "production", "archived"};
    for (size_t i = 0; i < VLN_COUNT(names); i++) {
        if (strcmp(names[i], text) == 0) {
            *out = (Valion__V1__Stage)(i + 1);
            return true;
        }
    }
    cli_fail(CLI_USAGE, "\"%.40s\" is no stage: development, staging, production or archived",
             text);
    return false;
}

cli_exit_t
cmd_version_promote(cli_t *cli)
{
    Valion__V1__PromoteRequest message = VALION__V1__PROMOTE_REQUEST__INIT;
    cli_reference_t version;
    int conflict = 0;
    if (!take_version(cli, &version) || !stage_of(cli_args_word(&cli->args, 1), &message.stage) ||
        !cli_enum_option(cli, "on-conflict", &valion__v1__on_conflict__descriptor, &conflict)) {
        return CLI_USAGE;
    }
    message.model = version.model;
    message.version = version.version;
    message.has_stage = 1;
    message.has_on_conflict = conflict != 0;
    message.on_conflict = (Valion__V1__OnConflict)conflict;
    message.reason = cli_text_option(cli, "reason");
    message.has_restore = message.restore = cli_args_has(&cli->args, "restore");
    const cli_request_t request = {
        .service = "registry", .method = "Promote", .message = &message.base, .hint = hint};
    return cli_call_and_show(cli, &request, NULL);
}

cli_exit_t
cmd_version_alias(cli_t *cli)
{
    Valion__V1__SetAliasRequest message = VALION__V1__SET_ALIAS_REQUEST__INIT;
    cli_reference_t version;
    cli_reference_parse(cli_args_word(&cli->args, 0), &version);
    message.model = version.model;
    message.version = version.version;
    message.alias = cli_text_word(cli, 1);
    if (!version.version && !cli_args_has(&cli->args, "remove")) {
        return cli_fail(CLI_USAGE, "MODEL@VERSION ALIAS, or MODEL ALIAS --remove");
    }
    const cli_request_t request = {
        .service = "registry", .method = "SetAlias", .message = &message.base, .hint = hint};
    return cli_call_and_show(cli, &request, NULL);
}

cli_exit_t
cmd_version_delete(cli_t *cli)
{
    Valion__V1__DeleteVersionRequest message = VALION__V1__DELETE_VERSION_REQUEST__INIT;
    cli_reference_t version;
    if (!take_version(cli, &version)) {
        return CLI_USAGE;
    }
    message.model = version.model;
    message.version = version.version;
    const cli_request_t request = {
        .service = "registry", .method = "DeleteVersion", .message = &message.base, .hint = hint};
    return cli_call_and_show(cli, &request, NULL);
}

static const cli_column_t history_columns[] = {
    {"VERSION", "version"},  {"FROM", "from"}, {"TO", "to"},
    {"WHEN", "time_us"},     {"BY", "actor"},  {"WHY", "reason"},
    {"REPORT", "report_id"}, {NULL, NULL}};

cli_exit_t
cmd_version_history(cli_t *cli)
{
    Valion__V1__GetHistoryRequest message = VALION__V1__GET_HISTORY_REQUEST__INIT;
    message.model = cli_text_word(cli, 0);
    const cli_pages_t pages = {.service = "registry",
                               .method = "GetHistory",
                               .message = &message.base,
                               .columns = history_columns,
                               .empty = "no version has changed its stage",
                               .hint = hint};
    return cli_call_pages(cli, &pages);
}
