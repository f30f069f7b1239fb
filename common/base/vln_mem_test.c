#include "vln_mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16, BLOCK = 16 * 1024, BUDGET = 1000 };

static bool
is_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* ---- the heap ---- */

Test(vln_mem, memory_is_zeroed_and_never_null)
{
    unsigned char *bytes = vln_calloc(3, 100);
    cr_expect(is_zero(bytes, 300));
    free(bytes);
    void *nothing = vln_calloc(0, 0);
    cr_expect(ne(ptr, nothing, NULL));
    free(nothing);
}

Test(vln_mem, growing_keeps_what_is_there)
{
    char *text = vln_strdup("abc");
    text = vln_realloc(text, 1000);
    cr_expect(eq(str, text, "abc"));
    text = vln_realloc(text, 0);
    cr_expect(ne(ptr, text, NULL));
    free(text);
}

Test(vln_mem, copies_are_their_own)
{
    char source[] = "abc";
    char *text = vln_strdup(source);
    unsigned char *bytes = vln_memdup("\0\1\0", 3);
    source[0] = 'x';
    cr_expect(eq(str, text, "abc"));
    cr_expect(memcmp(bytes, "\0\1\0", 3) == 0);
    free(text);
    free(bytes);
}

Test(vln_mem, a_copy_of_nothing_is_nothing)
{
    cr_expect(eq(ptr, vln_strdup(NULL), NULL));
    void *bytes = vln_memdup(NULL, 0);
    cr_expect(ne(ptr, bytes, NULL));
    free(bytes);
}

/* ---- the arena ---- */

static vln_arena_t *arena;

static void
setup(void)
{
    arena = vln_arena_new(BUDGET);
}

static void
teardown(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(vln_arena, .init = setup, .fini = teardown, .timeout = 30);

Test(vln_arena, pieces_are_aligned_zeroed_and_apart)
{
    unsigned char *pieces[200];
    for (size_t i = 0; i < 200; i++) {
        pieces[i] = vln_arena_alloc(arena, i);
        cr_expect(eq(sz, (uintptr_t)pieces[i] % ALIGNMENT, 0));
        cr_expect(is_zero(pieces[i], i));
        memset(pieces[i], (int)i, i);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t at = 0; at < i; at++) {
            cr_assert(pieces[i][at] == i, "piece %zu was written over", i);
        }
    }
}

Test(vln_arena, pieces_larger_than_a_block_are_given_whole)
{
    unsigned char *small = vln_arena_alloc(arena, 10);
    unsigned char *large = vln_arena_alloc(arena, 3 * BLOCK + 1);
    unsigned char *exact = vln_arena_alloc(arena, BLOCK);
    memset(small, 1, 10);
    memset(large, 2, 3 * BLOCK + 1);
    memset(exact, 3, BLOCK);
    cr_expect(small[9] == 1 && large[0] == 2 && large[3 * BLOCK] == 2 && exact[BLOCK - 1] == 3);
    cr_expect(eq(sz, (uintptr_t)large % ALIGNMENT, 0));
    cr_expect(eq(sz, (uintptr_t)exact % ALIGNMENT, 0));
}

Test(vln_arena, a_budget_is_not_exceeded)
{
    cr_expect(eq(ptr, vln_arena_try_alloc(arena, BUDGET + 1), NULL));
    size_t given = 0;
    while (vln_arena_try_alloc(arena, ALIGNMENT / 2)) {
        given++;
    }
    cr_expect(gt(sz, given, 0));
    cr_expect(le(sz, vln_arena_used(arena), BUDGET));
    cr_expect(gt(sz, vln_arena_used(arena) + ALIGNMENT, BUDGET), "it was used up");
}

Test(vln_arena, the_whole_budget_may_be_one_piece)
{
    cr_expect(ne(ptr, vln_arena_try_alloc(arena, BUDGET / ALIGNMENT * ALIGNMENT), NULL));
    cr_expect(eq(ptr, vln_arena_try_alloc(arena, ALIGNMENT), NULL));
}

Test(vln_arena, a_size_that_no_machine_has_is_refused)
{
    vln_arena_t *boundless = vln_arena_new(SIZE_MAX / ALIGNMENT * ALIGNMENT);
    cr_assert(ne(ptr, vln_arena_try_alloc(boundless, 100), NULL));
    cr_expect(eq(ptr, vln_arena_try_alloc(boundless, SIZE_MAX - 50), NULL));
    cr_expect(eq(ptr, vln_arena_try_alloc(boundless, SIZE_MAX), NULL));
    vln_arena_destroy(&boundless);
}

Test(vln_arena, what_our_own_code_bounds_is_given_whatever_the_budget)
{
    cr_expect(ne(ptr, vln_arena_alloc(arena, 2 * BUDGET), NULL));
    cr_expect(eq(ptr, vln_arena_try_alloc(arena, 1), NULL));
}

Test(vln_arena, a_reset_gives_the_budget_back_and_zeroed_pieces)
{
    unsigned char *before = vln_arena_try_alloc(arena, BUDGET - ALIGNMENT);
    cr_assert(ne(ptr, before, NULL));
    memset(before, 0xff, BUDGET - ALIGNMENT);
    vln_arena_reset(arena);
    cr_expect(eq(sz, vln_arena_used(arena), 0));
    unsigned char *after = vln_arena_try_alloc(arena, BUDGET - ALIGNMENT);
    cr_assert(ne(ptr, after, NULL));
    cr_expect(is_zero(after, BUDGET - ALIGNMENT));
}

/* A large request must not stay in the memory of the small ones after it; under the sanitizer a
 * block that is lost here is a leak. */
Test(vln_arena, a_reset_ends_large_blocks)
{
    for (int round = 0; round < 3; round++) {
        vln_arena_alloc(arena, 10);
        vln_arena_alloc(arena, 5 * BLOCK);
        vln_arena_reset(arena);
        vln_arena_alloc(arena, 5 * BLOCK);
        vln_arena_alloc(arena, 10);
        vln_arena_reset(arena);
        cr_expect(eq(sz, vln_arena_used(arena), 0));
    }
    vln_arena_reset(arena);
}

Test(vln_arena, texts_and_bytes_are_copied)
{
    char source[] = "abc";
    char *text = vln_arena_strdup(arena, source);
    const unsigned char *bytes = vln_arena_memdup(arena, "\0\1", 2);
    source[0] = 'x';
    cr_expect(eq(str, text, "abc"));
    cr_expect(bytes[0] == 0 && bytes[1] == 1);
    cr_expect(eq(ptr, vln_arena_strdup(arena, NULL), NULL));
    cr_expect(ne(ptr, vln_arena_memdup(arena, NULL, 0), NULL));
}

Test(vln_arena, texts_are_made_of_any_length)
{
    char *text = vln_arena_printf(arena, "%0*d|%s", 5000, 7, "end");
    cr_expect(eq(sz, strlen(text), 5004));
    cr_expect(eq(str, text + 4999, "7|end"));
    cr_expect(eq(str, vln_arena_printf(arena, "%s", ""), ""));
}

Test(vln_arena, destroying_twice_or_nothing_is_fine)
{
    vln_arena_t *none = NULL;
    vln_arena_destroy(&none);
    vln_arena_destroy(&arena);
    cr_expect(eq(ptr, arena, NULL));
}
