#include "vln_cache.h"

#include <hiredis/hiredis.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "vln_log.h"
#include "vln_mem.h"
#include "vln_text.h"
#include "vln_time.h"

enum { WAIT_US = 500 * 1000, RETRY_MS = 1000, KEY_ROOM = 128, PASSWORD_MAX = 512, DAY_S = 86400 };

struct vln_cache {
    const vln_cache_options_t *options;
    redisContext *redis; /* NULL: not connected */
    int64_t next_try_ms; /* monotonic */
    bool said;           /* the trouble is in the log */
    vln_cache_counts_t counts;
};

vln_cache_t *
vln_cache_open(const vln_cache_options_t *options)
{
    vln_cache_t *self = vln_calloc(1, sizeof *self);
    self->options = options;
    return self;
}

void
vln_cache_close(vln_cache_t **self_p)
{
    if (*self_p) {
        redisFree((*self_p)->redis);
        free(*self_p);
        *self_p = NULL;
    }
}

bool
vln_cache_is_there(const vln_cache_t *self)
{
    return self->redis != NULL;
}

vln_cache_counts_t
vln_cache_counts(const vln_cache_t *self)
{
    return self->counts;
}

/* ---- the connection ---- */

static void
lose(vln_cache_t *self, const char *why)
{
    self->counts.errors++;
    self->next_try_ms = vln_mono_ms() + RETRY_MS;
    if (!self->said) {
        vln_warn("cache.lost", kv_str("redis", self->options->address), kv_str("why", why));
        self->said = true;
    }
    redisFree(self->redis);
    self->redis = NULL;
}

static redisContext *
dial(const char *address)
{
    const struct timeval wait = {.tv_usec = WAIT_US};
    char host[256];
    if (strchr(address, '/')) {
        return redisConnectUnixWithTimeout(address, wait);
    }
    const char *colon = strrchr(address, ':');
    int64_t port = 6379;
    if (colon && !vln_text_to_i64(colon + 1, 1, 65535, &port)) {
        return NULL;
    }
    snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - address) : (int)strlen(address),
             address);
    return redisConnectWithTimeout(host, (int)port, wait);
}

/* False with a sentence in `why`. */
static bool
log_in(vln_cache_t *self, const char **why)
{
    const vln_cache_options_t *options = self->options;
    char *password = NULL;
    size_t size = 0;
    if (!options->password_file) {
        return true;
    }
    if (vln_text_read_file(options->password_file, PASSWORD_MAX, &password, &size) != VLN_OK) {
        *why = "the password file cannot be read";
        return false;
    }
    password[strcspn(password, "\r\n")] = '\0';
    redisReply *reply = redisCommand(self->redis, "AUTH %s %s", options->user, password);
    sodium_memzero(password, size);
    free(password);
    bool ok = reply && reply->type != REDIS_REPLY_ERROR;
    *why = reply ? "user or password are refused" : self->redis->errstr;
    freeReplyObject(reply);
    return ok;
}

static bool
connect_now(vln_cache_t *self)
{
    const struct timeval wait = {.tv_usec = WAIT_US};
    const char *why = "the address cannot be read";
    const char *address = self->options->address;
    if (!address || !address[0] || vln_mono_ms() < self->next_try_ms) {
        return false;
    }
    self->redis = dial(address);
    bool ok = self->redis && !self->redis->err;
    if (self->redis && self->redis->err) {
        why = self->redis->errstr;
    }
    ok = ok && redisSetTimeout(self->redis, wait) == REDIS_OK && log_in(self, &why);
    if (!ok) {
        lose(self, why);
        return false;
    }
    if (self->said) {
        vln_info("cache.found", kv_str("redis", address));
        self->said = false;
    }
    return true;
}

/* ---- chunks ---- */

static void
make_key(const uint8_t digest[VLN_DIGEST_BYTES], int64_t index, char out[KEY_ROOM])
{
    char hex[2 * VLN_DIGEST_BYTES + 1];
    vln_hex_encode(digest, VLN_DIGEST_BYTES, hex);
    snprintf(out, KEY_ROOM, "valion:blob:%s:%lld", hex, (long long)index);
}

/* The reply if it is a value, else NULL; what is wrong with the connection ends it. */
static redisReply *
checked(vln_cache_t *self, redisReply *reply)
{
    if (!reply) {
        lose(self, self->redis->errstr);
        return NULL;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        char why[160];
        vln_text_copy(why, sizeof why, reply->str);
        lose(self, why);
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

bool
vln_cache_get(vln_cache_t *self, const uint8_t digest[VLN_DIGEST_BYTES], int64_t index,
              uint8_t *out, size_t size)
{
    char key[KEY_ROOM];
    if (!self->redis && !connect_now(self)) {
        return false;
    }
    make_key(digest, index, key);
    redisReply *reply = checked(self, redisCommand(self->redis, "GET %s", key));
    bool hit = reply && reply->type == REDIS_REPLY_STRING && reply->len == size;
    if (hit) {
        memcpy(out, reply->str, size);
    }
    if (reply) {
        self->counts.hits += hit;
        self->counts.misses += !hit;
        freeReplyObject(reply);
    }
    return hit;
}

void
vln_cache_put(vln_cache_t *self, const uint8_t digest[VLN_DIGEST_BYTES], int64_t index,
              const uint8_t *bytes, size_t size)
{
    char key[KEY_ROOM];
    if (!self->redis && !connect_now(self)) {
        return;
    }
    make_key(digest, index, key);
    redisReply *reply = checked(self, redisCommand(self->redis, "SET %s %b EX %d", key,
                                                   (const void *)bytes, size, (int)DAY_S));
    if (reply) {
        freeReplyObject(reply);
    }
}
