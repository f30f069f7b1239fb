/*
 * cli_time - a time as people type it.
 */
#ifndef CLI_TIME_H
#define CLI_TIME_H

#include <stdbool.h>
#include <stdint.h>

/*
 * "now"; "2026-11-23", "2026-11-23T10:00", "2026-11-23 10:00:30.5", each with Z or +01:00, or without
 * and then in UTC; "90m ago", as cli_duration_parse takes it. Microseconds since 1970; false if it is
 * none of them.
 */
bool cli_time_parse(const char *text, int64_t now_us, int64_t *out_us);

#endif
