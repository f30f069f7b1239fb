/*
 * cli_commands - the tables of `valion`: every command and its options. To add a command is to add a
 * row here and a function in a cmd_*.c.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli.h"

extern const cli_option_t cli_globals[];
extern const cli_command_t cli_commands[];
extern const size_t cli_command_count;

#endif
