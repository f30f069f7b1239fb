#include "cli_out.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <valion/v1/registry.pb-c.h>

static char *text;
static size_t text_size;
static FILE *out;

static void
setup(void)
{
    out = open_memstream(&text, &text_size);
}

static void
teardown(void)
{
    fclose(out);
    free(text);
}

TestSuite(cli_out, .init = setup, .fini = teardown, .timeout = 10);

static const cli_column_t columns[] = {
    {"NAME", "name"}, {"VERSIONS", "versions"}, {"TEXT", "description"}, {NULL, NULL}};

static void
list_two(cli_form_t form, bool bold)
{
    char first[] = "é";
    char second[] = "houses";
    char more[] = "a\tb";
    Valion__V1__Model model = VALION__V1__MODEL__INIT;
    cli_list_t *list = cli_list_new(form, columns, bold, out);
    model.name = first;
    model.has_versions = 1;
    model.versions = 12;
    cli_list_add(list, &model.base);
    model.name = second;
    model.has_versions = 0;
    model.description = more;
    cli_list_add(list, &model.base);
    cli_list_end(&list, "nothing");
    cr_expect_null(list);
    fflush(out);
}

Test(cli_out, aligns_columns_by_characters)
{
    list_two(CLI_FORM_TABLE, false);
    cr_expect_str_eq(text, "NAME    VERSIONS  TEXT\n"
                           "é       12        \n"
                           "houses            a b\n");
}

Test(cli_out, shows_titles_in_bold_on_a_terminal)
{
    list_two(CLI_FORM_TABLE, true);
    cr_expect(strncmp(text, "\033[1mNAME    VERSIONS  TEXT\033[0m\n", 30) == 0);
}

Test(cli_out, parts_text_by_tabs_that_no_cell_holds)
{
    list_two(CLI_FORM_TEXT, true);
    cr_expect_str_eq(text, "é\t12\t\nhouses\t\ta b\n");
}

Test(cli_out, makes_one_json_array)
{
    list_two(CLI_FORM_JSON, true);
    cr_expect_str_eq(text, "[\n{\"name\":\"é\",\"versions\":12},\n"
                           "{\"name\":\"houses\",\"description\":\"a\\tb\"}\n]\n");
}

Test(cli_out, makes_an_empty_json_array_of_nothing)
{
    cli_list_t *list = cli_list_new(CLI_FORM_JSON, columns, false, out);
    cli_list_end(&list, "nothing");
    fflush(out);
    cr_expect_str_eq(text, "[]\n");
}

Test(cli_out, escapes_cells_of_a_list_that_is_no_message)
{
    static const char *const cells[] = {"a\"\\", "\x01", "é"};
    cli_list_t *list = cli_list_new(CLI_FORM_JSON, columns, false, out);
    cli_list_add_cells(list, cells);
    cli_list_end(&list, "nothing");
    fflush(out);
    cr_expect_str_eq(text, "[\n{\"name\":\"a\\\"\\\\\",\"versions\":\"\\u0001\","
                           "\"description\":\"é\"}\n]\n");
}

Test(cli_out, shows_a_message_a_field_a_line)
{
    char name[] = "houses";
    char key[] = "r2";
    Valion__V1__KeyNumber metric = VALION__V1__KEY_NUMBER__INIT;
    Valion__V1__KeyNumber *metrics[] = {&metric};
    Valion__V1__Lineage lineage = VALION__V1__LINEAGE__INIT;
    Valion__V1__Version version = VALION__V1__VERSION__INIT;
    metric.key = key;
    metric.has_value = 1;
    metric.value = 0.5;
    lineage.source = name;
    version.model = name;
    version.metrics = metrics;
    version.n_metrics = 1;
    version.lineage = &lineage;
    cli_show(CLI_FORM_TEXT, &version.base, out);
    fflush(out);
    cr_expect_str_eq(text, "model                   houses\n"
                           "metrics                 r2 = 0.5\n"
                           "lineage\n"
                           "  source                houses\n");
}

Test(cli_out, knows_its_forms)
{
    cli_form_t form;
    cr_expect(cli_form_parse("JSON", &form) && form == CLI_FORM_JSON);
    cr_expect(cli_form_parse("table", &form) && form == CLI_FORM_TABLE);
    cr_expect_not(cli_form_parse("xml", &form));
}

Test(cli_out, indents_a_message_below_a_title)
{
    char name[] = "houses";
    Valion__V1__Model model = VALION__V1__MODEL__INIT;
    model.name = name;
    cli_show_below("spec", &model.base, out);
    fflush(out);
    cr_expect_str_eq(text, "spec\n"
                           "  name                  houses\n");
}
