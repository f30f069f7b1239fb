#include "counts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_bins.h"

static counts_t
counts_new(size_t room, vln_arena_t *arena)
{
    return (counts_t){.reference = vln_arena_alloc(arena, (room + 1) * sizeof(uint64_t)),
                      .current = vln_arena_alloc(arena, (room + 1) * sizeof(uint64_t))};
}

/* The last category, where there is any. */
static void
add_missing(counts_t *self)
{
    if (self->missing_reference + self->missing_current > 0) {
        self->reference[self->count] = self->missing_reference;
        self->current[self->count++] = self->missing_current;
    }
}

/* ---- texts ---- */

/* Rows of each text of the column; *missing are the rest. */
static uint64_t *
count_texts(const vln_column_t *column, size_t rows, vln_arena_t *arena, size_t *missing)
{
    uint64_t *counts = vln_arena_alloc(arena, (vln_dict_count(column->words) + 1) * sizeof *counts);
    *missing = 0;
    for (size_t row = 0; row < rows; row++) {
        if (column->codes[row] < 0) {
            (*missing)++;
        } else {
            counts[column->codes[row]]++;
        }
    }
    return counts;
}

static void
add_new(counts_t *self, const char *text, uint64_t rows, uint64_t *current)
{
    self->new_texts[self->new_count++] = text;
    self->new_rows += rows;
    *current += rows;
}

counts_t
counts_of_texts(const vln_column_t *reference, size_t reference_rows, const vln_column_t *current,
                size_t current_rows, vln_arena_t *arena)
{
    size_t then_words = vln_dict_count(reference->words);
    size_t now_words = vln_dict_count(current->words);
    counts_t self = counts_new(then_words + now_words + 1, arena);
    uint64_t *then = count_texts(reference, reference_rows, arena, &self.missing_reference);
    uint64_t *now = count_texts(current, current_rows, arena, &self.missing_current);
    self.n_reference = reference_rows - self.missing_reference;
    self.n_current = current_rows - self.missing_current;
    self.count = then_words;
    self.new_texts = vln_arena_alloc(arena, (now_words + 1) * sizeof(char *));
    memcpy(self.reference, then, then_words * sizeof *then);
    for (size_t i = 0; i < now_words; i++) {
        size_t size = 0;
        const char *text = vln_dict_text(current->words, (int32_t)i, &size);
        int32_t code = vln_dict_find(reference->words, text, size);
        bool known = code >= 0 && then[code] > 0;
        if (known) {
            self.current[code] += now[i];
        } else if (now[i] > 0) {
            add_new(&self, text, now[i], &self.current[self.count++]);
        }
    }
    add_missing(&self);
    return self;
}

static size_t
find_top(const Valion__V1__ColumnProfile *profile, const char *text)
{
    size_t at = 0;
    while (at < profile->n_top &&
           (!profile->top[at]->category || strcmp(profile->top[at]->category, text) != 0)) {
        at++;
    }
    return at;
}

static uint64_t
not_below_zero(int64_t count)
{
    return count > 0 ? (uint64_t)count : 0;
}

counts_t
counts_of_top(const Valion__V1__ColumnProfile *reference, const vln_column_t *current,
              size_t current_rows, vln_arena_t *arena)
{
    size_t words = vln_dict_count(current->words);
    counts_t self = counts_new(reference->n_top + 2, arena);
    uint64_t *now = count_texts(current, current_rows, arena, &self.missing_current);
    self.missing_reference = (size_t)not_below_zero(reference->missing);
    self.n_current = current_rows - self.missing_current;
    self.new_texts = vln_arena_alloc(arena, (words + 1) * sizeof(char *));
    for (size_t i = 0; i < reference->n_top; i++) {
        self.reference[i] = not_below_zero(reference->top[i]->count);
        self.n_reference += self.reference[i];
    }
    self.count = reference->n_top + 1;
    self.reference[reference->n_top] = not_below_zero(reference->other);
    self.n_reference += self.reference[reference->n_top];
    for (size_t i = 0; i < words; i++) {
        const char *text = vln_dict_text(current->words, (int32_t)i, NULL);
        size_t at = find_top(reference, text);
        if (at < reference->n_top || reference->other > 0 || now[i] == 0) {
            self.current[at] += now[i];
        } else {
            add_new(&self, text, now[i], &self.current[at]);
        }
    }
    add_missing(&self);
    return self;
}

/* ---- bins ---- */

static bool
read_bins(const Valion__V1__ColumnProfile *profile, vln_bins_t *out)
{
    if (profile->n_counts == 0 || profile->n_counts > VLN_BINS_MAX ||
        profile->n_edges + 1 != profile->n_counts) {
        return false;
    }
    *out = (vln_bins_t){.count = profile->n_counts, .closed_above = true};
    for (size_t i = 0; i < profile->n_edges; i++) {
        double edge = profile->edges[i];
        if (!isfinite(edge) || (i > 0 && edge <= profile->edges[i - 1])) {
            return false;
        }
        out->edges[i] = edge;
    }
    return true;
}

bool
counts_of_bins(const Valion__V1__ColumnProfile *reference, const vln_sample_t *current,
               vln_arena_t *arena, counts_t *out)
{
    vln_bins_t bins;
    if (!read_bins(reference, &bins)) {
        return false;
    }
    *out = counts_new(bins.count + 1, arena);
    out->count = bins.count;
    out->missing_reference = (size_t)not_below_zero(reference->missing);
    out->missing_current = current->missing;
    out->n_current = current->n;
    for (size_t i = 0; i < bins.count; i++) {
        out->reference[i] = reference->counts[i];
        out->n_reference += reference->counts[i];
    }
    vln_bins_count(&bins, current, out->current);
    add_missing(out);
    return true;
}
