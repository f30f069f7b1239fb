/* stats, completion. */
#include <stdio.h>
#include <string.h>
#include <valion/v1/common.pb-c.h>

#include "cli.h"
#include "cli_commands.h"

cli_exit_t
cmd_stats(cli_t *cli)
{
    Valion__V1__GetStatsRequest message = VALION__V1__GET_STATS_REQUEST__INIT;
    const cli_request_t request = {.service = cli_args_word(&cli->args, 0),
                                   .method = "GetStats",
                                   .message = &message.base,
                                   .hint = "valion status"};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK && cli->form == CLI_FORM_JSON) {
        cli_show(CLI_FORM_JSON, reply.message, stdout);
    } else if (code == CLI_OK) {
        const Valion__V1__GetStatsReply *stats = (const void *)reply.message;
        bool all = cli_args_has(&cli->args, "all");
        for (size_t i = 0; i < stats->n_numbers; i++) {
            /* Names with a dot are counters of methods and the like. */
            if (all || !strchr(stats->numbers[i]->key, '.')) {
                printf("%-32s %.10g\n", stats->numbers[i]->key, stats->numbers[i]->value);
            }
        }
    }
    vln_reply_wipe(&reply);
    return code;
}

/* ---- completion ---- */

static void
print_options(const cli_option_t *options)
{
    for (; options && options->name; options++) {
        printf(" --%s", options->name);
    }
}

/* Words that may follow: every command, of a family its second words, of a command its options. */
static void
print_cases(void)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        printf("    '%s') words='", cli_commands[i].path);
        print_options(cli_commands[i].options);
        print_options(cli_globals);
        printf("' ;;\n");
    }
}

static bool
is_new_family(size_t at, size_t len)
{
    for (size_t i = 0; i < at; i++) {
        if (strncmp(cli_commands[i].path, cli_commands[at].path, len) == 0 &&
            (cli_commands[i].path[len] == ' ' || cli_commands[i].path[len] == '\0')) {
            return false;
        }
    }
    return true;
}

static void
print_families(void)
{
    printf("    '') words='");
    for (size_t i = 0; i < cli_command_count; i++) {
        size_t len = strcspn(cli_commands[i].path, " ");
        if (is_new_family(i, len)) {
            printf(" %.*s", (int)len, cli_commands[i].path);
        }
    }
    printf("' ;;\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        size_t len = strcspn(cli_commands[i].path, " ");
        if (cli_commands[i].path[len] == '\0' || !is_new_family(i, len)) {
            continue;
        }
        printf("    '%.*s') words='", (int)len, cli_commands[i].path);
        for (size_t at = i; at < cli_command_count; at++) {
            if (strncmp(cli_commands[at].path, cli_commands[i].path, len + 1) == 0) {
                printf(" %s", cli_commands[at].path + len + 1);
            }
        }
        printf("' ;;\n");
    }
}

cli_exit_t
cmd_completion(cli_t *cli)
{
    if (strcmp(cli_args_word(&cli->args, 0), "bash") != 0) {
        return cli_fail(CLI_USAGE, "completion is there for bash");
    }
    printf("# bash completion of valion: eval \"$(valion completion bash)\"\n"
           "_valion() {\n"
           "    local words line=\"${COMP_WORDS[1]}\" at=$COMP_CWORD\n"
           "    if [ \"$at\" -le 1 ]; then line=''\n"
           "    elif [ \"$at\" -gt 2 ]; then line=\"${COMP_WORDS[1]} ${COMP_WORDS[2]}\"; fi\n"
           "    case \"$line\" in\n");
    print_families();
    print_cases();
    printf("    *) case \"${COMP_WORDS[1]}\" in\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        if (!strchr(cli_commands[i].path, ' ')) {
            printf("        '%s') words='", cli_commands[i].path);
            print_options(cli_commands[i].options);
            print_options(cli_globals);
            printf("' ;;\n");
        }
    }
    printf("        esac ;;\n"
           "    esac\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[at]}\")\n"
           "    [ \"${#COMPREPLY[@]}\" -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "
           "\"${COMP_WORDS[at]}\")\n"
           "}\n"
           "complete -F _valion valion\n");
    return CLI_OK;
}
