#include "cli_change.h"

#include <stdlib.h>

bool
cli_change_take(const cli_t *cli, Valion__V1__ChangeContext *out, bool *any)
{
    const char *improvement = cli_args_get(&cli->args, "improvement");
    char *end = NULL;
    out->has_breaking_change = out->breaking_change = cli_args_has(&cli->args, "breaking");
    out->has_new_feature = out->new_feature = cli_args_has(&cli->args, "feature");
    out->has_bug_fix = out->bug_fix = cli_args_has(&cli->args, "fix");
    out->has_data_drift = out->data_drift = cli_args_has(&cli->args, "drift");
    out->has_architecture_change = out->architecture_change =
        cli_args_has(&cli->args, "architecture");
    out->has_experimental = out->experimental = cli_args_has(&cli->args, "experimental");
    out->has_performance_improvement = improvement != NULL;
    out->performance_improvement = improvement ? strtod(improvement, &end) : 0;
    *any = improvement || out->breaking_change || out->new_feature || out->bug_fix ||
           out->data_drift || out->architecture_change || out->experimental;
    if (improvement && (end == improvement || *end)) {
        cli_fail(CLI_USAGE, "--improvement: \"%.32s\" is no number; 0.1 is 10 %%", improvement);
        return false;
    }
    return true;
}
