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

enum { LEFT_COLUMN = 34, PATH_MAX_BYTES = 64 };

static volatile int stop;

/* clang-format off */
static const cli_option_t globals[] = {
    /* name     letter  value             many   help */
    {"bus",       0,   "HOST:PORT[,…]",   false, "brokers; VALION_BUS [127.0.0.1:7001]"},
    {"keys",      0,   "FOLDER",          false, "folder of keys; VALION_KEYS [./var/keys]"},
    {"as",        0,   "PRINCIPAL",       false, "who calls; VALION_PRINCIPAL [admin]"},
    {"output",    'o', "FORM",            false, "json, table or text; VALION_OUTPUT [table on a terminal, else text]"},
    {"timeout",   0,   "DURATION",        false, "of a call, as 500ms, 10s, 2m; VALION_TIMEOUT [10s]"},
    {"help",      'h', NULL,              false, "this text"},
    {"version",   0,   NULL,              false, "the program's version"},
    {0},
};

static const cli_option_t call_options[] = {
    {"raw",     0, "FILE", false, "sent as the frame of raw bytes, at most 256 KiB"},
    {"raw-out", 0, "FILE", false, "where the reply's raw bytes go"},
    {0},
};
static const cli_option_t ping_options[] = {
    {"count", 'n', "N", false, "how often [1]"},
    {0},
};
static const cli_option_t keys_new_options[] = {
    {"roles", 0, "A,B", false, "viewer, publisher, deployer, operator, approver, admin, worker"},
    {"kinds", 0, "A,B", false, "task kinds that a worker may lease; x:* is all that start so"},
    {0},
};
static const cli_option_t event_watch_options[] = {
    {"after",   0,   "N",    false, "position to go on after [0: from the start]"},
    {"types",   0,   "A,B",  false, "version.created, job.* …; at most 16 [all]"},
    {"subject", 0,   "TEXT", false, "only about this"},
    {"follow",  'f', NULL,   false, "wait for more, through errors, until Ctrl-C"},
    {0},
};
static const cli_option_t event_list_options[] = {
    {"last",    'n', "N",    false, "look at the last N positions [20]"},
    {"types",   0,   "A,B",  false, "of these types only"},
    {"subject", 0,   "TEXT", false, "only about this"},
    {0},
};
static const cli_option_t event_export_options[] = {
    {"file", 0, "FILE", false, "where to; - is standard output"},
    {0},
};
static const cli_option_t audit_options[] = {
    {"export", 0, "FILE", false, "what 'valion event export' wrote"},
    {"head",   0, "FILE", false, "signed heads that were kept elsewhere: the export must contain them"},
    {"key",    0, "FILE", false, "audit.pub of the installation [audit.pub of --keys]"},
    {0},
};
static const cli_option_t job_submit_options[] = {
    {"kind",         0, "KIND",            false, "validate, train … or a worker's own"},
    {"spec",         0, "TEXT|@FILE|-",    false, "JSON of the kind's spec; bytes as they are for a worker's own kind"},
    {"priority",     0, "1..5",            false, "1 is first [3]"},
    {"deadline",     0, "DURATION",        false, "from now, at most 24h [1h]"},
    {"delay",        0, "DURATION",        false, "not before [0]"},
    {"max-attempts", 0, "N",               false, "leases at most [10]"},
    {"label",        0, "KEY=VALUE",       true,  "for finding it"},
    {"wait",         0, NULL,              false, "until it ended; exit 0 only if it is done"},
    {0},
};
static const cli_option_t job_list_options[] = {
    {"kind",      0, "KIND",      false, "of this kind"},
    {"state",     0, "STATE",     false, "ready, running, waiting, done, failed, cancelled, poisoned"},
    {"submitter", 0, "PRINCIPAL", false, "of this principal"},
    {"limit",     0, "N",         false, "at most so many [100]"},
    {0},
};
static const cli_option_t job_cancel_options[] = {
    {"reason", 0, "TEXT", false, "kept with the job"},
    {0},
};
static const cli_option_t model_create_options[] = {
    {"description", 0, "TEXT", false, "for people"},
    {"tag",         0, "TAG",  true,  "for finding it"},
    {"algorithm",   0, "TEXT", false, "default of its versions"},
    {"framework",   0, "TEXT", false, "likewise"},
    {0},
};
static const cli_option_t model_list_options[] = {
    {"text",  0, "WORDS", false, "in name, description, tags"},
    {"tag",   0, "TAG",   false, "with this tag"},
    {"stage", 0, "STAGE", false, "with a version in development, staging, production, archived"},
    {"limit", 0, "N",     false, "at most so many [100]"},
    {0},
};
static const cli_option_t version_create_options[] = {
    {"model",        0, "MODEL",      false, "its name"},
    {"version",      0, "X.Y.Z",      false, "semantic version [by --bump from the latest]"},
    {"bump",         0, "PART",       false, "major, minor, patch, prerelease [patch]"},
    {"backport",     0, NULL,         false, "may be below the latest of its line"},
    {"artifact",     0, "ROLE=FILE",  true,  "model=model.json, preprocessor=…, reference=…"},
    {"description",  0, "TEXT",       false, "for people"},
    {"tag",          0, "TAG",        true,  "for finding it"},
    {"metric",       0, "NAME=VALUE", true,  "r2=0.93"},
    {"param",        0, "NAME=VALUE", true,  "a hyperparameter"},
    {"dataset-info", 0, "NAME=VALUE", true,  "about the data it was trained on"},
    {"target",       0, "COLUMN",     false, "that it predicts"},
    {"algorithm",    0, "TEXT",       false, "such as RandomForestRegressor"},
    {"framework",    0, "TEXT",       false, "such as xgboost"},
    {0},
};
static const cli_option_t data_add_options[] = {
    {"description", 0, "TEXT", false, "for people"},
    {"tag",         0, "TAG",  true,  "for finding it"},
    {"delimiter",   0, "CHAR", false, "between fields [,]"},
    {0},
};
static const cli_option_t data_list_options[] = {
    {"text",  0, "TEXT", false, "in the name"},
    {"limit", 0, "N",    false, "at most so many [100]"},
    {0},
};
static const cli_option_t suggest_options[] = {
    {"breaking",     0, NULL,     false, "callers have to change"},
    {"architecture", 0, NULL,     false, "another kind of model"},
    {"feature",      0, NULL,     false, "it can do more"},
    {"improvement",  0, "SHARE",  false, "better by this; above 0.1 counts as a feature"},
    {"fix",          0, NULL,     false, "the same, put right"},
    {"drift",        0, NULL,     false, "fitted anew to data that moved"},
    {"experimental", 0, NULL,     false, "not for use yet"},
    {"scheme",       0, "SCHEME", false, "semantic, timestamp, sequential, hybrid [semantic]"},
    {0},
};
static const cli_option_t compare_options[] = {
    {"model", 0, "MODEL", false, "both are its versions: compare their records too"},
    {"level", 0, "LEVEL", false, "compatible down to major, minor or patch [minor]"},
    {0},
};
static const cli_option_t version_list_options[] = {
    {"model",         0, "MODEL",  false, "its name"},
    {"stage",         0, "STAGE",  false, "development, staging, production, archived"},
    {"status",        0, "STATUS", false, "training, ready, deployed, failed, deprecated"},
    {"no-prerelease", 0, NULL,     false, "leave 1.0.0-rc.1 and its like out"},
    {"limit",         0, "N",      false, "at most so many [100]"},
    {0},
};

static const char call_more[] =
    "REQUEST is JSON, @FILE, or - for standard input; without it the request is empty.\n"
    "The reply is JSON unless -o says otherwise. 'valion methods SERVICE.METHOD' shows what a\n"
    "request may hold.\n\n"
    "  valion call registry.GetModel '{\"name\": \"houses\"}'\n"
    "  valion call registry.GetChunk '{\"digest\": \"…\", \"size_bytes\": 262144}' --raw-out part\n";
static const char watch_more[] =
    "Without --follow it ends where the log ends. Each position is printed once and in order,\n"
    "whatever happens to brokers and services meanwhile; go on later with --after N.\n";
static const char verify_more[] =
    "Needs no bus and no database. Recomputes the chain from the first entry, checks that no\n"
    "position is missing and that signed heads are of this chain and by this key. With --head, a\n"
    "file of heads kept outside the installation, a deleted tail or a chain that was made anew\n"
    "shows too. Exit 1, and the first thing that is wrong, if not all is right.\n";
static const char submit_more[] =
    "After the job's id is printed it is stored and ends in exactly one recorded result.\n\n"
    "  valion job submit --kind validate --spec '{\"model\": \"houses\"}' --wait\n"
    "  valion job submit --kind user.report --spec @report.txt\n";

static const cli_command_t commands[] = {
    /* path            words                  what it does                                        more         options                 words  function */
    {"call",           "SERVICE.METHOD [REQUEST]", "call any method of the contract",              call_more,   call_options,           1, 2, cmd_call},
    {"methods",        "[SERVICE[.METHOD]]",  "what can be called, and with what",                 NULL,        NULL,                   0, 1, cmd_methods},
    {"status",         "",                    "brokers and the instances behind them",             NULL,        NULL,                   0, 0, cmd_status},
    {"ping",           "",                    "ask a broker for an answer",                        NULL,        ping_options,           0, 0, cmd_ping},
    {"keys init",      "",                    "make what is missing of an installation's keys",    NULL,        NULL,                   0, 0, cmd_keys_init},
    {"keys new",       "NAME",                "a key for somebody who calls",                      NULL,        keys_new_options,       1, 1, cmd_keys_new},
    {"keys list",      "",                    "who may call, and as what",                         NULL,        NULL,                   0, 0, cmd_keys_list},
    {"keys show",      "NAME",                "one of them",                                       NULL,        NULL,                   1, 1, cmd_keys_show},
    {"keys revoke",    "NAME",                "take a key away",                                   NULL,        NULL,                   1, 1, cmd_keys_revoke},
    {"model create",   "NAME",                "a name for versions; one that exists stays",        NULL,        model_create_options,   1, 1, cmd_model_create},
    {"model list",     "",                    "all models",                                        NULL,        model_list_options,     0, 0, cmd_model_list},
    {"model show",     "NAME",                "one model",                                         NULL,        NULL,                   1, 1, cmd_model_show},
    {"version create", "",                    "a version with its files",                          NULL,        version_create_options, 0, 0, cmd_version_create},
    {"version list",   "",                    "a model's versions, highest first",                 NULL,        version_list_options,   0, 0, cmd_version_list},
    {"version show",   "MODEL[@VERSION|@ALIAS]", "one version; the latest if none is said",        NULL,        NULL,                   1, 1, cmd_version_show},
    {"version suggest", "MODEL|VERSION",      "what comes next, and why",                          NULL,        suggest_options,        1, 1, cmd_version_suggest},
    {"version compare", "LEFT RIGHT",         "which is higher, and what differs",                 NULL,        compare_options,        2, 2, cmd_version_compare},
    {"version changelog", "MODEL",            "what changed from version to version, as Markdown", NULL,        NULL,                   1, 1, cmd_version_changelog},
    {"data add",       "NAME FILE",           "a CSV file as the newest content of a data set",    NULL,        data_add_options,       2, 2, cmd_data_add},
    {"data list",      "",                    "all data sets",                                     NULL,        data_list_options,      0, 0, cmd_data_list},
    {"data show",      "NAME",                "the newest content of one",                         NULL,        NULL,                   1, 1, cmd_data_show},
    {"artifact get",   "DIGEST FILE",         "the bytes of that digest, checked",                 NULL,        NULL,                   2, 2, cmd_artifact_get},
    {"job submit",     "",                    "store a piece of work; prints its id",              submit_more, job_submit_options,     0, 0, cmd_job_submit},
    {"job watch",      "ID",                  "follow a job to its end; exit 0 only if it is done", NULL,       NULL,                   1, 1, cmd_job_watch},
    {"job list",       "",                    "jobs, newest first",                                NULL,        job_list_options,       0, 0, cmd_job_list},
    {"job show",       "ID",                  "one job",                                           NULL,        NULL,                   1, 1, cmd_job_show},
    {"job cancel",     "ID",                  "ask a job to end",                                  NULL,        job_cancel_options,     1, 1, cmd_job_cancel},
    {"job requeue",    "ID",                  "a failed or poisoned job, once more",               NULL,        NULL,                   1, 1, cmd_job_requeue},
    {"event watch",    "",                    "everything that happened, in order",                watch_more,  event_watch_options,    0, 0, cmd_event_watch},
    {"event list",     "",                    "the last events",                                   NULL,        event_list_options,     0, 0, cmd_event_list},
    {"event export",   "",                    "the whole log with its signatures, as a file",      NULL,        event_export_options,   0, 0, cmd_event_export},
    {"audit verify",   "",                    "check an export: nothing changed, nothing missing", verify_more, audit_options,          0, 0, cmd_audit_verify},
};
/* clang-format on */

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
    for (size_t i = 0; i < VLN_COUNT(commands); i++) {
        if (!family || is_in_family(&commands[i], family)) {
            print_command_line(&commands[i]);
        }
    }
    printf("\nOptions of every command; a variable is taken where the option is not given:\n");
    print_options(globals);
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
    print_options(globals);
    printf("\n%s", exit_codes);
}

/* ---- finding the command ---- */

/* The command's words are the first of the line that are no options; how many they were. */
static const cli_command_t *
find_command(const char *first, const char *second, size_t *words)
{
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof path, "%.30s %.30s", first, second ? second : "");
    for (size_t i = 0; i < VLN_COUNT(commands); i++) {
        bool is_two = strcmp(commands[i].path, path) == 0;
        if (is_two || strcmp(commands[i].path, first) == 0) {
            *words = is_two ? 2 : 1;
            return &commands[i];
        }
    }
    return NULL;
}

static bool
is_family(const char *word)
{
    for (size_t i = 0; i < VLN_COUNT(commands); i++) {
        if (is_in_family(&commands[i], word)) {
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
    for (size_t i = 0; i < VLN_COUNT(commands); i++) {
        vln_guess_offer(&guess, commands[i].path);
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
        for (const cli_option_t *option = globals; option->name; option++) {
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
    if (!cli_args_parse(&cli->args, own, globals, argc, argv, 1)) {
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
