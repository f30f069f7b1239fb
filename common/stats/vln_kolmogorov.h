/*
 * vln_kolmogorov - Kolmogorov's distribution: of the distance of one sample of n values from its
 * distribution, and its limit.
 */
#ifndef VLN_KOLMOGOROV_H
#define VLN_KOLMOGOROV_H

#include <stdint.h>

/*
 * P(D_n >= d), two-sided, n >= 1. By the plan of Simard & L'Ecuyer (J. Stat. Softw. 39(11), 2011),
 * which is scipy's kstwo: Ruben & Gambino at the lower end, Marsaglia, Tsang & Wang's matrix (J.
 * Stat. Softw. 8(18), 2003) where n is small or d is, Pelz & Good's expansion for large n, twice the
 * one-sided probability in the tail. Up to 140 the matrix also stands where they take Pomeranz'
 * recursion: both are exact. The expansion is off by 2e-5 relative at n = 141 and by less the
 * larger n is, the tail above 140 by at most 2e-6; all else is good to 1e-11.
 */
double vln_kolmogorov_sf(int64_t n, double d);

/* P(D_n+ >= d), one-sided and exact: Smirnov's sum. */
double vln_kolmogorov_one_sided(int64_t n, double d);

/* The limit for n without bound: P(sqrt(n) D >= x). */
double vln_kolmogorov_limit(double x);

#endif
