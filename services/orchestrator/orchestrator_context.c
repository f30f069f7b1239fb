#include "orchestrator_context.h"

#include <string.h>

#include "vln_pb.h"

#include "valion/v1/event.pb-c.h"

typedef struct marker {
    const orchestrator_context_t *context;
    bool *wanted;
} marker_t;

static bool
mark_path(void *context, const template_path_t *path, template_error_t *error)
{
    const marker_t *self = context;
    (void)error;
    if (path->count > 1 && path->parts[1].name && strcmp(path->parts[0].name, "steps") == 0) {
        size_t step = orchestrator_plan_find(self->context->pipeline, path->parts[1].name);
        if (step < self->context->pipeline->n_steps) {
            self->wanted[step] = true;
        }
    }
    return true;
}

void
orchestrator_context_mark(const orchestrator_context_t *self, const Valion__V1__Step *step,
                          bool *wanted)
{
    marker_t marker = {self, wanted};
    template_error_t ignored; /* a text that cannot be read is refused when it is rendered */
    const char *text = orchestrator_step_parameters(step);
    vln_err_t err = template_visit(text, strlen(text), mark_path, &marker, &ignored);
    (void)err;
}

/* Adds JSON text as a value; nothing if it is none. What we stored ourselves is not bounded again:
 * the renderer bounds what it takes of it. */
static void
add_json(yyjson_mut_doc *document, yyjson_mut_val *object, const char *name, const char *text)
{
    yyjson_doc *read = yyjson_read(text, strlen(text), YYJSON_READ_NOFLAG);
    yyjson_mut_val *value = read ? yyjson_val_mut_copy(document, yyjson_doc_get_root(read)) : NULL;
    if (value) {
        yyjson_mut_obj_add(object, yyjson_mut_strcpy(document, name), value);
    }
    yyjson_doc_free(read);
}

static yyjson_mut_val *
add_object(yyjson_mut_doc *document, yyjson_mut_val *parent, const char *name)
{
    yyjson_mut_val *object = yyjson_mut_obj(document);
    yyjson_mut_obj_add(parent, yyjson_mut_strcpy(document, name), object);
    return object;
}

static void
add_params(const orchestrator_context_t *self, yyjson_mut_doc *document, yyjson_mut_val *root,
           vln_arena_t *arena)
{
    yyjson_mut_val *params = add_object(document, root, "params");
    ProtobufCMessage *message = NULL;
    vln_pb_scan_t scan;
    if (vln_pb_unpack(&valion__v1__event_payload__descriptor, self->run->params,
                      self->run->params_size, arena, &message, &scan) != VLN_OK) {
        return;
    }
    const Valion__V1__EventPayload *pairs = (const void *)message;
    for (size_t i = 0; i < pairs->n_facts; i++) {
        add_json(document, params, pairs->facts[i]->key, pairs->facts[i]->value);
    }
}

static void
add_environment(const orchestrator_context_t *self, yyjson_mut_doc *document, yyjson_mut_val *root)
{
    yyjson_mut_val *env = add_object(document, root, "env");
    for (size_t i = 0; i < self->pipeline->n_environment; i++) {
        const Valion__V1__KeyValue *pair = self->pipeline->environment[i];
        yyjson_mut_obj_add_strcpy(document, env, pair->key, pair->value ? pair->value : "");
    }
}

static void
add_run(const orchestrator_context_t *self, yyjson_mut_doc *document, yyjson_mut_val *root)
{
    char id[VLN_ID_TEXT];
    yyjson_mut_val *run = add_object(document, root, "run");
    yyjson_mut_obj_add_strcpy(document, run, "id", vln_id_format(self->run->id.bytes, id));
    yyjson_mut_obj_add_strcpy(document, run, "pipeline", self->run->pipeline);
    yyjson_mut_obj_add_strcpy(document, run, "submitter", self->run->submitter);
}

static void
add_steps(const orchestrator_context_t *self, const bool *wanted, yyjson_mut_doc *document,
          yyjson_mut_val *root)
{
    yyjson_mut_val *steps = add_object(document, root, "steps");
    for (size_t i = 0; i < self->pipeline->n_steps; i++) {
        if (!wanted[i]) {
            continue;
        }
        yyjson_mut_val *step = add_object(document, steps, self->pipeline->steps[i]->name);
        yyjson_mut_obj_add_strcpy(document, step, "state", step_state_name(self->states[i]));
        yyjson_mut_obj_add_strcpy(document, step, "error", self->errors[i] ? self->errors[i] : "");
        if (self->outputs[i]) {
            add_json(document, step, "outputs", self->outputs[i]);
        }
    }
}

vln_err_t
orchestrator_context_render(const orchestrator_context_t *self, const Valion__V1__Step *step,
                            const bool *wanted, vln_arena_t *arena, const char **out,
                            template_error_t *error)
{
    const char *text = orchestrator_step_parameters(step);
    yyjson_mut_doc *document = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(document);
    add_params(self, document, root, arena);
    add_environment(self, document, root);
    add_run(self, document, root);
    add_steps(self, wanted, document, root);
    vln_err_t err = template_render(text, strlen(text), root, arena, out, error);
    yyjson_mut_doc_free(document);
    return err;
}
