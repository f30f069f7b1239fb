/*
 * From an upload to an artifact: the content's digest and those of its pieces, and, where a probe
 * says that it pays, a compressed file beside it.
 *
 * Two threads read the content once each, because a client waits: one makes the digest of the whole,
 * the other compresses; the digests of the pieces are for whoever has less to do. They share nothing
 * but the file, and the results when both have ended.
 *
 * Plain content is moved to its place. Compressed content is written to a file of its own, which is
 * moved; the upload stays until the row is there, so that whoever commits again after a crash finds
 * all of its bytes. Whatever the file is called, it was synced before it got that name.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vln_log.h"
#include "vln_mem.h"

#include "piece.h"
#include "registry_files_inside.h"

enum { PROBES = 8 };

typedef struct frames {
    int fd; /* -1: not compressed, or no longer */
    registry_path_t path;
    int64_t end;
    int64_t *ends; /* of each piece */
} frames_t;

/* One commit's; what it has is ended by finish(). */
typedef struct keeping {
    registry_pack_t *pack;
    int fd; /* what is read */
    int64_t size;
    uint8_t *digests; /* of the pieces, one after the other; NULL: there are too many */
    uint8_t *content; /* of a piece */
    uint8_t *frame;
    size_t frame_room;
    frames_t frames;
} keeping_t;

static vln_err_t
read_piece(int fd, int64_t size, int64_t index, uint8_t *out)
{
    size_t wanted = piece_size(size, index);
    ssize_t got = registry_read_all(fd, out, wanted, index * PIECE_BYTES);
    if (got < 0) {
        return registry_file_failed("read", "an upload");
    }
    return got == (ssize_t)wanted ? VLN_OK : VLN_DATA_LOSS;
}

/* ---- digests ---- */

/* A thread's share. */
typedef struct hashing {
    int fd;
    int64_t size;
    bool whole;
    uint8_t *digests; /* of pieces; NULL: not asked for */
    uint8_t found[VLN_DIGEST_BYTES];
    vln_err_t err;
} hashing_t;

static void *
hash(void *context)
{
    hashing_t *self = context;
    uint8_t *content = vln_calloc(1, PIECE_BYTES);
    vln_digest_t *sum = vln_digest_begin();
    int64_t pieces = piece_count(self->size);
    for (int64_t i = 0; i < pieces && self->err == VLN_OK; i++) {
        size_t size = piece_size(self->size, i);
        self->err = read_piece(self->fd, self->size, i, content);
        if (self->err == VLN_OK && self->whole) {
            vln_digest_add(sum, content, size);
        }
        if (self->err == VLN_OK && self->digests) {
            vln_digest(content, size, self->digests + i * VLN_DIGEST_BYTES);
        }
    }
    vln_digest_end(&sum, self->found);
    free(content);
    return NULL;
}

/* ---- compressing ---- */

static size_t
pack_piece(keeping_t *self, int64_t index)
{
    return registry_pack(self->pack, self->content, piece_size(self->size, index), self->frame,
                         self->frame_room);
}

/* Compresses a few pieces that are spread over the content. */
static bool
pays(keeping_t *self)
{
    int64_t pieces = piece_count(self->size);
    int64_t probes = pieces < PROBES ? pieces : PROBES;
    int64_t content = 0;
    int64_t packed = 0;
    for (int64_t i = 0; i < probes; i++) {
        int64_t index = probes > 1 ? i * (pieces - 1) / (probes - 1) : 0;
        if (read_piece(self->fd, self->size, index, self->content) != VLN_OK) {
            return false;
        }
        content += (int64_t)piece_size(self->size, index);
        packed += (int64_t)pack_piece(self, index);
    }
    return registry_pack_pays(content, packed);
}

/* A name that no other attempt has: a registry that was thought dead may still be writing. */
static void
begin_frames(keeping_t *self, const char *folder)
{
    frames_t *frames = &self->frames;
    vln_id_t name = vln_id_new();
    frames->path = registry_upload_path(folder, &name);
    frames->fd =
        open(frames->path.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (frames->fd < 0) {
        registry_file_failed("open", frames->path.text);
    }
}

static void
give_up_frames(frames_t *self)
{
    if (self->fd >= 0) {
        close(self->fd);
        unlink(self->path.text);
        self->fd = -1;
    }
}

/* A disk that has no room for both still has the upload: then it stays as it is. */
static vln_err_t
write_frames(keeping_t *self)
{
    frames_t *frames = &self->frames;
    int64_t pieces = piece_count(self->size);
    vln_err_t err = VLN_OK;
    for (int64_t i = 0; i < pieces && err == VLN_OK && frames->fd >= 0; i++) {
        err = read_piece(self->fd, self->size, i, self->content);
        size_t packed = err == VLN_OK ? pack_piece(self, i) : 0;
        if (!registry_write_all(frames->fd, self->frame, packed, frames->end)) {
            registry_file_failed("write", frames->path.text);
            give_up_frames(frames);
        }
        frames->end += (int64_t)packed;
        frames->ends[i] = frames->end;
    }
    return err;
}

/* ---- both ---- */

/* DATA_LOSS unless the content has this digest. */
static vln_err_t
read_twice(keeping_t *self, const uint8_t *digest)
{
    pthread_t thread;
    bool packs = self->frames.fd >= 0;
    hashing_t whole = {.fd = self->fd, .size = self->size, .whole = true};
    hashing_t pieces = {.fd = self->fd, .size = self->size, .digests = self->digests};
    if (packs) {
        whole.digests = self->digests;
    }
    bool is_two = pthread_create(&thread, NULL, hash, &whole) == 0;
    if (packs) {
        pieces.err = write_frames(self);
    } else if (self->digests) {
        hash(&pieces);
    }
    if (is_two) {
        pthread_join(thread, NULL);
    } else {
        hash(&whole);
    }
    if (whole.err != VLN_OK || pieces.err != VLN_OK) {
        return whole.err != VLN_OK ? whole.err : pieces.err;
    }
    return memcmp(whole.found, digest, VLN_DIGEST_BYTES) == 0 ? VLN_OK : VLN_DATA_LOSS;
}

/* After OK the compressed file is there only if it pays, and what is kept is synced. */
static vln_err_t
check_and_pack(keeping_t *self, const char *folder, const uint8_t *digest)
{
    struct stat info;
    if (fstat(self->fd, &info) != 0 || info.st_size != self->size) {
        return VLN_DATA_LOSS;
    }
    if (self->digests && pays(self)) {
        begin_frames(self, folder);
    }
    vln_err_t err = read_twice(self, digest);
    if (err != VLN_OK || !registry_pack_pays(self->size, self->frames.end)) {
        give_up_frames(&self->frames);
    }
    int fd = self->frames.fd >= 0 ? self->frames.fd : self->fd;
    if (err == VLN_OK && (fchmod(fd, 0444) != 0 || fsync(fd) != 0)) {
        err = registry_file_failed("fsync", "an upload");
    }
    return err;
}

static registry_kept_t
describe(const keeping_t *self, vln_arena_t *arena)
{
    bool framed = self->frames.fd >= 0;
    int64_t pieces = piece_count(self->size);
    registry_kept_t kept = {.framed = framed,
                            .stored_bytes = framed ? self->frames.end : self->size};
    if (!self->digests) {
        return kept;
    }
    uint8_t *table = vln_arena_alloc(arena, (size_t)pieces * PIECE_ENTRY);
    for (int64_t i = 0; i < pieces; i++) {
        int64_t plain = i * PIECE_BYTES + (int64_t)piece_size(self->size, i);
        piece_put(table, i, self->digests + i * VLN_DIGEST_BYTES,
                  framed ? self->frames.ends[i] : plain);
    }
    kept.pieces = table;
    kept.pieces_size = (size_t)pieces * PIECE_ENTRY;
    return kept;
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
open_upload(const char *folder, const registry_arrived_t *arrived, bool *moved)
{
    int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
    int fd = open(registry_upload_path(folder, arrived->upload).text, flags);
    *moved = fd < 0 && errno == ENOENT;
    return *moved ? open(registry_blob_path(folder, arrived->digest, false).text, flags) : fd;
}

static void
finish(keeping_t *self)
{
    give_up_frames(&self->frames);
    close(self->fd);
    free(self->content);
    free(self->frame);
}

vln_err_t
registry_files_keep(const char *folder, registry_pack_t *pack, const registry_arrived_t *arrived,
                    vln_arena_t *arena, registry_kept_t *out)
{
    bool moved = false;
    size_t pieces = (size_t)piece_count(arrived->size);
    keeping_t keeping = {.pack = pack, .size = arrived->size, .frames = {.fd = -1}};
    *out = (registry_kept_t){0};
    keeping.fd = open_upload(folder, arrived, &moved);
    if (keeping.fd < 0) {
        return errno == ENOENT ? VLN_DATA_LOSS : registry_file_failed("open", "an upload");
    }
    keeping.frame_room = registry_pack_room(PIECE_BYTES);
    keeping.content = vln_calloc(1, PIECE_BYTES);
    keeping.frame = vln_calloc(1, keeping.frame_room);
    if (pieces <= PIECES_MAX) {
        keeping.digests = vln_arena_alloc(arena, pieces * VLN_DIGEST_BYTES);
        keeping.frames.ends = vln_arena_alloc(arena, pieces * sizeof *keeping.frames.ends);
    }
    vln_err_t err = check_and_pack(&keeping, folder, arrived->digest);
    *out = describe(&keeping, arena);
    if (err == VLN_OK && (out->framed || !moved)) {
        registry_path_t plain = registry_upload_path(folder, arrived->upload);
        err = move(folder, out->framed ? keeping.frames.path.text : plain.text, arrived->digest,
                   out->framed);
    }
    finish(&keeping);
    return err;
}
