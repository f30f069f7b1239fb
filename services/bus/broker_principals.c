#include "broker_principals.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vln_log.h"
#include "vln_mem.h"

#include "domain/route.h"

enum {
    SLOTS = ROUTE_PRINCIPALS_MAX,
    BUCKETS = 2 * SLOTS,
    PATH_TEXT = 1024,
    FILE_TEXT = 260,
    NONE = -1
};

typedef struct slot {
    vln_principal_t *principal; /* the last that had it; NULL if never used */
    bool known;                 /* its certificate is there */
    bool was_known;             /* before the last refresh, and has not been found the same */
    int bucket_next;
} slot_t;

struct principals {
    const char *folder;
    principals_idle_fn *is_idle;
    const void *arg;
    uint64_t seen; /* of the folder as it was read last */
    size_t count;
    int buckets[BUCKETS]; /* slots that are known, by key */
    slot_t slots[SLOTS];
};

principals_t *
principals_new(const char *folder, principals_idle_fn *is_idle, const void *arg)
{
    principals_t *self = vln_calloc(1, sizeof *self);
    self->folder = folder;
    self->is_idle = is_idle;
    self->arg = arg;
    for (size_t i = 0; i < BUCKETS; i++) {
        self->buckets[i] = NONE;
    }
    return self;
}

void
principals_destroy(principals_t **self_p)
{
    principals_t *self = *self_p;
    if (self) {
        for (size_t i = 0; i < SLOTS; i++) {
            free(self->slots[i].principal);
        }
        free(self);
        *self_p = NULL;
    }
}

static uint64_t
mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15U;
    return hash ^ hash >> 29;
}

static uint64_t
hash_entry(const char *folder, const char *file)
{
    char path[PATH_TEXT + FILE_TEXT];
    struct stat about;
    uint64_t hash = 1;
    for (const char *at = file; *at; at++) {
        hash = mix(hash, (uint8_t)*at);
    }
    snprintf(path, sizeof path, "%s/%s", folder, file);
    if (stat(path, &about) != 0) {
        return hash;
    }
    hash = mix(hash, (uint64_t)about.st_ino);
    hash = mix(hash, (uint64_t)about.st_size);
    hash = mix(hash, (uint64_t)about.st_mtim.tv_sec);
    return mix(hash, (uint64_t)about.st_mtim.tv_nsec);
}

/*
 * Names, sizes, times and inodes of the files, in any order: the folder's own time alone does not
 * change when a file is edited in place, and two changes can fall into one tick of the clock.
 */
static uint64_t
look_at_folder(const principals_t *self)
{
    char path[PATH_TEXT];
    snprintf(path, sizeof path, "%s/public", self->folder);
    DIR *directory = opendir(path);
    uint64_t sum = 0;
    if (!directory) {
        return 0;
    }
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        if (entry->d_name[0] != '.') {
            sum += hash_entry(path, entry->d_name);
        }
    }
    closedir(directory);
    return sum | 1;
}

/* Keys are random: their first characters are as good as a hash. */
static size_t
bucket_of(const char *public_key)
{
    uint64_t start = 0;
    memcpy(&start, public_key, sizeof start);
    return mix(0, start) % BUCKETS;
}

static int
slot_of_name(const principals_t *self, const char *name)
{
    for (int i = 0; i < SLOTS; i++) {
        const slot_t *slot = &self->slots[i];
        if (!slot->principal) {
            return i; /* slots are filled from the start, and never emptied */
        }
        if (strcmp(slot->principal->name, name) == 0) {
            return i;
        }
    }
    for (int i = 0; i < SLOTS; i++) {
        if (!self->slots[i].known && self->is_idle(self->arg, i)) {
            return i;
        }
    }
    return NONE;
}

static void
forget_all(principals_t *self)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        self->buckets[i] = NONE;
    }
    for (size_t i = 0; i < SLOTS; i++) {
        self->slots[i].was_known = self->slots[i].known;
        self->slots[i].known = false;
    }
    self->count = 0;
}

static bool
may_the_same(const vln_principal_t *left, const vln_principal_t *right)
{
    return left->roles == right->roles && strcmp(left->public_key, right->public_key) == 0;
}

static void
know(principals_t *self, const vln_principal_t *principal)
{
    int at = slot_of_name(self, principal->name);
    if (at == NONE) {
        vln_error("principals.too_many", kv_str("left_out", principal->name),
                  kv_i64("limit", SLOTS));
        return;
    }
    if (principals_find(self, principal->public_key) != NONE) {
        vln_error("principals.key_twice", kv_str("left_out", principal->name));
        return;
    }
    slot_t *slot = &self->slots[at];
    if (!slot->principal) {
        slot->principal = vln_calloc(1, sizeof *slot->principal);
    }
    slot->was_known = slot->was_known && !may_the_same(slot->principal, principal);
    *slot->principal = *principal;
    slot->known = true;
    size_t bucket = bucket_of(principal->public_key);
    slot->bucket_next = self->buckets[bucket];
    self->buckets[bucket] = at;
    self->count++;
}

static bool
somebody_was_revoked(const principals_t *self)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (self->slots[i].was_known) {
            return true;
        }
    }
    return false;
}

vln_err_t
principals_refresh(principals_t *self, principals_change_t *out)
{
    *out = (principals_change_t){0};
    uint64_t seen = look_at_folder(self);
    if (seen != 0 && seen == self->seen) {
        return VLN_OK;
    }
    vln_principal_t *list = NULL;
    size_t count = 0;
    vln_err_t err = vln_keys_list(self->folder, &list, &count);
    if (err) {
        return err;
    }
    forget_all(self);
    for (size_t i = 0; i < count; i++) {
        know(self, &list[i]);
    }
    free(list);
    self->seen = seen;
    out->changed = true;
    out->revoked = somebody_was_revoked(self);
    return VLN_OK;
}

int
principals_find(const principals_t *self, const char *public_key)
{
    if (strnlen(public_key, VLN_Z85_TEXT) != VLN_Z85_TEXT - 1) {
        return NONE;
    }
    for (int at = self->buckets[bucket_of(public_key)]; at != NONE;
         at = self->slots[at].bucket_next) {
        if (memcmp(self->slots[at].principal->public_key, public_key, VLN_Z85_TEXT) == 0) {
            return at;
        }
    }
    return NONE;
}

const vln_principal_t *
principals_at(const principals_t *self, int slot)
{
    vln_assert(slot >= 0 && slot < SLOTS);
    return self->slots[slot].known ? self->slots[slot].principal : NULL;
}

size_t
principals_count(const principals_t *self)
{
    return self->count;
}
