// SPDX-License-Identifier: BSD-3-Clause
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <syslog.h>

/* The name is set once, at start; the others may change at any time. */
static const char *log_program = "pinfs";
static atomic_bool log_syslog;
static atomic_int log_threshold = LOG_LEVEL_INFO;

void log_init(const char *program)
{
	log_program = program;
}

void log_set_level(enum log_level level)
{
	atomic_store(&log_threshold, (int)level);
}

void log_to_syslog(void)
{
	openlog(log_program, LOG_PID, LOG_DAEMON);
	atomic_store(&log_syslog, true);
}

static int log_priority(enum log_level level)
{
	static const int priority[] = {
		[LOG_LEVEL_ERROR] = LOG_ERR,
		[LOG_LEVEL_WARN] = LOG_WARNING,
		[LOG_LEVEL_INFO] = LOG_INFO,
		[LOG_LEVEL_DEBUG] = LOG_DEBUG,
	};

	return priority[level];
}

void log_at(enum log_level level, const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	if ((int)level > atomic_load(&log_threshold))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (atomic_load(&log_syslog))
		syslog(log_priority(level), "%s", line);
	else
		fprintf(stderr, "%s: %s\n", log_program, line);
}
