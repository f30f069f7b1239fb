#include "graph.h"

#include "vln_err.h"

/* Is everything that the node needs placed? */
static bool
is_free(const graph_node_t *node, const bool *placed)
{
    for (size_t i = 0; i < node->need_count; i++) {
        if (!placed[node->needs[i]]) {
            return false;
        }
    }
    return true;
}

/* Places what can be placed; how many nodes were. The others need a cycle, or are one. */
static size_t
place(const graph_node_t *nodes, size_t count, bool *placed, size_t *order)
{
    vln_assert(count <= GRAPH_MAX);
    size_t done = 0;
    size_t before = 1;
    while (before != done) {
        before = done;
        for (size_t i = 0; i < count; i++) {
            if (!placed[i] && is_free(&nodes[i], placed)) {
                placed[i] = true;
                order[done++] = i;
            }
        }
    }
    return done;
}

bool
graph_sort(const graph_node_t *nodes, size_t count, size_t *order)
{
    bool placed[GRAPH_MAX] = {false};
    return place(nodes, count, placed, order) == count;
}

static size_t
first_unplaced_need(const graph_node_t *node, const bool *placed)
{
    size_t i = 0;
    while (placed[node->needs[i]]) {
        i++;
    }
    return node->needs[i];
}

size_t
graph_find_cycle(const graph_node_t *nodes, size_t count, size_t *path)
{
    bool placed[GRAPH_MAX] = {false};
    size_t order[GRAPH_MAX];
    if (place(nodes, count, placed, order) == count) {
        return 0;
    }
    /* Each node that is left needs another that is left: whoever goes on so comes back. */
    size_t at = 0;
    while (placed[at]) {
        at++;
    }
    for (size_t i = 0; i < count; i++) {
        at = first_unplaced_need(&nodes[at], placed);
    }
    size_t len = 0;
    size_t first = at;
    do {
        path[len++] = at;
        at = first_unplaced_need(&nodes[at], placed);
    } while (at != first);
    return len;
}

void
graph_mark_above(const graph_node_t *nodes, size_t count, size_t node, bool *above)
{
    size_t waiting[GRAPH_MAX];
    size_t waiting_count = 0;
    vln_assert(count <= GRAPH_MAX);
    for (size_t i = 0; i < count; i++) {
        above[i] = false;
    }
    waiting[waiting_count++] = node;
    while (waiting_count) {
        const graph_node_t *next = &nodes[waiting[--waiting_count]];
        for (size_t i = 0; i < next->need_count; i++) {
            if (!above[next->needs[i]]) {
                above[next->needs[i]] = true;
                waiting[waiting_count++] = next->needs[i];
            }
        }
    }
}
