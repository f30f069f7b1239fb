/*
 * cli_job - jobs as commands use them: submitted, followed with a line for each change, shown.
 *
 * After a job is accepted it is stored: Ctrl-C ends the watching, never the job, and the line that
 * names it says how to go on.
 */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include "cli.h"
#include "valion/v1/orchestrator.pb-c.h"

/* A job with its spec and result as messages, where its kind is known. */
void cli_job_show(const cli_t *cli, Valion__V1__Job *job);

/* What a job that is done gave, unpacked and shown without the job; as JSON with -o json. */
void cli_job_show_result(const cli_t *cli, const Valion__V1__Job *job);

/* Follow the job to its end, then `shown` (NULL: cli_job_show) it. CLI_OK only if it is done. */
typedef void cli_job_shown_fn(const cli_t *cli, Valion__V1__Job *job);
cli_exit_t cli_job_watch(cli_t *cli, const uint8_t id[VLN_ID_BYTES], cli_job_shown_fn *shown);

/*
 * Submit a job of a built-in kind and follow it; what it gave is shown. With the flag --no-wait its id
 * is printed instead. A job that failed is one sentence on stderr.
 */
cli_exit_t cli_job_run(cli_t *cli, const char *kind, const ProtobufCMessage *spec);

#endif
