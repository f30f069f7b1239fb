#include "names.h"

#include <stddef.h>
#include <string.h>

#include "vln_err.h"
#include "vln_text.h"

/* valion.v1.Role, whose numbers never change; this room knows no protobuf. */
enum role {
    ROLE_REGISTRY = 16,
    ROLE_VALIDATOR = 17,
    ROLE_TRAINER = 18,
    ROLE_DEPLOYER_SERVICE = 19,
    ROLE_RUNNER = 20,
    ROLE_ORCHESTRATOR = 21,
    ROLE_GATEWAY = 22,
};

enum { NAME_MAX_BYTES = 64 };

typedef struct entry {
    const char *name; /* with a dot at its end: only with a host */
    enum role role;
} entry_t;

/* clang-format off */
static const entry_t entries[] = {
    /* service          who serves it */
    {"registry",        ROLE_REGISTRY},
    {"validator",       ROLE_VALIDATOR},
    {"trainer",         ROLE_TRAINER},
    {"deployer",        ROLE_DEPLOYER_SERVICE},
    {"runner.",         ROLE_RUNNER},
    {"orchestrator",    ROLE_ORCHESTRATOR},
    {"gateway",         ROLE_GATEWAY},
};
/* clang-format on */

/* The name, or the name, a dot, and which instance or host of it. */
static bool
is_named(const entry_t *entry, const char *service)
{
    size_t len = strlen(entry->name);
    bool per_host = entry->name[len - 1] == '.';
    len -= per_host ? 1 : 0;
    if (strncmp(entry->name, service, len) != 0 || strlen(service) > NAME_MAX_BYTES) {
        return false;
    }
    return service[len] == '\0'
               ? !per_host
               : service[len] == '.' && vln_text_is_name(service + len + 1, NAME_MAX_BYTES, "-_.");
}

static const entry_t *
find(const char *service)
{
    for (size_t i = 0; i < VLN_COUNT(entries); i++) {
        if (is_named(&entries[i], service)) {
            return &entries[i];
        }
    }
    return NULL;
}

uint32_t
names_service_roles(void)
{
    uint32_t roles = 0;
    for (size_t i = 0; i < VLN_COUNT(entries); i++) {
        roles |= 1U << entries[i].role;
    }
    return roles;
}

bool
names_service_exists(const char *service)
{
    return find(service) != NULL;
}

bool
names_may_serve(uint32_t roles, const char *service)
{
    const entry_t *entry = find(service);
    return entry && (roles & 1U << entry->role) != 0;
}
