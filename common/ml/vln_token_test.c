#include "vln_token.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* The kinds of all tokens, a letter each; "!" for an error. */
static void
spell(const void *bytes, size_t size, bool is_ubj, char out[128])
{
    static const char letters[] = "!.{}[]ktnTF0";
    vln_token_reader_t reader;
    vln_token_open(&reader, bytes, size, is_ubj);
    size_t used = 0;
    vln_token_t token;
    do {
        token = vln_token_next(&reader);
        out[used++] = letters[token.kind];
    } while (token.kind != VLN_TOKEN_END && token.kind != VLN_TOKEN_ERROR && used < 126);
    out[used] = '\0';
}

static void
expect_json(const char *json, const char *spelled)
{
    char out[128];
    spell(json, strlen(json), false, out);
    cr_expect_str_eq(out, spelled, "%s is %s", json, out);
}

Test(vln_token, reads_what_json_has)
{
    expect_json("{\"a\": [1, -2.5e3, NaN, -Infinity], \"b\": {}, \"c\": \"x\\\"y\", \"d\": true}",
                "{k[nnnn]k{}ktkT}.");
    expect_json(" [ ] ", "[].");
    expect_json("[null,false]", "[0F].");
    expect_json("7", "n.");
}

Test(vln_token, refuses_what_is_no_json)
{
    static const char *const bad[] = {
        "",       "{",     "[1,]", "[1 2]",     "{\"a\"}", "{\"a\":}",   "{1:2}", "[1]x",
        "\"open", "[tru]", "[1}",  "{\"a\" 1}", "[,1]",    "{,\"a\":1}", "nul",   "[\"a\\\"]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char out[128];
        spell(bad[i], strlen(bad[i]), false, out);
        cr_expect_eq(out[strlen(out) - 1], '!', "%s is %s", bad[i], out);
    }
}

Test(vln_token, stops_at_its_depth_and_not_at_the_stack_s)
{
    char deep[VLN_TOKEN_DEPTH + 1];
    char out[128];
    memset(deep, '[', sizeof deep);
    spell(deep, sizeof deep, false, out);
    cr_expect_eq(strlen(out), (size_t)VLN_TOKEN_DEPTH + 1);
    cr_expect_eq(out[VLN_TOKEN_DEPTH], '!');
}

Test(vln_token, reads_whole_numbers_as_such)
{
    static const char json[] = "[12, -7, 1.0, 1e3, 99999999999999999999]";
    vln_token_reader_t reader;
    vln_token_open(&reader, (const uint8_t *)json, sizeof json - 1, false);
    vln_token_next(&reader);
    vln_token_t token = vln_token_next(&reader);
    cr_expect(token.is_whole && token.whole == 12);
    token = vln_token_next(&reader);
    cr_expect(token.is_whole && token.whole == -7);
    for (int i = 0; i < 3; i++) {
        token = vln_token_next(&reader);
        cr_expect(token.kind == VLN_TOKEN_NUMBER && !token.is_whole);
    }
}

Test(vln_token, undoes_escapes)
{
    static const char json[] = "\"a\\n\\u00e9\\ud83d\\ude00\\\\z\"";
    char out[64];
    vln_token_reader_t reader;
    vln_token_open(&reader, (const uint8_t *)json, sizeof json - 1, false);
    vln_token_t token = vln_token_next(&reader);
    cr_assert_eq(token.kind, VLN_TOKEN_TEXT);
    cr_expect_eq(vln_token_unescape(&token, out, sizeof out), 10);
    cr_expect_str_eq(out, "a\n\xc3\xa9\xf0\x9f\x98\x80\\z");
    cr_expect_eq(vln_token_unescape(&token, out, 8), SIZE_MAX);
}

Test(vln_token, refuses_escapes_that_are_none)
{
    static const char *const bad[] = {"\"\\q\"",     "\"\\u12\"",   "\"\\ud83d\"",
                                      "\"\\ude00\"", "\"\\u0000\"", "\"\\ud83dxxxxxx\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char out[64];
        vln_token_reader_t reader;
        vln_token_open(&reader, (const uint8_t *)bad[i], strlen(bad[i]), false);
        vln_token_t token = vln_token_next(&reader);
        cr_expect_eq(vln_token_unescape(&token, out, sizeof out), SIZE_MAX, "%s", bad[i]);
    }
}

Test(vln_token, reads_what_ubjson_has)
{
    static const char bytes[] = "{i\001a[$l#U\002\000\000\000\005\377\377\377\376"
                                "i\001b[#i\003Si\002xyi\377T"
                                "i\001c[TFZ]i\001d{}}";
    char out[128];
    spell(bytes, sizeof bytes - 1, true, out);
    cr_expect_str_eq(out, "{k[nn]k[tnT]k[TF0]k{}}.");
    vln_token_reader_t reader;
    vln_token_open(&reader, (const uint8_t *)bytes, sizeof bytes - 1, true);
    for (int i = 0; i < 3; i++) {
        vln_token_next(&reader);
    }
    cr_expect_eq(vln_token_next(&reader).whole, 5);
    cr_expect_eq(vln_token_next(&reader).whole, -2);
}

/* The tokens after the first array's numbers were stepped over. */
static void
expect_after_skip(const void *bytes, size_t size, bool is_ubj, vln_token_kind_t next)
{
    vln_token_reader_t reader;
    vln_token_open(&reader, bytes, size, is_ubj);
    cr_assert_eq(vln_token_next(&reader).kind, VLN_TOKEN_ARRAY);
    vln_token_skip_numbers(&reader);
    cr_expect_eq(vln_token_next(&reader).kind, next);
}

Test(vln_token, steps_over_numbers_and_over_nothing_else)
{
    expect_after_skip("[1, -2.5,3e7]", 13, false, VLN_TOKEN_ARRAY_END);
    expect_after_skip("[]", 2, false, VLN_TOKEN_ARRAY_END);
    expect_after_skip("[1,\"]\"]", 7, false, VLN_TOKEN_NUMBER);
    expect_after_skip("[[1],2]", 7, false, VLN_TOKEN_ARRAY);
    expect_after_skip("[1,2", 4, false, VLN_TOKEN_NUMBER);
    expect_after_skip("[$l#U\001\000\000\000\005", 10, true, VLN_TOKEN_ARRAY_END);
    expect_after_skip("[l\000\000\000\005]", 7, true, VLN_TOKEN_NUMBER);
}

Test(vln_token, does_not_step_over_the_end)
{
    vln_token_reader_t reader;
    vln_token_open(&reader, (const uint8_t *)"[$l#U\002\000\000\000\005", 10, true);
    cr_assert_eq(vln_token_next(&reader).kind, VLN_TOKEN_ARRAY);
    vln_token_skip_numbers(&reader);
    cr_expect_eq(vln_token_next(&reader).kind, VLN_TOKEN_NUMBER);
    cr_expect_eq(vln_token_next(&reader).kind, VLN_TOKEN_ERROR);
}

Test(vln_token, believes_no_count_of_ubjson)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"[$d#L\000\000\001\000\000\000\000\000", 13}, /* 2^40 floats */
        {"[#i\377", 4},                                /* -1 of them */
        {"{i\005ab", 5},                               /* a name of 5 bytes, of which 2 are there */
        {"{L\177\377\377\377\377\377\377\377a", 11},   /* of nearly 2^63 */
        {"[$q#i\001", 6},                              /* of no type */
        {"[$l", 3},
        {"[l\000\000", 4},
        {"{", 1},
        {"[S", 2},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char out[128];
        spell(bad[i].bytes, bad[i].size, true, out);
        cr_expect_eq(out[strlen(out) - 1], '!', "%zu is %s", i, out);
    }
}
