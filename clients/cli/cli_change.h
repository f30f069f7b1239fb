/*
 * cli_change - what changed, as options say it: --breaking, --feature, --improvement 0.2 …
 */
#ifndef CLI_CHANGE_H
#define CLI_CHANGE_H

#include <valion/v1/registry.pb-c.h>

#include "cli.h"

/* What commands that take it have in their table of options. */
/* clang-format off */
#define CLI_CHANGE_OPTIONS                                                                \
    {"breaking",     0, NULL,     false, "callers have to change"},                       \
    {"architecture", 0, NULL,     false, "another kind of model"},                        \
    {"feature",      0, NULL,     false, "it can do more"},                               \
    {"improvement",  0, "SHARE",  false, "better by this; 0.1 is 10 %"},                  \
    {"fix",          0, NULL,     false, "the same, put right"},                          \
    {"drift",        0, NULL,     false, "fitted anew to data that moved"},               \
    {"experimental", 0, NULL,     false, "not for use yet"}
/* clang-format on */

/* False with a sentence. `*any`: at least one was given. */
bool cli_change_take(const cli_t *cli, Valion__V1__ChangeContext *out, bool *any);

#endif
