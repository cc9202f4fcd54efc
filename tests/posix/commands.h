/* SPDX-License-Identifier: BSD-3-Clause */
/* What needs a mount in a certain state, and is a command of its own. */
#ifndef PINFS_TEST_POSIX_COMMANDS_H
#define PINFS_TEST_POSIX_COMMANDS_H

int handles_command(char **arg);
int held_command(const char *file);

#endif
