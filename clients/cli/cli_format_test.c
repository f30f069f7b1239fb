#include "cli_format.h"

#include <criterion/criterion.h>
#include <string.h>
#include <valion/v1/orchestrator.pb-c.h>
#include <valion/v1/registry.pb-c.h>

static char out[256];

static const char *
duration(int64_t ms)
{
    return cli_format_duration(ms, out, sizeof out);
}

static const char *
size(int64_t bytes)
{
    return cli_format_size(bytes, out, sizeof out);
}

Test(cli_format, writes_durations_with_two_units_at_most)
{
    cr_expect_str_eq(duration(0), "0 ms");
    cr_expect_str_eq(duration(999), "999 ms");
    cr_expect_str_eq(duration(12345), "12.3 s");
    cr_expect_str_eq(duration(250000), "4 m 10 s");
    cr_expect_str_eq(duration(7500000), "2 h 5 m");
    cr_expect_str_eq(duration(273600000), "3 d 4 h");
    cr_expect_str_eq(duration(-1500), "-1.5 s");
    cr_expect(strncmp(duration(INT64_MIN), "-106751991167 d", 15) == 0);
}

Test(cli_format, writes_sizes_with_a_unit)
{
    cr_expect_str_eq(size(0), "0 B");
    cr_expect_str_eq(size(1023), "1023 B");
    cr_expect_str_eq(size(1536), "1.5 KiB");
    cr_expect_str_eq(size(20971520), "20.0 MiB");
    cr_expect_str_eq(size(INT64_MAX), "8.0 EiB");
}

static const char *
field(const void *message, const char *path)
{
    return cli_format_field(message, path, out, sizeof out);
}

Test(cli_format, writes_fields_by_what_their_names_mean)
{
    uint8_t id[16] = {1, 2, 3};
    char kind[] = "train";
    uint8_t spec[] = {'{', '}', 0xff};
    Valion__V1__Job job = VALION__V1__JOB__INIT;
    job.has_job_id = job.has_state = job.has_submitted_us = job.has_lease_until_us = 1;
    job.has_spec = job.has_result = job.has_progress = job.has_cancel_requested = 1;
    job.job_id = (ProtobufCBinaryData){.len = sizeof id, .data = id};
    job.state = VALION__V1__TASK_STATE__TASK_STATE_POISONED;
    job.kind = kind;
    job.submitted_us = 1764000000123456;
    job.spec = (ProtobufCBinaryData){.len = sizeof spec, .data = spec};
    job.result = (ProtobufCBinaryData){.len = 2, .data = spec};
    job.progress = 0.25;
    cr_expect_str_eq(field(&job, "job_id"), "01020300-0000-0000-0000-000000000000");
    cr_expect_str_eq(field(&job, "state"), "poisoned");
    cr_expect_str_eq(field(&job, "kind"), "train");
    cr_expect_str_eq(field(&job, "submitted_us"), "2025-11-24T16:00:00.123Z");
    cr_expect_str_eq(field(&job, "lease_until_us"), "");
    cr_expect_str_eq(field(&job, "finished_us"), "");
    cr_expect_str_eq(field(&job, "spec"), "3 bytes");
    cr_expect_str_eq(field(&job, "result"), "{}");
    cr_expect_str_eq(field(&job, "progress"), "0.25");
    cr_expect_str_eq(field(&job, "cancel_requested"), "no");
}

Test(cli_format, follows_a_path_and_joins_lists)
{
    char one[] = "a";
    char two[] = "b";
    char *names[] = {one, two};
    Valion__V1__Signature signature = VALION__V1__SIGNATURE__INIT;
    Valion__V1__Version version = VALION__V1__VERSION__INIT;
    cr_expect_str_eq(field(&version, "signature.classes"), "");
    signature.classes = names;
    signature.n_classes = 2;
    version.signature = &signature;
    cr_expect_str_eq(field(&version, "signature.classes"), "a, b");
}

Test(cli_format, keeps_control_characters_from_the_terminal)
{
    char text[] = "a\033[31m\nb\x7f\xc2\x9b"
                  "c";
    Valion__V1__Model model = VALION__V1__MODEL__INIT;
    model.description = text;
    cr_expect_str_eq(field(&model, "description"), "a?[31m b???c");
}

Test(cli_format, cuts_text_between_characters)
{
    char text[] = "aé€";
    Valion__V1__Model model = VALION__V1__MODEL__INIT;
    model.description = text;
    cr_expect_str_eq(cli_format_field(&model.base, "description", out, 6), "aé");
    cr_expect_str_eq(cli_format_field(&model.base, "description", out, 3), "a");
    cr_expect_str_eq(cli_format_field(&model.base, "description", out, 1), "");
}

Test(cli_format, shows_an_unknown_enum_value_as_its_number)
{
    Valion__V1__Version version = VALION__V1__VERSION__INIT;
    version.has_stage = 1;
    version.stage = (Valion__V1__Stage)77;
    cr_expect_str_eq(field(&version, "stage"), "77");
}
