#include "registry_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "vln_log.h"
#include "vln_text.h"

#include "registry_files_inside.h"

/* Rows of uploads go after a day without a chunk; files without a row may be left by a crash. */
enum { SWEEP_AFTER_S = 3 * 86400 };

registry_path_t
registry_upload_path(const char *folder, const vln_id_t *upload)
{
    registry_path_t path;
    char id[VLN_ID_TEXT];
    snprintf(path.text, sizeof path.text, "%s/uploads/%s", folder,
             vln_id_format(upload->bytes, id));
    return path;
}

registry_path_t
registry_blob_folder(const char *folder, const uint8_t *digest)
{
    registry_path_t path;
    snprintf(path.text, sizeof path.text, "%s/blobs/%02x", folder, digest[0]);
    return path;
}

registry_path_t
registry_blob_path(const char *folder, const uint8_t *digest, bool framed)
{
    registry_path_t path;
    char hex[2 * VLN_DIGEST_BYTES + 1];
    vln_hex_encode(digest, VLN_DIGEST_BYTES, hex);
    snprintf(path.text, sizeof path.text, "%s/blobs/%.2s/%s%s", folder, hex, hex,
             framed ? ".zst" : "");
    return path;
}

vln_err_t
registry_file_failed(const char *what, const char *path)
{
    vln_error("file.failed", kv_str("what", what), kv_str("file", path),
              kv_str("detail", strerror(errno)));
    return errno == ENOSPC || errno == EDQUOT ? VLN_RESOURCE_EXHAUSTED : VLN_INTERNAL;
}

vln_err_t
registry_folder_make(const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST ? VLN_OK : registry_file_failed("mkdir", path);
}

vln_err_t
registry_folder_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return registry_file_failed("open", path);
    }
    vln_err_t err = fsync(fd) == 0 ? VLN_OK : registry_file_failed("fsync", path);
    close(fd);
    return err;
}

vln_err_t
registry_files_prepare(const char *folder)
{
    static const char *const names[] = {"", "/uploads", "/blobs"};
    for (size_t i = 0; i < VLN_COUNT(names); i++) {
        registry_path_t path;
        snprintf(path.text, sizeof path.text, "%s%s", folder, names[i]);
        vln_err_t err = registry_folder_make(path.text);
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

bool
registry_write_all(int fd, const uint8_t *bytes, size_t size, int64_t offset)
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

ssize_t
registry_read_all(int fd, uint8_t *out, size_t size, int64_t offset)
{
    size_t held = 0;
    ssize_t got = 1;
    while (held < size && got != 0) {
        got = pread(fd, out + held, size - held, offset + (int64_t)held);
        if (got < 0 && errno != EINTR) {
            return -1;
        }
        held += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)held;
}

vln_err_t
registry_files_write(const char *folder, const vln_id_t *upload, int64_t offset, const void *bytes,
                     size_t size)
{
    registry_path_t path = registry_upload_path(folder, upload);
    int fd = open(path.text, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return registry_file_failed("open", path.text);
    }
    vln_err_t err = registry_write_all(fd, bytes, size, offset)
                        ? VLN_OK
                        : registry_file_failed("write", path.text);
    close(fd);
    return err;
}

static void
delete_file(const char *path)
{
    if (unlink(path) != 0 && errno != ENOENT) {
        vln_warn("file.not_deleted", kv_str("file", path), kv_str("detail", strerror(errno)));
    }
}

void
registry_files_drop(const char *folder, const vln_id_t *upload)
{
    delete_file(registry_upload_path(folder, upload).text);
}

void
registry_files_drop_other(const char *folder, const uint8_t digest[VLN_DIGEST_BYTES], bool framed)
{
    delete_file(registry_blob_path(folder, digest, !framed).text);
}

int64_t
registry_files_sweep(const char *folder)
{
    registry_path_t path;
    struct stat info;
    int64_t swept = 0;
    time_t oldest = time(NULL) - SWEEP_AFTER_S;
    snprintf(path.text, sizeof path.text, "%s/uploads", folder);
    DIR *entries = opendir(path.text);
    int fd = entries ? dirfd(entries) : -1;
    for (struct dirent *entry = fd >= 0 ? readdir(entries) : NULL; entry;
         entry = readdir(entries)) {
        bool old = fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                   S_ISREG(info.st_mode) && info.st_mtime < oldest;
        swept += old && unlinkat(fd, entry->d_name, 0) == 0;
    }
    if (entries) {
        closedir(entries);
    }
    return swept;
}

/* An artifact's file that cannot be opened: is it gone, or what it was on? */
static vln_err_t
say_missing(const char *folder, const uint8_t *digest, const char *path)
{
    bool gone = errno == ENOENT;
    registry_file_failed("open", path);
    if (!gone) {
        return VLN_INTERNAL;
    }
    return access(registry_blob_folder(folder, digest).text, F_OK) == 0 ? VLN_DATA_LOSS
                                                                        : VLN_UNAVAILABLE;
}

vln_err_t
registry_files_read(const char *folder, const uint8_t digest[VLN_DIGEST_BYTES], bool framed,
                    int64_t offset, void *out, size_t size)
{
    registry_path_t path = registry_blob_path(folder, digest, framed);
    int fd = open(path.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return say_missing(folder, digest, path.text);
    }
    ssize_t got = registry_read_all(fd, out, size, offset);
    vln_err_t err = got == (ssize_t)size ? VLN_OK : VLN_DATA_LOSS;
    if (got < 0) {
        /* The disk gives an error for bytes that it cannot read any more. */
        err = errno == EIO ? VLN_DATA_LOSS : VLN_INTERNAL;
        registry_file_failed("read", path.text);
    }
    close(fd);
    return err;
}
