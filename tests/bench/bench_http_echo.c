/*
 * bench_http_echo - what valion-server is measured against: the same HTTP library with the same settings
 * on a unix socket, which takes a body and answers so many bytes, and does nothing else.
 *
 *     bench_http_echo SOCKET BYTES
 */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, IDLE_S = 60, CONNECTION_MEMORY = 64 * 1024, BACKLOG = 512 };

static char *answer;
static size_t answer_size;

/* NOLINTBEGIN(readability-function-size): libmicrohttpd says what it is given */
static enum MHD_Result
on_request(void *context, struct MHD_Connection *connection, const char *path, const char *method,
           const char *version, const char *body, size_t *body_size, void **seen)
{
    static char mark;
    (void)context;
    (void)path;
    (void)method;
    (void)version;
    (void)body;
    if (!*seen || *body_size > 0) {
        *seen = &mark;
        *body_size = 0;
        return MHD_YES;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer_size, answer, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}
/* NOLINTEND(readability-function-size) */

int
main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 3) {
        fprintf(stderr, "bench_http_echo SOCKET BYTES\n");
        return 2;
    }
    answer_size = (size_t)strtoul(argv[2], NULL, 10);
    answer = malloc(answer_size + 1);
    if (!answer) {
        return 1;
    }
    memset(answer, 'x', answer_size);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(argv[1]);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(argv[1], 0666) != 0 || listen(fd, BACKLOG) != 0) {
        perror(argv[1]);
        return 1;
    }
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, on_request, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_END);
    if (!daemon) {
        return 1;
    }
    for (;;) {
        pause();
    }
}
