#include "template.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static vln_arena_t *arena;
static template_error_t error;

static void
setup(void)
{
    arena = vln_arena_new(1024 * 1024);
}

static void
teardown(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(template, .init = setup, .fini = teardown);

static const char context_text[] =
    "{\"params\": {\"name\": \"house\", \"n\": 3, \"ratio\": 0.25, \"on\": true, \"none\": null,"
    " \"list\": [1, \"two\"]},"
    " \"steps\": {\"train-it\": {\"outputs\": {\"version\": \"1.0.0\","
    "  \"outputs\": [{\"digest\": \"ab\"}, {\"digest\": \"cd\"}]}}},"
    " \"run\": {\"id\": \"0193\"}}";

/* NULL when it was refused. */
static const char *
render(const char *text)
{
    yyjson_doc *read = yyjson_read(context_text, strlen(context_text), 0);
    yyjson_mut_doc *document = yyjson_doc_mut_copy(read, NULL);
    const char *out = NULL;
    vln_err_t err =
        template_render(text, strlen(text), yyjson_mut_doc_get_root(document), arena, &out, &error);
    cr_expect((err == VLN_OK) == (out != NULL));
    yyjson_mut_doc_free(document);
    yyjson_doc_free(read);
    return out;
}

Test(template, a_placeholder_that_is_the_whole_text_takes_the_type_of_what_it_names)
{
    static const char *const pairs[][2] = {
        {"${params.name}", "\"house\""},
        {"${params.n}", "3"},
        {"${params.ratio}", "0.25"},
        {"${params.on}", "true"},
        {"${params.none}", "null"},
        {"${params.list}", "[1,\"two\"]"},
        {"${params.list[1]}", "\"two\""},
        {"${steps.train-it.outputs.version}", "\"1.0.0\""},
        {"${steps.train-it.outputs.outputs[1].digest}", "\"cd\""},
        {"${run.id}", "\"0193\""},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char text[200];
        char wanted[200];
        snprintf(text, sizeof text, "{\"a\": [\"%s\"]}", pairs[i][0]);
        snprintf(wanted, sizeof wanted, "{\"a\":[%s]}", pairs[i][1]);
        const char *made = render(text);
        cr_assert(made, "%s: %s", text, error.why);
        cr_expect_str_eq(made, wanted);
    }
}

Test(template, inside_other_text_it_becomes_text)
{
    const char *made = render("{\"a\": \"${params.name}-${params.n}/${params.on}, $${x} $ $$\"}");
    cr_assert(made, "%s", error.why);
    cr_expect_str_eq(made, "{\"a\":\"house-3/true, ${x} $ $$\"}");
}

Test(template, what_is_no_placeholder_stays_as_it_is)
{
    static const char text[] =
        "{\"a\":1.5,\"b\":[true,null,{\"c\":\"plain\"}],\"d\":\"\",\"e\":-7}";
    cr_expect_str_eq(render(text), text);
}

Test(template, what_cannot_be_filled_in_is_refused_with_a_sentence)
{
    static const char *const pairs[][2] = {
        {"{\"a\": \"${params.gone}\"}", "nothing at '${params.gone}'"},
        {"{\"a\": \"${params.list[2]}\"}", "nothing at"},
        {"{\"a\": \"${params.name.x}\"}", "nothing at"},
        {"{\"a\": \"x ${params.list}\"}", "fits in no text"},
        {"{\"a\": \"x ${params.none}\"}", "fits in no text"},
        {"{\"a\": \"${params.name\"}", "does not end"},
        {"{\"a\": \"${}\"}", "empty"},
        {"{\"a\": \"${params..name}\"}", "no placeholder"},
        {"{\"a\": \"${.params}\"}", "no placeholder"},
        {"{\"a\": \"${params.}\"}", "no placeholder"},
        {"{\"a\": \"${params.list[]}\"}", "no placeholder"},
        {"{\"a\": \"${params.list[1}\"}", "no placeholder"},
        {"{\"a\": \"${params.list[99999999999999999999]}\"}", "no placeholder"},
        {"{\"a\": \"${[0]}\"}", "no placeholder"},
        {"{\"a\": \"${a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q}\"}", "no placeholder"},
        {"{\"a\": \"${params name}\"}", "no placeholder"},
        {"[1]", "an object"},
        {"{\"a\": 1, \"a\": 2}", "twice"},
        {"{\"a\": {\"b\": 1, \"c\": {\"d\": 1, \"d\": 1}}}", "twice"},
        {"{\"a\": }", "not JSON"},
        {"", "not JSON"},
        {"{\"a\\u0000b\": 1}", "NUL"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        cr_expect(render(pairs[i][0]) == NULL, "%s", pairs[i][0]);
        cr_expect(strstr(error.why, pairs[i][1]), "%s: %s", pairs[i][0], error.why);
    }
}

/* `{"a":` or `[`, so many times. */
static const char *
nested(size_t levels)
{
    static char text[200 * 1024];
    size_t at = 0;
    for (size_t i = 0; i < levels; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "{\"a\":");
    }
    text[at++] = '1';
    for (size_t i = 0; i < levels; i++) {
        text[at++] = '}';
    }
    text[at] = '\0';
    return text;
}

Test(template, depth_count_and_size_are_bounded)
{
    cr_expect(render(nested(TEMPLATE_MAX_DEPTH)) != NULL, "%s", error.why);
    cr_expect(render(nested(TEMPLATE_MAX_DEPTH + 1)) == NULL);
    cr_expect(strstr(error.why, "levels"), "%s", error.why);
    cr_expect(render(nested(9000)) == NULL);
    cr_expect(strstr(error.why, "levels"), "%s", error.why);
    cr_expect(render(nested(20000)) == NULL);
    cr_expect(strstr(error.why, "bytes"), "%s", error.why);

    static char many[3 * TEMPLATE_MAX_VALUES];
    memset(many, 0, sizeof many);
    size_t at = (size_t)snprintf(many, sizeof many, "{\"a\":[0");
    for (size_t i = 0; i < TEMPLATE_MAX_VALUES; i++) {
        many[at++] = ',';
        many[at++] = '0';
    }
    memcpy(many + at, "]}", 2);
    cr_expect(render(many) == NULL);
    cr_expect(strstr(error.why, "values"), "%s", error.why);
}

Test(template, what_placeholders_bring_in_is_bounded)
{
    static char text[TEMPLATE_MAX_TEXT];
    static char big[TEMPLATE_MAX_TEXT];
    yyjson_mut_doc *document = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(document);
    memset(big, 'x', sizeof big - 1024);
    yyjson_mut_obj_add_str(document, root, "big", big);
    const char *out = NULL;
    size_t size = (size_t)snprintf(text, sizeof text, "{\"a\": \"${big}\"}");
    cr_expect(template_render(text, size, root, arena, &out, &error) == VLN_OK);
    size = (size_t)snprintf(text, sizeof text, "{\"a\": \"${big}\", \"b\": \"-${big}\"}");
    cr_expect(template_render(text, size, root, arena, &out, &error) == VLN_INVALID_ARGUMENT);
    cr_expect(strstr(error.why, "larger"), "%s", error.why);
    yyjson_mut_doc_free(document);
}

Test(template, without_a_context_placeholders_are_blanks)
{
    static const char text[] =
        "{\"a\": \"${x}\", \"b\": [1, \"${y}\", 2], \"c\": \"p${z}\", \"d\": \"$${q}\"}";
    const char *out = NULL;
    cr_assert(template_render(text, strlen(text), NULL, arena, &out, &error) == VLN_OK);
    cr_expect_str_eq(out, "{\"a\":null,\"b\":[1,2],\"c\":null,\"d\":\"${q}\"}");
}

typedef struct seen {
    size_t count;
    char paths[8][TEMPLATE_PATH_MAX];
} seen_t;

static bool
note(void *context, const template_path_t *path, template_error_t *wrong)
{
    seen_t *seen = context;
    snprintf(seen->paths[seen->count++], TEMPLATE_PATH_MAX, "%s", path->text);
    snprintf(wrong->why, sizeof wrong->why, "enough");
    return seen->count < 4;
}

Test(template, every_placeholder_is_visited_until_the_visitor_says_no)
{
    static const char text[] =
        "{\"a\": \"${x.y}\", \"b\": [{\"c\": \"1${z[3]}2${w}3\"}], \"d\": \"$${no}\"}";
    seen_t seen = {0};
    cr_assert(template_visit(text, strlen(text), note, &seen, &error) == VLN_OK);
    cr_assert(seen.count == 3);
    cr_expect_str_eq(seen.paths[0], "x.y");
    cr_expect_str_eq(seen.paths[1], "z[3]");
    cr_expect_str_eq(seen.paths[2], "w");
    cr_expect(template_visit(text, strlen(text), note, &seen, &error) == VLN_INVALID_ARGUMENT);
    cr_expect_str_eq(error.why, "enough");
}

Test(template, names_hold_no_placeholders)
{
    static const char text[] = "{\"${x}\": 1}";
    seen_t seen = {0};
    cr_expect(template_visit(text, strlen(text), note, &seen, &error) == VLN_INVALID_ARGUMENT);
    cr_expect(strstr(error.why, "not in names"), "%s", error.why);
}
