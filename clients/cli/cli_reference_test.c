#include "cli_reference.h"

#include <criterion/criterion.h>
#include <string.h>

#include "vln_err.h"

Test(cli_reference, names_a_version_an_alias_or_the_latest)
{
    cli_reference_t out;
    cli_reference_parse("houses@1.2.3", &out);
    cr_expect_str_eq(out.model, "houses");
    cr_expect_str_eq(out.version, "1.2.3");
    cr_expect(out.alias == NULL);
    cli_reference_parse("houses@champion", &out);
    cr_expect_str_eq(out.alias, "champion");
    cr_expect(out.version == NULL);
    cli_reference_parse("houses", &out);
    cr_expect_str_eq(out.model, "houses");
    cr_expect(out.version == NULL && out.alias == NULL && cli_reference_range(&out) == NULL);
}

Test(cli_reference, tells_ranges_from_versions_and_aliases)
{
    static const struct {
        const char *text;
        bool range;
    } cases[] = {
        {"m@1.2.3", false},    {"m@1.2.3-rc.1+b.7", false},
        {"m@champion", false}, {"m@x", false},
        {"m@latest", false},   {"m@", false},
        {"m@^1.2", true},      {"m@~1", true},
        {"m@>=1 <2", true},    {"m@=1.2.3", true},
        {"m@*", true},         {"m@1", true},
        {"m@1.2", true},       {"m@1.x", true},
        {"m@1.2.x", true},     {"m@1.2.3 - 2", true},
        {"m@1.2.3||2", true},  {"m@<1", true},
    };
    for (size_t i = 0; i < VLN_COUNT(cases); i++) {
        cli_reference_t out;
        cli_reference_parse(cases[i].text, &out);
        const char *range = cli_reference_range(&out);
        cr_expect((range != NULL) == cases[i].range, "%s", cases[i].text);
        cr_expect(!range || strcmp(range, cases[i].text + 2) == 0);
    }
}
