/* model: names in the registry. */
#include <stdlib.h>
#include <valion/v1/registry.pb-c.h>

#include "cli.h"

static const char hint[] = "valion model list";

cli_exit_t
cmd_model_create(cli_t *cli)
{
    Valion__V1__CreateModelRequest message = VALION__V1__CREATE_MODEL_REQUEST__INIT;
    message.name = cli_text_word(cli, 0);
    message.description = cli_text_option(cli, "description");
    message.algorithm = cli_text_option(cli, "algorithm");
    message.framework = cli_text_option(cli, "framework");
    message.tags = cli_text_options(cli, "tag", &message.n_tags);
    const cli_request_t request = {
        .service = "registry", .method = "CreateModel", .message = &message.base};
    cli_exit_t code = cli_call_and_show(cli, &request, "model");
    free(message.tags);
    return code;
}

static const cli_column_t model_columns[] = {{"NAME", "name"},
                                             {"LATEST", "latest_version"},
                                             {"VERSIONS", "versions"},
                                             {"AUTHOR", "author"},
                                             {"UPDATED", "updated_us"},
                                             {"TAGS", "tags"},
                                             {"DESCRIPTION", "description"},
                                             {NULL, NULL}};

cli_exit_t
cmd_model_list(cli_t *cli)
{
    Valion__V1__ListModelsRequest message = VALION__V1__LIST_MODELS_REQUEST__INIT;
    int stage;
    int order;
    if (!cli_enum_option(cli, "stage", &valion__v1__stage__descriptor, &stage) ||
        !cli_enum_option(cli, "order", &valion__v1__list_order__descriptor, &order)) {
        return CLI_USAGE;
    }
    message.text = cli_text_option(cli, "text");
    message.tag = cli_text_option(cli, "tag");
    message.author = cli_text_option(cli, "author");
    message.algorithm = cli_text_option(cli, "algorithm");
    message.framework = cli_text_option(cli, "framework");
    message.has_order = order != 0;
    message.order = (Valion__V1__ListOrder)order;
    message.has_descending = message.descending = cli_args_has(&cli->args, "descending");
    message.has_stage = stage != 0;
    message.stage = (Valion__V1__Stage)stage;
    const cli_pages_t pages = {.service = "registry",
                               .method = "ListModels",
                               .message = &message.base,
                               .columns = model_columns,
                               .empty = "no models"};
    return cli_call_pages(cli, &pages);
}

cli_exit_t
cmd_model_show(cli_t *cli)
{
    Valion__V1__GetModelRequest message = VALION__V1__GET_MODEL_REQUEST__INIT;
    message.name = cli_text_word(cli, 0);
    const cli_request_t request = {
        .service = "registry", .method = "GetModel", .message = &message.base, .hint = hint};
    return cli_call_and_show(cli, &request, "model");
}

cli_exit_t
cmd_model_update(cli_t *cli)
{
    Valion__V1__UpdateModelRequest message = VALION__V1__UPDATE_MODEL_REQUEST__INIT;
    int64_t revision = 0;
    if (!cli_args_number(&cli->args, "revision", 0, INT64_MAX, 0, &revision)) {
        return cli_fail(CLI_USAGE, "%s", cli->args.why);
    }
    message.has_expected_revision = cli_args_has(&cli->args, "revision");
    message.expected_revision = (uint64_t)revision;
    message.name = cli_text_word(cli, 0);
    message.description = cli_text_option(cli, "description");
    message.add_tags = cli_text_options(cli, "add-tag", &message.n_add_tags);
    message.remove_tags = cli_text_options(cli, "remove-tag", &message.n_remove_tags);
    const cli_request_t request = {
        .service = "registry", .method = "UpdateModel", .message = &message.base, .hint = hint};
    cli_exit_t code = cli_call_and_show(cli, &request, "model");
    free(message.add_tags);
    free(message.remove_tags);
    return code;
}

cli_exit_t
cmd_model_delete(cli_t *cli)
{
    Valion__V1__DeleteModelRequest message = VALION__V1__DELETE_MODEL_REQUEST__INIT;
    message.name = cli_text_word(cli, 0);
    const cli_request_t request = {
        .service = "registry", .method = "DeleteModel", .message = &message.base, .hint = hint};
    return cli_call_and_show(cli, &request, NULL);
}
