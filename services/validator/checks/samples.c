#include "samples.h"

#include <stdlib.h>

#include "vln_err.h"
#include "vln_mem.h"

typedef struct entry {
    vln_sample_t sample; /* first: who holds it has its address */
    const vln_column_t *column;
    size_t rows;
    size_t holders;
    struct entry *next;
} entry_t;

struct samples {
    entry_t *entries; /* the youngest first */
    size_t bytes;
    size_t budget;
    size_t sorted;
};

static entry_t *
make(const vln_column_t *column, size_t rows)
{
    entry_t *self = vln_calloc(1, sizeof *self);
    double *values = vln_calloc(rows + 1, sizeof *values);
    vln_column_numbers(column, rows, values);
    *self =
        (entry_t){.sample = vln_sample_make(values, rows), .column = column, .rows = rows};
    free(values);
    return self;
}

static void
end(entry_t *self)
{
    vln_sample_end(&self->sample);
    free(self);
}

samples_t *
samples_new(size_t budget)
{
    samples_t *self = vln_calloc(1, sizeof *self);
    self->budget = budget;
    return self;
}

void
samples_destroy(samples_t **self)
{
    if (!*self) {
        return;
    }
    for (entry_t *entry = (*self)->entries, *next; entry; entry = next) {
        vln_assert(entry->holders == 0);
        next = entry->next;
        end(entry);
    }
    free(*self);
    *self = NULL;
}

/* Ends the oldest that nobody holds; false if there is none. */
static bool
drop_one(samples_t *self)
{
    entry_t **found = NULL;
    for (entry_t **at = &self->entries; *at; at = &(*at)->next) {
        found = (*at)->holders == 0 ? at : found;
    }
    if (!found) {
        return false;
    }
    entry_t *entry = *found;
    *found = entry->next;
    self->bytes -= entry->rows * sizeof(double);
    end(entry);
    return true;
}

static entry_t *
find(const samples_t *self, const vln_column_t *column, size_t rows)
{
    entry_t *entry = self->entries;
    while (entry && (entry->column != column || entry->rows != rows)) {
        entry = entry->next;
    }
    return entry;
}

const vln_sample_t *
samples_hold(samples_t *self, const vln_column_t *column, size_t rows)
{
    if (!self) {
        return &make(column, rows)->sample;
    }
    entry_t *entry = find(self, column, rows);
    if (!entry) {
        entry = make(column, rows);
        entry->next = self->entries;
        self->entries = entry;
        self->bytes += rows * sizeof(double);
        self->sorted++;
    }
    entry->holders++;
    return &entry->sample;
}

void
samples_release(samples_t *self, const vln_sample_t *sample)
{
    entry_t *entry = (entry_t *)(uintptr_t)sample; /* its first member */
    if (!self) {
        end(entry);
        return;
    }
    vln_assert(entry->holders > 0);
    entry->holders--;
    while (self->bytes > self->budget && drop_one(self)) {
    }
}

size_t
samples_sorted(const samples_t *self)
{
    return self->sorted;
}
