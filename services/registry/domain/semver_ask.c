/*
 * semver_ask - the answers of semver to whoever asks on standard input, for tests that compare them
 * with another implementation's. A line a question: one word is a text, and the answer 1 if it is a
 * version; two are versions, and the answer is -1, 0 or 1; `?` if one of them is none.
 */
#include <stdio.h>
#include <string.h>

#include "semver.h"

enum { LINE = 4096 };

static void
answer_pair(const char *left, const char *right)
{
    semver_t a;
    semver_t b;
    if (semver_parse(left, &a) && semver_parse(right, &b)) {
        printf("%d\n", semver_compare(&a, &b));
        return;
    }
    puts("?");
}

int
main(void)
{
    char line[LINE];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        char *space = strchr(line, ' ');
        if (space) {
            *space = '\0';
            answer_pair(line, space + 1);
            continue;
        }
        semver_t version;
        puts(semver_parse(line, &version) ? "1" : "0");
    }
    return 0;
}
