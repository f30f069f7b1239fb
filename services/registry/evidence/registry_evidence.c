#include "registry_evidence.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "vln_time.h"

#include "registry_wire.h"

vln_err_t
registry_policy_in_force(registry_store_t *store, vln_arena_t *arena,
                         const policy_question_t *question, const policy_candidate_t **candidate,
                         const evidence_policy_t **rule)
{
    registry_in_force_t all;
    *candidate = NULL;
    vln_err_t err = registry_policies_in_force(store, arena, &all);
    if (err != VLN_OK) {
        return err;
    }
    *candidate = policy_choose(all.candidates, all.count, question);
    if (!*candidate) {
        return VLN_NOT_FOUND;
    }
    *rule = all.rules + (*candidate - all.candidates);
    return VLN_OK;
}

/* What it is for, for people: "the stage production". */
static const char *
place_of(vln_arena_t *arena, const policy_question_t *question)
{
    return question->stage ? vln_arena_printf(arena, "the stage %s", question->stage)
                           : vln_arena_printf(arena, "the environment %s", question->environment);
}

static void __attribute__((format(printf, 2, 3)))
refuse(vln_call_t *call, const char *format, ...)
{
    char text[700];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE, "%s", text);
    call->subject = "evidence";
}

static void
refuse_no_policy(vln_call_t *call, const registry_evidence_ask_t *ask)
{
    refuse(call,
           "no policy is in force for %s@%s and %s%s, so nothing can be evidence: put one with "
           "'valion policy put'",
           ask->model, ask->version->version, place_of(call->arena, &ask->question),
           ask->question.task ? "" : ", for it has no signature that names its task");
}

/* The command that would help. */
static const char *
validate_command(vln_arena_t *arena, const registry_evidence_ask_t *ask,
                 const evidence_policy_t *policy)
{
    return vln_arena_printf(arena, "valion validate %s@%s --data DATASET --policy %s", ask->model,
                            ask->version->version, policy->name);
}

/* What is wrong with the report that came nearest. */
static const char *
lack_of(vln_arena_t *arena, const evidence_choice_t *choice, const evidence_policy_t *policy)
{
    char id[VLN_ID_TEXT];
    char time[VLN_TIME_TEXT];
    const evidence_report_t *report = choice->report;
    vln_id_format(report->id, id);
    switch (choice->why) {
    case EVIDENCE_OTHER_BYTES:
        return vln_arena_printf(arena, "report %s is about other bytes", id);
    case EVIDENCE_OF_SERVER:
        return vln_arena_printf(arena,
                                "report %s judged what a server answered, which may run "
                                "other bytes: validate the files themselves",
                                id);
    case EVIDENCE_OTHER_POLICY:
        return vln_arena_printf(arena, "report %s is under the policy '%s'", id, report->policy);
    case EVIDENCE_OTHER_POLICY_VERSION:
        return vln_arena_printf(arena, "report %s is under its version %" PRId64, id,
                                report->policy_version);
    case EVIDENCE_NOT_GOOD_ENOUGH:
        return vln_arena_printf(arena, "report %s says %s, where %s is wanted", id,
                                evidence_verdict_name(report->verdict),
                                evidence_min_status_name(policy->min_status));
    case EVIDENCE_TOO_OLD:
        return vln_arena_printf(arena, "report %s is of %s, older than the %" PRId64 " s allowed",
                                id, vln_time_format(report->recorded_us, time),
                                policy->max_age_ms / 1000);
    case EVIDENCE_NONE:
    case EVIDENCE_FITS:
        break;
    }
    return "there is no report";
}

static void
refuse_lack(vln_call_t *call, const registry_evidence_ask_t *ask, const evidence_policy_t *policy,
            const evidence_choice_t *choice)
{
    const char *lack = "there is no report on it";
    if (choice->why != EVIDENCE_NONE) {
        lack = lack_of(call->arena, choice, policy);
    } else if (ask->report_id) {
        lack = "the report that was named is not one on it";
    }
    refuse(call,
           "%s@%s needs evidence under the policy '%s' version %" PRId64 " for %s: %s; run '%s'",
           ask->model, ask->version->version, policy->name, policy->version,
           place_of(call->arena, &ask->question), lack, validate_command(call->arena, ask, policy));
}

static const char *
sentence_of(vln_arena_t *arena, const evidence_report_t *report)
{
    char id[VLN_ID_TEXT];
    char time[VLN_TIME_TEXT];
    return vln_arena_printf(arena, "%s under the policy '%s' version %" PRId64 " (report %s of %s)",
                            evidence_verdict_name(report->verdict), report->policy,
                            report->policy_version, vln_id_format(report->id, id),
                            vln_time_format(report->recorded_us, time));
}

vln_err_t
registry_evidence_find(registry_worker_t *self, vln_call_t *call,
                       const registry_evidence_ask_t *ask, registry_evidence_t *out)
{
    const policy_candidate_t *candidate = NULL;
    const evidence_policy_t *policy = NULL;
    *out = (registry_evidence_t){0};
    vln_err_t err = registry_policies_share(self->store);
    if (err == VLN_OK) {
        err =
            registry_policy_in_force(self->store, call->arena, &ask->question, &candidate, &policy);
    }
    if (err == VLN_NOT_FOUND) {
        refuse_no_policy(call, ask);
        return VLN_OK;
    }
    evidence_report_t *reports = NULL;
    size_t count = 0;
    int64_t now_us = 0;
    const registry_evidence_query_t query = {.model = ask->model,
                                             .version = ask->version->version,
                                             .digest = ask->version->digest,
                                             .id = ask->report_id,
                                             .policy = policy};
    if (err == VLN_OK) {
        err = registry_reports_for(self->store, call->arena, &query, &reports, &count, &now_us);
    }
    if (err != VLN_OK) {
        return err;
    }
    evidence_choice_t choice =
        evidence_choose(policy, ask->version->digest, now_us, reports, count);
    if (choice.why != EVIDENCE_FITS) {
        refuse_lack(call, ask, policy, &choice);
        return VLN_OK;
    }
    out->report_id = choice.report->id;
    out->sentence = sentence_of(call->arena, choice.report);
    return VLN_OK;
}
