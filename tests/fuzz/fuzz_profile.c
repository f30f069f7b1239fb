/*
 * Any bytes as a stored profile: it is read within its bounds or refused; a sketch of it that is read
 * tells rising ranks and quantiles and has the very bytes again; and merged with itself it is a profile
 * that is read again, or a sentence.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vln_profile.h"
#include "vln_sketch.h"

#include "stored_profile.h"

enum { BUDGET = 32 * 1024 * 1024, STEPS = 20 };

static void
check_sketch(const ProtobufCBinaryData *bytes)
{
    vln_sketch_t sketch;
    uint8_t again[VLN_SKETCH_BYTES_MAX];
    if (!vln_sketch_decode(bytes->data, bytes->len, &sketch)) {
        vln_assert(sketch.n == 0 && sketch.count == 0);
        return;
    }
    vln_assert(vln_sketch_encode(&sketch, again) == bytes->len);
    vln_assert(memcmp(again, bytes->data, bytes->len) == 0);
    double before = sketch.min;
    for (int i = 0; sketch.n > 0 && i <= STEPS; i++) {
        double value = vln_sketch_quantile(&sketch, (double)i / (double)STEPS);
        vln_assert(value >= before && value <= sketch.max);
        vln_assert(vln_sketch_rank(&sketch, value) >= vln_sketch_rank(&sketch, before));
        before = value;
    }
    vln_assert(sketch.n == 0 || vln_sketch_rank(&sketch, sketch.max) == 1);
}

static void
check_merged(const Valion__V1__Profile *merged, vln_arena_t *arena)
{
    size_t size = valion__v1__profile__get_packed_size(merged);
    uint8_t *packed = malloc(size + 1);
    vln_assert(packed);
    vln_assert(valion__v1__profile__pack(merged, packed) == size);
    const Valion__V1__Profile *read = stored_profile_read(packed, size, arena);
    vln_assert(read && read->n_columns == merged->n_columns && read->rows == merged->rows);
    for (size_t i = 0; i < merged->n_columns; i++) {
        const Valion__V1__ColumnProfile *column = merged->columns[i];
        vln_assert(column->n_top <= VLN_PROFILE_TOP && column->distinct <= column->count);
        vln_assert(column->n_counts == 0 || column->n_counts == column->n_edges + 1);
    }
    free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vln_arena_t *arena = vln_arena_new(BUDGET);
    vln_arena_t *merging = vln_arena_new(2 * BUDGET);
    vln_arena_t *reading = vln_arena_new(4 * BUDGET);
    const Valion__V1__Profile *profile = stored_profile_read(data, size, arena);
    if (profile) {
        char why[VLN_PROFILE_WHY] = "";
        Valion__V1__Profile *merged = NULL;
        vln_assert(profile->n_columns <= VLN_PROFILE_COLUMNS_MAX);
        for (size_t i = 0; i < profile->n_columns; i++) {
            check_sketch(&profile->columns[i]->sketch);
        }
        const Valion__V1__Profile *const parts[] = {profile, profile};
        vln_err_t err = vln_profile_merge(parts, 2, merging, &merged, why);
        vln_assert((err == VLN_OK) == (merged != NULL) && (err == VLN_OK) == (why[0] == '\0'));
        if (merged) {
            check_merged(merged, reading);
        }
    }
    vln_arena_destroy(&reading);
    vln_arena_destroy(&merging);
    vln_arena_destroy(&arena);
    return 0;
}
