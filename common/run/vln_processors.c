#include "vln_processors.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_text.h"

enum { PATH_ROOM = 512, FILE_MAX = 128 };

/* The first number of a file, after `skip` words; 0: there is none. */
static int64_t
read_number(const char *folder, const char *name, int skip)
{
    char path[PATH_ROOM];
    char *text = NULL;
    size_t size = 0;
    int64_t out = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (vln_text_read_file(path, FILE_MAX, &text, &size) != VLN_OK) {
        return 0;
    }
    char *rest = NULL;
    char *word = strtok_r(text, " \n", &rest);
    for (; word && skip > 0; skip--) {
        word = strtok_r(NULL, " \n", &rest);
    }
    if (!word || !vln_text_to_i64(word, 1, INT64_MAX, &out)) {
        out = 0;
    }
    free(text);
    return out;
}

size_t
vln_processors_of_cgroup(const char *folder)
{
    int64_t quota_us = read_number(folder, "cpu.max", 0);
    int64_t period_us = read_number(folder, "cpu.max", 1);
    if (quota_us == 0 || period_us == 0) {
        quota_us = read_number(folder, "cpu/cpu.cfs_quota_us", 0);
        period_us = read_number(folder, "cpu/cpu.cfs_period_us", 0);
    }
    return quota_us > 0 && period_us > 0 ? (size_t)((quota_us - 1) / period_us + 1) : 0;
}

size_t
vln_processors(void)
{
    cpu_set_t set;
    size_t count = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        count = (size_t)CPU_COUNT(&set);
    }
    size_t quota = vln_processors_of_cgroup("/sys/fs/cgroup");
    return quota > 0 && quota < count ? quota : count;
}
