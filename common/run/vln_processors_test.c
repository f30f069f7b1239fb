#include "vln_processors.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char folder[] = "/tmp/vln_processors_test_XXXXXX";

static void
write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    cr_assert(file != NULL, "%s", path);
    fputs(text, file);
    fclose(file);
}

static void
make_folder(void)
{
    char path[256];
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/cpu", folder);
    cr_assert(mkdir(path, 0700) == 0);
}

static void
remove_folder(void)
{
    static const char *const names[] = {"cpu.max", "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us",
                                        "cpu", ""};
    char path[256];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
}

TestSuite(vln_processors, .init = make_folder, .fini = remove_folder);

Test(vln_processors, are_as_many_as_the_quota_rounded_up)
{
    write_file("cpu.max", "150000 100000\n");
    cr_expect(eq(sz, vln_processors_of_cgroup(folder), 2));
    write_file("cpu.max", "100000 100000\n");
    cr_expect(eq(sz, vln_processors_of_cgroup(folder), 1));
    write_file("cpu.max", "50000 100000\n");
    cr_expect(eq(sz, vln_processors_of_cgroup(folder), 1));
}

Test(vln_processors, reads_version_1_too)
{
    write_file("cpu/cpu.cfs_period_us", "100000\n");
    write_file("cpu/cpu.cfs_quota_us", "-1\n");
    cr_expect(eq(sz, vln_processors_of_cgroup(folder), 0));
    write_file("cpu/cpu.cfs_quota_us", "210000\n");
    cr_expect(eq(sz, vln_processors_of_cgroup(folder), 3));
}

Test(vln_processors, takes_no_number_from_what_is_none)
{
    cr_expect(eq(sz, vln_processors_of_cgroup(folder), 0));
    write_file("cpu.max", "max 100000\n");
    cr_expect(eq(sz, vln_processors_of_cgroup(folder), 0));
    write_file("cpu.max", "100000\n");
    cr_expect(eq(sz, vln_processors_of_cgroup(folder), 0));
    write_file("cpu.max", "");
    cr_expect(eq(sz, vln_processors_of_cgroup(folder), 0));
    cr_expect(gt(sz, vln_processors(), 0));
}
