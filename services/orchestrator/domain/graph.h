/*
 * graph - who depends on whom among the steps of a pipeline. Pure; no recursion, whatever the
 * graph.
 */
#ifndef GRAPH_H
#define GRAPH_H

#include <stdbool.h>
#include <stddef.h>

enum { GRAPH_MAX = 256 };

typedef struct graph_node {
    const size_t *needs; /* indexes of nodes */
    size_t need_count;
} graph_node_t;

/*
 * Writes every node behind those that it needs, otherwise in the order given, into order[count];
 * false if there is a cycle. `count` is at most GRAPH_MAX.
 */
bool graph_sort(const graph_node_t *nodes, size_t count, size_t *order);

/* The nodes of one cycle, each needing the next and the last the first, into path[count]; how many,
 * 0 if there is none. */
size_t graph_find_cycle(const graph_node_t *nodes, size_t count, size_t *path);

/* Marks in above[count] what the node needs, and what that needs, and so on. */
void graph_mark_above(const graph_node_t *nodes, size_t count, size_t node, bool *above);

#endif
