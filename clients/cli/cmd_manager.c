/*
 * The version manager: valion version suggest, compare, check-range, rule, changelog.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valion/v1/registry.pb-c.h>

#include "cli.h"
#include "cli_change.h"

static const char hint[] = "valion version list --model MODEL";

/* A word that begins with a digit is a version, any other a model. */
static bool
is_version(const char *word)
{
    return word[0] >= '0' && word[0] <= '9';
}

cli_exit_t
cmd_version_suggest(cli_t *cli)
{
    Valion__V1__SuggestVersionRequest message = VALION__V1__SUGGEST_VERSION_REQUEST__INIT;
    Valion__V1__ChangeContext context = VALION__V1__CHANGE_CONTEXT__INIT;
    char *word = cli_text_word(cli, 0);
    int scheme = 0;
    bool any = false;
    if (!cli_change_take(cli, &context, &any) ||
        !cli_enum_option(cli, "scheme", &valion__v1__version_scheme__descriptor, &scheme)) {
        return CLI_USAGE;
    }
    message.current = cli_text_option(cli, "from");
    message.compare_with = cli_text_option(cli, "compare-with");
    if (is_version(word) && (message.current || message.compare_with)) {
        return cli_fail(CLI_USAGE,
                        "--from and --compare-with go with a MODEL, \"%.64s\" is a "
                        "version",
                        word);
    }
    *(is_version(word) ? &message.current : &message.model) = word;
    message.context = &context;
    message.has_scheme = scheme != 0;
    message.scheme = (Valion__V1__VersionScheme)scheme;
    const cli_request_t request = {.service = "registry",
                                   .method = "SuggestVersion",
                                   .message = &message.base,
                                   .hint = "valion model list"};
    return cli_call_and_show(cli, &request, NULL);
}

cli_exit_t
cmd_version_compare(cli_t *cli)
{
    Valion__V1__CompareVersionsRequest message = VALION__V1__COMPARE_VERSIONS_REQUEST__INIT;
    int level = 0;
    if (!cli_enum_option(cli, "level", &valion__v1__compatibility_level__descriptor, &level)) {
        return CLI_USAGE;
    }
    message.left = cli_text_word(cli, 0);
    message.right = cli_text_word(cli, 1);
    message.model = cli_text_option(cli, "model");
    message.has_level = level != 0;
    message.level = (Valion__V1__CompatibilityLevel)level;
    const cli_request_t request = {
        .service = "registry", .method = "CompareVersions", .message = &message.base, .hint = hint};
    return cli_call_and_show(cli, &request, NULL);
}

cli_exit_t
cmd_version_check_range(cli_t *cli)
{
    Valion__V1__CheckRangeRequest message = VALION__V1__CHECK_RANGE_REQUEST__INIT;
    char *versions[CLI_WORDS_MAX];
    message.range = cli_text_word(cli, 0);
    message.versions = versions;
    for (size_t i = 1; i < cli->args.word_count; i++) {
        versions[message.n_versions++] = cli_text_word(cli, i);
    }
    message.has_include_prerelease = message.include_prerelease =
        cli_args_has(&cli->args, "prerelease");
    const cli_request_t request = {
        .service = "registry", .method = "CheckRange", .message = &message.base};
    return cli_call_and_show(cli, &request, NULL);
}

/* ---- rules ---- */

static const cli_column_t rule_columns[] = {
    {"ORDER", "order"}, {"RULE", "name"},     {"KEY", "key"}, {"ABOVE", "threshold"},
    {"BUMP", "bump"},   {"BY", "changed_by"}, {NULL, NULL}};

static cli_exit_t
list_rules(cli_t *cli)
{
    Valion__V1__ListVersionRulesRequest message = VALION__V1__LIST_VERSION_RULES_REQUEST__INIT;
    const cli_request_t request = {
        .service = "registry", .method = "ListVersionRules", .message = &message.base};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        const Valion__V1__ListVersionRulesReply *found = (const void *)reply.message;
        cli_list_t *list = cli_list_new(cli->form, rule_columns, cli->color, stdout);
        for (size_t i = 0; i < found->n_rules; i++) {
            cli_list_add(list, &found->rules[i]->base);
        }
        cli_list_end(&list, "no rules: every change is a patch");
    }
    vln_reply_wipe(&reply);
    return code;
}

static cli_exit_t
send_rule(cli_t *cli, Valion__V1__VersionRule *rule, bool removed)
{
    Valion__V1__PutVersionRuleRequest message = VALION__V1__PUT_VERSION_RULE_REQUEST__INIT;
    message.rule = rule;
    message.has_remove = message.remove = removed;
    const cli_request_t request = {.service = "registry",
                                   .method = "PutVersionRule",
                                   .message = &message.base,
                                   .hint = "valion version rule list"};
    return cli_call_and_show(cli, &request, "rule");
}

static cli_exit_t
put_rule(cli_t *cli, Valion__V1__VersionRule *rule)
{
    const char *above = cli_args_get(&cli->args, "above");
    int64_t order = 0;
    int bump = 0;
    char *end = NULL;
    if (!cli_args_number(&cli->args, "order", 1, 9999, 0, &order)) {
        return cli_fail(CLI_USAGE, "%s", cli->args.why);
    }
    if (!cli_enum_option(cli, "bump", &valion__v1__bump__descriptor, &bump)) {
        return CLI_USAGE;
    }
    rule->threshold = above ? strtod(above, &end) : 0;
    if (above && (end == above || *end)) {
        return cli_fail(CLI_USAGE, "--above: \"%.32s\" is no number; 0.1 is 10 %%", above);
    }
    rule->key = cli_text_option(cli, "key");
    if (!rule->key || !bump || !order) {
        return cli_fail(CLI_USAGE, "--key KEY, --bump PART and --order N are wanted");
    }
    rule->has_threshold = rule->has_bump = rule->has_order = 1;
    rule->bump = (Valion__V1__Bump)bump;
    rule->order = (uint32_t)order;
    return send_rule(cli, rule, false);
}

cli_exit_t
cmd_version_rule(cli_t *cli)
{
    Valion__V1__VersionRule rule = VALION__V1__VERSION_RULE__INIT;
    const char *what = cli_args_word(&cli->args, 0);
    rule.name = cli_text_word(cli, 1);
    if (strcmp(what, "list") == 0 && !rule.name) {
        return list_rules(cli);
    }
    if (strcmp(what, "put") == 0 && rule.name) {
        return put_rule(cli, &rule);
    }
    if (strcmp(what, "remove") == 0 && rule.name) {
        return send_rule(cli, &rule, true);
    }
    return cli_fail(CLI_USAGE, "'valion version rule list', 'put NAME' or 'remove NAME'");
}

/* ---- changelog ---- */

/* As the text that it is, to be put into a file; -o json for programs. */
cli_exit_t
cmd_version_changelog(cli_t *cli)
{
    Valion__V1__GetChangelogRequest message = VALION__V1__GET_CHANGELOG_REQUEST__INIT;
    message.model = cli_text_word(cli, 0);
    const cli_request_t request = {.service = "registry",
                                   .method = "GetChangelog",
                                   .message = &message.base,
                                   .hint = "valion model list"};
    if (cli_args_get(&cli->args, "output")) {
        return cli_call_and_show(cli, &request, NULL);
    }
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        const Valion__V1__GetChangelogReply *changelog = (const void *)reply.message;
        fputs(changelog->markdown ? changelog->markdown : "", stdout);
    }
    vln_reply_wipe(&reply);
    return code;
}
