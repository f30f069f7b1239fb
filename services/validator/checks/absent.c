/*
 * Kinds that a policy can ask for and this validator cannot answer yet: nothing is ever said of them
 * that could pass.
 */
#include <string.h>

#include "check_say.h"

void
check_absent(const check_context_t *context, const Valion__V1__CheckSpec *spec,
             Valion__V1__CheckResult *out)
{
    if (strcmp(spec->kind, "expression") == 0) {
        check_break(context, spec, out, "Checks of the kind 'expression' are not there yet");
        return;
    }
    check_break(context, spec, out, "Checks by workers of one's own ('%s') are not there yet",
                spec->kind);
}
