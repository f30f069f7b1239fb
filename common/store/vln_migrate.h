/*
 * vln_migrate - a schema's migrations, applied in order when a service starts.
 *
 * Forward only, one advisory lock a schema, each in a transaction of its own. The previous release
 * must run on the new schema: a higher minor is fine, a higher major is refused. What was applied
 * is remembered with its digest: a migration that was edited since is refused.
 */
#ifndef VLN_MIGRATE_H
#define VLN_MIGRATE_H

#include <stddef.h>

#include "vln_err.h"

typedef struct vln_migration {
    int major;
    int minor;
    const char *name;
    const char *sql; /* any number of statements */
} vln_migration_t;

/*
 * Bring `schema` (which exists and belongs to the role of `conninfo`) to the last of `migrations`.
 * UNAVAILABLE: no connection; FAILED_PRECONDITION: the database has a newer major, or was made by
 * migrations of the same numbers and another text; both are logged with what to do.
 */
VLN_MUST_USE vln_err_t vln_migrate_run(const char *conninfo, const char *schema,
                                       const vln_migration_t *migrations, size_t count);

/* OK once `schema` has at least this version: for a service that needs another one's schema. */
VLN_MUST_USE vln_err_t vln_migrate_check(const char *conninfo, const char *schema, int major,
                                         int minor);

#endif
