#include "vln_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "vln_log.h"
#include "vln_text.h"

enum { ENTRY_MAX = 280, HOST_MAX = 256, PORT_MAX = 6 };

typedef struct entry {
    char host[HOST_MAX];
    char port[PORT_MAX];
} entry_t;

static bool
starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "host:port", "[v6 address]:port", either with "tcp://" before it. */
static bool
parse_entry(const char *text, entry_t *out)
{
    if (starts_with(text, "tcp://")) {
        text += strlen("tcp://");
    }
    const char *colon = strrchr(text, ':');
    int64_t port = 0;
    if (!colon || colon == text || !vln_text_to_i64(colon + 1, 1, 65535, &port)) {
        return false;
    }
    size_t len = (size_t)(colon - text);
    if (text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        return false;
    }
    if (len == 0 || len >= HOST_MAX) {
        return false;
    }
    memcpy(out->host, text, len);
    out->host[len] = '\0';
    snprintf(out->port, sizeof out->port, "%d", (int)port);
    return true;
}

static void
add(vln_addresses_t *out, const char *endpoint)
{
    if (!vln_addresses_have(out, endpoint) && out->count < VLN_ADDRESSES_MAX) {
        snprintf(out->endpoint[out->count++], VLN_ADDRESS_TEXT, "%s", endpoint);
    }
}

static void
add_found(vln_addresses_t *out, const struct addrinfo *found, const char *port)
{
    char host[INET6_ADDRSTRLEN];
    char endpoint[VLN_ADDRESS_TEXT];
    bool is_v6 = found->ai_family == AF_INET6;
    if (getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host, NULL, 0,
                    NI_NUMERICHOST) == 0) {
        snprintf(endpoint, sizeof endpoint, is_v6 ? "tcp://[%s]:%s" : "tcp://%s:%s", host, port);
        add(out, endpoint);
    }
}

/*
 * Addresses of version 4 where there are any: "localhost" has one of each, and a broker that
 * listens on the first alone would look half dead.
 */
static void
resolve_entry(vln_addresses_t *out, const entry_t *entry)
{
    static const int families[] = {AF_INET, AF_INET6};
    size_t before = out->count;
    int status = 0;
    for (size_t i = 0; i < VLN_COUNT(families) && out->count == before; i++) {
        struct addrinfo hints = {.ai_family = families[i], .ai_socktype = SOCK_STREAM};
        struct addrinfo *found = NULL;
        status = getaddrinfo(entry->host, entry->port, &hints, &found);
        for (struct addrinfo *each = found; status == 0 && each; each = each->ai_next) {
            add_found(out, each, entry->port);
        }
        if (found) {
            freeaddrinfo(found);
        }
    }
    if (out->count == before && status != 0) {
        vln_debug("address.not_resolved", kv_str("host", entry->host),
                  kv_str("why", gai_strerror(status)));
    }
}

static int
compare(const void *left, const void *right)
{
    return strcmp(left, right);
}

vln_err_t
vln_addresses_resolve(const char *list, vln_addresses_t *out)
{
    *out = (vln_addresses_t){0};
    char text[ENTRY_MAX];
    size_t entries = 0;
    const char *rest = list;
    while (vln_text_next(&rest, ',', text, sizeof text)) {
        entry_t entry = {0};
        entries++;
        if (starts_with(text, "ipc://") || starts_with(text, "inproc://")) {
            if (strlen(text) >= VLN_ADDRESS_TEXT) {
                return VLN_INVALID_ARGUMENT;
            }
            add(out, text);
        } else if (parse_entry(text, &entry)) {
            resolve_entry(out, &entry);
        } else {
            *out = (vln_addresses_t){0};
            return VLN_INVALID_ARGUMENT;
        }
    }
    if (entries == 0) {
        return VLN_INVALID_ARGUMENT;
    }
    qsort(out->endpoint, out->count, sizeof out->endpoint[0], compare);
    return out->count > 0 ? VLN_OK : VLN_UNAVAILABLE;
}

bool
vln_addresses_have(const vln_addresses_t *self, const char *endpoint)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->endpoint[i], endpoint) == 0) {
            return true;
        }
    }
    return false;
}

bool
vln_address_above(const char *client_endpoint, int offset, char out[VLN_ADDRESS_TEXT])
{
    const char *colon = strrchr(client_endpoint, ':');
    int64_t port = 0;
    if (!colon || !vln_text_to_i64(colon + 1, 1, 65535 - offset, &port)) {
        return false;
    }
    snprintf(out, VLN_ADDRESS_TEXT, "%.*s:%d", (int)(colon - client_endpoint), client_endpoint,
             (int)port + offset);
    return true;
}
