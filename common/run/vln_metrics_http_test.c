#include "vln_metrics_http.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vln_log.h"

static vln_metrics_t *metrics;

static void
setup(void)
{
    vln_log_init("test", "", VLN_LOG_OFF);
    metrics = vln_metrics_new();
    vln_metrics_add(metrics, vln_metrics_counter(metrics, "GetModel", "calls.ok"), 7);
    vln_metrics_counter(metrics, "", "trainings_total");
}

static void
teardown(void)
{
    vln_metrics_destroy(&metrics);
}

TestSuite(metrics_http, .init = setup, .fini = teardown, .timeout = 30);

Test(metrics_http, prints_names_that_prometheus_takes)
{
    char *text = vln_metrics_print("registry", "r0", metrics);
    cr_assert_str_eq(text, "valion_GetModel_calls_ok{service=\"registry\",instance=\"r0\"} 7\n"
                           "valion_trainings_total{service=\"registry\",instance=\"r0\"} 0\n");
    free(text);
}

/* A port that was free a moment ago. */
static uint16_t
find_port(int *holder)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof in;
    *holder = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(*holder, (struct sockaddr *)&in, sizeof in), 0);
    cr_assert_eq(listen(*holder, 1), 0);
    getsockname(*holder, (struct sockaddr *)&in, &size);
    return ntohs(in.sin_port);
}

static void
ask(uint16_t port, const char *request, char *answer, size_t room)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    cr_assert_eq(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    size_t size = 0;
    for (ssize_t got; (got = read(fd, answer + size, room - 1 - size)) > 0;) {
        size += (size_t)got;
    }
    answer[size] = '\0';
    close(fd);
}

Test(metrics_http, answers_over_http)
{
    int holder = -1;
    char address[32];
    char answer[4096];
    uint16_t port = find_port(&holder);
    vln_metrics_http_t *self = NULL;
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    cr_assert_eq(vln_metrics_http_start(&self, address, "registry", "r0", metrics),
                 VLN_FAILED_PRECONDITION, "the port is taken");
    close(holder);
    cr_assert_eq(vln_metrics_http_start(&self, address, "registry", "r0", metrics), VLN_OK);
    ask(port, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", answer,
        sizeof answer);
    cr_assert(strstr(answer, " 200 ") && strstr(answer, "valion_GetModel_calls_ok{"), "%s", answer);
    ask(port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", answer, sizeof answer);
    cr_assert(strstr(answer, " 404 "), "%s", answer);
    vln_metrics_http_stop(&self);
    cr_assert_null(self);
}

Test(metrics_http, refuses_what_is_no_address)
{
    static const char *const wrong[] = {
        "", "9464", "localhost:9464", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:70000", "1.2.3:80"};
    vln_metrics_http_t *self = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(vln_metrics_http_start(&self, wrong[i], "s", "i", metrics),
                     VLN_INVALID_ARGUMENT, "%s", wrong[i]);
        cr_assert_null(self);
    }
}
