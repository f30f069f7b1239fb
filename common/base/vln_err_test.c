#include "vln_err.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

enum { CODES = 17, WIRE_OK = 17 };

/* The numbers are an interface: on the wire, in logs, in scripts. */
Test(vln_err, names_and_numbers_are_those_of_grpc)
{
    static const char *const names[CODES] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };
    for (int code = 0; code < CODES; code++) {
        cr_expect(eq(str, (char *)vln_err_name((vln_err_t)code), (char *)names[code]));
        cr_expect(gt(sz, strlen(vln_err_text((vln_err_t)code)), 1));
    }
}

Test(vln_err, those_that_may_pass_are_transient_and_no_others)
{
    for (int code = 0; code < CODES; code++) {
        bool expected = code == VLN_DEADLINE_EXCEEDED || code == VLN_RESOURCE_EXHAUSTED ||
                        code == VLN_UNAVAILABLE;
        cr_expect(vln_err_is_transient((vln_err_t)code) == expected, "%d", code);
    }
}

Test(vln_err, goes_to_the_wire_and_back)
{
    for (int code = 0; code < CODES; code++) {
        cr_expect(eq(int, (int)vln_err_from_wire(vln_err_to_wire((vln_err_t)code)), code));
    }
    cr_expect(eq(int, vln_err_to_wire(VLN_OK), WIRE_OK));
    cr_expect(eq(int, vln_err_to_wire(VLN_NOT_FOUND), 5));
}

Test(vln_err, what_is_not_said_or_not_known_is_unknown)
{
    static const int strange[] = {0, -1, 18, 999, INT_MAX, INT_MIN};
    for (size_t i = 0; i < VLN_COUNT(strange); i++) {
        cr_expect(vln_err_from_wire(strange[i]) == VLN_UNKNOWN, "%d", strange[i]);
    }
}

Test(vln_err, a_number_that_is_no_error_reads_as_unknown)
{
    cr_expect(eq(str, (char *)vln_err_name((vln_err_t)99), "UNKNOWN"));
    cr_expect(eq(str, (char *)vln_err_text((vln_err_t)-1), (char *)vln_err_text(VLN_UNKNOWN)));
    cr_expect(not(vln_err_is_transient((vln_err_t)99)));
}

Test(vln_err, an_assertion_that_holds_does_nothing)
{
    int looked = 0;
    vln_assert(++looked == 1);
    cr_expect(eq(int, looked, 1));
}

Test(vln_err, an_assertion_that_does_not_hold_ends_the_process, .signal = SIGABRT)
{
    vln_assert(1 > 2);
}
