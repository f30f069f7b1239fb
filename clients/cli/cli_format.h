/*
 * cli_format - values as people read them. Pure.
 */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

enum { CLI_VALUE_MAX = 2048 };

/* "850 ms", "12.3 s", "4 m 10 s", "2 h 5 m", "3 d 4 h". Returns out. */
char *cli_format_duration(int64_t ms, char *out, size_t out_size);

/* "512 B", "1.5 KiB", "20.0 MiB". Returns out. */
char *cli_format_size(int64_t bytes, char *out, size_t out_size);

/*
 * One value of a field: times (`…_us`) in ISO 8601, durations (`…_ms`) and sizes (`…_bytes`) with
 * units, enums by their short name in lower case, ids as UUID, digests as hex, other bytes as text
 * if they are, else their size; control characters as '?'. A message is its JSON. Cut to fit.
 * Returns out.
 */
char *cli_format_value(const ProtobufCFieldDescriptor *field, const void *slot, char *out,
                       size_t out_size);

/*
 * The field of that name, as cli_format_value; a repeated one as a list with commas; "" if it is
 * absent. `path` may lead into messages: "signature.task". Returns out.
 */
char *cli_format_field(const ProtobufCMessage *message, const char *path, char *out,
                       size_t out_size);

#endif
