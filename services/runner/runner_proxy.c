#include "runner_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vln_log.h"
#include "vln_text.h"
#include "vln_time.h"

enum {
    CONFIG_MAX = 4 * 1024 * 1024,
    ANSWER_MAX = 1024 * 1024,
    ANSWER_S = 2,
    RELOAD_MS = 5000,
    LOOK_MS = 20,
    FIELDS_MAX = 128,
};

void
runner_proxy_init(runner_proxy_t *self, const runner_t *runner)
{
    *self = (runner_proxy_t){0};
    snprintf(self->config, sizeof self->config, "%.4000s/haproxy.cfg", runner->root);
    if (snprintf(self->admin, sizeof self->admin, "%.4000s/s/haproxy", runner->root) >=
        (int)sizeof self->admin - 8) {
        snprintf(self->error, sizeof self->error,
                 "the path of the state folder is too long for a unix socket");
    }
}

static bool
say(runner_proxy_t *self, const char *what)
{
    if (strcmp(self->error, what) != 0) {
        vln_warn("proxy.failed", kv_str("why", what));
        vln_text_copy(self->error, sizeof self->error, what);
    }
    return false;
}

/* ---- asking HAProxy ---- */

static int
connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval wait = {.tv_sec = ANSWER_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    vln_text_copy(address.sun_path, sizeof address.sun_path, path);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    }
    return fd;
}

/* The answer to one command, ended by a NUL; NULL: it does not answer. End with free(). */
static char *
ask(const runner_proxy_t *self, const char *command)
{
    int fd = connect_to(self->admin);
    if (fd < 0) {
        return NULL;
    }
    char *answer = vln_calloc(1, ANSWER_MAX + 1);
    size_t size = 0;
    bool ok = write(fd, command, strlen(command)) == (ssize_t)strlen(command);
    while (ok && size < ANSWER_MAX) {
        ssize_t got = read(fd, answer + size, ANSWER_MAX - size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            ok = got == 0;
            break;
        }
        size += (size_t)got;
    }
    close(fd);
    if (!ok) {
        free(answer);
        return NULL;
    }
    return answer;
}

/* A field of "show info", empty if it has none: "\nName: ". */
static void
copy_field(const char *info, const char *name, char *out, size_t room)
{
    const char *line = strstr(info, name);
    const char *value = line ? line + strlen(name) : "";
    snprintf(out, room, "%.*s", (int)strcspn(value, "\n"), value);
}

/* Of the worker that answers now: its pid, and the digest of what it loaded. Both empty: none does. */
static void
read_worker(const runner_proxy_t *self, char pid[32], char digest[PROXY_DIGEST])
{
    char *info = ask(self, "show info\n");
    copy_field(info ? info : "", "\nPid: ", pid, 32);
    copy_field(info ? info : "", "\ndescription: ", digest, PROXY_DIGEST);
    free(info);
}

static void
read_pid(const runner_proxy_t *self, char out[32])
{
    char digest[PROXY_DIGEST];
    read_worker(self, out, digest);
}

/* ---- ports ---- */

static bool
is_bound(const runner_proxy_t *self, uint32_t port)
{
    for (size_t i = 0; i < self->bound_count; i++) {
        if (self->bound[i] == port) {
            return true;
        }
    }
    return false;
}

static bool
is_free(const char *address, uint32_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, address, &in.sin_addr) != 1) {
        in.sin_addr.s_addr = htonl(INADDR_ANY);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    bool ok = fd >= 0 && bind(fd, (const struct sockaddr *)&in, sizeof in) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

typedef struct ports {
    runner_proxy_t *proxy;
    const char *address;
    uint32_t taken; /* by somebody else; 0: none */
} ports_t;

/* True if the HAProxy that runs has it: an earlier life of this program had that loaded, and what is on
 * disk is what was. */
static bool
is_ours(const ports_t *self, uint32_t port)
{
    char line[PROXY_NAME];
    char pid[32];
    char loaded[PROXY_DIGEST];
    char digest[PROXY_DIGEST];
    char *text = NULL;
    size_t size = 0;
    if (vln_text_read_file(self->proxy->config, CONFIG_MAX, &text, &size) != VLN_OK) {
        return false;
    }
    snprintf(line, sizeof line, "\n    bind %.64s:%u\n", self->address, port);
    read_worker(self->proxy, pid, loaded);
    proxy_config_digest(text, digest);
    bool ours = pid[0] && strcmp(digest, loaded) == 0 && strstr(text, line);
    free(text);
    return ours;
}

/* A port of somebody else's would keep all of the configuration from being loaded. */
static bool
may_bind(void *context, uint32_t port)
{
    ports_t *self = context;
    if (is_bound(self->proxy, port)) {
        return true;
    }
    if (!is_free(self->address, port) && !is_ours(self, port)) {
        self->taken = port;
        return false;
    }
    return true;
}

static void
note_bound(runner_proxy_t *self, const Valion__V1__HostState *state, const char *config)
{
    self->bound_count = 0;
    for (size_t i = 0; i < state->n_environments; i++) {
        char line[PROXY_NAME];
        snprintf(line, sizeof line, "\nfrontend environment:%.64s\n", state->environments[i]->name);
        if (strstr(config, line) && self->bound_count < RUNNER_ENVIRONMENTS_MAX) {
            self->bound[self->bound_count++] = state->environments[i]->port;
        }
    }
}

/* ---- loading ---- */

static int
run(const char *const *words)
{
    pid_t pid = -1;
    int status = 0;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    int failed =
        posix_spawnp(&pid, words[0], &actions, NULL, (char *const *)(uintptr_t)words, environ);
    posix_spawn_file_actions_destroy(&actions);
    while (failed == 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        /* again */
    }
    return failed == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool
is_valid(runner_proxy_t *self, const char *text)
{
    char path[RUNNER_PATH];
    snprintf(path, sizeof path, "%.4000s.check", self->config);
    const char *const words[] = {"haproxy", "-c", "-q", "-f", path, NULL};
    bool ok = runner_write_file(path, text, strlen(text)) && run(words) == 0;
    unlink(path);
    return ok;
}

/* A new worker answers, or the first one does. */
static bool
reload(runner_proxy_t *self, const runner_t *runner)
{
    char before[32];
    char after[32];
    char folder[RUNNER_PATH];
    int64_t until_ms = vln_mono_ms() + RELOAD_MS;
    snprintf(folder, sizeof folder, "%.4000s", runner->config->haproxy);
    read_pid(self, before);
    const char *const words[] = {"s6-svc", before[0] ? "-2" : "-u", folder, NULL};
    if (run(words) != 0) {
        return say(self, "HAProxy's supervisor does not answer: does s6-svscan run, and is its "
                         "service folder the one of --haproxy-service?");
    }
    for (read_pid(self, after); strcmp(before, after) == 0 || after[0] == '\0';
         read_pid(self, after)) {
        if (vln_mono_ms() > until_ms) {
            return say(self, "HAProxy does not load its configuration; its log says why");
        }
        vln_sleep_ms(LOOK_MS);
    }
    vln_text_copy(self->pid, sizeof self->pid, after);
    return true;
}

/* HAProxy says it: what is on disk may have been written a moment before this program was killed. */
static bool
is_loaded(runner_proxy_t *self, const char *text)
{
    char loaded[PROXY_DIGEST];
    char digest[PROXY_DIGEST];
    read_worker(self, self->pid, loaded);
    proxy_config_digest(text, digest);
    return self->pid[0] && strcmp(loaded, digest) == 0;
}

static bool
load(runner_proxy_t *self, const runner_t *runner, const Valion__V1__HostState *state,
     const char *text)
{
    if (is_loaded(self, text)) {
        note_bound(self, state, text);
        return true;
    }
    if (!is_valid(self, text)) {
        return say(self, "HAProxy refuses its configuration, or is not installed");
    }
    if (!runner_write_file(self->config, text, strlen(text)) || !reload(self, runner)) {
        return self->error[0] ? false : say(self, "haproxy.cfg cannot be written");
    }
    note_bound(self, state, text);
    vln_info("proxy.loaded", kv_i64("generation", (int64_t)state->generation));
    return true;
}

bool
runner_proxy_apply(runner_proxy_t *self, const runner_t *runner, const Valion__V1__HostState *state,
                   const proxy_server_t *servers, size_t count)
{
    ports_t ports = {.proxy = self, .address = runner->config->bind};
    const proxy_plan_t plan = {.state = state,
                               .servers = servers,
                               .server_count = count,
                               .bind = runner->config->bind,
                               .admin_socket = self->admin,
                               .may_bind = may_bind,
                               .context = &ports};
    char *text = proxy_config_write(&plan);
    bool ok = load(self, runner, state, text);
    free(text);
    if (ok && ports.taken > 0) {
        char why[RUNNER_PROXY_ERROR];
        snprintf(why, sizeof why,
                 "port %u is in use by another program: end that, or give the environment another "
                 "port (--environments)",
                 ports.taken);
        ok = say(self, why);
    }
    if (ok) {
        self->error[0] = '\0';
    }
    return ok;
}

/* ---- counters ---- */

/* "show stat" begins with "# pxname,svname,…": which field has which name. */
static size_t
find_column(const char *header, const char *name)
{
    size_t at = 0;
    char word[32];
    const char *rest = header;
    while (vln_text_next(&rest, ',', word, sizeof word) && strcmp(word, name) != 0) {
        at++;
    }
    return at;
}

static uint64_t
field_number(const char *line, size_t column)
{
    for (size_t i = 0; i < column && line; i++) {
        line = strchr(line, ',');
        line = line ? line + 1 : NULL;
    }
    return line ? strtoull(line, NULL, 10) : 0;
}

static const char *
find_line(const char *stat, const char *backend)
{
    char begin[PROXY_NAME + 16];
    snprintf(begin, sizeof begin, "\n%s,BACKEND,", backend);
    const char *line = strstr(stat, begin);
    return line ? line + 1 : NULL;
}

static Valion__V1__ProxyCounters *
read_counters(const runner_proxy_t *self, const char *stat, const char *line,
              const Valion__V1__HostEndpoint *endpoint, vln_arena_t *arena)
{
    const char *header = stat + 2;
    Valion__V1__ProxyCounters *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__proxy_counters__init(out);
    out->environment = endpoint->environment;
    out->model = endpoint->model;
    out->start_id = vln_arena_strdup(arena, self->pid);
    out->has_requests = out->has_responses_2xx = out->has_responses_4xx = 1;
    out->has_responses_5xx = out->has_connect_errors = out->has_response_errors = 1;
    out->has_retries = out->has_redispatches = out->has_servers_up = out->has_queue = 1;
    out->requests = field_number(line, find_column(header, "stot"));
    out->responses_2xx = field_number(line, find_column(header, "hrsp_2xx"));
    out->responses_4xx = field_number(line, find_column(header, "hrsp_4xx"));
    out->responses_5xx = field_number(line, find_column(header, "hrsp_5xx"));
    out->connect_errors = field_number(line, find_column(header, "econ"));
    out->response_errors = field_number(line, find_column(header, "eresp"));
    out->retries = field_number(line, find_column(header, "wretr"));
    out->redispatches = field_number(line, find_column(header, "wredis"));
    out->servers_up = (uint32_t)field_number(line, find_column(header, "act"));
    out->queue = (uint32_t)field_number(line, find_column(header, "qcur"));
    return out;
}

Valion__V1__ProxyCounters **
runner_proxy_count(runner_proxy_t *self, const Valion__V1__HostState *state, vln_arena_t *arena,
                   size_t *count)
{
    static const char *const kinds[] = {"stable", "canary"};
    *count = 0;
    char *stat = ask(self, "show stat\n");
    if (!stat || strncmp(stat, "# pxname,", strlen("# pxname,")) != 0) {
        free(stat);
        return NULL;
    }
    Valion__V1__ProxyCounters **out =
        vln_arena_alloc(arena, (2 * state->n_endpoints + 1) * sizeof(void *));
    for (size_t i = 0; i < 2 * state->n_endpoints; i++) {
        char name[PROXY_NAME];
        proxy_config_backend(kinds[i % 2], state->endpoints[i / 2], name);
        const char *line = find_line(stat, name);
        if (line) {
            out[*count] = read_counters(self, stat, line, state->endpoints[i / 2], arena);
            out[*count]->has_canary = 1;
            out[(*count)++]->canary = i % 2 != 0;
        }
    }
    free(stat);
    return out;
}
