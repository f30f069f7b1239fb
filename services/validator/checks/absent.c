/*
 * Kinds that a policy can ask for and this validator cannot answer yet: nothing is ever said of them
 * that could pass.
 */
#include "check_say.h"

void
check_absent(const check_context_t *context, const Valion__V1__CheckSpec *spec,
             Valion__V1__CheckResult *out)
{
    check_break(context, spec, out, "Checks by workers of one's own ('%s') are not there yet",
                spec->kind);
}
