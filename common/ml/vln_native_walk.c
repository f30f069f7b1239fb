/*
 * The walk through the trees: in plain C, with the tests made by AVX2, and in AVX-512. All three make
 * the same comparisons and add the same leaves in the same order, and nothing is multiplied, so nothing
 * can be contracted: the same bits.
 */
#include "vln_native_inside.h"

#if defined(__x86_64__)
#    include <immintrin.h>
#endif

enum { PART = 16, PARTS = VLN_LANES / PART, HALF = 8, TWO = 2 * PART, THREE = 3 * PART };

#define INLINE static inline __attribute__((always_inline))

/* ---- plain ---- */

/* The exits that remain after a tree's tests, of PART rows. */
typedef void tests_fn(const vln_test_t *tests, size_t count, const float *columns,
                      uint32_t left[PART]);

/* Four numbers: what every machine that we know has registers for. Pointers to them are as good as
 * pointers to their numbers. */
typedef float four_t __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t four_bits_t __attribute__((vector_size(16), aligned(4), may_alias));

static void
remaining(const vln_test_t *tests, size_t count, const float *columns, uint32_t left[PART])
{
    four_bits_t left0 = {-1, -1, -1, -1};
    four_bits_t left1 = left0;
    four_bits_t left2 = left0;
    four_bits_t left3 = left0;
    for (size_t i = 0; i < count; i++) {
        const four_t *x = (const void *)(columns + (size_t)tests[i].column * VLN_LANES);
        float threshold = tests[i].threshold;
        int32_t keep = (int32_t)tests[i].keep;
        left0 &= (four_bits_t)(x[0] <= threshold) | keep;
        left1 &= (four_bits_t)(x[1] <= threshold) | keep;
        left2 &= (four_bits_t)(x[2] <= threshold) | keep;
        left3 &= (four_bits_t)(x[3] <= threshold) | keep;
    }
    four_bits_t *out = (void *)left;
    out[0] = left0;
    out[1] = left1;
    out[2] = left2;
    out[3] = left3;
}

/* A row's walk from an exit to a leaf; leaves stay where they are. */
INLINE void
walk_rest(const vln_forest_t *forest, const vln_tree_t *tree, const float *columns, uint32_t *at)
{
    for (uint32_t level = 0; level < tree->rest; level++) {
        for (size_t lane = 0; lane < PART; lane++) {
            vln_node_t node = forest->nodes[at[lane]];
            float x = columns[(size_t)(node.word & VLN_WORD_COLUMN) * VLN_LANES + lane];
            at[lane] += (node.word >> VLN_WORD_COLUMN_BITS) + !(x <= node.threshold);
        }
    }
}

INLINE void
find_leaves(const vln_forest_t *forest, size_t index, const float *columns, tests_fn *make_tests,
            float *leaves)
{
    const vln_tree_t *tree = &forest->trees[index];
    const vln_exit_t *exits = forest->exits + index * VLN_TOP_EXITS;
    uint32_t left[PART];
    uint32_t at[PART];
    make_tests(forest->tests + tree->first_test, tree->tests, columns, left);
    for (size_t lane = 0; lane < PART; lane++) {
        at[lane] = exits[__builtin_ctz(left[lane])].node;
    }
    walk_rest(forest, tree, columns, at);
    for (size_t lane = 0; lane < PART; lane++) {
        vln_exit_t leaf = {.node = at[lane]}; /* or already its value */
        leaves[lane] = tree->rest > 0 ? forest->nodes[at[lane]].threshold : leaf.value;
    }
}

/* A leaf is a row of weights: one for each group. */
static void
add_weights(const vln_forest_t *forest, const float *leaves, size_t count, float *sums)
{
    for (size_t lane = 0; lane < count; lane++) {
        const float *weights = forest->weights + (size_t)leaves[lane] * forest->weights_width;
        for (size_t i = 0; i < forest->weights_width; i++) {
            sums[i * VLN_LANES + lane] += weights[i];
        }
    }
}

INLINE void
walk_parts(const vln_forest_t *forest, const float *columns, tests_fn *make_tests, float *sums)
{
    float leaves[PART];
    for (size_t index = 0; index < forest->tree_count; index++) {
        float *sum = sums + (size_t)forest->trees[index].group * VLN_LANES;
        for (size_t part = 0; part < PARTS; part++) {
            find_leaves(forest, index, columns + part * PART, make_tests, leaves);
            if (forest->weights_width > 0) {
                add_weights(forest, leaves, PART, sums + part * PART);
                continue;
            }
            for (size_t lane = 0; lane < PART; lane++) {
                sum[part * PART + lane] += leaves[lane];
            }
        }
    }
}

static void
walk_plain(const vln_forest_t *forest, const float *columns, float *sums)
{
    walk_parts(forest, columns, remaining, sums);
}

#if defined(__x86_64__)

/* ---- AVX2 ---- */

#    define AVX2 __attribute__((target("avx2")))

AVX2 static void
remaining_avx2(const vln_test_t *tests, size_t count, const float *columns, uint32_t left[PART])
{
    __m256 left0 = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    __m256 left1 = left0;
    for (size_t i = 0; i < count; i++) {
        const float *x = columns + (size_t)tests[i].column * VLN_LANES;
        __m256 threshold = _mm256_set1_ps(tests[i].threshold);
        __m256 keep = _mm256_castsi256_ps(_mm256_set1_epi32((int32_t)tests[i].keep));
        __m256 yes0 = _mm256_cmp_ps(_mm256_loadu_ps(x), threshold, _CMP_LE_OQ);
        __m256 yes1 = _mm256_cmp_ps(_mm256_loadu_ps(x + HALF), threshold, _CMP_LE_OQ);
        left0 = _mm256_and_ps(left0, _mm256_or_ps(yes0, keep));
        left1 = _mm256_and_ps(left1, _mm256_or_ps(yes1, keep));
    }
    _mm256_storeu_si256((void *)left, _mm256_castps_si256(left0));
    _mm256_storeu_si256((void *)(left + HALF), _mm256_castps_si256(left1));
}

AVX2 static void
walk_avx2(const vln_forest_t *forest, const float *columns, float *sums)
{
    walk_parts(forest, columns, remaining_avx2, sums);
}

/* ---- AVX-512 ---- */

#    define AVX512        __attribute__((target("avx512f,avx512cd")))
#    define AVX512_INLINE AVX512 static inline __attribute__((always_inline))

/* Which exit each row comes out at: the lowest that remains. */
AVX512_INLINE __m512i
lowest(__m512i left)
{
    __m512i bit = _mm512_and_si512(left, _mm512_sub_epi32(_mm512_setzero_si512(), left));
    return _mm512_sub_epi32(_mm512_set1_epi32(31), _mm512_lzcnt_epi32(bit));
}

AVX512_INLINE void
make_tests(const vln_test_t *tests, size_t count, const float *columns, __m512i left[PARTS])
{
    __m512i left0 = _mm512_set1_epi32(-1);
    __m512i left1 = left0;
    __m512i left2 = left0;
    __m512i left3 = left0;
    for (size_t i = 0; i < count; i++) {
        const float *x = columns + (size_t)tests[i].column * VLN_LANES;
        __m512 threshold = _mm512_set1_ps(tests[i].threshold);
        __m512i keep = _mm512_set1_epi32((int32_t)tests[i].keep);
        __mmask16 no0 = _mm512_cmp_ps_mask(_mm512_loadu_ps(x), threshold, _CMP_NLE_UQ);
        __mmask16 no1 = _mm512_cmp_ps_mask(_mm512_loadu_ps(x + PART), threshold, _CMP_NLE_UQ);
        __mmask16 no2 = _mm512_cmp_ps_mask(_mm512_loadu_ps(x + TWO), threshold, _CMP_NLE_UQ);
        __mmask16 no3 = _mm512_cmp_ps_mask(_mm512_loadu_ps(x + THREE), threshold, _CMP_NLE_UQ);
        left0 = _mm512_mask_and_epi32(left0, no0, left0, keep);
        left1 = _mm512_mask_and_epi32(left1, no1, left1, keep);
        left2 = _mm512_mask_and_epi32(left2, no2, left2, keep);
        left3 = _mm512_mask_and_epi32(left3, no3, left3, keep);
    }
    left[0] = left0;
    left[1] = left1;
    left[2] = left2;
    left[3] = left3;
}

/* Without optimization GCC's gathers are macros, whose own masks are of the other sign. */
#    pragma GCC diagnostic push
#    pragma GCC diagnostic ignored "-Wsign-conversion"

/* One level down, of 16 rows; `lanes` is where in a column each of them is. */
AVX512_INLINE __m512i
step_down(const vln_node_t *nodes, __m512i at, const float *columns, __m512i lanes)
{
    const __m512i evens =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odds =
        _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    __m512i low = _mm512_i32gather_epi64(_mm512_castsi512_si256(at), nodes, sizeof *nodes);
    __m512i high = _mm512_i32gather_epi64(_mm512_extracti64x4_epi64(at, 1), nodes, sizeof *nodes);
    __m512 threshold = _mm512_castsi512_ps(_mm512_permutex2var_epi32(low, evens, high));
    __m512i word = _mm512_permutex2var_epi32(low, odds, high);
    __m512i column = _mm512_and_si512(word, _mm512_set1_epi32(VLN_WORD_COLUMN));
    __m512i place = _mm512_add_epi32(_mm512_slli_epi32(column, 6), lanes); /* times VLN_LANES */
    __m512 x = _mm512_i32gather_ps(place, columns, sizeof *columns);
    __mmask16 no = _mm512_cmp_ps_mask(x, threshold, _CMP_NLE_UQ);
    at = _mm512_add_epi32(at, _mm512_srli_epi32(word, VLN_WORD_COLUMN_BITS));
    return _mm512_mask_add_epi32(at, no, at, _mm512_set1_epi32(1));
}

AVX512_INLINE __m512
value_of(const vln_node_t *nodes, __m512i at)
{
    return _mm512_i32gather_ps(at, &nodes->threshold, sizeof *nodes);
}

#    pragma GCC diagnostic pop

AVX512_INLINE void
walk_rest_avx512(const vln_forest_t *forest, const vln_tree_t *tree, const float *columns,
                 const __m512i at[PARTS], __m512 leaves[PARTS])
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const vln_node_t *nodes = forest->nodes;
    __m512i at0 = at[0];
    __m512i at1 = at[1];
    __m512i at2 = at[2];
    __m512i at3 = at[3];
    for (uint32_t level = 0; level < tree->rest; level++) {
        at0 = step_down(nodes, at0, columns, lanes);
        at1 = step_down(nodes, at1, columns + PART, lanes);
        at2 = step_down(nodes, at2, columns + TWO, lanes);
        at3 = step_down(nodes, at3, columns + THREE, lanes);
    }
    leaves[0] = value_of(nodes, at0);
    leaves[1] = value_of(nodes, at1);
    leaves[2] = value_of(nodes, at2);
    leaves[3] = value_of(nodes, at3);
}

AVX512_INLINE void
find_leaves_avx512(const vln_forest_t *forest, size_t index, const float *columns,
                   __m512 leaves[PARTS])
{
    const vln_tree_t *tree = &forest->trees[index];
    const vln_exit_t *exits = forest->exits + index * VLN_TOP_EXITS;
    __m512i first = _mm512_loadu_si512(exits);
    __m512i second = _mm512_loadu_si512(exits + PART);
    __m512i left[PARTS];
    make_tests(forest->tests + tree->first_test, tree->tests, columns, left);
    for (size_t part = 0; part < PARTS; part++) {
        left[part] = _mm512_permutex2var_epi32(first, lowest(left[part]), second);
        leaves[part] = _mm512_castsi512_ps(left[part]);
    }
    if (tree->rest > 0) {
        walk_rest_avx512(forest, tree, columns, left, leaves);
    }
}

AVX512 static void
walk_avx512(const vln_forest_t *forest, const float *columns, float *sums)
{
    for (size_t index = 0; index < forest->tree_count; index++) {
        __m512 leaves[PARTS];
        find_leaves_avx512(forest, index, columns, leaves);
        if (forest->weights_width > 0) {
            float numbers[VLN_LANES];
            for (size_t part = 0; part < PARTS; part++) {
                _mm512_storeu_ps(numbers + part * PART, leaves[part]);
            }
            add_weights(forest, numbers, VLN_LANES, sums);
            continue;
        }
        float *sum = sums + (size_t)forest->trees[index].group * VLN_LANES;
        for (size_t part = 0; part < PARTS; part++) {
            __m512 now = _mm512_loadu_ps(sum + part * PART);
            _mm512_storeu_ps(sum + part * PART, _mm512_add_ps(now, leaves[part]));
        }
    }
}

static vln_walk_fn *
walk_of_machine(vln_walk_t walk)
{
    if (walk >= VLN_WALK_AVX512 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512cd")) {
        return walk_avx512;
    }
    if (walk != VLN_WALK_AVX512 && __builtin_cpu_supports("avx2")) {
        return walk_avx2;
    }
    return walk == VLN_WALK_BEST ? walk_plain : NULL;
}

#else

static vln_walk_fn *
walk_of_machine(vln_walk_t walk)
{
    return walk == VLN_WALK_BEST ? walk_plain : NULL;
}

#endif

vln_walk_fn *
vln_walk_find(vln_walk_t walk)
{
    return walk == VLN_WALK_PLAIN ? walk_plain : walk_of_machine(walk);
}
