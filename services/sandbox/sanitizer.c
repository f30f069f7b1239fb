/*
 * How a build with AddressSanitizer behaves in a child: a fault is to be a signal and an allocation
 * beyond the limit a failure, as without it. Empty in a plain build.
 */
#if defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define WITH_ADDRESS_SANITIZER
#    endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#    define WITH_ADDRESS_SANITIZER
#endif

#ifdef WITH_ADDRESS_SANITIZER
/* NOLINTBEGIN(readability-identifier-naming): the sanitizer looks for this name. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
    return "allocator_may_return_null=1:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:"
           "handle_abort=0:handle_sigill=0:detect_leaks=0";
}
/* NOLINTEND(readability-identifier-naming) */
#else
typedef int nothing_t; /* a file has to hold something */
#endif
