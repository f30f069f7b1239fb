/* audit verify: the event log, checked without a bus. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vln_time.h"

#include "cli.h"
#include "cli_export.h"

static FILE *
open_file(const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!file) {
        cli_fail(CLI_NOT_FOUND, "%s: %s", path, strerror(errno));
    }
    return file;
}

static void
close_file(FILE *file)
{
    if (file && file != stdin) {
        fclose(file);
    }
}

static cli_exit_t
report(const cli_verdict_t *verdict, bool good)
{
    char time[VLN_TIME_TEXT];
    if (!good) {
        printf("BAD: %s\n%" PRIu64 " entries before it are right\n", verdict->why,
               verdict->entries);
        return CLI_FAILED;
    }
    printf("good: %" PRIu64 " entries, %" PRIu64 " signed heads\n", verdict->entries,
           verdict->heads);
    if (verdict->heads == 0) {
        printf("no signature covers any of them: the chain alone could have been made anew\n");
    } else {
        printf("signed up to entry %" PRIu64 ", at %s\n", verdict->covered,
               vln_time_format(verdict->covered_us, time));
    }
    if (verdict->cut) {
        printf("%" PRIu64 " lines of the heads file end in their middle and were passed over\n",
               verdict->cut);
    }
    if (verdict->covered < verdict->entries) {
        printf("the last %" PRIu64 " entries are covered by no signature\n",
               verdict->entries - verdict->covered);
    }
    return CLI_OK;
}

cli_exit_t
cmd_audit_verify(cli_t *cli)
{
    uint8_t public_key[VLN_SIGN_PUBLIC];
    char default_key[1024];
    const char *export_path = cli_args_get(&cli->args, "export");
    const char *head_path = cli_args_get(&cli->args, "head");
    const char *key_path = cli_args_get(&cli->args, "key");
    if (!export_path) {
        return cli_fail(CLI_USAGE, "--export FILE is wanted: what 'valion event export' wrote");
    }
    if (!key_path) {
        snprintf(default_key, sizeof default_key, "%s/audit.pub", cli->keys);
        key_path = default_key;
    }
    if (vln_sign_load_public(key_path, public_key) != VLN_OK) {
        return cli_fail(CLI_NOT_FOUND, "%s holds no public key: give --key audit.pub", key_path);
    }
    FILE *log = open_file(export_path);
    FILE *heads = log && head_path ? open_file(head_path) : NULL;
    cli_exit_t code = CLI_NOT_FOUND;
    if (log && (heads || !head_path)) {
        cli_verdict_t verdict;
        bool good = cli_export_verify(log, heads, public_key, &verdict);
        code = report(&verdict, good);
    }
    close_file(log);
    close_file(heads); /* NOLINT(clang-analyzer-unix.Stream): stdin alone stays open */
    return code;
}
