// SPDX-License-Identifier: BSD-3-Clause
#include "fuselog.h"

#define FUSE_USE_VERSION 314
#include <fuse_log.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static enum log_level level_of(enum fuse_log_level level)
{
	if (level <= FUSE_LOG_ERR)
		return LOG_LEVEL_ERROR;
	if (level == FUSE_LOG_WARNING)
		return LOG_LEVEL_WARN;
	if (level <= FUSE_LOG_INFO)
		return LOG_LEVEL_INFO;
	return LOG_LEVEL_DEBUG;
}

/* Some of its messages come in pieces; a newline ends each. */
static void take(enum fuse_log_level level, const char *fmt, va_list ap)
{
	static _Thread_local char line[1024];
	static _Thread_local size_t used;
	const char *text = line;
	int n;

	n = vsnprintf(line + used, sizeof(line) - used, fmt, ap);
	if (n < 0)
		return;
	used += (size_t)n;
	if (used >= sizeof(line))
		used = sizeof(line) - 1;
	else if (used == 0 || line[used - 1] != '\n')
		return;
	else
		line[--used] = '\0';
	used = 0;
	if (strncmp(text, "fuse: ", 6) == 0)
		text += 6;
	log_at(level_of(level), "%s", text);
}

void fuselog_start(void)
{
	fuse_set_log_func(take);
}
