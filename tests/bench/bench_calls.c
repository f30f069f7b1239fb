/*
 * bench_calls - what the bus costs, against what ZeroMQ can do at all, in one run:
 *
 *     (a) DEALER to ROUTER, CURVE, no broker
 *     (b) the least broker: two ROUTERs, CURVE, four workers, frames of the same number and size
 *     (c) valion-bus with four instances of bench_service: the whole way of a call, through
 *         certificate, header, roles, scan and dispatch, to a handler that does nothing
 *
 * Rounds alternate, so that what else happens on the machine hits all three; medians are compared.
 * Everything runs on the machine's cores together: the ratios are what can be carried elsewhere.
 */
#include "bench_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vln_err.h"
#include "vln_id.h"
#include "vln_time.h"

#include "valion/v1/header.pb-c.h"

enum { SETTINGS = 3, ROUNDS_MAX = 15, CHILDREN_MAX = 32, PATH_TEXT = 512, WINDOW = 100 };

static const char usage[] = "usage: bench_calls --bin FOLDER [--rounds N] [--seconds S]\n"
                            "  --bin FOLDER   where valion-bus and bench_service are\n"
                            "  --rounds N     rounds of each setting, 1..15   (default: 3)\n"
                            "  --seconds S    length of a round               (default: 2)\n";

typedef struct options {
    const char *bin;
    int rounds;
    double seconds;
} options_t;

typedef struct bench {
    options_t options;
    bench_keys_t keys;
    bench_call_t call;
    char folder[PATH_TEXT];
    int port; /* first of eight */
    char endpoint[SETTINGS][64];
    pid_t children[CHILDREN_MAX];
    int child_count;
} bench_t;

/* ---- processes ---- */

/* In the child 0. It dies with this process, however that ends. */
static pid_t
start_child(bench_t *self)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    vln_assert(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        return 0;
    }
    vln_assert(self->child_count < CHILDREN_MAX);
    self->children[self->child_count++] = pid;
    return pid;
}

static void
stop_children(bench_t *self)
{
    for (int i = self->child_count - 1; i >= 0; i--) {
        kill(self->children[i], SIGTERM);
    }
    for (int i = self->child_count - 1; i >= 0; i--) {
        waitpid(self->children[i], NULL, 0);
    }
}

static void
endpoint_of(const bench_t *self, int offset, char out[64])
{
    snprintf(out, 64, "tcp://127.0.0.1:%d", self->port + offset);
}

static void
start_plain(bench_t *self)
{
    char workers[64];
    endpoint_of(self, 2, workers);
    if (start_child(self) == 0) {
        bench_echo_server(self->endpoint[0], &self->keys);
    }
    if (start_child(self) == 0) {
        bench_plain_broker(self->endpoint[1], workers, &self->keys);
    }
    for (int i = 0; i < BENCH_WORKERS; i++) {
        if (start_child(self) == 0) {
            bench_plain_worker(workers, &self->keys);
        }
    }
}

/* Replaces this child by valion-bus, which says on `ready` that it serves. */
static void
exec_bus(const bench_t *self, int ready)
{
    char endpoints[4][64];
    char fd[16];
    for (int i = 0; i < 4; i++) {
        endpoint_of(self, 4 + i, endpoints[i]);
    }
    snprintf(fd, sizeof fd, "%d", ready);
    setenv("VALION_NOTIFY_FD", fd, 1);
    char program[PATH_TEXT];
    snprintf(program, sizeof program, "%s/valion-bus", self->options.bin);
    execl(program, program, "--client-endpoint", endpoints[0], "--service-endpoint", endpoints[1],
          "--publish-endpoint", endpoints[2], "--subscribe-endpoint", endpoints[3], "--keys",
          self->folder, "--log-level", "warn", (char *)NULL);
    perror(program);
    _exit(1);
}

static bool
start_bus(bench_t *self)
{
    int ready[2];
    char byte = 0;
    vln_assert(pipe(ready) == 0);
    if (start_child(self) == 0) {
        close(ready[0]);
        exec_bus(self, ready[1]);
    }
    close(ready[1]);
    bool serving = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    return serving;
}

static void
start_services(bench_t *self)
{
    char address[64];
    char program[PATH_TEXT];
    snprintf(address, sizeof address, "127.0.0.1:%d", self->port + 4);
    snprintf(program, sizeof program, "%s/bench_service", self->options.bin);
    for (int i = 0; i < BENCH_WORKERS; i++) {
        if (start_child(self) == 0) {
            execl(program, program, "--bus", address, "--keys", self->folder, "--log-level", "warn",
                  (char *)NULL);
            perror(program);
            _exit(1);
        }
    }
}

/* A round in a process of its own, because a context must not be there when others are forked. */
static bench_result_t
run_round(const bench_t *self, int setting, int window)
{
    int result_pipe[2];
    bench_result_t result = {0};
    vln_assert(pipe(result_pipe) == 0);
    pid_t pid = fork();
    vln_assert(pid >= 0);
    if (pid == 0) {
        result = bench_client(self->endpoint[setting], &self->keys, &self->call, window,
                              self->options.seconds);
        _exit(write(result_pipe[1], &result, sizeof result) == sizeof result ? 0 : 1);
    }
    close(result_pipe[1]);
    if (read(result_pipe[0], &result, sizeof result) != sizeof result) {
        fprintf(stderr, "bench_calls: a client ended early\n");
    }
    close(result_pipe[0]);
    waitpid(pid, NULL, 0);
    return result;
}

/* ---- the run ---- */

static int
compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static double
median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

typedef struct summary {
    double calls_per_s;
    double p50_us;
    double p99_us;
    int64_t errors;
} summary_t;

static void
measure(const bench_t *self, int window, summary_t out[SETTINGS])
{
    double rate[SETTINGS][ROUNDS_MAX];
    double p50[SETTINGS][ROUNDS_MAX];
    double p99[SETTINGS][ROUNDS_MAX];
    int rounds = self->options.rounds;
    for (int round = 0; round < rounds; round++) {
        for (int setting = 0; setting < SETTINGS; setting++) {
            bench_result_t result = run_round(self, setting, window);
            rate[setting][round] = result.calls_per_s;
            p50[setting][round] = result.p50_us;
            p99[setting][round] = result.p99_us;
            out[setting].errors += result.errors;
        }
    }
    for (int setting = 0; setting < SETTINGS; setting++) {
        out[setting].calls_per_s = median(rate[setting], rounds);
        out[setting].p50_us = median(p50[setting], rounds);
        out[setting].p99_us = median(p99[setting], rounds);
    }
}

static void
print(const bench_t *self, const summary_t many[SETTINGS], const summary_t one[SETTINGS])
{
    static const char *const names[SETTINGS] = {"(a) direct", "(b) least broker", "(c) valion-bus"};
    printf("CURVE, header %zu + body %d bytes, %d rounds of %.1f s, medians\n\n",
           self->call.header_size, BENCH_BODY, self->options.rounds, self->options.seconds);
    printf("%-18s %12s %10s %10s %12s %10s %8s\n", "", "calls/s @100", "p50 us", "p99 us",
           "p50 us @1", "p99 us", "errors");
    for (int i = 0; i < SETTINGS; i++) {
        printf("%-18s %12.0f %10.0f %10.0f %12.0f %10.0f %8lld\n", names[i], many[i].calls_per_s,
               many[i].p50_us, many[i].p99_us, one[i].p50_us, one[i].p99_us,
               (long long)(many[i].errors + one[i].errors));
    }
    printf("\n(b)/(a) calls/s  %.2f   goal >= 0.25\n", many[1].calls_per_s / many[0].calls_per_s);
    printf("(c)/(b) calls/s  %.2f   goal >= 0.70\n", many[2].calls_per_s / many[1].calls_per_s);
    printf("(c)/(b) p50 @1   %.2f   goal <= 1.30\n", one[2].p50_us / one[1].p50_us);
}

static void
make_call(bench_t *self)
{
    char service[] = "validator";
    char method[] = "GetHealth";
    vln_id_t id = vln_id_new();
    Valion__V1__Header header = VALION__V1__HEADER__INIT;
    header.has_request_id = 1;
    header.request_id = (ProtobufCBinaryData){sizeof id.bytes, id.bytes};
    header.service = service;
    header.method = method;
    header.has_remaining_ms = 1;
    header.remaining_ms = 10000;
    vln_assert(valion__v1__header__get_packed_size(&header) <= sizeof self->call.header);
    self->call.header_size = valion__v1__header__pack(&header, self->call.header);
    /* One field of bytes that the message does not have: what a newer client would send. */
    static const uint8_t unknown[] = {0xA2, 0x06, 0x80 | ((BENCH_BODY - 4) & 0x7F),
                                      (BENCH_BODY - 4) >> 7};
    memcpy(self->call.body, unknown, sizeof unknown);
}

static bool
load_keys(bench_t *self)
{
    static const char *const names[] = {"bus", "admin", "registry"};
    vln_keypair_t *pairs[] = {&self->keys.server, &self->keys.client, &self->keys.worker};
    snprintf(self->folder, sizeof self->folder, "/tmp/bench_calls_XXXXXX");
    if (!mkdtemp(self->folder) || vln_keys_init(self->folder) != VLN_OK) {
        return false;
    }
    for (size_t i = 0; i < VLN_COUNT(pairs); i++) {
        char path[PATH_TEXT + 64];
        snprintf(path, sizeof path, "%s/secret/%s.key_secret", self->folder, names[i]);
        if (vln_keys_load_pair(path, pairs[i]) != VLN_OK) {
            return false;
        }
    }
    return true;
}

static bool
parse(int argc, char **argv, options_t *out)
{
    static const struct option known[] = {{"bin", required_argument, NULL, 'b'},
                                          {"seconds", required_argument, NULL, 't'},
                                          {"rounds", required_argument, NULL, 'r'},
                                          {0}};
    *out = (options_t){.rounds = 3, .seconds = 2};
    for (int c = getopt_long(argc, argv, "", known, NULL); c != -1;
         c = getopt_long(argc, argv, "", known, NULL)) {
        switch (c) {
        case 'b':
            out->bin = optarg;
            break;
        case 't':
            out->seconds = strtod(optarg, NULL);
            break;
        case 'r':
            out->rounds = (int)strtol(optarg, NULL, 10);
            break;
        default:
            return false;
        }
    }
    return out->bin && out->rounds >= 1 && out->rounds <= ROUNDS_MAX && out->seconds > 0;
}

static void
remove_folder(const char *folder)
{
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-r", folder, (char *)NULL);
        _exit(1);
    }
    waitpid(pid, NULL, 0);
}

int
main(int argc, char **argv)
{
    bench_t self = {0};
    if (!parse(argc, argv, &self.options)) {
        fputs(usage, stderr);
        return 2;
    }
    if (!load_keys(&self)) {
        fprintf(stderr, "bench_calls: cannot make keys\n");
        return 1;
    }
    self.port = 20000 + (int)vln_random_below(1500) * 8;
    endpoint_of(&self, 0, self.endpoint[0]);
    endpoint_of(&self, 1, self.endpoint[1]);
    endpoint_of(&self, 4, self.endpoint[2]);
    make_call(&self);
    start_plain(&self);
    bool serving = start_bus(&self);
    if (serving) {
        summary_t many[SETTINGS] = {0};
        summary_t one[SETTINGS] = {0};
        start_services(&self);
        measure(&self, WINDOW, many);
        measure(&self, 1, one);
        print(&self, many, one);
    } else {
        fprintf(stderr, "bench_calls: valion-bus did not start\n");
    }
    stop_children(&self);
    remove_folder(self.folder);
    return serving ? 0 : 1;
}
