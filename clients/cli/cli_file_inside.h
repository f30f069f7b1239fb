/*
 * cli_file_inside - what the files of cli_file share.
 *
 * Chunks go both ways with CLI_WINDOW calls in flight: one at a time would wait for each reply, and
 * more would only fill queues.
 */
#ifndef CLI_FILE_INSIDE_H
#define CLI_FILE_INSIDE_H

#include "vln_socket.h"

#include "cli_file.h"

enum { CLI_CHUNK = VLN_RAW_MAX, CLI_WINDOW = 16, CLI_POLL_MS = 100 };

/* A line that is written over, where somebody looks. */
void cli_file_show_progress(const char *path, int64_t done, int64_t total);

#endif
