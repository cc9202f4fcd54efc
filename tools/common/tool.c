// SPDX-License-Identifier: BSD-3-Clause
/* Messages of the programs, and their version. */
#include "common/tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tool_die(int code, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_error("%s", line);
	exit(code);
}

void tool_version(const char *program)
{
	printf("%s (pinfs) %s\n", program, PINFS_RELEASE);
}

const char *tool_why(int err)
{
	switch (-err) {
	case EMEDIUMTYPE:
		return "there is no pinfs file system in it";
	case EUCLEAN:
		return "it is damaged; see what fsck.pinfs -n says";
	case EOPNOTSUPP:
		return "it was made by a newer pinfs";
	case ENOTBLK:
		return "neither a file, a block device nor a devdax device";
	case EBUSY:
		return "it is in use";
	default:
		return strerror(-err);
	}
}
