/*
 * Where a version comes from and where it went: versions before and after it, the data and runs that
 * made them, their parts, what judged them, what they serve.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vln_text.h"

#include "registry.h"
#include "registry_card.h"
#include "registry_evidence_store.h"
#include "registry_handlers.h"
#include "registry_record.h"
#include "registry_search_store.h"
#include "registry_text.h"
#include "registry_versions.h"
#include "registry_wire.h"

enum {
    NODES_MAX = 300, /* with their edges a reply still holds them */
    EDGES_MAX = 600,
    DEPTH_MAX = 20,
    DEPTH_DEFAULT = 5,
    REPORTS_MAX = 10,
    GRANTS_MAX = 50,
    SHORT_HEX = 12,
    ID_ROOM = 512,
    DOT_BYTES = 160 * 1024,
};

/* A version that is still to be looked at. */
typedef struct visit {
    const char *version;
    uint32_t depth;
} visit_t;

typedef struct graph {
    registry_worker_t *worker;
    vln_call_t *call;
    const char *model;
    uint32_t depth;
    visit_t visits[NODES_MAX];
    size_t visit_count;
    Valion__V1__GetLineageReply *reply;
} graph_t;

/* ---- nodes and edges, each once ---- */

static const char *
add_node(graph_t *self, const char *kind, const char *name, const char *label)
{
    vln_arena_t *arena = self->call->arena;
    char *id = vln_arena_printf(arena, "%s:%s", kind, name);
    for (size_t i = 0; i < self->reply->n_nodes; i++) {
        if (strcmp(self->reply->nodes[i]->id, id) == 0) {
            return self->reply->nodes[i]->id;
        }
    }
    if (self->reply->n_nodes == NODES_MAX) {
        self->reply->has_truncated = self->reply->truncated = 1;
        return NULL;
    }
    NEW(arena, Valion__V1__LineageNode, node, valion__v1__lineage_node__init);
    node->id = id;
    node->kind = registry_borrowed(kind);
    node->label = vln_arena_strdup(arena, label);
    self->reply->nodes[self->reply->n_nodes++] = node;
    return id;
}

/* Neither end is there if the graph is full. */
static void
add_edge(graph_t *self, const char *from, const char *to, const char *kind)
{
    if (!from || !to) {
        return;
    }
    for (size_t i = 0; i < self->reply->n_edges; i++) {
        const Valion__V1__LineageEdge *edge = self->reply->edges[i];
        if (strcmp(edge->from, from) == 0 && strcmp(edge->to, to) == 0 &&
            strcmp(edge->kind, kind) == 0) {
            return;
        }
    }
    if (self->reply->n_edges == EDGES_MAX) {
        self->reply->has_truncated = self->reply->truncated = 1;
        return;
    }
    NEW(self->call->arena, Valion__V1__LineageEdge, edge, valion__v1__lineage_edge__init);
    edge->from = registry_borrowed(from);
    edge->to = registry_borrowed(to);
    edge->kind = registry_borrowed(kind);
    self->reply->edges[self->reply->n_edges++] = edge;
}

static const char *
hex_of(graph_t *self, const ProtobufCBinaryData *bytes)
{
    return vln_hex_encode(bytes->data, bytes->len,
                          vln_arena_alloc(self->call->arena, 2 * bytes->len + 1));
}

/* The version's node; it will be looked at too, once. */
static const char *
visit(graph_t *self, const char *version, uint32_t depth)
{
    char name[ID_ROOM];
    snprintf(name, sizeof name, "%s@%s", self->model, version);
    size_t before = self->reply->n_nodes;
    const char *id = add_node(self, "version", name, name);
    if (self->reply->n_nodes > before && depth <= self->depth) {
        self->visits[self->visit_count++] =
            (visit_t){vln_arena_strdup(self->call->arena, version), depth};
    }
    return id;
}

/* ---- what one version is joined to ---- */

static void
add_artifacts(graph_t *self, const char *id, const Valion__V1__Version *version)
{
    for (size_t i = 0; i < version->n_artifacts; i++) {
        const Valion__V1__Artifact *artifact = version->artifacts[i];
        const char *node =
            add_node(self, "artifact", hex_of(self, &artifact->digest), artifact->role);
        add_edge(self, node, id, "part");
    }
}

/* The names that a content has here; without one its digest stands for it. */
static vln_err_t
add_names(graph_t *self, const uint8_t *const *digests, size_t count)
{
    registry_dataset_t *datasets = NULL;
    size_t found = 0;
    vln_err_t err = registry_datasets_of(self->worker->store, self->call->arena, digests, count,
                                         &datasets, &found);
    for (size_t i = 0; i < found; i++) {
        const Valion__V1__Dataset *wire = registry_dataset_to_wire(self->call, &datasets[i]);
        if (wire) {
            add_node(self, "dataset", hex_of(self, &wire->digest), wire->name);
        }
    }
    return err;
}

static vln_err_t
add_data(graph_t *self, const char *id, const Valion__V1__Lineage *lineage)
{
    const uint8_t *digests[REGISTRY_DATA_MAX];
    size_t count = registry_data_of(lineage, digests);
    vln_err_t err = count > 0 ? add_names(self, digests, count) : VLN_OK;
    for (size_t i = 0; i < count; i++) {
        char label[SHORT_HEX + 1];
        const ProtobufCBinaryData bytes = {VLN_DIGEST_BYTES, (uint8_t *)(uintptr_t)digests[i]};
        const char *hex = hex_of(self, &bytes);
        vln_text_copy(label, sizeof label, hex);
        add_edge(self, add_node(self, "dataset", hex, label), id, "trained_on");
    }
    return err;
}

static vln_err_t
add_lineage(graph_t *self, const char *id, const Valion__V1__Version *version, uint32_t depth)
{
    const Valion__V1__Lineage *lineage = version->lineage;
    if (!lineage) {
        return VLN_OK;
    }
    if (lineage->parent_version && *lineage->parent_version) {
        add_edge(self, visit(self, lineage->parent_version, depth + 1), id, "parent");
    }
    if (lineage->run_id.len == VLN_ID_BYTES) {
        char run[VLN_ID_TEXT];
        vln_id_format(lineage->run_id.data, run);
        add_edge(self, add_node(self, "run", run, run), id, "made_by");
    }
    return add_data(self, id, lineage);
}

static vln_err_t
add_children(graph_t *self, const char *id, const char *version, uint32_t depth)
{
    const char **children = NULL;
    size_t count = 0;
    vln_err_t err = registry_search_children(self->worker->store, self->call->arena, self->model,
                                             version, &children, &count);
    for (size_t i = 0; i < count; i++) {
        add_edge(self, id, visit(self, children[i], depth + 1), "parent");
    }
    return err;
}

static vln_err_t
add_reports(graph_t *self, const char *id, const char *version)
{
    registry_summary_t *reports = NULL;
    size_t found = 0;
    const registry_report_filter_t filter = {
        .model = self->model, .version = version, .limit = REPORTS_MAX};
    vln_err_t err =
        registry_reports_list(self->worker->store, self->call->arena, &filter, &reports, &found);
    for (size_t i = 0; i < found; i++) {
        const Valion__V1__Report *report =
            registry_report_to_wire(self->call, reports[i].summary, reports[i].size);
        if (report && report->report_id.len == VLN_ID_BYTES) {
            char name[VLN_ID_TEXT];
            vln_id_format(report->report_id.data, name);
            add_edge(self, id,
                     add_node(self, "report", name, report->policy ? report->policy : name),
                     "judged_by");
        }
    }
    return err;
}

static vln_err_t
add_environments(graph_t *self, const char *id, const char *version)
{
    registry_grant_t *grants = NULL;
    size_t found = 0;
    const registry_version_key_t key = {.model = self->model, .version = version};
    vln_err_t err = registry_grants_of(self->worker->store, self->call->arena, &key, GRANTS_MAX,
                                       &grants, &found);
    for (size_t i = 0; i < found; i++) {
        const char *name = grants[i].environment;
        add_edge(self, id, add_node(self, "environment", name, name),
                 grants[i].closed_us ? "served" : "serves");
    }
    return err;
}

static vln_err_t
look_at(graph_t *self, const visit_t *from)
{
    const registry_version_key_t key = {.model = self->model, .version = from->version};
    registry_version_t found;
    vln_err_t err =
        registry_store_find_versions(self->worker->store, self->call->arena, &key, 1, &found);
    if (err != VLN_OK || !found.version) {
        return err; /* a parent that was deleted, or never here, is a node and no more */
    }
    const Valion__V1__Version *wire = registry_version_to_wire(self->call, &found);
    if (!wire) {
        return VLN_OK;
    }
    const char *id = visit(self, from->version, from->depth);
    add_artifacts(self, id, wire);
    err = add_lineage(self, id, wire, from->depth);
    err = err == VLN_OK ? add_children(self, id, from->version, from->depth) : err;
    err = err == VLN_OK ? add_reports(self, id, from->version) : err;
    return err == VLN_OK ? add_environments(self, id, from->version) : err;
}

/* ---- DOT ---- */

static const char *
shape_of(const char *kind)
{
    static const struct {
        const char *kind;
        const char *shape;
    } shapes[] = {{"version", "box"},    {"dataset", "cylinder"}, {"artifact", "note"},
                  {"report", "ellipse"}, {"run", "hexagon"},      {"environment", "house"}};
    for (size_t i = 0; i < VLN_COUNT(shapes); i++) {
        if (strcmp(shapes[i].kind, kind) == 0) {
            return shapes[i].shape;
        }
    }
    return "box";
}

static char *
to_dot(const graph_t *self)
{
    registry_text_t out = registry_text_new(self->call->arena, DOT_BYTES);
    registry_text_put(&out, "digraph lineage {\n    rankdir=LR;\n");
    for (size_t i = 0; i < self->reply->n_nodes; i++) {
        const Valion__V1__LineageNode *node = self->reply->nodes[i];
        registry_text_put(&out, "    \"");
        registry_text_put_quoted(&out, node->id);
        registry_text_put(&out, "\" [shape=%s, label=\"", shape_of(node->kind));
        registry_text_put_quoted(&out, node->label);
        registry_text_put(&out, "\"];\n");
    }
    for (size_t i = 0; i < self->reply->n_edges; i++) {
        const Valion__V1__LineageEdge *edge = self->reply->edges[i];
        registry_text_put(&out, "    \"");
        registry_text_put_quoted(&out, edge->from);
        registry_text_put(&out, "\" -> \"");
        registry_text_put_quoted(&out, edge->to);
        registry_text_put(&out, "\" [label=\"%s\"];\n", edge->kind);
    }
    registry_text_put(&out, "}\n");
    return out.text;
}

static bool
take_depth(vln_call_t *call, const Valion__V1__GetLineageRequest *request, uint32_t *out)
{
    *out = request->has_depth ? request->depth : DEPTH_DEFAULT;
    if (*out < 1 || *out > DEPTH_MAX) {
        vln_call_refuse_field(call, "depth", "1 to %d versions before and after", DEPTH_MAX);
        return false;
    }
    return true;
}

void
registry_get_lineage(void *worker, vln_call_t **calls, size_t count)
{
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__GetLineageRequest *request = (const void *)call->request;
    const registry_version_key_t key = {.model = request->model, .version = request->version};
    graph_t *self = vln_arena_alloc(call->arena, sizeof *self);
    Valion__V1__Version *version = NULL;
    if (!registry_check_model_name(call, request->model) ||
        !take_depth(call, request, &self->depth) ||
        !registry_find_named(worker, call, &key, &version)) {
        return;
    }
    NEW(call->arena, Valion__V1__GetLineageReply, reply, valion__v1__get_lineage_reply__init);
    reply->nodes = vln_arena_alloc(call->arena, NODES_MAX * sizeof *reply->nodes);
    reply->edges = vln_arena_alloc(call->arena, EDGES_MAX * sizeof *reply->edges);
    self->worker = worker;
    self->call = call;
    self->model = version->model;
    self->reply = reply;
    visit(self, version->version, 0);
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < self->visit_count && err == VLN_OK; i++) {
        err = look_at(self, &self->visits[i]);
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    } else if (!vln_call_is_refused(call)) {
        reply->dot = to_dot(self);
        vln_call_reply(call, &reply->base);
    }
}
