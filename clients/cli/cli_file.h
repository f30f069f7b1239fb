/*
 * cli_file - files on their way to the registry and back: hashed, in chunks, checked.
 */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include <stdio.h>

#include "vln_digest.h"

#include "cli.h"

typedef struct cli_file {
    FILE *stream;
    const char *path;       /* borrowed */
    const char *media_type; /* borrowed; NULL: not said */
    int64_t size_bytes;
    uint8_t digest[VLN_DIGEST_BYTES];
} cli_file_t;

/* Opens and hashes it; false with a sentence. Close it in either case. */
bool cli_file_open(const char *path, cli_file_t *out);
void cli_file_close(cli_file_t *self);

/* Makes its bytes an artifact; what is stored already is not sent. Goes on where an earlier attempt
 * stopped, whoever made it. */
cli_exit_t cli_file_send(cli_t *cli, cli_file_t *file);

/* An artifact into a file, which is there only when it is whole and has its digest. What an attempt
 * that was cut short left in FILE.part is not fetched again. */
cli_exit_t cli_file_fetch(cli_t *cli, const uint8_t digest[VLN_DIGEST_BYTES], const char *path);

/* An artifact of at most `max` bytes into memory, checked; yours, end it with free(). NULL unless OK. */
cli_exit_t cli_file_read(cli_t *cli, const uint8_t digest[VLN_DIGEST_BYTES], size_t max,
                         uint8_t **out, size_t *size);

#endif
