/*
 * vln_text - small things with text and bytes.
 */
#ifndef VLN_TEXT_H
#define VLN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_err.h"

/* Copy, cut to what `out` holds, always ended. False if it was cut. `text` NULL counts as "". */
bool vln_text_copy(char *out, size_t out_size, const char *text);

/* Lower-case hex and its end; out holds 2 * size + 1 bytes. Returns out. */
char *vln_hex_encode(const uint8_t *bytes, size_t size, char *out);

/* False unless `hex` is exactly 2 * size hex digits. */
bool vln_hex_decode(const char *hex, uint8_t *out, size_t size);

/* True if 1..max bytes long, the first a letter or digit, the rest also one of `more`. */
bool vln_text_is_name(const char *text, size_t max, const char *more);

/* True if the bytes are UTF-8 without NUL. */
bool vln_text_is_utf8(const char *text, size_t size);

/* Whole decimal number within min..max, nothing around it. */
bool vln_text_to_i64(const char *text, int64_t min, int64_t max, int64_t *out);

/*
 * The next word of `*rest`, parted by `separator`, blanks around it cut off, into `out`; false at
 * the end. A word longer than `out` is cut, which no valid word is.
 */
bool vln_text_next(const char **rest, char separator, char *out, size_t out_size);

/* The whole file, ended by a NUL; `*out` is yours. NOT_FOUND; PERMISSION_DENIED; INVALID_ARGUMENT if
 * above max, or not a file that can be read. */
VLN_MUST_USE vln_err_t vln_text_read_file(const char *path, size_t max, char **out, size_t *size);

#endif
