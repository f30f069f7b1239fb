/*
 * From an upload to an artifact, in one pass over its bytes: the content's digest and those of its
 * pieces, and, where a probe says that it pays, a compressed file beside it.
 *
 * Plain content is moved to its place. Compressed content is written to a file of its own, which is
 * moved; the upload stays until the row is there, so that whoever commits again after a crash finds
 * all of its bytes. Whatever the file is called, it was synced before it got that name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vln_log.h"
#include "vln_mem.h"

#include "piece.h"
#include "registry_files_inside.h"

enum { PROBES = 8 };

/* One pass; what it has is ended by finish(). */
typedef struct pass {
    registry_pack_t *pack;
    int fd; /* what is read */
    int64_t size;
    uint8_t *content; /* of a piece */
    uint8_t *frame;
    size_t frame_room;
    uint8_t *plain;  /* tables of pieces; NULL if there is none */
    uint8_t *packed; /* as it would be compressed */
    int frames_fd;   /* -1: not compressed, or no longer */
    int64_t frames_end;
    registry_path_t frames;
} pass_t;

static vln_err_t
read_piece(pass_t *self, int64_t index, size_t size)
{
    ssize_t got = registry_read_all(self->fd, self->content, size, index * PIECE_BYTES);
    if (got < 0) {
        return registry_file_failed("read", "an upload");
    }
    return got == (ssize_t)size ? VLN_OK : VLN_DATA_LOSS;
}

/* Compresses a few pieces that are spread over the content. */
static bool
pays(pass_t *self)
{
    int64_t pieces = piece_count(self->size);
    int64_t probes = pieces < PROBES ? pieces : PROBES;
    int64_t content = 0;
    int64_t packed = 0;
    for (int64_t i = 0; i < probes; i++) {
        int64_t index = probes > 1 ? i * (pieces - 1) / (probes - 1) : 0;
        size_t size = piece_size(self->size, index);
        if (read_piece(self, index, size) != VLN_OK) {
            return false;
        }
        content += (int64_t)size;
        packed +=
            (int64_t)registry_pack(self->pack, self->content, size, self->frame, self->frame_room);
    }
    return registry_pack_pays(content, packed);
}

/* A name that no other attempt has: a registry that was thought dead may still be writing. */
static void
begin_frames(pass_t *self, const char *folder)
{
    vln_id_t name = vln_id_new();
    self->frames = registry_upload_path(folder, &name);
    self->frames_fd =
        open(self->frames.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (self->frames_fd < 0) {
        registry_file_failed("open", self->frames.text);
    }
}

static void
give_up_frames(pass_t *self)
{
    if (self->frames_fd >= 0) {
        close(self->frames_fd);
        unlink(self->frames.text);
        self->frames_fd = -1;
    }
}

/* A disk that has no room for both still has the upload: then it stays as it is. */
static void
add_frame(pass_t *self, int64_t index, size_t size, const uint8_t *digest)
{
    size_t packed = registry_pack(self->pack, self->content, size, self->frame, self->frame_room);
    if (!registry_write_all(self->frames_fd, self->frame, packed, self->frames_end)) {
        registry_file_failed("write", self->frames.text);
        give_up_frames(self);
        return;
    }
    self->frames_end += (int64_t)packed;
    piece_put(self->packed, index, digest, self->frames_end);
}

static vln_err_t
pass_over(pass_t *self, uint8_t found[VLN_DIGEST_BYTES])
{
    vln_err_t err = VLN_OK;
    vln_digest_t *sum = vln_digest_begin();
    int64_t pieces = piece_count(self->size);
    for (int64_t i = 0; i < pieces && err == VLN_OK; i++) {
        size_t size = piece_size(self->size, i);
        uint8_t digest[VLN_DIGEST_BYTES];
        err = read_piece(self, i, size);
        if (err != VLN_OK) {
            break;
        }
        vln_digest_add(sum, self->content, size);
        if (self->plain) {
            vln_digest(self->content, size, digest);
            piece_put(self->plain, i, digest, i * PIECE_BYTES + (int64_t)size);
        }
        if (self->frames_fd >= 0) {
            add_frame(self, i, size, digest);
        }
    }
    vln_digest_end(&sum, found);
    return err;
}

/* Reads it all. After OK the compressed file is there only if it pays, and synced. */
static vln_err_t
check_and_pack(pass_t *self, const char *folder, const uint8_t *digest)
{
    uint8_t found[VLN_DIGEST_BYTES];
    struct stat info;
    if (fstat(self->fd, &info) != 0 || info.st_size != self->size) {
        return VLN_DATA_LOSS;
    }
    if (self->plain && pays(self)) {
        begin_frames(self, folder);
    }
    vln_err_t err = pass_over(self, found);
    if (err == VLN_OK && memcmp(found, digest, sizeof found) != 0) {
        err = VLN_DATA_LOSS;
    }
    if (err != VLN_OK || !registry_pack_pays(self->size, self->frames_end)) {
        give_up_frames(self);
    }
    int fd = self->frames_fd >= 0 ? self->frames_fd : self->fd;
    if (err == VLN_OK && (fchmod(fd, 0444) != 0 || fsync(fd) != 0)) {
        err = registry_file_failed("fsync", "an upload");
    }
    return err;
}

/* From its name to the artifact's, for good. */
static vln_err_t
move(const char *folder, const char *from, const uint8_t *digest, bool framed)
{
    registry_path_t where = registry_blob_folder(folder, digest);
    registry_path_t to = registry_blob_path(folder, digest, framed);
    vln_err_t err = registry_folder_make(where.text);
    if (err == VLN_OK && rename(from, to.text) != 0) {
        err = registry_file_failed("rename", to.text);
    }
    err = err == VLN_OK ? registry_folder_sync(where.text) : err;
    registry_path_t blobs;
    snprintf(blobs.text, sizeof blobs.text, "%s/blobs", folder);
    return err == VLN_OK ? registry_folder_sync(blobs.text) : err;
}

/* The upload, or what an attempt before made of it: then `*moved`. */
static int
open_upload(const char *folder, const vln_id_t *upload, const uint8_t *digest, bool *moved)
{
    int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
    int fd = open(registry_upload_path(folder, upload).text, flags);
    *moved = fd < 0 && errno == ENOENT;
    return *moved ? open(registry_blob_path(folder, digest, false).text, flags) : fd;
}

static void
finish(pass_t *self)
{
    give_up_frames(self);
    if (self->fd >= 0) {
        close(self->fd);
    }
    free(self->content);
    free(self->frame);
}

vln_err_t
registry_files_keep(const char *folder, registry_pack_t *pack, const vln_id_t *upload, int64_t size,
                    const uint8_t digest[VLN_DIGEST_BYTES], vln_arena_t *arena,
                    registry_kept_t *out)
{
    bool moved = false;
    size_t table = (size_t)piece_count(size) * PIECE_ENTRY;
    pass_t pass = {.pack = pack, .size = size, .frames_fd = -1};
    *out = (registry_kept_t){0};
    pass.fd = open_upload(folder, upload, digest, &moved);
    if (pass.fd < 0) {
        return errno == ENOENT ? VLN_DATA_LOSS : registry_file_failed("open", "an upload");
    }
    pass.frame_room = registry_pack_room(PIECE_BYTES);
    pass.content = vln_calloc(1, PIECE_BYTES);
    pass.frame = vln_calloc(1, pass.frame_room);
    if (piece_count(size) <= PIECES_MAX) {
        pass.plain = vln_arena_alloc(arena, table);
        pass.packed = vln_arena_alloc(arena, table);
    }
    vln_err_t err = check_and_pack(&pass, folder, digest);
    out->framed = pass.frames_fd >= 0;
    out->stored_bytes = out->framed ? pass.frames_end : size;
    out->pieces = out->framed ? pass.packed : pass.plain;
    out->pieces_size = out->pieces ? table : 0;
    if (err == VLN_OK && (out->framed || !moved)) {
        registry_path_t plain = registry_upload_path(folder, upload);
        err = move(folder, out->framed ? pass.frames.text : plain.text, digest, out->framed);
    }
    finish(&pass);
    return err;
}
