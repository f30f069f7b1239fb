#include "registry_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "vln_log.h"
#include "vln_mem.h"
#include "vln_text.h"

enum { PATH_ROOM = 1024, READ_BYTES = 1024 * 1024 };

typedef struct path {
    char text[PATH_ROOM];
} path_t;

static path_t
upload_path(const char *folder, const vln_id_t *upload)
{
    path_t path;
    char id[VLN_ID_TEXT];
    snprintf(path.text, sizeof path.text, "%s/uploads/%s", folder,
             vln_id_format(upload->bytes, id));
    return path;
}

/* The folder of a blob, one of 256, or with `name` the blob itself. */
static path_t
blob_path(const char *folder, const uint8_t *digest, bool name)
{
    path_t path;
    char hex[2 * VLN_DIGEST_BYTES + 1];
    vln_hex_encode(digest, VLN_DIGEST_BYTES, hex);
    snprintf(path.text, sizeof path.text, "%s/blobs/%.2s%s%s", folder, hex, name ? "/" : "",
             name ? hex : "");
    return path;
}

/* The first to see errno says what happened; the caller learns what to do. */
static vln_err_t
failed(const char *what, const char *path)
{
    vln_error("file.failed", kv_str("what", what), kv_str("file", path),
              kv_str("detail", strerror(errno)));
    return errno == ENOSPC || errno == EDQUOT ? VLN_RESOURCE_EXHAUSTED : VLN_INTERNAL;
}

static vln_err_t
make_folder(const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST ? VLN_OK : failed("mkdir", path);
}

vln_err_t
registry_files_prepare(const char *folder)
{
    static const char *const names[] = {"", "/uploads", "/blobs"};
    for (size_t i = 0; i < VLN_COUNT(names); i++) {
        path_t path;
        snprintf(path.text, sizeof path.text, "%s%s", folder, names[i]);
        vln_err_t err = make_folder(path.text);
        if (err != VLN_OK) {
            return err;
        }
    }
    return VLN_OK;
}

int64_t
registry_files_free(const char *folder)
{
    struct statvfs info;
    return statvfs(folder, &info) == 0 ? (int64_t)info.f_bavail * (int64_t)info.f_frsize : 0;
}

static bool
write_all(int fd, const uint8_t *bytes, size_t size, int64_t offset)
{
    while (size > 0) {
        ssize_t written = pwrite(fd, bytes, size, offset);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        size_t done = written > 0 ? (size_t)written : 0;
        bytes += done;
        size -= done;
        offset += (int64_t)done;
    }
    return true;
}

vln_err_t
registry_files_write(const char *folder, const vln_id_t *upload, int64_t offset, const void *bytes,
                     size_t size)
{
    path_t path = upload_path(folder, upload);
    int fd = open(path.text, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return failed("open", path.text);
    }
    vln_err_t err = write_all(fd, bytes, size, offset) ? VLN_OK : failed("write", path.text);
    close(fd);
    return err;
}

/* Positive: bytes read; 0: the end; negative: errno says why. */
static ssize_t
read_some(int fd, uint8_t *out, size_t size, int64_t offset)
{
    ssize_t got = 0;
    do {
        got = pread(fd, out, size, offset);
    } while (got < 0 && errno == EINTR);
    return got;
}

/* DATA_LOSS unless the file has exactly these bytes. */
static vln_err_t
check_file(int fd, const char *path, int64_t size, const uint8_t *digest)
{
    uint8_t found[VLN_DIGEST_BYTES];
    uint8_t *buffer = vln_calloc(1, READ_BYTES);
    vln_digest_t *sum = vln_digest_begin();
    int64_t offset = 0;
    ssize_t got = 0;
    while (offset <= size && (got = read_some(fd, buffer, READ_BYTES, offset)) > 0) {
        vln_digest_add(sum, buffer, (size_t)got);
        offset += got;
    }
    vln_err_t err = got < 0 ? failed("read", path) : VLN_OK;
    vln_digest_end(&sum, found);
    free(buffer);
    if (err == VLN_OK && (offset != size || memcmp(found, digest, sizeof found) != 0)) {
        err = VLN_DATA_LOSS;
    }
    return err;
}

static vln_err_t
sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return failed("open", path);
    }
    vln_err_t err = fsync(fd) == 0 ? VLN_OK : failed("fsync", path);
    close(fd);
    return err;
}

static bool
is_kept(const char *path, int64_t size)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size == size;
}

static vln_err_t
check_and_sync(const char *path, int64_t size, const uint8_t *digest)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? VLN_DATA_LOSS : failed("open", path);
    }
    vln_err_t err = check_file(fd, path, size, digest);
    if (err == VLN_OK && (fchmod(fd, 0444) != 0 || fsync(fd) != 0)) {
        err = failed("fsync", path);
    }
    close(fd);
    return err;
}

vln_err_t
registry_files_keep(const char *folder, const vln_id_t *upload, int64_t size,
                    const uint8_t digest[VLN_DIGEST_BYTES])
{
    path_t from = upload_path(folder, upload);
    path_t where = blob_path(folder, digest, false);
    path_t to = blob_path(folder, digest, true);
    vln_err_t err = check_and_sync(from.text, size, digest);
    if (err == VLN_DATA_LOSS && access(from.text, F_OK) != 0 && is_kept(to.text, size)) {
        return VLN_OK; /* another registry was asked the same and is done */
    }
    err = err == VLN_OK ? make_folder(where.text) : err;
    if (err == VLN_OK && rename(from.text, to.text) != 0) {
        return is_kept(to.text, size) ? VLN_OK : failed("rename", to.text);
    }
    err = err == VLN_OK ? sync_folder(where.text) : err;
    path_t blobs;
    snprintf(blobs.text, sizeof blobs.text, "%s/blobs", folder);
    return err == VLN_OK ? sync_folder(blobs.text) : err;
}

void
registry_files_drop(const char *folder, const vln_id_t *upload)
{
    path_t path = upload_path(folder, upload);
    if (unlink(path.text) != 0 && errno != ENOENT) {
        vln_warn("upload.not_deleted", kv_str("file", path.text),
                 kv_str("detail", strerror(errno)));
    }
}

vln_err_t
registry_files_read(const char *folder, const uint8_t digest[VLN_DIGEST_BYTES], int64_t offset,
                    void *out, size_t size)
{
    path_t path = blob_path(folder, digest, true);
    int fd = open(path.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        failed("open", path.text);
        return VLN_DATA_LOSS;
    }
    uint8_t *at = out;
    ssize_t got = 1;
    while (size > 0 && (got = read_some(fd, at, size, offset)) > 0) {
        at += got;
        size -= (size_t)got;
        offset += got;
    }
    close(fd);
    if (got < 0) {
        return failed("read", path.text);
    }
    return size == 0 ? VLN_OK : VLN_DATA_LOSS;
}
