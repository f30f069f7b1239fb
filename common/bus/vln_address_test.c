#include "vln_address.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

TestSuite(vln_address, .timeout = 30);

Test(vln_address, takes_addresses_as_they_are_and_sorts_them)
{
    vln_addresses_t found;
    cr_assert(vln_addresses_resolve("127.0.0.2:7001, 127.0.0.1:7001", &found) == VLN_OK);
    cr_assert(found.count == 2);
    cr_expect(eq(str, found.endpoint[0], "tcp://127.0.0.1:7001"));
    cr_expect(eq(str, found.endpoint[1], "tcp://127.0.0.2:7001"));
}

Test(vln_address, names_each_address_once)
{
    vln_addresses_t found;
    cr_assert(vln_addresses_resolve("127.0.0.1:7001,tcp://127.0.0.1:7001,localhost:7001", &found) ==
              VLN_OK);
    /* Where localhost is both, ::1 comes after it. */
    cr_expect(found.count == 1 || found.count == 2);
    cr_expect(eq(str, found.endpoint[0], "tcp://127.0.0.1:7001"));
    if (found.count == 2) {
        cr_expect(eq(str, found.endpoint[1], "tcp://[::1]:7001"));
    }
}

Test(vln_address, puts_brackets_around_version_6)
{
    vln_addresses_t found;
    cr_assert(vln_addresses_resolve("[::1]:7001", &found) == VLN_OK);
    cr_expect(eq(str, found.endpoint[0], "tcp://[::1]:7001"));
}

Test(vln_address, leaves_other_transports_alone)
{
    vln_addresses_t found;
    cr_assert(vln_addresses_resolve("ipc:///tmp/bus,inproc://bus", &found) == VLN_OK);
    cr_expect(eq(str, found.endpoint[0], "inproc://bus"));
    cr_expect(eq(str, found.endpoint[1], "ipc:///tmp/bus"));
}

Test(vln_address, leaves_out_names_that_cannot_be_resolved)
{
    vln_addresses_t found;
    cr_assert(vln_addresses_resolve("nobody.invalid:7001,127.0.0.1:7002", &found) == VLN_OK);
    cr_expect(found.count == 1);
    cr_expect(vln_addresses_resolve("nobody.invalid:7001", &found) == VLN_UNAVAILABLE);
    cr_expect(found.count == 0);
}

Test(vln_address, keeps_no_more_than_it_has_room_for)
{
    char list[2048] = "";
    size_t len = 0;
    for (int i = 1; i <= VLN_ADDRESSES_MAX + 5; i++) {
        len += (size_t)snprintf(list + len, sizeof list - len, "127.0.0.%d:7001,", i);
    }
    vln_addresses_t found;
    cr_assert(vln_addresses_resolve(list, &found) == VLN_OK);
    cr_expect(found.count == VLN_ADDRESSES_MAX);
}

Test(vln_address, refuses_what_is_no_address)
{
    static const char *const texts[] = {
        "",        ",",    "host",  "host:",    ":7001", "h:0",
        "h:65536", "h:-1", "h:12x", "::1:7001", "[]:70", "a:1,broken"};
    for (size_t i = 0; i < VLN_COUNT(texts); i++) {
        vln_addresses_t found;
        cr_expect(vln_addresses_resolve(texts[i], &found) == VLN_INVALID_ARGUMENT, "\"%s\"",
                  texts[i]);
        cr_expect(found.count == 0);
    }
}

Test(vln_address, finds_the_other_ports_of_a_broker)
{
    char out[VLN_ADDRESS_TEXT] = "";
    cr_expect(vln_address_above("tcp://[::1]:7001", 3, out));
    cr_expect(eq(str, out, "tcp://[::1]:7004"));
    cr_expect_not(vln_address_above("tcp://127.0.0.1:65533", 3, out));
    cr_expect_not(vln_address_above("inproc://bus", 1, out));
}
