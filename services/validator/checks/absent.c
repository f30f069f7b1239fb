/*
 * Kinds that a policy can ask for and nobody here answers: those of workers are answered before the
 * checks are made, so what comes here is of a newer release. Nothing is said of it that could pass.
 */
#include "check_say.h"

void
check_absent(const check_context_t *context, const Valion__V1__CheckSpec *spec,
             Valion__V1__CheckResult *out)
{
    check_break(context, spec, out, "Checks of the kind '%s' are not there yet", spec->kind);
}
