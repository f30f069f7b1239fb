#include "vln_yaml.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void
must_be(const char *yaml, const char *json)
{
    vln_json_error_t error;
    char *out = NULL;
    size_t size = 0;
    vln_err_t err = vln_yaml_to_json(yaml, strlen(yaml), &out, &size, &error);
    cr_assert_eq(err, VLN_OK, "%s: %s", yaml, error.why);
    cr_assert_eq(strlen(out), size);
    cr_expect_str_eq(out, json);
    free(out);
}

static void
must_fail(const char *yaml, const char *why)
{
    vln_json_error_t error;
    char *out = (char *)"";
    size_t size = 0;
    cr_expect_eq(vln_yaml_to_json(yaml, strlen(yaml), &out, &size, &error), VLN_INVALID_ARGUMENT);
    cr_expect_null(out);
    cr_expect(strstr(error.why, why), "'%s' does not say '%s'", error.why, why);
}

Test(vln_yaml, reads_what_people_write)
{
    must_be("name: strict # a comment\nchecks:\n  - name: r2\n    blocking: true\n"
            "    thresholds: {r2_threshold: 0.7, mae_threshold: 50000}\n  - name: drift\n",
            "{\"name\":\"strict\",\"checks\":[{\"name\":\"r2\",\"blocking\":true,\"thresholds\":"
            "{\"r2_threshold\":0.7,\"mae_threshold\":50000}},{\"name\":\"drift\"}]}");
    must_be("a: |\n  two\n  lines\nb: >\n  one\n  line\n",
            "{\"a\":\"two\\nlines\\n\",\"b\":\"one line\\n\"}");
    must_be("{\"json\": [1, \"x\", null]}", "{\"json\":[1,\"x\",null]}");
}

Test(vln_yaml, tells_texts_from_numbers)
{
    must_be("[1, -1.5e3, +7, .5, 5., 007, -0, 1e5]", "[1,-1.5e3,7,0.5,5.0,7,-0,1e5]");
    must_be("[-.5, -007.25, +0.5, 5.e3, 00]", "[-0.5,-7.25,0.5,5.0e3,0]");
    must_be("[true, False, ~, null, '', \"1\", '1']", "[true,false,null,null,\"\",\"1\",\"1\"]");
    must_be("[no, on, yes, 1.2.3, 0x10, 1_000, '.', -, e5, .inf, 12:30]",
            "[\"no\",\"on\",\"yes\",\"1.2.3\",\"0x10\",\"1_000\",\".\",\"-\",\"e5\",\".inf\","
            "\"12:30\"]");
    must_be("1: one", "{\"1\":\"one\"}");
    must_be("a:\nb: ~", "{\"a\":null,\"b\":null}");
    must_be("[18446744073709551615, 0.1000000000000000055511151231257827]",
            "[18446744073709551615,0.1000000000000000055511151231257827]");
}

Test(vln_yaml, refuses_what_it_does_not_need)
{
    must_fail("", "empty");
    must_fail("a: 1\nb: [&x 1, *x]\n", "line 2: anchors");
    must_fail("a: !!str 1", "tags");
    must_fail("a: 1\n---\nb: 2", "one document");
    must_fail("a: [1\nb: 2", "line 2");
    must_fail("? [a, b]\n: 1", "a key has to be a name");
    must_fail("? {a: b}\n: 1", "a key has to be a name");
    must_fail("a: \"\xff\"", "line 1");
    must_fail("a: \t- b\n\tc", "line");
}

Test(vln_yaml, is_bounded)
{
    char deep[VLN_YAML_MAX_DEPTH + 3];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    must_fail(deep, "deeper than 32");
    char *large = calloc(1, VLN_YAML_MAX_TEXT + 2);
    memset(large, 'a', VLN_YAML_MAX_TEXT + 1);
    must_fail(large, "more than 262144");
    free(large);
}
