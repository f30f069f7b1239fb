/*
 * moment - points of time as data have them, as numbers that can be compared: ISO 8601's extended
 * format. Pure.
 */
#ifndef MOMENT_H
#define MOMENT_H

#include <stdbool.h>

/*
 * "2026-03-01", or with a time behind a T or a blank: "2026-03-01T09:30", "2026-03-01 09:30:15.25",
 * which ends with Z or an offset such as +02:00 or -0330, or with nothing, and is UTC then. In
 * microseconds since 1970; finer fractions are cut. False: it is no such text.
 */
bool moment_parse(const char *text, double *out);

#endif
