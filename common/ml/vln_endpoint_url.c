#include "vln_endpoint_url.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vln_text.h"

enum { PORT_MAX = 65535, HTTP = 80, HTTPS = 443, PORT_ROOM = 8 };

static const char models[] = "/v2/models/";

static bool refuse(char *why, const char *format, ...) VLN_PRINTF(2, 3);

static bool
refuse(char *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, VLN_MODEL_WHY, format, args);
    va_end(args);
    return false;
}

static bool
is_one_of(char c, const char *more)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c != '\0' && strchr(more, c));
}

/* ---- scheme ---- */

static bool
take_scheme(const char **at, vln_endpoint_url_t *out)
{
    static const char plain[] = "http://";
    static const char secure[] = "https://";
    out->secure = strncmp(*at, secure, sizeof secure - 1) == 0;
    if (!out->secure && strncmp(*at, plain, sizeof plain - 1) != 0) {
        return false;
    }
    *at += out->secure ? sizeof secure - 1 : sizeof plain - 1;
    return true;
}

/* ---- host and port ---- */

static char
lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* A name, an IPv4 address, or an IPv6 one in brackets. */
static bool
take_host(const char **at, vln_endpoint_url_t *out)
{
    size_t len = 0;
    bool bracketed = **at == '[';
    const char *more = bracketed ? "[:." : ".-";
    while (is_one_of(lower((*at)[len]), more) && len + 2 < sizeof out->host) {
        out->host[len] = lower((*at)[len]);
        len++;
    }
    if (bracketed && (*at)[len] == ']') {
        out->host[len] = ']';
        len++;
    } else if (bracketed) {
        return false;
    }
    out->host[len] = '\0';
    *at += len;
    return len > (bracketed ? sizeof "[]" : 0) && out->host[0] != '.' && out->host[0] != '-';
}

static bool
take_port(const char **at, vln_endpoint_url_t *out)
{
    char text[PORT_ROOM] = "";
    size_t len = 0;
    int64_t port = out->secure ? HTTPS : HTTP;
    if (**at == ':') {
        ++*at;
        while ((*at)[len] >= '0' && (*at)[len] <= '9' && len + 1 < sizeof text) {
            text[len] = (*at)[len];
            len++;
        }
        text[len] = '\0';
        *at += len;
        if (!vln_text_to_i64(text, 1, PORT_MAX, &port)) {
            return false;
        }
    }
    out->port = (uint16_t)port;
    return **at == '\0' || **at == '/';
}

/* ---- path ---- */

static bool
is_step(const char *segment, size_t len)
{
    return (len == 1 && segment[0] == '.') || (len == 2 && segment[0] == '.' && segment[1] == '.');
}

/* Segments of what a name may have; no escapes, for servers undo them in ways of their own. */
static bool
take_path(const char *at, vln_endpoint_url_t *out)
{
    size_t total = 0;
    while (*at == '/') {
        size_t len = 0;
        at++;
        while (is_one_of(lower(at[len]), "._~-")) {
            len++;
        }
        if (len == 0 && *at == '\0') {
            break;
        }
        if (len == 0 || is_step(at, len) || total + len + 2 > sizeof out->path) {
            return false;
        }
        out->path[total] = '/';
        memcpy(out->path + total + 1, at, len);
        total += len + 1;
        at += len;
    }
    out->path[total] = '\0';
    return *at == '\0';
}

bool
vln_endpoint_url_parse(const char *text, vln_endpoint_url_t *out, char why[VLN_MODEL_WHY])
{
    const char *at = text;
    *out = (vln_endpoint_url_t){0};
    why[0] = '\0';
    if (strlen(text) >= VLN_ENDPOINT_URL) {
        return refuse(why, "an address has at most %d bytes", VLN_ENDPOINT_URL - 1);
    }
    if (!take_scheme(&at, out)) {
        return refuse(why, "an address begins with http:// or https://");
    }
    if (!take_host(&at, out) || !take_port(&at, out)) {
        return refuse(why, "an address has a host and perhaps a port behind its scheme, without a "
                           "user: http://models.example:8080");
    }
    if (!take_path(at, out)) {
        return refuse(why, "an address' path has names of letters, digits and ._~- between single "
                           "slashes, and nothing behind it");
    }
    return true;
}

static size_t
segment_len(const char *at)
{
    return strcspn(at, "/");
}

bool
vln_endpoint_url_is_model(const vln_endpoint_url_t *self)
{
    static const char versions[] = "/versions/";
    const char *name = NULL;
    for (const char *at = self->path; (at = strstr(at, models)); at++) {
        name = at + sizeof models - 1;
    }
    if (!name) {
        return false;
    }
    const char *rest = name + segment_len(name);
    if (strncmp(rest, versions, sizeof versions - 1) == 0) {
        rest += sizeof versions - 1;
        rest += segment_len(rest);
    }
    return *rest == '\0';
}

/* ---- which are allowed ---- */

bool
vln_endpoint_allowed_check(const char *allowed, char why[VLN_MODEL_WHY])
{
    char word[VLN_ENDPOINT_URL + 1];
    vln_endpoint_url_t url;
    why[0] = '\0';
    while (allowed && vln_text_next(&allowed, ',', word, sizeof word)) {
        if (!vln_endpoint_url_parse(word, &url, why)) {
            return false;
        }
    }
    return true;
}

static bool
covers(const vln_endpoint_url_t *prefix, const vln_endpoint_url_t *url)
{
    size_t len = strlen(prefix->path);
    return prefix->secure == url->secure && prefix->port == url->port &&
           strcmp(prefix->host, url->host) == 0 && strncmp(prefix->path, url->path, len) == 0 &&
           (url->path[len] == '\0' || url->path[len] == '/');
}

bool
vln_endpoint_is_allowed(const char *allowed, const vln_endpoint_url_t *url)
{
    char word[VLN_ENDPOINT_URL + 1];
    char why[VLN_MODEL_WHY];
    vln_endpoint_url_t prefix;
    while (allowed && vln_text_next(&allowed, ',', word, sizeof word)) {
        if (vln_endpoint_url_parse(word, &prefix, why) && covers(&prefix, url)) {
            return true;
        }
    }
    return false;
}

void
vln_endpoint_url_write(const vln_endpoint_url_t *self, const char *more, char out[VLN_ENDPOINT_URL])
{
    snprintf(out, VLN_ENDPOINT_URL, "%s://%s:%u%s%s", self->secure ? "https" : "http", self->host,
             (unsigned)self->port, self->path, more);
}
