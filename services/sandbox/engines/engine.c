#include "engine.h"

#include <stdarg.h>
#include <stdio.h>

engine_verdict_t
engine_say(char sentence[ENGINE_SENTENCE], engine_verdict_t verdict, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, ENGINE_SENTENCE, format, args);
    va_end(args);
    return verdict;
}
