/*
 * vln_draw - random numbers that are the same wherever they are drawn: for resampling, never for
 * secrets.
 *
 * xoshiro256** (Blackman & Vigna, ACM Trans. Math. Softw. 47, 2021), its state filled by splitmix64.
 * A plain value; whoever has one draws alone.
 */
#ifndef VLN_DRAW_H
#define VLN_DRAW_H

#include <stdint.h>

typedef struct vln_draw {
    uint64_t state[4];
} vln_draw_t;

static inline uint64_t
vln_draw_mix(uint64_t *seed)
{
    *seed += 0x9e3779b97f4a7c15U;
    uint64_t z = *seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* The numbers of a seed; of one seed, another `stream` gives other numbers. */
static inline vln_draw_t
vln_draw_of(uint64_t seed, uint64_t stream)
{
    vln_draw_t self;
    uint64_t mixed = seed;
    mixed = vln_draw_mix(&mixed) ^ stream;
    for (int i = 0; i < 4; i++) {
        self.state[i] = vln_draw_mix(&mixed);
    }
    return self;
}

static inline uint64_t
vln_draw_rotate(uint64_t value, int by)
{
    return (value << by) | (value >> (64 - by));
}

static inline uint64_t
vln_draw_u64(vln_draw_t *self)
{
    uint64_t *s = self->state;
    uint64_t result = vln_draw_rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = vln_draw_rotate(s[3], 45);
    return result;
}

/* 0 <= x < 1, of 53 bits. */
static inline double
vln_draw_unit(vln_draw_t *self)
{
    return (double)(vln_draw_u64(self) >> 11) * 0x1p-53;
}

/* 0 .. below - 1, below > 0; off by less than below / 2^32. */
static inline uint32_t
vln_draw_below(vln_draw_t *self, uint32_t below)
{
    return (uint32_t)(((vln_draw_u64(self) >> 32) * below) >> 32);
}

#endif
