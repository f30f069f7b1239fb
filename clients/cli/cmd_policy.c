/* policy: what versions are judged by. */
#include <stdlib.h>
#include <string.h>
#include <valion/v1/registry.pb-c.h>

#include "vln_json.h"
#include "vln_yaml.h"

#include "cli.h"

enum { POLICY_MAX = 256 * 1024, POLICY_BUDGET = 4 * 1024 * 1024 };

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
