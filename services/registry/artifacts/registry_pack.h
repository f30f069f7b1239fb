/*
 * registry_pack - zstd frames of at most one piece, each for itself.
 *
 * Frames come from our own disk or database but may have been changed there: unpacking writes
 * within the room that it is given and nothing else, and who calls compares the digest. Knows no
 * files. An object belongs to one thread.
 */
#ifndef REGISTRY_PACK_H
#define REGISTRY_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct registry_pack registry_pack_t;

registry_pack_t *registry_pack_new(void);
void registry_pack_destroy(registry_pack_t **self_p);

/* Room that the frame of `size` bytes needs at most. */
size_t registry_pack_room(size_t size);

/* The frame's size; `room` is at least registry_pack_room(size). */
size_t registry_pack(registry_pack_t *self, const void *bytes, size_t size, uint8_t *out,
                     size_t room);

/* True if the frame gives exactly `size` bytes. */
bool registry_unpack(registry_pack_t *self, const uint8_t *frame, size_t frame_size, void *out,
                     size_t size);

/* True if at least a tenth is saved: less is not worth the work of every reader. */
bool registry_pack_pays(int64_t size, int64_t packed);

#endif
