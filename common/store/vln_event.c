#include "vln_event.h"

#include <string.h>

#include "vln_pb.h"

#include "valion/v1/event.pb-c.h"

enum { FACTS_MAX = 32 };

struct vln_events {
    vln_arena_t *arena;
    vln_pg_array_t *types;
    vln_pg_array_t *subjects;
    vln_pg_array_t *actors;
    vln_pg_array_t *payloads;
};

vln_events_t *
vln_events_new(vln_arena_t *arena)
{
    vln_events_t *self = vln_arena_alloc(arena, sizeof *self);
    *self = (vln_events_t){.arena = arena,
                           .types = vln_pg_array_new(arena, VLN_PG_TEXT),
                           .subjects = vln_pg_array_new(arena, VLN_PG_TEXT),
                           .actors = vln_pg_array_new(arena, VLN_PG_TEXT),
                           .payloads = vln_pg_array_new(arena, VLN_PG_BYTEA)};
    return self;
}

static uint8_t *
pack_facts(vln_arena_t *arena, const vln_fact_t *facts, size_t *size)
{
    Valion__V1__KeyValue pairs[FACTS_MAX];
    Valion__V1__KeyValue *list[FACTS_MAX];
    size_t count = 0;
    for (const vln_fact_t *fact = facts; fact->key; fact++) {
        if (!fact->value) {
            continue;
        }
        vln_assert(count < FACTS_MAX);
        valion__v1__key_value__init(&pairs[count]);
        pairs[count].key = vln_arena_strdup(arena, fact->key);
        pairs[count].value = vln_arena_strdup(arena, fact->value);
        list[count] = &pairs[count];
        count++;
    }
    Valion__V1__EventPayload payload = VALION__V1__EVENT_PAYLOAD__INIT;
    payload.n_facts = count;
    payload.facts = list;
    return vln_pb_pack(&payload.base, arena, size);
}

void
vln_events_add(vln_events_t *self, const char *type, const char *subject, const char *actor,
               const vln_fact_t *facts)
{
    size_t size = 0;
    const uint8_t *payload = pack_facts(self->arena, facts, &size);
    vln_pg_array_add_text(self->types, type);
    vln_pg_array_add_text(self->subjects, subject);
    vln_pg_array_add_text(self->actors, actor);
    vln_pg_array_add_bytes(self->payloads, payload, size);
}

vln_err_t
vln_events_flush(vln_events_t *self, vln_pg_t *pg, size_t statement)
{
    if (vln_pg_array_count(self->types) == 0) {
        return VLN_OK;
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, self->types);
    vln_pg_array(&args, self->subjects);
    vln_pg_array(&args, self->actors);
    vln_pg_array(&args, self->payloads);
    return vln_pg_run(pg, statement, &args, NULL);
}
