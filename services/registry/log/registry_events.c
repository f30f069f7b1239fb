#include <inttypes.h>
#include <string.h>

#include "vln_page.h"
#include "vln_text.h"

#include "registry.h"
#include "registry_handlers.h"
#include "registry_wire.h"
#include "valion/v1/registry.pb-c.h"

enum { EVENT_TYPES_MAX = 16, WORD_MAX = 250, PAGE_DEFAULT = 100, PAGE_MAX = 1000 };

static bool
check_types(vln_call_t *call, const Valion__V1__ReadEventsRequest *request)
{
    bool sound = request->n_types <= EVENT_TYPES_MAX;
    for (size_t i = 0; sound && i < request->n_types; i++) {
        size_t len = strlen(request->types[i]);
        sound = len > 0 && len <= WORD_MAX;
    }
    if (!sound) {
        vln_call_refuse_field(call, "types", "at most %d types, such as version.created or job.*",
                              EVENT_TYPES_MAX);
    }
    return sound;
}

void
registry_read_events(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    for (size_t i = 0; i < count; i++) {
        vln_call_t *call = calls[i];
        const Valion__V1__ReadEventsRequest *request = (const void *)call->request;
        registry_log_query_t query = {.after = request->after,
                                      .types = (const char *const *)request->types,
                                      .type_count = request->n_types,
                                      .subject = request->subject,
                                      .limit = PAGE_DEFAULT};
        if (request->has_limit && request->limit >= 1 && request->limit <= PAGE_MAX) {
            query.limit = (int)request->limit;
        }
        if (request->after > INT64_MAX || !check_types(call, request)) {
            if (request->after > INT64_MAX) {
                vln_call_refuse_field(call, "after", "no log has that many positions");
            }
            continue;
        }
        registry_log_page_t page;
        vln_err_t err = registry_log_read(self->log, call->arena, &query, &page);
        if (err != VLN_OK) {
            vln_call_refuse_store(call, err);
            continue;
        }
        /* Nothing of these types yet: the positions that were looked at are told in any case. */
        if (page.count == 0 && request->wait_ms > 0 &&
            vln_call_park(call, REGISTRY_TOPIC_LOG, request->wait_ms)) {
            continue;
        }
        NEW(call->arena, Valion__V1__ReadEventsReply, reply, valion__v1__read_events_reply__init);
        reply->n_events = page.count;
        reply->events = page.events;
        reply->has_last = reply->has_end = 1;
        reply->last = page.last;
        reply->end = page.end;
        vln_call_reply(call, &reply->base);
    }
}

void
registry_sign_head(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    if (!self->registry->has_audit_key) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "this registry has no audit key: give it the file secret/audit.key");
        return;
    }
    Valion__V1__LogHead *head = NULL;
    vln_err_t err = registry_log_sign(self->log, call->arena, self->registry->audit_key, &head);
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "the log is empty: there is nothing to sign yet");
        return;
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    registry_append_head(self->registry, head);
    NEW(call->arena, Valion__V1__SignHeadReply, reply, valion__v1__sign_head_reply__init);
    reply->head = head;
    vln_call_reply(call, &reply->base);
}

/* An end that does not move may be signed several times: position and time tell heads apart. */
static ProtobufCBinaryData
token_of_head(vln_arena_t *arena, const Valion__V1__LogHead *head)
{
    return registry_token_of(
        vln_arena_printf(arena, "%" PRIu64 ".%" PRId64, head->position, head->time_us));
}

static bool
head_of_token(vln_call_t *call, const Valion__V1__Page *page, Valion__V1__LogHead *out)
{
    const char *token = NULL;
    if (!registry_page_token(call, page, &token)) {
        return false;
    }
    char part[32] = "";
    int64_t position = 0;
    bool sound = vln_text_next(&token, '.', part, sizeof part) &&
                 vln_text_to_i64(part, 1, INT64_MAX, &position) &&
                 vln_text_to_i64(token, 0, INT64_MAX, &out->time_us);
    out->position = (uint64_t)position;
    if (!sound) {
        registry_refuse_token(call);
    }
    return sound;
}

void
registry_list_heads(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__ListHeadsRequest *request = (const void *)call->request;
    int limit = 0;
    Valion__V1__LogHead before = VALION__V1__LOG_HEAD__INIT;
    bool from_start = !request->page || request->page->token.len == 0;
    if (!registry_page_size(call, request->page, &limit) ||
        !(from_start || head_of_token(call, request->page, &before))) {
        return;
    }
    NEW(call->arena, Valion__V1__ListHeadsReply, reply, valion__v1__list_heads_reply__init);
    size_t found = 0;
    vln_err_t err = registry_log_list_heads(self->log, call->arena, from_start ? NULL : &before,
                                            limit, &reply->heads, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    vln_page_t page = {0};
    while (reply->n_heads < found &&
           vln_page_take(&page, call->arena, &reply->heads[reply->n_heads]->base)) {
        reply->n_heads++;
    }
    if ((int)found == limit || reply->n_heads < found) {
        reply->has_next_token = 1;
        reply->next_token = token_of_head(call->arena, reply->heads[reply->n_heads - 1]);
    }
    vln_call_reply(call, &reply->base);
}
