#include "proxy_config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INSTANCES = 3, CONFIG_LINE = 512, NAMES_MAX = 64 };

static uint8_t ids[INSTANCES][16];
static ProtobufCBinaryData stable[2];
static ProtobufCBinaryData canary[1];
static Valion__V1__VersionRoute routes[2];
static Valion__V1__VersionRoute *route_list[] = {&routes[0], &routes[1]};
static Valion__V1__HostEndpoint endpoint;
static Valion__V1__HostEndpoint *endpoints[] = {&endpoint};
static Valion__V1__Environment staging;
static Valion__V1__Environment production;
static Valion__V1__Environment *environments[] = {&staging, &production};
static Valion__V1__HostState state;
static const proxy_server_t servers[] = {
    {ids[0], "/run/s/a"}, {ids[1], "/run/s/b"}, {ids[2], "/run/s/c"}};
static char houses[] = "Houses";
static char staging_name[] = "staging";
static char production_name[] = "production";
static char old_version[] = "1.0.0";
static char new_version[] = "1.1.0-rc.1";

static bool
may_bind_any(void *context, uint32_t port)
{
    (void)context;
    return port > 0;
}

static bool
may_bind_staging(void *context, uint32_t port)
{
    (void)context;
    return port == 8081;
}

/* Two instances of 1.0.0 serve, one of 1.1.0-rc.1 takes a tenth. */
static void
make_state(void)
{
    valion__v1__host_state__init(&state);
    valion__v1__host_endpoint__init(&endpoint);
    valion__v1__environment__init(&staging);
    valion__v1__environment__init(&production);
    for (size_t i = 0; i < INSTANCES; i++) {
        memset(ids[i], 0, sizeof ids[i]);
        ids[i][15] = (uint8_t)(i + 1);
    }
    for (size_t i = 0; i < 2; i++) {
        valion__v1__version_route__init(&routes[i]);
        stable[i] = (ProtobufCBinaryData){sizeof ids[i], ids[i]};
    }
    canary[0] = (ProtobufCBinaryData){sizeof ids[2], ids[2]};
    routes[0].version = old_version;
    routes[0].instance_ids = stable;
    routes[0].n_instance_ids = 2;
    routes[1].version = new_version;
    routes[1].instance_ids = canary;
    routes[1].n_instance_ids = 1;
    endpoint.environment = staging_name;
    endpoint.model = houses;
    endpoint.stable_ids = stable;
    endpoint.n_stable_ids = 2;
    endpoint.canary_ids = canary;
    endpoint.n_canary_ids = 1;
    endpoint.share_permille = 100;
    endpoint.routes = route_list;
    endpoint.n_routes = 2;
    staging.name = staging_name;
    staging.port = 8081;
    production.name = production_name;
    production.port = 8080;
    state.generation = 7;
    state.endpoints = endpoints;
    state.n_endpoints = 1;
    state.environments = environments;
    state.n_environments = 2;
}

TestSuite(proxy_config, .init = make_state);

static char *
write_with(size_t server_count, bool (*may_bind)(void *context, uint32_t port))
{
    const proxy_plan_t plan = {.state = &state,
                               .servers = servers,
                               .server_count = server_count,
                               .bind = "127.0.0.1",
                               .admin_socket = "/run/s/haproxy",
                               .may_bind = may_bind};
    return proxy_config_write(&plan);
}

static char *
write_all(void)
{
    return write_with(INSTANCES, may_bind_any);
}

/* ---- what HAProxy says of it ---- */

/* It resolves names and opens nothing when it only checks. Where there is no HAProxy nothing is said. */
static void
expect_valid(const char *text)
{
    char path[] = "/tmp/proxy_config_XXXXXX";
    char *words[] = {"haproxy", "-c", "-q", "-f", path, NULL};
    pid_t pid = -1;
    int status = 0;
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    int failed = posix_spawnp(&pid, words[0], NULL, NULL, words, environ);
    cr_assert(failed == 0 || failed == ENOENT);
    cr_assert(failed != 0 || waitpid(pid, &status, 0) == pid);
    unlink(path);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "HAProxy refuses:\n%s", text);
}

/* ---- what it says ---- */

/* All that depends on the state; the head before it is the same for each. */
static const char golden[] =
    "\n"
    "frontend idle\n"
    "    bind unix@/run/s/haproxy.idle mode 600\n"
    "    http-request deny\n"
    "\n"
    "frontend environment:staging\n"
    "    bind 127.0.0.1:8081\n"
    "    http-request return status 200 content-type application/json string"
    " '{\"live\":true}' if { path /v2/health/live }\n"
    "    http-request return status 200 content-type application/json string"
    " '{\"ready\":true}' if { path /v2/health/ready }\n"
    "    http-request return status 200 content-type application/json string"
    " '{\"name\":\"valion\",\"version\":\"2\",\"extensions\":[]}' if { path /v2 }\n"
    "    use_backend version:staging:Houses:0 if { path -m beg"
    " /v2/models/Houses/versions/1.0.0/ } || { path /v2/models/Houses/versions/1.0.0 }\n"
    "    use_backend version:staging:Houses:1 if { path -m beg"
    " /v2/models/Houses/versions/1.1.0-rc.1/ } || { path"
    " /v2/models/Houses/versions/1.1.0-rc.1 }\n"
    "    use_backend nothing:version if { path -m beg /v2/models/Houses/versions/ }\n"
    "    use_backend canary:staging:Houses if { path,field(4,/) -m str Houses } { rand(1000)"
    " lt 100 } { nbsrv(canary:staging:Houses) gt 0 }\n"
    "    use_backend stable:staging:Houses if { path,field(4,/) -m str Houses } { path -m"
    " beg /v2/models/ }\n"
    "    default_backend nothing:model\n"
    "\n"
    "frontend environment:production\n"
    "    bind 127.0.0.1:8080\n"
    "    http-request return status 200 content-type application/json string"
    " '{\"live\":true}' if { path /v2/health/live }\n"
    "    http-request return status 200 content-type application/json string"
    " '{\"ready\":true}' if { path /v2/health/ready }\n"
    "    http-request return status 200 content-type application/json string"
    " '{\"name\":\"valion\",\"version\":\"2\",\"extensions\":[]}' if { path /v2 }\n"
    "    default_backend nothing:model\n"
    "\n"
    "backend nothing:model\n"
    "    http-request return status 404 content-type application/json string"
    " '{\"error\":\"no such model is served here; a path is /v2/models/MODEL/infer\"}'\n"
    "\n"
    "backend nothing:version\n"
    "    http-request return status 404 content-type application/json string"
    " '{\"error\":\"this version is not served here\"}'\n"
    "\n"
    "backend stable:staging:Houses\n"
    "    server i000000000001 unix@/run/s/a\n"
    "    server i000000000002 unix@/run/s/b\n"
    "\n"
    "backend canary:staging:Houses\n"
    "    server i000000000003 unix@/run/s/c\n"
    "    server i000000000001b unix@/run/s/a backup\n"
    "    server i000000000002b unix@/run/s/b backup\n"
    "\n"
    "# 1.0.0\n"
    "backend version:staging:Houses:0\n"
    "    server i000000000001 unix@/run/s/a\n"
    "    server i000000000002 unix@/run/s/b\n"
    "\n"
    "# 1.1.0-rc.1\n"
    "backend version:staging:Houses:1\n"
    "    server i000000000003 unix@/run/s/c\n";

Test(proxy_config, of_a_small_state_is_this_text)
{
    char *text = write_all();
    const char *frontends = strstr(text, "\nfrontend idle\n");
    cr_assert(frontends);
    cr_assert_str_eq(frontends, golden);
    expect_valid(text);
    free(text);
}

Test(proxy_config, begins_with_what_a_reload_and_a_lost_server_need)
{
    static const char *const lines[] = {
        "# Written by valion-runner; changes are overwritten.\nglobal\n",
        "\n    stats socket /run/s/haproxy mode 600 level admin expose-fd listeners\n",
        "\n    hard-stop-after ",
        "\n    option redispatch 1\n",
        "\n    option httpchk GET /v2/health/ready\n",
    };
    char *text = write_all();
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *line = strstr(text, lines[i]);
        cr_assert(line && line < strstr(text, golden), "%s", lines[i]);
    }
    free(text);
}

/* A generation that changes nothing here is no reason to load anything. */
Test(proxy_config, is_the_same_text_for_the_same_state)
{
    char *text = write_all();
    state.generation++;
    char *again = write_all();
    cr_assert_str_eq(text, again);
    free(text);
    free(again);
}

Test(proxy_config, has_a_digest_that_tells_it_from_another)
{
    char first[PROXY_DIGEST];
    char again[PROXY_DIGEST];
    char other[PROXY_DIGEST];
    char *text = write_all();
    proxy_config_digest(text, first);
    cr_assert_eq(strlen(first), PROXY_DIGEST - 1);
    cr_assert_str_neq(first, "0000000000000000");
    cr_assert(strstr(text, first), "HAProxy is told of it");
    free(text);
    text = write_all();
    proxy_config_digest(text, again);
    cr_assert_str_eq(first, again);
    free(text);
    endpoint.share_permille++;
    text = write_all();
    proxy_config_digest(text, other);
    cr_assert_str_neq(first, other);
    free(text);
    proxy_config_digest("global\n", other);
    cr_assert_str_empty(other);
}

/* Every word after one of these, up to the blank. */
static size_t
collect(const char *text, const char *before, char names[NAMES_MAX][PROXY_NAME])
{
    size_t count = 0;
    for (const char *at = strstr(text, before); at; at = strstr(at + 1, before)) {
        const char *name = at + strlen(before);
        snprintf(names[count++], PROXY_NAME, "%.*s", (int)strcspn(name, " \n)"), name);
        cr_assert_lt(count, NAMES_MAX);
    }
    return count;
}

static bool
is_among(char names[NAMES_MAX][PROXY_NAME], size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

Test(proxy_config, has_every_backend_that_it_names_once)
{
    static const char *const uses[] = {"use_backend ", "default_backend ", "nbsrv("};
    char backends[NAMES_MAX][PROXY_NAME];
    char named[NAMES_MAX][PROXY_NAME];
    char *text = write_all();
    size_t count = collect(text, "\nbackend ", backends);
    cr_assert_eq(count, 6, "two of the endpoint, two of versions, two for what is not there");
    for (size_t i = 0; i < count; i++) {
        cr_assert_not(is_among(backends, i, backends[i]), "%s twice", backends[i]);
    }
    for (size_t use = 0; use < sizeof uses / sizeof uses[0]; use++) {
        size_t uses_found = collect(text, uses[use], named);
        cr_assert_gt(uses_found, 0);
        for (size_t i = 0; i < uses_found; i++) {
            cr_assert(is_among(backends, count, named[i]), "%s is no backend", named[i]);
        }
    }
    free(text);
}

/* The backend's name is also that of its counters. */
Test(proxy_config, names_a_backend_by_kind_environment_and_model)
{
    char name[PROXY_NAME];
    char line[CONFIG_LINE];
    char *text = write_all();
    proxy_config_backend("canary", &endpoint, name);
    cr_assert_str_eq(name, "canary:staging:Houses");
    snprintf(line, sizeof line, "\nbackend %s\n", name);
    cr_assert(strstr(text, line));
    free(text);
}

Test(proxy_config, sends_no_share_to_a_canary_that_has_none)
{
    char *text = write_all();
    cr_assert(strstr(text, "{ rand(1000) lt 100 }"));
    cr_assert(strstr(text, "{ nbsrv(canary:staging:Houses) gt 0 }"));
    free(text);
    endpoint.share_permille = 0;
    text = write_all();
    cr_assert_null(strstr(text, "rand(1000)"));
    cr_assert_null(strstr(text, "use_backend canary"));
    expect_valid(text);
    free(text);
}

/* The rule of a version comes before the one that says no, and that before the share. */
Test(proxy_config, answers_a_version_by_its_path_or_not_at_all)
{
    char *text = write_all();
    const char *version = strstr(text, "use_backend version:staging:Houses:1 if { path -m beg "
                                       "/v2/models/Houses/versions/1.1.0-rc.1/ }");
    const char *none = strstr(text, "use_backend nothing:version if");
    const char *share = strstr(text, "rand(1000)");
    cr_assert(version && none && share);
    cr_assert(version < none && none < share);
    free(text);
}

Test(proxy_config, leaves_out_servers_that_may_get_no_requests)
{
    char *text = write_with(1, may_bind_any);
    cr_assert(strstr(text, "unix@/run/s/a"));
    cr_assert_null(strstr(text, "unix@/run/s/b"));
    cr_assert_null(strstr(text, "unix@/run/s/c"));
    expect_valid(text);
    free(text);
    text = write_with(0, may_bind_any);
    cr_assert_null(strstr(text, "    server "));
    expect_valid(text);
    free(text);
}

Test(proxy_config, leaves_out_an_environment_whose_port_is_taken)
{
    char *text = write_with(INSTANCES, may_bind_staging);
    cr_assert(strstr(text, "\nfrontend environment:staging\n    bind 127.0.0.1:8081\n"));
    cr_assert_null(strstr(text, "environment:production"));
    expect_valid(text);
    free(text);
}

Test(proxy_config, of_a_state_without_environments_keeps_haproxy_alive)
{
    state.n_environments = state.n_endpoints = 0;
    char *text = write_all();
    cr_assert_null(strstr(text, "frontend environment:"));
    cr_assert(strstr(text, "\nfrontend idle\n    bind unix@/run/s/haproxy.idle mode 600\n"));
    expect_valid(text);
    free(text);
}

Test(proxy_config, holds_as_many_endpoints_as_a_host_has)
{
    enum { MANY = 256 };
    Valion__V1__HostEndpoint *many[MANY];
    char models[MANY][PROXY_NAME];
    for (size_t i = 0; i < MANY; i++) {
        many[i] = malloc(sizeof *many[i]);
        *many[i] = endpoint;
        snprintf(models[i], sizeof models[i], "model-%zu_%0150zu", i, i);
        many[i]->model = models[i];
    }
    state.endpoints = many;
    state.n_endpoints = MANY;
    char *text = write_all();
    for (size_t i = 0; i < MANY; i++) {
        char line[CONFIG_LINE];
        snprintf(line, sizeof line, "\nbackend stable:staging:%s\n", models[i]);
        cr_assert(strstr(text, line), "%zu", i);
        free(many[i]);
    }
    expect_valid(text);
    free(text);
}
