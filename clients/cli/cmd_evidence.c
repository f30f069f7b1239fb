/* report, policy: what was found, and what is asked for. */
#include <stdlib.h>
#include <string.h>
#include <valion/v1/registry.pb-c.h>

#include "vln_json.h"
#include "vln_yaml.h"

#include "cli.h"
#include "cli_reference.h"

enum { POLICY_MAX = 256 * 1024, POLICY_BUDGET = 4 * 1024 * 1024 };

static const cli_column_t report_columns[] = {
    {"REPORT", "report_id"}, {"MODEL", "model"},       {"VERSION", "version"},
    {"VERDICT", "verdict"},  {"POLICY", "policy"},     {"ROWS", "rows"},
    {"WHEN", "finished_us"}, {"SENTENCE", "sentence"}, {NULL, NULL}};

cli_exit_t
cmd_report_list(cli_t *cli)
{
    Valion__V1__ListReportsRequest message = VALION__V1__LIST_REPORTS_REQUEST__INIT;
    cli_reference_t version;
    cli_reference_parse(cli_args_word(&cli->args, 0), &version);
    message.model = version.model;
    message.version = version.version;
    const cli_pages_t pages = {.service = "registry",
                               .method = "ListReports",
                               .message = &message.base,
                               .columns = report_columns,
                               .empty = "no reports; 'valion validate' makes one"};
    return cli_call_pages(cli, &pages);
}

static const cli_column_t check_columns[] = {{"CHECK", "name"},
                                             {"STATUS", "status"},
                                             {"STATISTIC", "statistic_name"},
                                             {"VALUE", "statistic"},
                                             {"LIMIT", "threshold"},
                                             {"N", "n"},
                                             {"SENTENCE", "sentence"},
                                             {NULL, NULL}};

/* For people: the verdict, then a line for each check. */
static void
show_report(const cli_t *cli, const Valion__V1__Report *report)
{
    printf("%s%s@%s%s: %s\n\n", cli_bold(cli), report->model, report->version, cli_plain(cli),
           report->sentence ? report->sentence : "");
    cli_list_t *list = cli_list_new(cli->form, check_columns, cli->color, stdout);
    for (size_t i = 0; i < report->n_checks; i++) {
        cli_list_add(list, &report->checks[i]->base);
    }
    cli_list_end(&list, "no checks");
    printf("\n");
    for (size_t i = 0; i < report->n_metrics; i++) {
        printf("%-20s %.6g\n", report->metrics[i]->key, report->metrics[i]->value);
    }
    for (size_t i = 0; i < report->n_recommendations; i++) {
        printf("- %s\n", report->recommendations[i]);
    }
}

cli_exit_t
cmd_report_show(cli_t *cli)
{
    Valion__V1__GetReportRequest message = VALION__V1__GET_REPORT_REQUEST__INIT;
    uint8_t id[VLN_ID_BYTES];
    if (!cli_parse_id(cli_args_word(&cli->args, 0), id)) {
        return CLI_USAGE;
    }
    message.has_report_id = 1;
    message.report_id = (ProtobufCBinaryData){sizeof id, id};
    const cli_request_t request = {.service = "registry",
                                   .method = "GetReport",
                                   .message = &message.base,
                                   .hint = "valion report list MODEL"};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        Valion__V1__Report *report = ((Valion__V1__GetReportReply *)(void *)reply.message)->report;
        if (cli->form == CLI_FORM_TABLE && report) {
            show_report(cli, report);
        } else if (report) {
            cli_show(cli->form, &report->base, stdout);
        }
    }
    vln_reply_wipe(&reply);
    return code;
}

static const cli_column_t policy_columns[] = {{"POLICY", "name"},
                                              {"VERSION", "version"},
                                              {"TASK", "task"},
                                              {"MODEL", "model"},
                                              {"STAGE", "stage"},
                                              {"ENVIRONMENT", "environment"},
                                              {"NEEDS", "min_status"},
                                              {"DESCRIPTION", "description"},
                                              {NULL, NULL}};

cli_exit_t
cmd_policy_list(cli_t *cli)
{
    Valion__V1__ListPoliciesRequest message = VALION__V1__LIST_POLICIES_REQUEST__INIT;
    const cli_pages_t pages = {.service = "registry",
                               .method = "ListPolicies",
                               .message = &message.base,
                               .columns = policy_columns,
                               .empty = "no policies"};
    return cli_call_pages(cli, &pages);
}

cli_exit_t
cmd_policy_show(cli_t *cli)
{
    Valion__V1__GetPolicyRequest message = VALION__V1__GET_POLICY_REQUEST__INIT;
    message.name = cli_text_word(cli, 0);
    const cli_request_t request = {.service = "registry",
                                   .method = "GetPolicy",
                                   .message = &message.base,
                                   .hint = "valion policy list"};
    return cli_call_and_show(cli, &request, "policy");
}

/* A Policy as people write it, in YAML, or as 'valion policy show -o json' prints it. */
static cli_exit_t
read_policy(const char *text, size_t size, vln_arena_t *arena, Valion__V1__Policy **out)
{
    vln_json_error_t error;
    ProtobufCMessage *policy = NULL;
    bool is_json = text[strspn(text, " \t\r\n")] == '{';
    char *json = NULL;
    size_t json_size = 0;
    vln_err_t err = is_json ? VLN_OK : vln_yaml_to_json(text, size, &json, &json_size, &error);
    if (err == VLN_OK) {
        err = vln_json_parse(&valion__v1__policy__descriptor, is_json ? text : json,
                             is_json ? size : json_size, arena, &policy, &error);
    }
    free(json);
    if (err != VLN_OK) {
        return cli_fail(CLI_USAGE, "the policy: %s", error.why);
    }
    *out = (Valion__V1__Policy *)policy;
    if (!is_json && !(*out)->source) {
        (*out)->source = (char *)(uintptr_t)text;
    }
    return CLI_OK;
}

cli_exit_t
cmd_policy_put(cli_t *cli)
{
    size_t size = 0;
    char *text = cli_read_value(cli_args_word(&cli->args, 0), POLICY_MAX, &size);
    if (!text) {
        return CLI_USAGE;
    }
    vln_arena_t *arena = vln_arena_new(POLICY_BUDGET);
    Valion__V1__PutPolicyRequest message = VALION__V1__PUT_POLICY_REQUEST__INIT;
    cli_exit_t code = read_policy(text, size, arena, &message.policy);
    if (code == CLI_OK) {
        const cli_request_t request = {
            .service = "registry", .method = "PutPolicy", .message = &message.base};
        code = cli_call_and_show(cli, &request, "policy");
    }
    vln_arena_destroy(&arena);
    free(text);
    return code;
}
