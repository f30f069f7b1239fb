#include "validator_report.h"

#include <stdlib.h>
#include <string.h>

#include "vln_pb.h"

#include "validator_store.h"

/* The registry's bounds, less what it and the durations add. */
enum {
    REPORT_BYTES = 158 * 1024,
    REPORT_FIELDS = 1900,
    REPORT_MEMORY = VLN_PB_MAX_MEMORY - 128 * 1024,
    COLUMNS_SHOWN = 64,
    INLINE_MAX = 64 * 1024, /* of an appendix that goes along with its report */
};

/* ---- within bounds ---- */

static bool
is_within(const Valion__V1__Report *report, vln_arena_t *arena)
{
    vln_pb_scan_t scan;
    size_t size = 0;
    const uint8_t *bytes = vln_pb_pack(&report->base, arena, &size);
    return size <= REPORT_BYTES &&
           vln_pb_scan(&valion__v1__report__descriptor, bytes, size, &scan) == VLN_OK &&
           scan.fields <= REPORT_FIELDS && scan.memory_bytes <= REPORT_MEMORY;
}

/* The checks with at most `shown` columns each, the worst. */
static void
show(Valion__V1__CheckResult *const *whole, size_t shown, Valion__V1__Report *report)
{
    for (size_t i = 0; i < report->n_checks; i++) {
        size_t columns = whole[i]->n_columns;
        *report->checks[i] = *whole[i];
        report->checks[i]->n_columns = columns < shown ? columns : shown;
    }
}

static bool
is_cut(Valion__V1__CheckResult *const *whole, const Valion__V1__Report *report)
{
    for (size_t i = 0; i < report->n_checks; i++) {
        if (report->checks[i]->n_columns < whole[i]->n_columns) {
            return true;
        }
    }
    return false;
}

static int
by_loss(const void *left, const void *right)
{
    const Valion__V1__KeyNumber *a = *(Valion__V1__KeyNumber *const *)left;
    const Valion__V1__KeyNumber *b = *(Valion__V1__KeyNumber *const *)right;
    return a->value > b->value ? -1 : a->value < b->value;
}

static Valion__V1__KeyNumber **
list_importance(const check_importance_t *importance, vln_arena_t *arena, size_t *count)
{
    Valion__V1__KeyNumber **list = vln_arena_alloc(arena, (importance->count + 1) * sizeof *list);
    for (size_t i = 0; i < importance->count; i++) {
        list[i] = vln_arena_alloc(arena, sizeof **list);
        valion__v1__key_number__init(list[i]);
        list[i]->key = vln_arena_strdup(arena, importance->losses[i].column);
        list[i]->has_value = 1;
        list[i]->value = importance->losses[i].loss;
    }
    *count = importance->count;
    qsort(list, *count, sizeof *list, by_loss);
    return list;
}

/* What a report leaves out, packed: every column of every check, plots and importance. */
typedef struct appendix {
    const uint8_t *bytes; /* in the task's arena; NULL: there is nothing more to say */
    size_t size;
} appendix_t;

static appendix_t
pack_appendix(vln_task_t *task, Valion__V1__CheckResult **whole, const validator_beside_t *beside,
              Valion__V1__Report *report)
{
    appendix_t self = {0};
    uint8_t *digest = vln_arena_alloc(task->arena, VLN_DIGEST_BYTES);
    Valion__V1__Appendix appendix = VALION__V1__APPENDIX__INIT;
    appendix.checks = whole;
    appendix.n_checks = report->n_checks;
    appendix.plots = beside->plots->list;
    appendix.n_plots = beside->plots->count;
    appendix.importance = list_importance(beside->importance, task->arena, &appendix.n_importance);
    self.bytes = vln_pb_pack(&appendix.base, task->arena, &self.size);
    vln_digest(self.bytes, self.size, digest);
    report->has_appendix_digest = 1;
    report->appendix_digest = validator_borrow(digest, VLN_DIGEST_BYTES);
    return self;
}

/* The report is cut until it is within its bounds; with an appendix, if there is something for it. */
static appendix_t
fit(vln_task_t *task, const validator_beside_t *beside, Valion__V1__Report *report)
{
    vln_arena_t *arena = task->arena;
    size_t count = report->n_checks;
    Valion__V1__CheckResult **whole = report->checks;
    report->checks = vln_arena_alloc(arena, (count + 1) * sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        report->checks[i] = vln_arena_alloc(arena, sizeof **report->checks);
    }
    size_t shown = COLUMNS_SHOWN;
    show(whole, shown, report);
    while (shown > 0 && !is_within(report, arena)) {
        shown /= 2;
        show(whole, shown, report);
    }
    bool beyond = beside->plots->count > 0 || beside->importance->count > 0;
    return beyond || is_cut(whole, report) ? pack_appendix(task, whole, beside, report)
                                           : (appendix_t){0};
}

/* ---- keeping ---- */

/* *existed: an earlier run of the task has kept one, which stands. */
static bool
put(vln_worker_t *worker, vln_task_t *task, const appendix_t *appendix, Valion__V1__Report *report,
    bool *existed)
{
    Valion__V1__PutReportRequest request = VALION__V1__PUT_REPORT_REQUEST__INIT;
    request.report = report;
    request.has_appendix = appendix->size > 0 && appendix->size <= INLINE_MAX;
    request.appendix = validator_borrow(appendix->bytes, request.has_appendix ? appendix->size : 0);
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "PutReport",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__put_report_reply__descriptor};
    vln_reply_t reply;
    vln_err_t err = vln_worker_call(worker, task, "report", spec, &reply);
    const Valion__V1__PutReportReply *answer = (const void *)reply.message;
    bool ok = err == VLN_OK && answer->report_id.len == VLN_ID_BYTES;
    if (ok) {
        *existed = answer->digest.len != VLN_DIGEST_BYTES;
        report->has_report_id = report->has_digest = 1;
        report->report_id = validator_borrow(
            vln_arena_memdup(task->arena, answer->report_id.data, VLN_ID_BYTES), VLN_ID_BYTES);
        report->digest =
            validator_borrow(vln_arena_memdup(task->arena, answer->digest.data, answer->digest.len),
                             answer->digest.len);
    } else {
        vln_worker_fail(task, err == VLN_OK ? VLN_INTERNAL : err, "the report cannot be kept",
                        reply.why);
    }
    vln_reply_wipe(&reply);
    return ok;
}

static bool
get(vln_worker_t *worker, vln_task_t *task, const ProtobufCBinaryData *id,
    const Valion__V1__Report **kept, vln_reply_t *reply)
{
    Valion__V1__GetReportRequest request = VALION__V1__GET_REPORT_REQUEST__INIT;
    request.has_report_id = 1;
    request.report_id = *id;
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "GetReport",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__get_report_reply__descriptor};
    vln_err_t err = vln_worker_call(worker, task, NULL, spec, reply);
    *kept = err == VLN_OK
                ? ((const Valion__V1__GetReportReply *)(const void *)reply->message)->report
                : NULL;
    if (!*kept) {
        vln_worker_fail(task, err == VLN_OK ? VLN_INTERNAL : err,
                        "the report was kept and cannot be read", reply->why);
    }
    return *kept != NULL;
}

bool
validator_report_keep(vln_worker_t *worker, vln_task_t *task, Valion__V1__Report *report,
                      const validator_beside_t *beside, const Valion__V1__Report **kept,
                      vln_reply_t *reply)
{
    bool existed = false;
    *kept = report;
    *reply = (vln_reply_t){0};
    appendix_t appendix = fit(task, beside, report);
    uint8_t digest[VLN_DIGEST_BYTES];
    if (appendix.size > INLINE_MAX &&
        !validator_store_packed(worker, task, "appendix", appendix.bytes, appendix.size, digest)) {
        return false;
    }
    for (size_t i = 0; i < report->n_checks; i++) {
        report->checks[i]->has_duration_ms = 1;
        report->checks[i]->duration_ms = beside->durations_ms[i];
    }
    return put(worker, task, &appendix, report, &existed) &&
           (!existed || get(worker, task, &report->report_id, kept, reply));
}
