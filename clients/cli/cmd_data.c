/* data: data sets. */
#include <stdlib.h>
#include <valion/v1/registry.pb-c.h>

#include "cli.h"
#include "cli_file.h"

enum { KEY_MAX = 251 };

static const char hint[] = "valion data list";

static cli_exit_t
create(cli_t *cli, const cli_file_t *file)
{
    Valion__V1__CreateDatasetRequest message = VALION__V1__CREATE_DATASET_REQUEST__INIT;
    Valion__V1__Dataset dataset = VALION__V1__DATASET__INIT;
    Valion__V1__KeyValue delimiter = VALION__V1__KEY_VALUE__INIT;
    Valion__V1__KeyValue *options[] = {&delimiter};
    dataset.name = cli_text_word(cli, 0);
    dataset.has_digest = 1;
    dataset.digest = (ProtobufCBinaryData){VLN_DIGEST_BYTES, (uint8_t *)(uintptr_t)file->digest};
    dataset.description = cli_text_option(cli, "description");
    dataset.tags = cli_text_options(cli, "tag", &dataset.n_tags);
    delimiter.key = (char *)(uintptr_t)"delimiter";
    delimiter.value = cli_text_option(cli, "delimiter");
    dataset.options = options;
    dataset.n_options = delimiter.value ? 1 : 0;
    message.dataset = &dataset;
    const cli_request_t request = {
        .service = "registry", .method = "CreateDataset", .message = &message.base};
    cli_exit_t code = cli_call_and_show(cli, &request, "dataset");
    free(dataset.tags);
    return code;
}

cli_exit_t
cmd_data_add(cli_t *cli)
{
    cli_file_t file;
    cli_exit_t code = CLI_USAGE;
    if (cli_file_open(cli_args_word(&cli->args, 1), &file)) {
        code = cli_file_send(cli, &file);
        code = code == CLI_OK ? create(cli, &file) : code;
    }
    cli_file_close(&file);
    return code;
}

static const cli_column_t data_columns[] = {{"NAME", "name"},
                                            {"ROWS", "rows"},
                                            {"SIZE", "size_bytes"},
                                            {"AUTHOR", "author"},
                                            {"CREATED", "created_us"},
                                            {"TAGS", "tags"},
                                            {"DESCRIPTION", "description"},
                                            {NULL, NULL}};

cli_exit_t
cmd_data_list(cli_t *cli)
{
    Valion__V1__ListDatasetsRequest message = VALION__V1__LIST_DATASETS_REQUEST__INIT;
    message.text = cli_text_option(cli, "text");
    const cli_pages_t pages = {.service = "registry",
                               .method = "ListDatasets",
                               .message = &message.base,
                               .columns = data_columns,
                               .empty = "no data sets"};
    return cli_call_pages(cli, &pages);
}

cli_exit_t
cmd_data_show(cli_t *cli)
{
    Valion__V1__GetDatasetRequest message = VALION__V1__GET_DATASET_REQUEST__INIT;
    message.name = cli_text_word(cli, 0);
    const cli_request_t request = {
        .service = "registry", .method = "GetDataset", .message = &message.base, .hint = hint};
    return cli_call_and_show(cli, &request, "dataset");
}
