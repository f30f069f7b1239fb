#include "vln_contract.h"

#include <string.h>
#include <valion/v1/deployer.pb-c.h>
#include <valion/v1/header.pb-c.h>
#include <valion/v1/orchestrator.pb-c.h>
#include <valion/v1/registry.pb-c.h>
#include <valion/v1/trainer.pb-c.h>
#include <valion/v1/validator.pb-c.h>

#include "vln_err.h"

/* clang-format off */
static const vln_contract_service_t services[] = {
    /* name          descriptor */
    {"bus",          &valion__v1__bus__descriptor},
    {"registry",     &valion__v1__registry__descriptor},
    {"orchestrator", &valion__v1__orchestrator__descriptor},
    {"deployer",     &valion__v1__deployer__descriptor},
    {"runner",       &valion__v1__runner__descriptor},
    {"validator",    &valion__v1__validator__descriptor},
    {"trainer",      &valion__v1__trainer__descriptor},
};

/* What no method names: frames, what is stored or signed, specs and results of tasks. */
static const ProtobufCMessageDescriptor *const loose[] = {
    &valion__v1__header__descriptor,
    &valion__v1__ticket__descriptor,
    &valion__v1__envelope__descriptor,
    &valion__v1__ready__descriptor,
    &valion__v1__log_entry__descriptor,
    &valion__v1__event_payload__descriptor,
    &valion__v1__hint__descriptor,
    &valion__v1__appendix__descriptor,
    &valion__v1__samples__descriptor,
    &valion__v1__validate_spec__descriptor,
    &valion__v1__validate_result__descriptor,
    &valion__v1__inspect_spec__descriptor,
    &valion__v1__inspect_result__descriptor,
    &valion__v1__profile_spec__descriptor,
    &valion__v1__profile_result__descriptor,
    &valion__v1__custom_check_spec__descriptor,
    &valion__v1__custom_check_result__descriptor,
    &valion__v1__train_spec__descriptor,
    &valion__v1__train_result__descriptor,
    &valion__v1__transform_spec__descriptor,
    &valion__v1__transform_result__descriptor,
    &valion__v1__deploy_result__descriptor,
    &valion__v1__monitor_spec__descriptor,
};
/* clang-format on */

enum { MESSAGES_MAX = 512 };

/* Types seen, in the order found. */
typedef struct walk {
    const ProtobufCMessageDescriptor *seen[MESSAGES_MAX];
    size_t count;
} walk_t;

const vln_contract_service_t *
vln_contract_services(size_t *count)
{
    *count = VLN_COUNT(services);
    return services;
}

/* True for the name itself, for "validator.<instance>", and for "runner.<host>". */
static bool
is_called(const vln_contract_service_t *service, const char *name)
{
    size_t len = strlen(service->name);
    if (strncmp(service->name, name, len) != 0) {
        return false;
    }
    return name[len] == '\0' || (name[len] == '.' && name[len + 1]);
}

const ProtobufCServiceDescriptor *
vln_contract_find_service(const char *name)
{
    for (size_t i = 0; name && i < VLN_COUNT(services); i++) {
        if (is_called(&services[i], name)) {
            return services[i].descriptor;
        }
    }
    return NULL;
}

const ProtobufCMethodDescriptor *
vln_contract_find_method(const char *service, const char *method)
{
    const ProtobufCServiceDescriptor *found = vln_contract_find_service(service);
    return found && method ? protobuf_c_service_descriptor_get_method_by_name(found, method) : NULL;
}

static void
walk_add(walk_t *self, const ProtobufCMessageDescriptor *type)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->seen[i] == type) {
            return;
        }
    }
    vln_assert(self->count < MESSAGES_MAX);
    self->seen[self->count++] = type;
}

static void
walk_roots(walk_t *self)
{
    for (size_t i = 0; i < VLN_COUNT(services); i++) {
        const ProtobufCServiceDescriptor *service = services[i].descriptor;
        for (unsigned m = 0; m < service->n_methods; m++) {
            walk_add(self, service->methods[m].input);
            walk_add(self, service->methods[m].output);
        }
    }
    for (size_t i = 0; i < VLN_COUNT(loose); i++) {
        walk_add(self, loose[i]);
    }
}

void
vln_contract_each_message(vln_contract_visit_fn visit, void *context)
{
    walk_t walk = {.count = 0};
    walk_roots(&walk);
    for (size_t i = 0; i < walk.count; i++) {
        const ProtobufCMessageDescriptor *type = walk.seen[i];
        for (unsigned f = 0; f < type->n_fields; f++) {
            if (type->fields[f].type == PROTOBUF_C_TYPE_MESSAGE) {
                walk_add(&walk, type->fields[f].descriptor);
            }
        }
        if (!visit(type, context)) {
            return;
        }
    }
}

typedef struct search {
    const char *name;
    const ProtobufCMessageDescriptor *found;
} search_t;

static bool
is_not_it(const ProtobufCMessageDescriptor *type, void *context)
{
    search_t *search = context;
    if (strcmp(type->short_name, search->name) != 0) {
        return true;
    }
    search->found = type;
    return false;
}

const ProtobufCMessageDescriptor *
vln_contract_find_message(const char *name)
{
    search_t search = {.name = name};
    vln_contract_each_message(is_not_it, &search);
    return search.found;
}
