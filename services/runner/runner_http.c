#include "runner_http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_mem.h"

enum { TIMEOUT_MS = 1000, URL_ROOM = 256 };

struct runner_http {
    CURL *curl;
};

typedef struct sink {
    uint8_t *body;
    size_t room;
    size_t size;
} sink_t;

runner_http_t *
runner_http_new(void)
{
    runner_http_t *self = vln_calloc(1, sizeof *self);
    self->curl = curl_easy_init();
    vln_assert(self->curl);
    return self;
}

void
runner_http_destroy(runner_http_t **self_p)
{
    if (*self_p) {
        curl_easy_cleanup((*self_p)->curl);
        free(*self_p);
        *self_p = NULL;
    }
}

/* More than there is room for ends the transfer. */
static size_t
take(char *bytes, size_t one, size_t count, void *context)
{
    sink_t *self = context;
    size_t size = one * count;
    if (!self->body) {
        return size;
    }
    if (self->size + size > self->room) {
        return 0;
    }
    memcpy(self->body + self->size, bytes, size);
    self->size += size;
    return size;
}

static long
get(runner_http_t *self, const char *socket, const char *path, int64_t timeout_ms, sink_t *sink)
{
    char url[URL_ROOM];
    long status = 0;
    snprintf(url, sizeof url, "http://server%s", path);
    curl_easy_reset(self->curl);
    curl_easy_setopt(self->curl, CURLOPT_URL, url);
    curl_easy_setopt(self->curl, CURLOPT_UNIX_SOCKET_PATH, socket);
    curl_easy_setopt(self->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(self->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(self->curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(self->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(self->curl, CURLOPT_WRITEDATA, sink);
    if (curl_easy_perform(self->curl) == CURLE_OK) {
        curl_easy_getinfo(self->curl, CURLINFO_RESPONSE_CODE, &status);
    }
    return status;
}

long
runner_http_look(runner_http_t *self, const char *socket, const char *path, int64_t timeout_ms)
{
    sink_t sink = {0};
    return get(self, socket, path, timeout_ms, &sink);
}

long
runner_http_get(runner_http_t *self, const char *socket, const char *path, uint8_t *body,
                size_t room, size_t *size)
{
    sink_t sink = {.body = body, .room = room};
    long status = get(self, socket, path, TIMEOUT_MS, &sink);
    if (size) {
        *size = sink.size;
    }
    return status;
}
