/*
 * Trees from a file become trees to be walked: children side by side, eight bytes a node, level by
 * level; and of each tree's first levels the tests and exits. What a tree may not be (a child that is
 * not there or another's, a feature that no row has, endless depth) ends here.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_model_inside.h"
#include "vln_native_inside.h"

void
vln_forest_begin(vln_forest_t *self, size_t features, size_t groups)
{
    *self = (vln_forest_t){.features = features, .groups = groups};
    self->places = vln_calloc(2 * features + 1, sizeof *self->places);
}

void
vln_forest_settle(vln_forest_t *self)
{
    free(self->places);
    self->places = NULL;
    if (self->node_count < self->node_room) {
        self->node_room = self->node_count > 0 ? self->node_count : 1;
        self->nodes = vln_realloc(self->nodes, self->node_room * sizeof *self->nodes);
    }
}

void
vln_forest_end(vln_forest_t *self)
{
    free(self->places);
    free(self->nodes);
    free(self->tests);
    free(self->exits);
    free(self->trees);
    free(self->sources);
    free(self->weights);
    *self = (vln_forest_t){0};
}

size_t
vln_forest_bytes(const vln_forest_t *self)
{
    return self->node_room * sizeof *self->nodes + self->test_count * sizeof *self->tests +
           self->tree_count * (VLN_TOP_EXITS * sizeof *self->exits + sizeof *self->trees) +
           self->source_count * sizeof *self->sources +
           self->weight_rows * self->weights_width * sizeof *self->weights;
}

float
vln_forest_below(float threshold)
{
    bool none = isnan(threshold) || threshold == -INFINITY;
    return none ? NAN : nextafterf(threshold, -INFINITY);
}

/* ---- one tree ---- */

typedef struct planting {
    vln_forest_t *forest;
    const vln_branch_t *branches;
    size_t count;
    int32_t *order;  /* branches as they are walked: level by level, children side by side */
    uint32_t *place; /* of each branch: where in the order; UINT32_MAX: not reached */
    uint16_t *below; /* of each place: levels below it */
    size_t placed;
    size_t first; /* where in the forest's nodes the tree begins */
    char *why;
} planting_t;

static bool
is_leaf(const planting_t *self, size_t place)
{
    return self->branches[self->order[place]].yes < 0;
}

static bool
reach(planting_t *self, int32_t child)
{
    if (child < 0 || (size_t)child >= self->count || self->place[child] != UINT32_MAX) {
        return false;
    }
    self->place[child] = (uint32_t)self->placed;
    self->order[self->placed++] = child;
    return true;
}

static vln_err_t
check_branch(planting_t *self, const vln_branch_t *branch)
{
    if (branch->yes < 0) {
        return isnan(branch->value)
                   ? vln_native_uncovered(self->why, "a tree has a leaf that is no number")
                   : VLN_OK;
    }
    if (branch->feature >= self->forest->features) {
        return vln_native_uncovered(self->why, "a tree tests a feature that no row has");
    }
    if (branch->missing_yes && isnan(branch->threshold)) {
        return vln_native_uncovered(self->why,
                                    "a tree has a test that only a missing value passes");
    }
    if (!reach(self, branch->yes) || !reach(self, branch->no)) {
        return vln_native_uncovered(self->why,
                                    "a tree's node has a child that is not there, or is another's");
    }
    size_t place = self->place[branch - self->branches];
    return self->place[branch->yes] - place > VLN_WORD_JUMP_MAX
               ? vln_native_uncovered(self->why, "a tree is too wide")
               : VLN_OK;
}

/* Children lie behind their parents, so that going backwards meets them first. */
static vln_err_t
measure(planting_t *self)
{
    for (size_t place = self->placed; place-- > 0;) {
        if (is_leaf(self, place)) {
            continue;
        }
        uint32_t yes = self->place[self->branches[self->order[place]].yes];
        uint16_t deeper =
            self->below[yes] > self->below[yes + 1] ? self->below[yes] : self->below[yes + 1];
        if (deeper >= VLN_NATIVE_MAX_DEPTH) {
            return vln_native_uncovered(self->why, "a tree is deeper than %d levels",
                                        (int)VLN_NATIVE_MAX_DEPTH);
        }
        self->below[place] = (uint16_t)(deeper + 1);
    }
    return VLN_OK;
}

static vln_err_t
put_in_order(planting_t *self)
{
    if (self->count == 0 || !reach(self, 0)) {
        return vln_native_uncovered(self->why, "a tree has no nodes");
    }
    for (size_t place = 0; place < self->placed; place++) {
        vln_err_t err = check_branch(self, &self->branches[self->order[place]]);
        if (err != VLN_OK) {
            return err;
        }
    }
    return measure(self);
}

static vln_err_t
column_of(planting_t *self, const vln_branch_t *branch, uint32_t *out)
{
    vln_forest_t *forest = self->forest;
    uint32_t *place = &forest->places[2 * branch->feature + branch->missing_yes];
    if (*place == 0) {
        if (forest->source_count + 1 >= VLN_WORD_COLUMN) {
            return vln_native_uncovered(self->why, "the trees test too many features");
        }
        forest->sources =
            vln_model_grow(forest->sources, forest->source_count, sizeof *forest->sources);
        forest->sources[forest->source_count++] =
            (vln_source_t){.feature = branch->feature, .missing_yes = branch->missing_yes};
        *place = (uint32_t)forest->source_count; /* 0 is the column of -infinity */
    }
    *out = *place;
    return VLN_OK;
}

static void
make_room(vln_forest_t *forest, size_t more)
{
    if (forest->node_count + more > forest->node_room) {
        forest->node_room = 2 * (forest->node_count + more);
        forest->nodes = vln_realloc(forest->nodes, forest->node_room * sizeof *forest->nodes);
    }
}

static vln_err_t
put_nodes(planting_t *self)
{
    vln_forest_t *forest = self->forest;
    make_room(forest, self->placed);
    self->first = forest->node_count;
    for (size_t place = 0; place < self->placed; place++) {
        const vln_branch_t *branch = &self->branches[self->order[place]];
        vln_node_t *node = &forest->nodes[forest->node_count++];
        *node = (vln_node_t){.threshold = branch->value};
        if (branch->yes < 0) {
            continue;
        }
        uint32_t column = 0;
        vln_err_t err = column_of(self, branch, &column);
        if (err != VLN_OK) {
            return err;
        }
        uint32_t jump = self->place[branch->yes] - (uint32_t)place;
        *node = (vln_node_t){branch->threshold, column | jump << VLN_WORD_COLUMN_BITS};
    }
    return VLN_OK;
}

/* ---- its first levels ---- */

typedef struct top {
    uint32_t inner[VLN_TOP_TESTS]; /* places of the nodes whose tests are made */
    size_t inner_count;
    uint32_t exits[VLN_TOP_EXITS]; /* places, from left to right */
    size_t exit_count;
    uint32_t first_exit[VLN_TOP_TESTS]; /* below `yes` of each */
    uint32_t end_exit[VLN_TOP_TESTS];
} top_t;

/* Which of the inner nodes a place is; they are in the order of their places. */
static size_t
inner_at(const top_t *top, uint32_t place)
{
    size_t i = 0;
    while (i < top->inner_count && top->inner[i] != place) {
        i++;
    }
    return i;
}

/* From left to right: a node is met once before what is below its `yes`, and once behind that. */
static void
find_exits(const planting_t *self, top_t *top)
{
    struct {
        uint32_t place;
        bool is_back;
    } open[2 * VLN_TOP_EXITS] = {{0}};
    size_t depth = 1;
    while (depth > 0) {
        uint32_t place = open[--depth].place;
        size_t inner = inner_at(top, place);
        if (inner == top->inner_count) {
            top->exits[top->exit_count++] = place;
            continue;
        }
        uint32_t yes = self->place[self->branches[self->order[place]].yes];
        if (open[depth].is_back) {
            top->end_exit[inner] = (uint32_t)top->exit_count;
            open[depth].place = yes + 1;
            open[depth++].is_back = false;
            continue;
        }
        top->first_exit[inner] = (uint32_t)top->exit_count;
        open[depth++].is_back = true;
        open[depth].place = yes;
        open[depth++].is_back = false;
    }
}

static void
put_tests(planting_t *self, const top_t *top, vln_tree_t *tree)
{
    vln_forest_t *forest = self->forest;
    tree->first_test = forest->test_count;
    tree->tests = (uint32_t)top->inner_count;
    for (size_t i = 0; i < top->inner_count; i++) {
        const vln_node_t *node = &forest->nodes[self->first + top->inner[i]];
        uint32_t below_yes =
            (uint32_t)(((uint64_t)1 << top->end_exit[i]) - ((uint64_t)1 << top->first_exit[i]));
        forest->tests = vln_model_grow(forest->tests, forest->test_count, sizeof *forest->tests);
        forest->tests[forest->test_count++] = (vln_test_t){
            .threshold = node->threshold,
            .column = node->word & VLN_WORD_COLUMN,
            .keep = ~below_yes,
        };
    }
}

static void
put_top(planting_t *self, size_t group)
{
    vln_forest_t *forest = self->forest;
    vln_tree_t tree = {.group = (uint32_t)group};
    top_t top = {0};
    for (size_t place = 0; place < self->placed && top.inner_count < VLN_TOP_TESTS; place++) {
        if (!is_leaf(self, place)) {
            top.inner[top.inner_count++] = (uint32_t)place;
        }
    }
    find_exits(self, &top);
    for (size_t i = 0; i < top.exit_count; i++) {
        uint32_t below = self->below[top.exits[i]];
        tree.rest = below > tree.rest ? below : tree.rest;
    }
    put_tests(self, &top, &tree);
    size_t count = forest->tree_count;
    forest->exits = vln_model_grow(forest->exits, count, VLN_TOP_EXITS * sizeof *forest->exits);
    vln_exit_t *exits = forest->exits + count * VLN_TOP_EXITS;
    memset(exits, 0, VLN_TOP_EXITS * sizeof *exits);
    for (size_t i = 0; i < top.exit_count; i++) {
        uint32_t node = (uint32_t)(self->first + top.exits[i]);
        if (tree.rest > 0) {
            exits[i].node = node;
        } else {
            exits[i].value = forest->nodes[node].threshold;
        }
    }
    forest->trees = vln_model_grow(forest->trees, count, sizeof *forest->trees);
    forest->trees[forest->tree_count++] = tree;
}

/* ---- */

static vln_err_t
plant(planting_t *self, size_t group)
{
    vln_forest_t *forest = self->forest;
    vln_err_t err = put_in_order(self);
    if (err == VLN_OK) {
        err = put_nodes(self);
    }
    if (err != VLN_OK) {
        return err;
    }
    forest->steps += self->below[0] + 1u;
    if (forest->steps > VLN_NATIVE_MAX_STEPS) {
        return vln_native_uncovered(self->why, "a row takes more than %d steps through the trees",
                                    (int)VLN_NATIVE_MAX_STEPS);
    }
    put_top(self, group);
    if (forest->trees[forest->tree_count - 1].rest == 0) {
        forest->node_count = self->first; /* its exits are all that is left to know */
    }
    return VLN_OK;
}

vln_err_t
vln_forest_add(vln_forest_t *self, const vln_branch_t *branches, size_t count, size_t group,
               char *why)
{
    if (self->node_count + count > VLN_NATIVE_MAX_NODES) {
        return vln_native_uncovered(why, "the trees have more than %d nodes",
                                    (int)VLN_NATIVE_MAX_NODES);
    }
    planting_t planting = {.forest = self,
                           .branches = branches,
                           .count = count,
                           .order = vln_calloc(count + 1, sizeof *planting.order),
                           .place = vln_calloc(count + 1, sizeof *planting.place),
                           .below = vln_calloc(count + 1, sizeof *planting.below),
                           .why = why};
    memset(planting.place, 0xff, count * sizeof *planting.place);
    vln_err_t err = plant(&planting, group);
    free(planting.order);
    free(planting.place);
    free(planting.below);
    return err;
}
