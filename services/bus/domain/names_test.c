#include "names.h"

#include <criterion/criterion.h>

enum { VALIDATOR = 1 << 17, RUNNER = 1 << 20 };

Test(names, know_services_their_instances_and_hosts)
{
    static const char *const known[] = {"validator", "validator.01a2-b", "orchestrator.vm_1",
                                        "runner.local", "runner.host.7"};
    static const char *const unknown[] = {
        "",        "validators", "validator.", "validator.a b", "runner",
        "runner.", "bus",        "nobody",     "validator..",   "validator/x"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        cr_expect(names_service_exists(known[i]), "%s", known[i]);
    }
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        cr_expect_not(names_service_exists(unknown[i]), "%s", unknown[i]);
    }
    cr_expect(
        names_service_exists("orchestrator.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    cr_expect_not(
        names_service_exists("orchestrator.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

Test(names, are_served_by_their_own_role_alone)
{
    cr_expect(names_may_serve(VALIDATOR, "validator"));
    cr_expect(names_may_serve(VALIDATOR, "validator.7"));
    cr_expect_not(names_may_serve(RUNNER, "validator.7"));
    cr_expect_not(names_may_serve(VALIDATOR, "runner.local"));
    cr_expect_eq(names_service_roles() & (VALIDATOR | RUNNER), VALIDATOR | RUNNER);
}
