#include "samples.h"

#include <stdlib.h>

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_parallel.h"

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
    *self = (entry_t){.sample = vln_sample_make(values, rows), .column = column, .rows = rows};
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

static void
add(samples_t *self, entry_t *entry)
{
    entry->next = self->entries;
    self->entries = entry;
    self->bytes += entry->rows * sizeof(double);
    self->sorted++;
}

typedef struct preparing {
    const vln_column_t **columns;
    entry_t **made; /* one of each */
    size_t rows;
} preparing_t;

static void
prepare_one(void *context, size_t i)
{
    const preparing_t *self = context;
    self->made[i] = make(self->columns[i], self->rows);
}

void
samples_prepare(samples_t *self, const vln_column_t *const *columns, size_t count, size_t rows,
                size_t threads)
{
    preparing_t preparing = {.columns = vln_calloc(count + 1, sizeof *preparing.columns),
                             .made = vln_calloc(count + 1, sizeof *preparing.made),
                             .rows = rows};
    size_t left = self->budget > self->bytes ? self->budget - self->bytes : 0;
    size_t room = rows > 0 ? left / sizeof(double) / rows : 0;
    size_t wanted = 0;
    for (size_t i = 0; i < count && wanted < room; i++) {
        if (columns[i]->type != VLN_TYPE_STRING && !find(self, columns[i], rows)) {
            preparing.columns[wanted++] = columns[i];
        }
    }
    vln_parallel(threads, wanted, prepare_one, &preparing);
    for (size_t i = 0; i < wanted; i++) {
        add(self, preparing.made[i]);
    }
    free(preparing.columns);
    free(preparing.made);
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
        add(self, entry);
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
