#include "vln_text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- copying ---- */

Test(vln_text, a_copy_that_fits_is_whole)
{
    char out[4];
    cr_expect(vln_text_copy(out, sizeof out, "abc"));
    cr_expect(eq(str, out, "abc"));
    cr_expect(vln_text_copy(out, sizeof out, ""));
    cr_expect(eq(str, out, ""));
}

Test(vln_text, a_copy_that_does_not_fit_is_cut_and_ended)
{
    char out[6] = "#####";
    cr_expect(not(vln_text_copy(out, 4, "abcd")));
    cr_expect(eq(str, out, "abc"));
    cr_expect(eq(chr, out[4], '#'));
    cr_expect(not(vln_text_copy(out, 1, "x")));
    cr_expect(eq(str, out, ""));
}

Test(vln_text, a_copy_of_nothing_is_empty)
{
    char out[4] = "abc";
    cr_expect(vln_text_copy(out, sizeof out, NULL));
    cr_expect(eq(str, out, ""));
}

/* ---- hex ---- */

Test(vln_text, hex_goes_there_and_back)
{
    uint8_t bytes[256];
    uint8_t back[256];
    char hex[513];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    cr_expect(eq(ptr, vln_hex_encode(bytes, sizeof bytes, hex), hex));
    cr_expect(strncmp(hex, "000102", 6) == 0);
    cr_expect(eq(str, hex + 510, "ff"));
    cr_assert(vln_hex_decode(hex, back, sizeof back));
    cr_expect(memcmp(bytes, back, sizeof bytes) == 0);
    cr_expect(eq(str, vln_hex_encode(bytes, 0, hex), ""));
    cr_expect(vln_hex_decode("", back, 0));
}

Test(vln_text, hex_is_read_in_any_case_and_of_the_right_length_alone)
{
    uint8_t out[2];
    cr_expect(vln_hex_decode("aBCd", out, 2));
    cr_expect(out[0] == 0xab && out[1] == 0xcd);
    static const char *const wrong[] = {"",     "ab",   "abc",  "abcde", "abcdef", "ab g",
                                        "0xab", "ab:c", "abc/", "abc@",  "abc`",   "abcg"};
    for (size_t i = 0; i < VLN_COUNT(wrong); i++) {
        cr_expect(not(vln_hex_decode(wrong[i], out, 2)), "%s", wrong[i]);
    }
}

/* ---- names ---- */

Test(vln_text, a_name_begins_with_a_letter_or_digit)
{
    static const char *const good[] = {"a", "Z9", "house-prices", "a.b_c-d", "0"};
    static const char *const wrong[] = {"",         ".",         "..",     "-a",    "_a",
                                        ".hidden",  "a/b",       "../etc", "a b",   "a\n",
                                        "\xc3\xa9", "a\xc3\xa9", "a:b",    "a\x7f", "a\x01"};
    for (size_t i = 0; i < VLN_COUNT(good); i++) {
        cr_expect(vln_text_is_name(good[i], 128, "_.-"), "%s", good[i]);
    }
    for (size_t i = 0; i < VLN_COUNT(wrong); i++) {
        cr_expect(not(vln_text_is_name(wrong[i], 128, "_.-")), "%s", wrong[i]);
    }
    cr_expect(not(vln_text_is_name(NULL, 128, "_.-")));
}

Test(vln_text, a_name_has_at_most_its_length)
{
    cr_expect(vln_text_is_name("abcd", 4, ""));
    cr_expect(not(vln_text_is_name("abcde", 4, "")));
    cr_expect(not(vln_text_is_name("a", 0, "")));
    cr_expect(not(vln_text_is_name("a-b", 4, "")));
}

/* ---- UTF-8 ---- */

Test(vln_text, utf8_of_every_length_is_taken)
{
    static const char *const good[] = {
        "",
        "plain",
        "\x01\x7f",
        "\xc2\x80",     /* the first of two bytes */
        "\xdf\xbf",     /* the last */
        "\xe0\xa0\x80", /* of three */
        "\xed\x9f\xbf", /* just below the surrogates */
        "\xee\x80\x80", /* just above */
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80", /* of four */
        "\xf4\x8f\xbf\xbf", /* the last there is */
    };
    for (size_t i = 0; i < VLN_COUNT(good); i++) {
        cr_expect(vln_text_is_utf8(good[i], strlen(good[i])), "row %zu", i);
    }
}

Test(vln_text, what_only_looks_like_utf8_is_refused)
{
    static const struct {
        const char *bytes;
        size_t size;
    } wrong[] = {
        {"a\0b", 3}, /* a NUL within */
        {"\0", 1},
        {"\x80", 1}, /* a continuation alone */
        {"\xc3", 1}, /* cut */
        {"\xe2\x82", 2},
        {"\xf0\x9f\x98", 3},
        {"\xc3(", 2}, /* not continued */
        {"\xe2(\xa1", 3},
        {"\xe2\x82(", 3},
        {"\xc0\x80", 2}, /* a NUL, overlong */
        {"\xc1\xbf", 2},
        {"\xe0\x9f\xbf", 3},
        {"\xf0\x8f\xbf\xbf", 4},
        {"\xed\xa0\x80", 3}, /* surrogates */
        {"\xed\xbf\xbf", 3},
        {"\xf4\x90\x80\x80", 4}, /* beyond the last */
        {"\xf5\x80\x80\x80", 4},
        {"\xfe", 1},
        {"\xff", 1},
        {"good until here \xff", 17},
    };
    for (size_t i = 0; i < VLN_COUNT(wrong); i++) {
        cr_expect(not(vln_text_is_utf8(wrong[i].bytes, wrong[i].size)), "row %zu", i);
    }
}

/* ---- numbers ---- */

Test(vln_text, whole_numbers_within_bounds_are_read)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"007", 7},
                {"-12", -12},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < VLN_COUNT(good); i++) {
        int64_t value = 99;
        cr_expect(vln_text_to_i64(good[i].text, INT64_MIN, INT64_MAX, &value), "%s", good[i].text);
        cr_expect(eq(i64, value, good[i].value));
    }
}

Test(vln_text, what_is_no_number_or_out_of_bounds_leaves_the_result_alone)
{
    static const char *const wrong[] = {NULL,
                                        "",
                                        "-",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1.5",
                                        "1e3",
                                        "0x10",
                                        "abc",
                                        "--1",
                                        "1,000",
                                        "\t1",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "99999999999999999999999999"};
    int64_t value = 99;
    for (size_t i = 0; i < VLN_COUNT(wrong); i++) {
        cr_expect(not(vln_text_to_i64(wrong[i], INT64_MIN, INT64_MAX, &value)), "%s",
                  wrong[i] ? wrong[i] : "NULL");
    }
    cr_expect(not(vln_text_to_i64("10", 1, 9, &value)));
    cr_expect(not(vln_text_to_i64("0", 1, 9, &value)));
    cr_expect(eq(i64, value, 99));
    cr_expect(vln_text_to_i64("9", 1, 9, &value) && vln_text_to_i64("1", 1, 9, &value));
}

/* ---- words ---- */

static void
expect_words(const char *list, char separator, const char *joined)
{
    char found[128] = "";
    char word[8];
    size_t len = 0;
    const char *rest = list;
    while (vln_text_next(&rest, separator, word, sizeof word)) {
        len += (size_t)snprintf(found + len, sizeof found - len, "[%s]", word);
    }
    cr_expect(eq(str, found, (char *)joined));
    cr_expect(eq(str, (char *)rest, ""));
}

Test(vln_text, a_list_is_taken_word_by_word_without_blanks)
{
    expect_words("a,b,c", ',', "[a][b][c]");
    expect_words("  a ,\tb\n, c d ", ',', "[a][b][c d]");
    expect_words("one\ntwo\n", '\n', "[one][two]");
}

Test(vln_text, empty_words_are_none)
{
    expect_words("", ',', "");
    expect_words(",, ,", ',', "");
    expect_words(",a,,b,", ',', "[a][b]");
}

Test(vln_text, a_word_that_is_too_long_is_cut)
{
    expect_words("12345678,b", ',', "[1234567][b]");
}

/* ---- files ---- */

static char path[64];

static void
write_file(const void *bytes, size_t size)
{
    vln_text_copy(path, sizeof path, "/tmp/vln_text_test_XXXXXX");
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    cr_assert(write(fd, bytes, size) == (ssize_t)size);
    close(fd);
}

Test(vln_text, a_file_is_read_whole_and_ended)
{
    char *text = NULL;
    size_t size = 0;
    write_file("a\0b\n", 4);
    cr_assert(vln_text_read_file(path, 4, &text, &size) == VLN_OK);
    cr_expect(eq(sz, size, 4));
    cr_expect(memcmp(text, "a\0b\n", 5) == 0);
    free(text);
    cr_assert(vln_text_read_file(path, 100, &text, NULL) == VLN_OK);
    free(text);
    unlink(path);
}

Test(vln_text, a_file_above_its_bound_is_refused)
{
    char *text = (char *)1;
    write_file("12345", 5);
    cr_expect(vln_text_read_file(path, 4, &text, NULL) == VLN_INVALID_ARGUMENT);
    cr_expect(eq(ptr, text, NULL));
    unlink(path);
}

Test(vln_text, an_empty_file_is_an_empty_text)
{
    char *text = NULL;
    size_t size = 1;
    write_file("", 0);
    cr_assert(vln_text_read_file(path, 0, &text, &size) == VLN_OK);
    cr_expect(eq(str, text, ""));
    cr_expect(eq(sz, size, 0));
    free(text);
    unlink(path);
}

Test(vln_text, a_file_that_is_not_there_is_not_found)
{
    char *text = (char *)1;
    cr_expect(vln_text_read_file("/nowhere/at/all", 10, &text, NULL) == VLN_NOT_FOUND);
    cr_expect(eq(ptr, text, NULL));
}

/* A folder opens as a file does, and then cannot be read. */
Test(vln_text, a_folder_is_no_file)
{
    char *text = (char *)1;
    cr_expect(vln_text_read_file("/tmp", 100, &text, NULL) != VLN_OK);
    cr_expect(eq(ptr, text, NULL));
}
