#include "runner_server.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yyjson.h>

#include "vln_log.h"
#include "vln_pb.h"
#include "vln_text.h"
#include "vln_time.h"

enum {
    SHORT_ID = 6,
    ARTIFACT_TRIES = 3,
    COMMAND_MAX = 12,
    SCRIPT_ROOM = 16384,
    LOG_TAIL = 16384,
    INSTANCE_BUDGET = 8 * 1024 * 1024,
    SUPERVISED_TRIES = 100,
    SUPERVISED_MS = 20,
};

#define ARTIFACT_MAX ((int64_t)2 * 1024 * 1024 * 1024)

void
runner_server_init(runner_server_t *self, const runner_t *runner, const uint8_t id[VLN_ID_BYTES])
{
    char text[VLN_ID_TEXT];
    char end[2 * SHORT_ID + 1];
    *self = (runner_server_t){.state = VALION__V1__INSTANCE_STATE__INSTANCE_STATE_FETCHING,
                              .began_ms = vln_mono_ms()};
    memcpy(self->id.bytes, id, VLN_ID_BYTES);
    vln_id_format(id, text);
    vln_hex_encode(id + VLN_ID_BYTES - SHORT_ID, SHORT_ID, end);
    snprintf(self->folder, sizeof self->folder, "%.3900s/instances/%s", runner->root, text);
    snprintf(self->link, sizeof self->link, "server-%s", text);
    int len = snprintf(self->socket, sizeof self->socket, "%.3900s/s/%s.sock", runner->root, end);
    if (len >= (int)sizeof self->socket) {
        snprintf(self->error, sizeof self->error,
                 "the path %.60s… is too long for a unix socket: choose a shorter --path",
                 runner->root);
    }
}

/* ---- the supervisor's commands ---- */

/* Runs it to its end; its exit code, or -1. `output` may be NULL. */
static int
run(const char *const *words, char *output, size_t room)
{
    int pipes[2] = {-1, -1};
    pid_t pid = -1;
    int status = 0;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (output) {
        vln_assert(pipe2(pipes, O_CLOEXEC) == 0);
        posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
    }
    int failed =
        posix_spawnp(&pid, words[0], &actions, NULL, (char *const *)(uintptr_t)words, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (output) {
        close(pipes[1]);
        ssize_t got = failed == 0 ? read(pipes[0], output, room - 1) : 0;
        output[got > 0 ? got : 0] = '\0';
        close(pipes[0]);
    }
    if (failed != 0) {
        vln_error("supervisor.command", kv_str("command", words[0]),
                  kv_str("why", strerror(failed)));
        return -1;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        /* again */
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
link_path(const runner_server_t *self, const runner_t *runner, char out[RUNNER_PATH])
{
    snprintf(out, RUNNER_PATH, "%.3900s/%s", runner->config->supervisor, self->link);
}

bool
runner_server_is_up(const runner_server_t *self, const runner_t *runner, int64_t *pid)
{
    char path[RUNNER_PATH];
    char text[64] = "";
    link_path(self, runner, path);
    const char *const words[] = {"s6-svstat", "-o", "pid", path, NULL};
    int64_t found = -1;
    if (access(path, F_OK) == 0 && run(words, text, sizeof text) == 0) {
        text[strcspn(text, "\n")] = '\0';
        found = strtoll(text, NULL, 10);
    }
    if (pid) {
        *pid = found;
    }
    return found > 0;
}

void
runner_server_stop(runner_server_t *self, const runner_t *runner)
{
    char path[RUNNER_PATH];
    link_path(self, runner, path);
    const char *const words[] = {"s6-svc", "-d", path, NULL};
    if (!self->stopping) {
        run(words, NULL, 0);
        self->stopping = true;
    }
}

void
runner_server_restart(const runner_server_t *self, const runner_t *runner)
{
    char path[RUNNER_PATH];
    link_path(self, runner, path);
    const char *const words[] = {"s6-svc", "-r", path, NULL};
    run(words, NULL, 0);
}

void
runner_server_kill(const runner_server_t *self, const runner_t *runner)
{
    char path[RUNNER_PATH];
    link_path(self, runner, path);
    const char *const words[] = {"s6-svc", "-k", path, NULL};
    run(words, NULL, 0);
}

/* ---- its folder ---- */

static bool
say(runner_server_t *self, const char *what, const char *why)
{
    snprintf(self->error, sizeof self->error, "%s: %s", what, why);
    vln_error("instance.failed", kv_str("instance", self->link), kv_str("why", self->error));
    return false;
}

static bool
make_folder(runner_server_t *self, const char *name)
{
    char path[RUNNER_PATH];
    snprintf(path, sizeof path, "%.3990s%s%s", self->folder, name[0] ? "/" : "", name);
    return mkdir(path, 0755) == 0 || errno == EEXIST ? true : say(self, path, strerror(errno));
}

static bool
write_file(runner_server_t *self, const char *name, const void *bytes, size_t size, mode_t mode)
{
    char path[RUNNER_PATH];
    snprintf(path, sizeof path, "%.3990s/%s", self->folder, name);
    if (!runner_write_file(path, bytes, size) || chmod(path, mode) != 0) {
        return say(self, name, "it cannot be written: is the disk full?");
    }
    return true;
}

/* A role names a file here: nothing but letters, digits, '_' and '-'. */
static bool
fetch(runner_server_t *self, const Valion__V1__HostArtifact *artifact, vln_artifacts_t *artifacts)
{
    char why[VLN_ARTIFACTS_WHY];
    vln_bytes_t bytes;
    if (!artifact->role || !vln_text_is_name(artifact->role, 64, "_-") ||
        artifact->digest.len != VLN_DIGEST_BYTES) {
        return say(self, "artifact", "its role or digest makes no sense");
    }
    vln_err_t err = vln_artifacts_get(artifacts, artifact->digest.data, ARTIFACT_MAX, &bytes, why);
    if (err != VLN_OK) {
        return say(self, artifact->role, why);
    }
    bool ok = write_file(self, artifact->role, bytes.data, bytes.size, 0444);
    vln_bytes_end(&bytes);
    return ok;
}

static bool
write_instance(runner_server_t *self, const Valion__V1__WantedInstance *wanted)
{
    vln_arena_t *arena = vln_arena_new(INSTANCE_BUDGET);
    size_t size = 0;
    const uint8_t *bytes = vln_pb_pack(&wanted->base, arena, &size);
    bool ok = write_file(self, "instance.pb", bytes, size, 0444);
    vln_arena_destroy(&arena);
    return ok;
}

/* ---- its scripts ---- */

/* 'it'\''s': nothing in it means anything to a shell. False: it does not fit. */
static bool
quote(const char *text, char *out, size_t room)
{
    size_t at = 0;
    out[at++] = '\'';
    for (; *text; text++) {
        size_t need = *text == '\'' ? 4 : 1;
        if (at + need + 2 > room) {
            return false;
        }
        memcpy(out + at, *text == '\'' ? "'\\''" : text, need);
        at += need;
    }
    out[at++] = '\'';
    out[at] = '\0';
    return true;
}

static bool
is_variable(const char *name)
{
    bool ok = name && (isalpha((unsigned char)name[0]) || name[0] == '_');
    for (; ok && *name; name++) {
        ok = isalnum((unsigned char)*name) || *name == '_';
    }
    return ok;
}

static bool
put_word(char *script, size_t *len, const char *before, const char *word)
{
    char quoted[RUNNER_PATH + 64];
    if (!quote(word, quoted, sizeof quoted)) {
        return false;
    }
    int wrote = snprintf(script + *len, SCRIPT_ROOM - *len, "%s%s", before, quoted);
    *len += (size_t)wrote;
    return *len < SCRIPT_ROOM;
}

static bool
put_variables(runner_server_t *self, const Valion__V1__WantedInstance *wanted, char *script,
              size_t *len)
{
    for (size_t i = 0; i < wanted->n_environment_variables; i++) {
        const Valion__V1__KeyValue *variable = wanted->environment_variables[i];
        char pair[5300];
        if (!is_variable(variable->key)) {
            return say(self, "environment_variables", "a name is letters, digits and '_'");
        }
        snprintf(pair, sizeof pair, "%s=%s", variable->key, variable->value ? variable->value : "");
        if (!put_word(script, len, " ", pair)) {
            return say(self, "environment_variables", "they are too long");
        }
    }
    return true;
}

static bool
write_run(runner_server_t *self, const runner_t *runner, const Valion__V1__WantedInstance *wanted)
{
    char script[SCRIPT_ROOM];
    char drain[32];
    size_t len = (size_t)snprintf(script, sizeof script, "#!/bin/sh\n");
    snprintf(drain, sizeof drain, "%lld", (long long)wanted->drain_ms);
    bool ok = put_word(script, &len, "cd ", self->folder) &&
              put_word(script, &len, " && exec 2>>log </dev/null && exec env -i ",
                       "PATH=/usr/bin:/bin") &&
              put_variables(self, wanted, script, &len) &&
              put_word(script, &len, " ", runner->config->server) &&
              put_word(script, &len, " --folder ", self->folder) &&
              put_word(script, &len, " --socket ", self->socket) &&
              put_word(script, &len, " --drain-ms ", drain);
    if (ok && runner->config->sandbox) {
        ok = put_word(script, &len, " --sandbox ", runner->config->sandbox);
    }
    if (!ok) {
        return self->error[0] ? false : say(self, "run script", "it is too long");
    }
    script[len++] = '\n';
    return write_file(self, "service/run", script, len, 0755);
}

static bool
write_finish(runner_server_t *self)
{
    char script[SCRIPT_ROOM];
    size_t len = (size_t)snprintf(script, sizeof script, "#!/bin/sh\necho \"$1 $2\" >>");
    if (!put_word(script, &len, "", self->folder)) {
        return false;
    }
    len += (size_t)snprintf(script + len, sizeof script - len, "/exits\n");
    return write_file(self, "service/finish", script, len, 0755);
}

/* ---- under the supervisor ---- */

static bool
supervise(runner_server_t *self, const runner_t *runner)
{
    char service[RUNNER_PATH];
    char path[RUNNER_PATH];
    snprintf(service, sizeof service, "%.3990s/service", self->folder);
    link_path(self, runner, path);
    if (symlink(service, path) != 0 && errno != EEXIST) {
        return say(self, path, strerror(errno));
    }
    const char *const words[] = {"s6-svscanctl", "-a", runner->config->supervisor, NULL};
    return run(words, NULL, 0) == 0 ? true
                                    : say(self, runner->config->supervisor,
                                          "the supervisor (s6-svscan) does not run here");
}

bool
runner_server_is_there(const runner_server_t *self, const runner_t *runner)
{
    char path[RUNNER_PATH];
    link_path(self, runner, path);
    if (access(path, F_OK) != 0) {
        return false;
    }
    snprintf(path, sizeof path, "%.3990s/instance.pb", self->folder);
    return access(path, F_OK) == 0;
}

bool
runner_server_start(runner_server_t *self, const runner_t *runner,
                    const Valion__V1__WantedInstance *wanted, vln_artifacts_t *artifacts)
{
    if (self->error[0] && strstr(self->error, "too long for a unix socket")) {
        return false;
    }
    self->error[0] = '\0';
    bool ok = make_folder(self, "") && make_folder(self, "service");
    for (size_t i = 0; i < wanted->n_artifacts && ok; i++) {
        ok = fetch(self, wanted->artifacts[i], artifacts);
    }
    ok = ok && write_finish(self) && write_run(self, runner, wanted) &&
         write_instance(self, wanted) && supervise(self, runner);
    if (ok) {
        self->state = VALION__V1__INSTANCE_STATE__INSTANCE_STATE_STARTING;
        self->began_ms = vln_mono_ms();
        vln_info("instance.started", kv_str("instance", self->link), kv_str("model", wanted->model),
                 kv_str("version", wanted->version));
    }
    return ok;
}

static void
delete_folder(const char *path, int depth)
{
    DIR *entries = opendir(path);
    for (struct dirent *entry = entries ? readdir(entries) : NULL; entry;
         entry = readdir(entries)) {
        char inner[RUNNER_PATH];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        snprintf(inner, sizeof inner, "%.3800s/%.255s", path, entry->d_name);
        if (unlink(inner) != 0 && depth > 0) {
            delete_folder(inner, depth - 1);
        }
    }
    if (entries) {
        closedir(entries);
    }
    rmdir(path);
}

void
runner_server_remove(runner_server_t *self, const runner_t *runner)
{
    const char *const words[] = {"s6-svunlink", "-t", "5000", runner->config->supervisor,
                                 self->link,    NULL};
    char path[RUNNER_PATH];
    link_path(self, runner, path);
    if (access(path, F_OK) == 0) {
        run(words, NULL, 0);
    }
    unlink(path);
    unlink(self->socket);
    delete_folder(self->folder, 4);
    vln_info("instance.removed", kv_str("instance", self->link));
}

/* ---- what became of it ---- */

/* The file's end, ended by a NUL; end with free(). */
static char *
read_tail(const runner_server_t *self, const char *name, size_t most)
{
    char path[RUNNER_PATH];
    snprintf(path, sizeof path, "%.3990s/%s", self->folder, name);
    FILE *file = fopen(path, "re");
    char *text = vln_calloc(1, most + 1);
    if (file) {
        /* A file that is shorter than that is read from its beginning. */
        bool ok = fseek(file, -(long)most, SEEK_END) == 0 || fseek(file, 0, SEEK_SET) == 0;
        size_t got = ok ? fread(text, 1, most, file) : 0;
        text[got] = '\0';
        fclose(file);
    }
    return text;
}

uint32_t
runner_server_count_exits(const runner_server_t *self, int *code, int *signal)
{
    char *text = read_tail(self, "exits", LOG_TAIL);
    uint32_t count = 0;
    *code = *signal = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        if (!strchr(line, '\n')) {
            break;
        }
        char *rest = NULL;
        long first = strtol(line, &rest, 10);
        *code = first < 256 ? (int)first : 0;
        *signal = first >= 256 ? (int)strtol(rest, NULL, 10) : 0;
        count++;
    }
    free(text);
    return count;
}

static bool
read_line(const char *line, size_t len, char out[RUNNER_ERROR])
{
    yyjson_doc *document = yyjson_read(line, len, 0);
    yyjson_val *root = yyjson_doc_get_root(document);
    const char *level = yyjson_get_str(yyjson_obj_get(root, "level"));
    bool found = level && strcmp(level, "error") == 0;
    if (found) {
        const char *why = yyjson_get_str(yyjson_obj_get(root, "why"));
        const char *detail = yyjson_get_str(yyjson_obj_get(root, "detail"));
        const char *event = yyjson_get_str(yyjson_obj_get(root, "event"));
        vln_text_copy(out, RUNNER_ERROR,
                      why && why[0]         ? why
                      : detail && detail[0] ? detail
                                            : event);
    }
    yyjson_doc_free(document);
    return found;
}

void
runner_server_read_error(runner_server_t *self)
{
    char *text = read_tail(self, "log", LOG_TAIL);
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        read_line(line, strlen(line), self->error);
    }
    free(text);
}
