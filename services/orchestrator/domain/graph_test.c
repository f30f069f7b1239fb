#include "graph.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { NEEDS_MAX = 8 };

typedef struct made {
    size_t needs[GRAPH_MAX][NEEDS_MAX];
    graph_node_t nodes[GRAPH_MAX];
} made_t;

static void
need(made_t *graph, size_t node, size_t other)
{
    graph_node_t *at = &graph->nodes[node];
    at->needs = graph->needs[node];
    graph->needs[node][at->need_count++] = other;
}

static size_t
position_of(const size_t *order, size_t count, size_t node)
{
    size_t at = 0;
    while (at < count && order[at] != node) {
        at++;
    }
    return at;
}

Test(graph, every_node_comes_behind_what_it_needs)
{
    srand(3);
    for (int life = 0; life < 200; life++) {
        made_t graph = {0};
        size_t order[GRAPH_MAX];
        size_t count = 1 + (size_t)rand() % 60;
        for (size_t i = 0; i + 1 < count; i++) {
            for (int n = rand() % NEEDS_MAX; n > 0; n--) {
                need(&graph, i, i + 1 + (size_t)rand() % (count - i - 1)); /* later ones only */
            }
        }
        cr_assert(graph_sort(graph.nodes, count, order));
        for (size_t i = 0; i < count; i++) {
            for (size_t n = 0; n < graph.nodes[i].need_count; n++) {
                cr_assert(position_of(order, count, graph.nodes[i].needs[n]) <
                          position_of(order, count, i));
            }
        }
        cr_assert(graph_find_cycle(graph.nodes, count, order) == 0);
    }
}

Test(graph, a_circle_is_named_node_by_node)
{
    made_t graph = {0};
    size_t path[GRAPH_MAX];
    need(&graph, 0, 1); /* leads into the circle, is none of it */
    need(&graph, 1, 2);
    need(&graph, 2, 3);
    need(&graph, 3, 1);
    need(&graph, 3, 4);
    cr_expect(!graph_sort(graph.nodes, 5, path));
    size_t len = graph_find_cycle(graph.nodes, 5, path);
    cr_assert(len == 3);
    for (size_t i = 0; i < len; i++) {
        size_t next = path[(i + 1) % len];
        cr_expect(graph.nodes[path[i]].needs[0] == next, "%zu -> %zu", path[i], next);
    }
}

Test(graph, a_node_that_needs_itself_is_a_circle)
{
    made_t graph = {0};
    size_t path[GRAPH_MAX];
    need(&graph, 1, 1);
    cr_expect(graph_find_cycle(graph.nodes, 2, path) == 1 && path[0] == 1);
}

Test(graph, the_longest_chain_backwards_is_sorted)
{
    made_t graph = {0};
    size_t order[GRAPH_MAX];
    for (size_t i = 0; i + 1 < GRAPH_MAX; i++) {
        need(&graph, i, i + 1);
    }
    cr_assert(graph_sort(graph.nodes, GRAPH_MAX, order));
    cr_expect(order[0] == GRAPH_MAX - 1 && order[GRAPH_MAX - 1] == 0);
}

Test(graph, what_is_above_is_all_that_is_needed_however_far)
{
    made_t graph = {0};
    bool above[GRAPH_MAX];
    need(&graph, 3, 2);
    need(&graph, 2, 1);
    need(&graph, 4, 0);
    graph_mark_above(graph.nodes, 5, 3, above);
    cr_expect(!above[0] && above[1] && above[2] && !above[3] && !above[4]);
}
