/* stats, completion. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valion/v1/common.pb-c.h>
#include <valion/v1/header.pb-c.h>

#include "vln_contract.h"
#include "vln_text.h"

#include "cli.h"
#include "cli_commands.h"

enum { INSTANCES_MAX = 64, NAME_ROOM = 128 };

/* What one instance said, or one of whichever. */
typedef struct column {
    char service[NAME_ROOM]; /* by which it is called */
    char instance[NAME_ROOM];
    vln_reply_t reply;
} column_t;

/* Every instance of the service that can be called by a name of its own. */
static size_t
find_instances(cli_t *cli, const char *service, column_t *out)
{
    Valion__V1__GetBusStatusRequest message = VALION__V1__GET_BUS_STATUS_REQUEST__INIT;
    const cli_request_t request = {
        .service = "bus", .method = "GetStatus", .message = &message.base};
    vln_reply_t reply;
    size_t count = 0;
    if (cli_try(cli, &request, &reply) == VLN_OK) {
        const Valion__V1__GetBusStatusReply *status = (const void *)reply.message;
        for (size_t i = 0; i < status->n_instances && count < INSTANCES_MAX; i++) {
            const Valion__V1__Instance *each = status->instances[i];
            if (each->n_services > 1 && strcmp(each->services[0], service) == 0) {
                column_t *column = &out[count++];
                vln_text_copy(column->service, NAME_ROOM, each->services[1]);
                vln_text_copy(column->instance, NAME_ROOM, each->instance ? each->instance : "");
            }
        }
    }
    vln_reply_wipe(&reply);
    return count;
}

static const Valion__V1__GetStatsReply *
stats_of(const column_t *column)
{
    return (const void *)column->reply.message;
}

static void
show_numbers(const column_t *columns, size_t count, bool all)
{
    const Valion__V1__GetStatsReply *first = stats_of(&columns[0]);
    if (count > 1) {
        printf("%-32s", "instance");
        for (size_t i = 0; i < count; i++) {
            printf(" %s", columns[i].instance);
        }
        printf("\n");
    }
    for (size_t i = 0; i < first->n_numbers; i++) {
        const char *key = first->numbers[i]->key;
        /* Names with a dot are counters of methods and the like. */
        if (!all && strchr(key, '.')) {
            continue;
        }
        printf("%-32s", key);
        for (size_t at = 0; at < count; at++) {
            const Valion__V1__GetStatsReply *stats = stats_of(&columns[at]);
            bool there = i < stats->n_numbers && strcmp(stats->numbers[i]->key, key) == 0;
            printf(there ? " %.10g" : " -", there ? stats->numbers[i]->value : 0);
        }
        printf("\n");
    }
}

cli_exit_t
cmd_stats(cli_t *cli)
{
    Valion__V1__GetStatsRequest message = VALION__V1__GET_STATS_REQUEST__INIT;
    const char *service = cli_args_word(&cli->args, 0);
    if (!vln_contract_find_service(service)) {
        return cli_fail(CLI_USAGE, "no service \"%s\"; see 'valion methods'", service);
    }
    column_t *columns = vln_calloc(INSTANCES_MAX, sizeof *columns);
    cli_exit_t code = cli_open(cli);
    size_t count = code == CLI_OK ? find_instances(cli, service, columns) : 0;
    if (count == 0) {
        vln_text_copy(columns[0].service, NAME_ROOM, service);
        count = 1;
    }
    size_t asked = 0;
    for (; asked < count && code == CLI_OK; asked++) {
        const cli_request_t request = {.service = columns[asked].service,
                                       .method = "GetStats",
                                       .message = &message.base,
                                       .hint = "valion status"};
        code = cli_call(cli, &request, &columns[asked].reply);
        if (code == CLI_OK && cli->form == CLI_FORM_JSON) {
            cli_show(CLI_FORM_JSON, columns[asked].reply.message, stdout);
        }
    }
    if (code == CLI_OK && cli->form != CLI_FORM_JSON) {
        show_numbers(columns, count, cli_args_has(&cli->args, "all"));
    }
    for (size_t i = 0; i < asked; i++) {
        vln_reply_wipe(&columns[i].reply);
    }
    free(columns);
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
