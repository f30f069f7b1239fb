#include "deployer_refresh.h"

#include <string.h>

#include "vln_pb.h"

#include "room.h"

/* ---- one host ---- */

static void
add_instances(Valion__V1__HostState *state, const deployer_instance_t *instances, size_t count,
              vln_arena_t *arena)
{
    state->instances = vln_arena_alloc(arena, (count + 1) * sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        Valion__V1__WantedInstance *wanted = instances[i].wanted;
        wanted->has_draining = 1;
        wanted->draining = instances[i].part == DEPLOYER_STOPPING;
        state->instances[state->n_instances++] = wanted;
    }
}

static Valion__V1__HostEndpoint *
find_endpoint(Valion__V1__HostState *state, const Valion__V1__WantedInstance *wanted,
              size_t instances, vln_arena_t *arena)
{
    for (size_t i = 0; i < state->n_endpoints; i++) {
        Valion__V1__HostEndpoint *endpoint = state->endpoints[i];
        if (strcmp(endpoint->environment, wanted->environment) == 0 &&
            strcmp(endpoint->model, wanted->model) == 0) {
            return endpoint;
        }
    }
    Valion__V1__HostEndpoint *endpoint = vln_arena_alloc(arena, sizeof *endpoint);
    valion__v1__host_endpoint__init(endpoint);
    endpoint->environment = wanted->environment;
    endpoint->model = wanted->model;
    endpoint->stable_ids = vln_arena_alloc(arena, instances * sizeof *endpoint->stable_ids);
    endpoint->canary_ids = vln_arena_alloc(arena, instances * sizeof *endpoint->canary_ids);
    endpoint->routes = vln_arena_alloc(arena, instances * sizeof(void *));
    endpoint->has_share_permille = 1;
    state->endpoints[state->n_endpoints++] = endpoint;
    return endpoint;
}

static void
add_route(Valion__V1__HostEndpoint *endpoint, const Valion__V1__WantedInstance *wanted,
          size_t instances, vln_arena_t *arena)
{
    size_t at = 0;
    while (at < endpoint->n_routes && strcmp(endpoint->routes[at]->version, wanted->version) != 0) {
        at++;
    }
    if (at == endpoint->n_routes) {
        Valion__V1__VersionRoute *route = vln_arena_alloc(arena, sizeof *route);
        valion__v1__version_route__init(route);
        route->version = wanted->version;
        route->instance_ids = vln_arena_alloc(arena, instances * sizeof *route->instance_ids);
        endpoint->routes[endpoint->n_routes++] = route;
    }
    Valion__V1__VersionRoute *route = endpoint->routes[at];
    route->instance_ids[route->n_instance_ids++] = wanted->instance_id;
}

/* What is stopping gets no requests. */
static void
add_endpoints(Valion__V1__HostState *state, const deployer_instance_t *instances, size_t count,
              vln_arena_t *arena)
{
    state->endpoints = vln_arena_alloc(arena, (count + 1) * sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        const Valion__V1__WantedInstance *wanted = instances[i].wanted;
        if (instances[i].part == DEPLOYER_STOPPING) {
            continue;
        }
        Valion__V1__HostEndpoint *endpoint = find_endpoint(state, wanted, count, arena);
        if (instances[i].part == DEPLOYER_STABLE) {
            endpoint->stable_ids[endpoint->n_stable_ids++] = wanted->instance_id;
        } else if (instances[i].part == DEPLOYER_NEW) {
            endpoint->canary_ids[endpoint->n_canary_ids++] = wanted->instance_id;
        }
        add_route(endpoint, wanted, count, arena);
    }
}

static bool
is_same(const Valion__V1__HostState *left, const Valion__V1__HostState *right, vln_arena_t *arena)
{
    size_t left_size = 0;
    size_t right_size = 0;
    const uint8_t *a = vln_pb_pack(&left->base, arena, &left_size);
    const uint8_t *b = vln_pb_pack(&right->base, arena, &right_size);
    return left_size == right_size && memcmp(a, b, left_size) == 0;
}

static vln_err_t
refresh_host(deployer_store_t *store, vln_arena_t *arena, const deployer_host_t *host,
             bool *changed)
{
    deployer_instance_t *instances = NULL;
    size_t count = 0;
    Valion__V1__HostState state = VALION__V1__HOST_STATE__INIT;
    vln_err_t err = deployer_store_list_instances(
        store, arena, &(deployer_place_t){.host = host->name}, &instances, &count);
    if (err != VLN_OK) {
        return err;
    }
    state.host = vln_arena_strdup(arena, host->name);
    state.has_generation = 1;
    state.generation = (uint64_t)host->generation;
    state.environments = host->environments;
    state.n_environments = host->environment_count;
    add_instances(&state, instances, count, arena);
    add_endpoints(&state, instances, count, arena);
    room_cut(&state, arena);
    if (host->generation > 0 && is_same(&state, host->state, arena)) {
        return VLN_OK;
    }
    state.generation++;
    *changed = true;
    return deployer_store_save_host_state(store, &state);
}

vln_err_t
deployer_refresh_hosts(deployer_store_t *store, vln_arena_t *arena, bool *changed)
{
    deployer_host_t *hosts = NULL;
    size_t count = 0;
    vln_err_t err = deployer_store_list_hosts(store, arena, &hosts, &count);
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        err = refresh_host(store, arena, &hosts[i], changed);
    }
    return err;
}
