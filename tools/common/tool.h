/* SPDX-License-Identifier: BSD-3-Clause */
/* What the programs share: numbers with units, messages, the version. */
#ifndef PINFS_TOOL_H
#define PINFS_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

enum tool_exit {
	TOOL_DONE = 0,
	TOOL_FAILED = 1,
	TOOL_USAGE = 2,
};

/* tool_die - log_error() and exit with code */
void tool_die(int code, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* tool_version - what --version prints for program */
void tool_version(const char *program);

/*
 * tool_why - why a pool could not be used, and what to do, in one sentence
 *
 * err is what the library returned, negative.  A static or strerror(3) string.
 */
const char *tool_why(int err);

/*
 * tool_parse_size - "4096", "16M", "1T": powers of two, K to P
 *
 * -EINVAL if text is anything else, -ERANGE if it does not fit.
 */
int tool_parse_size(const char *text, uint64_t *bytes);

/* tool_parse_duration - "250ms", "10s", "2m", "0.5" (seconds), as ns */
int tool_parse_duration(const char *text, uint64_t *ns);

#define TOOL_SIZE_TEXT 24

/* tool_size_text - "1.5 GiB"; returns buf */
char *tool_size_text(char buf[TOOL_SIZE_TEXT], uint64_t bytes);

#endif
