#include "vln_task.h"

#include <criterion/criterion.h>
#include <string.h>

#include "vln_text.h"

static void
must_end_with(const char *name, const char *error)
{
    vln_arena_t *arena = vln_arena_new(1 << 16);
    vln_task_t task = {.arena = arena};
    vln_task_fail(&task, false, "%.3s.", name);
    cr_expect_str_eq(task.end.error, error);
    cr_expect(vln_text_is_utf8(task.end.error, strlen(task.end.error)));
    vln_arena_destroy(&arena);
}

Test(task, an_error_is_utf8_whatever_a_name_was_cut_to)
{
    must_end_with("abcd", "abc.");
    must_end_with("a\xc3\xa9z", "a\xc3\xa9.");
    must_end_with("ab\xc3\xa9", "ab?.");
    must_end_with("\xe2\x82\xac", "\xe2\x82\xac.");
    must_end_with("\xf0\x9f\x98\x80", "???.");
    must_end_with("\xff\x80", "??.");
}

Test(task, a_long_error_is_cut_at_a_characters_end)
{
    vln_arena_t *arena = vln_arena_new(1 << 16);
    vln_task_t task = {.arena = arena};
    char text[4001];
    for (size_t i = 0; i < 4000; i += 2) {
        memcpy(text + i, "\xc3\xa9", 2);
    }
    text[4000] = '\0';
    vln_task_fail(&task, false, "%s", text);
    cr_expect(strlen(task.end.error) < 2000);
    cr_expect(vln_text_is_utf8(task.end.error, strlen(task.end.error)));
    vln_arena_destroy(&arena);
}
