#include "vln_guess.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *
guess(const char *typed)
{
    static const char *const words[] = {"value", "version", "metrics", "model"};
    vln_guess_t self = {.typed = typed};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        vln_guess_offer(&self, words[i]);
    }
    return self.best;
}

Test(vln_guess, counts_letters_between_words)
{
    cr_expect(vln_guess_distance("", "abc") == 3);
    cr_expect(vln_guess_distance("kitten", "sitting") == 3);
    cr_expect(vln_guess_distance("same", "SAME") == 0);
}

Test(vln_guess, finds_the_nearest_word)
{
    cr_expect_str_eq(guess("valeu"), "value");
    cr_expect_str_eq(guess("modle"), "model");
    cr_expect_str_eq(guess("metric"), "metrics");
}

Test(vln_guess, says_nothing_when_no_word_is_near)
{
    cr_expect_null(guess("zzzzzzz"));
    cr_expect_null(guess("completelydifferent"));
}

Test(vln_guess, bears_words_of_any_length)
{
    char long_word[1000];
    memset(long_word, 'x', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    cr_expect_null(guess(long_word));
}
