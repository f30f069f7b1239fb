/*
 * A pipeline's file: the JSON form of the message Pipeline, where a step may have `parameters` as an
 * object instead of `parameters_json` as text, and a parameter `default` as a value instead of
 * `default_json`.
 */
#include <stdlib.h>
#include <string.h>

#include "vln_json.h"
#include "vln_text.h"

#include "orchestrator_plan.h"

/* One value that is given as such, and the field that holds it as text. */
static void
fold(yyjson_mut_doc *document, yyjson_mut_val *object, const char *name, const char *field)
{
    yyjson_mut_val *value = yyjson_mut_obj_remove_key(object, name);
    if (!value) {
        return;
    }
    char *text = yyjson_mut_val_write(value, YYJSON_WRITE_NOFLAG, NULL);
    yyjson_mut_obj_add(object, yyjson_mut_str(document, field),
                       yyjson_mut_strcpy(document, text ? text : ""));
    free(text);
}

static void
fold_list(yyjson_mut_doc *document, yyjson_mut_val *list, const char *name, const char *field)
{
    size_t index;
    size_t max;
    yyjson_mut_val *item;
    yyjson_mut_arr_foreach(list, index, max, item)
    {
        if (yyjson_mut_is_obj(item)) {
            fold(document, item, name, field);
        }
    }
}

/* Text with the two shorthands folded; free() it. */
static char *
fold_shorthands(const yyjson_doc *read, size_t *size)
{
    yyjson_mut_doc *document = yyjson_doc_mut_copy((yyjson_doc *)(uintptr_t)read, NULL);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    fold_list(document, yyjson_mut_obj_get(root, "steps"), "parameters", "parameters_json");
    fold_list(document, yyjson_mut_obj_get(root, "parameters"), "default", "default_json");
    char *text = yyjson_mut_write(document, YYJSON_WRITE_NOFLAG, size);
    yyjson_mut_doc_free(document);
    return text;
}

vln_err_t
orchestrator_plan_read_source(const char *source, vln_arena_t *arena, Valion__V1__Pipeline **out,
                              orchestrator_flaw_t *flaw)
{
    *out = NULL;
    size_t size = strlen(source);
    if (size > ORCHESTRATOR_SOURCE_MAX) {
        return orchestrator_flaw_set(flaw, "source", "%zu bytes; at most %d are read", size,
                                     ORCHESTRATOR_SOURCE_MAX);
    }
    if (source[strspn(source, " \t\r\n")] != '{') {
        return orchestrator_flaw_set(flaw, "source",
                                     "a pipeline is read as JSON, an object {…}; other YAML is not "
                                     "read");
    }
    yyjson_doc *document = NULL;
    template_error_t error;
    if (template_read_up_to(source, size, ORCHESTRATOR_SOURCE_MAX, &document, &error) != VLN_OK) {
        return orchestrator_flaw_set(flaw, "source", "%s", error.why);
    }
    char *text = fold_shorthands(document, &size);
    yyjson_doc_free(document);
    if (!text) {
        return orchestrator_flaw_set(flaw, "source", "it holds a number that JSON cannot write");
    }
    vln_json_error_t wrong;
    ProtobufCMessage *message = NULL;
    vln_err_t err =
        vln_json_parse(&valion__v1__pipeline__descriptor, text, size, arena, &message, &wrong);
    free(text);
    *out = (Valion__V1__Pipeline *)message;
    return err == VLN_OK ? VLN_OK : orchestrator_flaw_set(flaw, "source", "%s", wrong.why);
}
