/*
 * The version manager: valion version suggest, compare, changelog.
 */
#include <stdio.h>
#include <stdlib.h>
#include <valion/v1/registry.pb-c.h>

#include "cli.h"

static const char hint[] = "valion version list --model MODEL";

/* A word that begins with a digit is a version, any other a model. */
static bool
is_version(const char *word)
{
    return word[0] >= '0' && word[0] <= '9';
}

static bool
take_context(const cli_t *cli, Valion__V1__ChangeContext *out)
{
    const char *improvement = cli_args_get(&cli->args, "improvement");
    out->has_breaking_change = out->breaking_change = cli_args_has(&cli->args, "breaking");
    out->has_new_feature = out->new_feature = cli_args_has(&cli->args, "feature");
    out->has_bug_fix = out->bug_fix = cli_args_has(&cli->args, "fix");
    out->has_data_drift = out->data_drift = cli_args_has(&cli->args, "drift");
    out->has_architecture_change = out->architecture_change =
        cli_args_has(&cli->args, "architecture");
    out->has_experimental = out->experimental = cli_args_has(&cli->args, "experimental");
    char *end = NULL;
    out->has_performance_improvement = improvement != NULL;
    out->performance_improvement = improvement ? strtod(improvement, &end) : 0;
    if (improvement && (end == improvement || *end)) {
        cli_fail(CLI_USAGE, "--improvement: \"%.32s\" is no number; 0.1 is 10 %%", improvement);
        return false;
    }
    return true;
}

cli_exit_t
cmd_version_suggest(cli_t *cli)
{
    Valion__V1__SuggestVersionRequest message = VALION__V1__SUGGEST_VERSION_REQUEST__INIT;
    Valion__V1__ChangeContext context = VALION__V1__CHANGE_CONTEXT__INIT;
    char *word = cli_text_word(cli, 0);
    int scheme = 0;
    if (!take_context(cli, &context) ||
        !cli_enum_option(cli, "scheme", &valion__v1__version_scheme__descriptor, &scheme)) {
        return CLI_USAGE;
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
