/*
 * vln_number - the one grammar of numbers in data, and their values.
 *
 *     number   = [ "-" ] ( whole [ "." digits* ] | "." digits ) [ exponent ]
 *     whole    = "0" | digit without zero, digits*
 *     exponent = ( "e" | "E" ) [ "+" | "-" ] digits
 *
 * So there is no "+5", " 7", "007" (digits would be lost), "1_000", "1,5", "0x1F", "inf" or "nan".
 * A value is the nearest 64-bit float, ties to even, whatever the locale; what would become
 * infinite, or zero though it is not, is out of range. Knows no files. Thread-safe.
 */
#ifndef VLN_NUMBER_H
#define VLN_NUMBER_H

#include <stddef.h>
#include <stdint.h>

typedef enum vln_number {
    VLN_NUMBER_OK,
    VLN_NUMBER_NOT,   /* not by the grammar, or above 1024 bytes */
    VLN_NUMBER_RANGE, /* by the grammar, but the type does not hold it */
} vln_number_t;

/* The whole of the text; `out` is set on OK alone. */
vln_number_t vln_number_f64(const char *text, size_t len, double *out);

/* [ "-" ] whole, within int64. */
vln_number_t vln_number_i64(const char *text, size_t len, int64_t *out);

#endif
