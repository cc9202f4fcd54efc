/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages for people: "PROGRAM: WHAT: WHY" on stderr, or in the system's log
 * once a daemon has left its terminal.
 */
#ifndef PINFS_BASE_LOG_H
#define PINFS_BASE_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* log_init - name what messages begin with; the string must stay */
void log_init(const char *program);

/* log_set_level - the least important level that is still written */
void log_set_level(enum log_level level);

/* log_to_syslog - from here on messages go to syslog(3), not to stderr */
void log_to_syslog(void);

void log_at(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
