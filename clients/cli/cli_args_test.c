#include "cli_args.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const cli_option_t own[] = {{"kind", 'k', "KIND", false, ""},
                                   {"label", 0, "K=V", true, ""},
                                   {"wait", 0, NULL, false, ""},
                                   {"bus", 0, "OWN", false, ""},
                                   {0}};
static const cli_option_t more[] = {
    {"bus", 0, "B", false, ""}, {"output", 'o', "F", false, ""}, {0}};

static cli_args_t args;

/* The words of a command line, parted by blanks. */
static bool
parse(const char *line)
{
    static char text[512];
    static char *argv[64];
    int argc = 0;
    char *rest = NULL;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    return cli_args_parse(&args, own, more, argc, argv, 0);
}

Test(cli_args, tells_words_from_options_in_any_order)
{
    cr_assert(parse("one --kind train two -o json --wait three"));
    cr_expect(args.word_count == 3);
    cr_expect_str_eq(cli_args_word(&args, 0), "one");
    cr_expect_str_eq(cli_args_word(&args, 2), "three");
    cr_expect_null(cli_args_word(&args, 3));
    cr_expect_str_eq(cli_args_get(&args, "kind"), "train");
    cr_expect_str_eq(cli_args_get(&args, "output"), "json");
    cr_expect(cli_args_has(&args, "wait"));
    cr_expect_not(cli_args_has(&args, "bus"));
}

Test(cli_args, takes_values_behind_a_sign_and_behind_a_letter)
{
    cr_assert(parse("--kind=a=b -ojson"));
    cr_expect_str_eq(cli_args_get(&args, "kind"), "a=b");
    cr_expect_str_eq(cli_args_get(&args, "output"), "json");
    cr_assert(parse("--kind="));
    cr_expect_str_eq(cli_args_get(&args, "kind"), "");
}

Test(cli_args, prefers_the_commands_own_option)
{
    cr_assert(parse("--bus x"));
    cr_expect_str_eq(args.given[0].option->value, "OWN");
}

Test(cli_args, counts_a_dash_as_a_word_and_ends_options_at_two)
{
    cr_assert(parse("- -- --kind -o"));
    cr_expect(args.word_count == 3 && args.given_count == 0);
    cr_expect_str_eq(cli_args_word(&args, 0), "-");
    cr_expect_str_eq(cli_args_word(&args, 1), "--kind");
}

Test(cli_args, gives_a_negative_number_as_a_value)
{
    int64_t number;
    cr_assert(parse("--kind -5"));
    cr_expect(cli_args_number(&args, "kind", -10, 10, 0, &number) && number == -5);
}

Test(cli_args, gives_every_value_of_a_repeated_option)
{
    size_t at = 0;
    cr_assert(parse("--label a=1 --label b=2"));
    cr_expect(cli_args_count(&args, "label") == 2);
    cr_expect_str_eq(cli_args_next(&args, "label", &at), "a=1");
    cr_expect_str_eq(cli_args_next(&args, "label", &at), "b=2");
    cr_expect_null(cli_args_next(&args, "label", &at));
}

Test(cli_args, refuses_what_it_does_not_know_and_says_what_was_meant)
{
    cr_expect_not(parse("--kin x"));
    cr_expect_str_eq(args.why, "no option --kin; did you mean --kind?");
    cr_expect_not(parse("-z"));
    cr_expect_str_eq(args.why, "no option -z");
    cr_expect_not(parse("--kind"));
    cr_expect_str_eq(args.why, "--kind needs a value: KIND");
    cr_expect_not(parse("--wait=yes"));
    cr_expect_str_eq(args.why, "--wait takes no value");
    cr_expect_not(parse("--kind a --kind b"));
    cr_expect_str_eq(args.why, "--kind is given twice");
}

Test(cli_args, bounds_words_and_options)
{
    char *words[CLI_WORDS_MAX + 2] = {0};
    char *options[CLI_GIVEN_MAX + 2] = {0};
    char word[] = "w";
    char option[] = "--label=a=b";
    for (int i = 0; i <= CLI_WORDS_MAX; i++) {
        words[i] = word;
    }
    for (int i = 0; i <= CLI_GIVEN_MAX; i++) {
        options[i] = option;
    }
    cr_expect(cli_args_parse(&args, own, more, CLI_WORDS_MAX, words, 0));
    cr_expect_not(cli_args_parse(&args, own, more, CLI_WORDS_MAX + 1, words, 0));
    cr_expect(cli_args_parse(&args, own, more, CLI_GIVEN_MAX, options, 0));
    cr_expect_not(cli_args_parse(&args, own, more, CLI_GIVEN_MAX + 1, options, 0));
}

Test(cli_args, reads_numbers_within_bounds)
{
    int64_t number = 0;
    cr_assert(parse("--kind 7"));
    cr_expect(cli_args_number(&args, "kind", 1, 9, 3, &number) && number == 7);
    cr_expect(cli_args_number(&args, "bus", 1, 9, 3, &number) && number == 3);
    cr_expect_not(cli_args_number(&args, "kind", 1, 5, 3, &number));
    cr_expect_str_eq(args.why, "--kind: \"7\" is not a number from 1 to 5");
}

Test(cli_args, reads_durations)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"500ms", 500}, {"10", 10000},    {"10s", 10000},   {"1.5s", 1500},
                {"2m", 120000}, {"3h", 10800000}, {"1d", 86400000}, {"0", 0}};
    static const char *const bad[] = {"", "s", "-1s", "1 s", "1x", "0x10", "nan", "1e400", "1ms2"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = -1;
        cr_expect(cli_duration_parse(good[i].text, &ms) && ms == good[i].ms, "%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms;
        cr_expect_not(cli_duration_parse(bad[i], &ms), "%s", bad[i]);
    }
}

Test(cli_args, cuts_pairs_at_the_first_sign)
{
    size_t len;
    const char *value;
    cr_expect(cli_pair_parse("a=b=c", &len, &value) && len == 1);
    cr_expect_str_eq(value, "b=c");
    cr_expect_not(cli_pair_parse("=b", &len, &value));
    cr_expect_not(cli_pair_parse("ab", &len, &value));
}
