/*
 * registry_files_inside - what the files of registry_files share: paths, and words for errno.
 */
#ifndef REGISTRY_FILES_INSIDE_H
#define REGISTRY_FILES_INSIDE_H

#include <stdio.h>
#include <sys/types.h>

#include "registry_files.h"

enum { REGISTRY_PATH_ROOM = 1024 };

typedef struct registry_path {
    char text[REGISTRY_PATH_ROOM];
} registry_path_t;

registry_path_t registry_upload_path(const char *folder, const vln_id_t *upload);

/* One of 256 folders of blobs. */
registry_path_t registry_blob_folder(const char *folder, const uint8_t *digest);
registry_path_t registry_blob_path(const char *folder, const uint8_t *digest, bool framed);

/* The first to see errno says what happened; the caller learns what to do. */
vln_err_t registry_file_failed(const char *what, const char *path);

vln_err_t registry_folder_make(const char *path);
vln_err_t registry_folder_sync(const char *path);

bool registry_write_all(int fd, const uint8_t *bytes, size_t size, int64_t offset);

/* Bytes read, fewer than `size` at the end of the file; negative: errno says why. */
ssize_t registry_read_all(int fd, uint8_t *out, size_t size, int64_t offset);

#endif
