/*
 * valion - the command line. One table of commands; each row is one function.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vln_guess.h"
#include "vln_log.h"
#include "vln_socket.h"

#include "cli.h"
#include "cli_commands.h"

enum { LEFT_COLUMN = 34, PATH_MAX_BYTES = 64 };

static volatile int stop;

static const char exit_codes[] =
    "exit codes: 0 done, 1 refused or failed, 2 wrong command line, 3 nobody answers or not in\n"
    "time, 4 not found, 5 not allowed, 130 Ctrl-C\n";

/* ---- help ---- */

static void
print_options(const cli_option_t *options)
{
    for (const cli_option_t *option = options; option && option->name; option++) {
        char left[128];
        char letter[] = {'-', option->letter, ',', ' ', '\0'};
        snprintf(left, sizeof left, "  %s--%s%s%s", option->letter ? letter : "", option->name,
                 option->value ? " " : "", option->value ? option->value : "");
        printf("%s%*s%s%s\n", left,
               (int)cli_width(left) < LEFT_COLUMN ? LEFT_COLUMN - (int)cli_width(left) : 1, "",
               option->help, option->many ? " (may be repeated)" : "");
    }
}

static void
print_command_line(const cli_command_t *command)
{
    char left[128];
    snprintf(left, sizeof left, "  %s %s", command->path, command->words);
    printf("%-*s %s\n", LEFT_COLUMN + 4, left, command->help);
}

static bool
is_in_family(const cli_command_t *command, const char *family)
{
    size_t len = strlen(family);
    return strncmp(command->path, family, len) == 0 &&
           (command->path[len] == '\0' || command->path[len] == ' ');
}

/* All commands, or those of one family: "job". */
static void
print_overview(const char *family)
{
    printf("usage: valion %s%sCOMMAND …\n\n", family ? family : "", family ? " " : "");
    for (size_t i = 0; i < cli_command_count; i++) {
        if (!family || is_in_family(&cli_commands[i], family)) {
            print_command_line(&cli_commands[i]);
        }
    }
    printf("\nOptions of every command; a variable is taken where the option is not given:\n");
    print_options(cli_globals);
    printf("\n'valion COMMAND --help' tells the options of one command.\n%s", exit_codes);
}

static void
print_command(const cli_command_t *command)
{
    printf("usage: valion %s%s%s%s\n\n%s\n", command->path, *command->words ? " " : "",
           command->words, command->options ? " [OPTIONS]" : "", command->help);
    if (command->more) {
        printf("\n%s", command->more);
    }
    if (command->options) {
        printf("\n");
        print_options(command->options);
    }
    printf("\nof every command\n");
    print_options(cli_globals);
    printf("\n%s", exit_codes);
}

/* ---- finding the command ---- */

/* The command's words are the first of the line that are no options; how many they were. */
static const cli_command_t *
find_command(const char *first, const char *second, size_t *words)
{
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof path, "%.30s %.30s", first, second ? second : "");
    for (size_t i = 0; i < cli_command_count; i++) {
        bool is_two = strcmp(cli_commands[i].path, path) == 0;
        if (is_two || strcmp(cli_commands[i].path, first) == 0) {
            *words = is_two ? 2 : 1;
            return &cli_commands[i];
        }
    }
    return NULL;
}

static bool
is_family(const char *word)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        if (is_in_family(&cli_commands[i], word)) {
            return true;
        }
    }
    return false;
}

static cli_exit_t
fail_command(const char *first, const char *second)
{
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof path, "%.30s%s%.30s", first, second ? " " : "", second ? second : "");
    vln_guess_t guess = {.typed = path};
    for (size_t i = 0; i < cli_command_count; i++) {
        vln_guess_offer(&guess, cli_commands[i].path);
    }
    if (guess.best) {
        return cli_fail(CLI_USAGE, "no command \"%s\"; did you mean '%s'?", path, guess.best);
    }
    return cli_fail(CLI_USAGE, "no command \"%s\"; see 'valion %s--help'", path,
                    is_family(first) ? path : "");
}

/* ---- running ---- */

static const char *
setting(const cli_t *cli, const char *option, const char *variable, const char *fallback)
{
    const char *value = cli_args_get(&cli->args, option);
    const char *from_environment = getenv(variable);
    if (value) {
        return value;
    }
    return from_environment && *from_environment ? from_environment : fallback;
}

static bool
take_settings(cli_t *cli)
{
    bool terminal = isatty(STDOUT_FILENO) != 0;
    const char *term = getenv("TERM");
    const char *form = setting(cli, "output", "VALION_OUTPUT", terminal ? "table" : "text");
    const char *timeout = setting(cli, "timeout", "VALION_TIMEOUT", "10s");
    cli->bus = setting(cli, "bus", "VALION_BUS", "127.0.0.1:7001");
    cli->keys = setting(cli, "keys", "VALION_KEYS", "./var/keys");
    cli->principal = setting(cli, "as", "VALION_PRINCIPAL", "admin");
    if (!cli_form_parse(form, &cli->form)) {
        cli_fail(CLI_USAGE, "-o: \"%s\" is none of json, table, text", form);
        return false;
    }
    if (!cli_duration_parse(timeout, &cli->timeout_ms) || cli->timeout_ms < 1) {
        cli_fail(CLI_USAGE, "--timeout: \"%s\" is no duration, such as 500ms, 10s, 2m", timeout);
        return false;
    }
    cli->color = terminal && cli->form == CLI_FORM_TABLE && !getenv("NO_COLOR") &&
                 (!term || strcmp(term, "dumb") != 0);
    return true;
}

static cli_exit_t
run(cli_t *cli)
{
    const cli_command_t *command = cli->command;
    size_t words = cli->args.word_count;
    if (words < command->least_words || words > command->most_words) {
        return cli_fail(CLI_USAGE, "%s words; usage: valion %s %s",
                        words < command->least_words ? "too few" : "too many", command->path,
                        command->words);
    }
    if (!take_settings(cli)) {
        return CLI_USAGE;
    }
    cli_exit_t code = command->run(cli);
    vln_client_close(&cli->client);
    vln_socket_context_end();
    if (stop) {
        return CLI_INTERRUPTED;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return cli_fail(CLI_FAILED, "standard output cannot be written");
    }
    return code;
}

/* The first Ctrl-C ends waits; a second one ends the program as it always did. */
static void
on_interrupt(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

static void
take_signals(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Words before the command's options, to find the command; options may stand among them. */
static bool
find_words(int argc, char **argv, const char *words[2], int at[2])
{
    size_t count = 0;
    for (int i = 1; i < argc && count < 2; i++) {
        if (argv[i][0] != '-') {
            at[count] = i;
            words[count++] = argv[i];
            continue;
        }
        for (const cli_option_t *option = cli_globals; option->name; option++) {
            bool is_long = strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, option->name) == 0;
            bool is_short = option->letter && argv[i][1] == option->letter && !argv[i][2];
            i += option->value && (is_long || is_short) ? 1 : 0;
            if (is_long || is_short) {
                break;
            }
        }
    }
    return count > 0;
}

/* No command was found: says which there are, or what is wrong with the words. */
static cli_exit_t
start_without_command(const cli_t *cli, const char *const words[2])
{
    bool help = cli_args_has(&cli->args, "help");
    if (!words[0] && cli_args_has(&cli->args, "version")) {
        printf("valion %s\n", VALION_VERSION);
        return CLI_OK;
    }
    if (words[0] && !(is_family(words[0]) && (help || !words[1]))) {
        return fail_command(words[0], words[1]);
    }
    print_overview(words[0]);
    return help ? CLI_OK : CLI_USAGE;
}

static cli_exit_t
start(cli_t *cli, int argc, char **argv)
{
    const char *words[2] = {NULL, NULL};
    int at[2];
    size_t taken = 0;
    bool has_words = find_words(argc, argv, words, at);
    cli->command = has_words ? find_command(words[0], words[1], &taken) : NULL;
    const cli_option_t *own = cli->command ? cli->command->options : NULL;
    if (!cli_args_parse(&cli->args, own, cli_globals, argc, argv, 1)) {
        return cli->command || !has_words || is_family(words[0])
                   ? cli_fail(CLI_USAGE, "%s", cli->args.why)
                   : fail_command(words[0], words[1]);
    }
    if (!cli->command) {
        return start_without_command(cli, words);
    }
    if (cli_args_has(&cli->args, "help")) {
        print_command(cli->command);
        return CLI_OK;
    }
    cli->args.word_count -= taken;
    memmove(cli->args.words, cli->args.words + taken,
            cli->args.word_count * sizeof cli->args.words[0]);
    return run(cli);
}

int
main(int argc, char **argv)
{
    cli_t cli = {.stop = &stop};
    vln_log_level_t level = VLN_LOG_OFF;
    const char *wanted = getenv("VALION_LOG_LEVEL");
    if (wanted && !vln_log_level_parse(wanted, &level)) {
        level = VLN_LOG_OFF;
    }
    vln_log_init("valion", "cli", level);
    take_signals();
    return (int)start(&cli, argc, argv);
}
