// SPDX-License-Identifier: BSD-3-Clause
/*
 * pinfs collapse, pinfs insert: FALLOC_FL_COLLAPSE_RANGE and INSERT_RANGE,
 * which the kernel's FUSE client does not pass on.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/tool.h"
#include "cmd.h"
#include "ioc.h"

static void complain(const char *path, int err)
{
	switch (err) {
	case -EINVAL:
		log_error("%s: offset and length must be multiples of the "
			  "block size (4K), the offset inside the file, and "
			  "the end of a collapsed range as well",
			  path);
		break;
	case -EBUSY:
		log_error("%s: the file stayed pinned for longer than the "
			  "mount's break_timeout; pinfs pins says by whom",
			  path);
		break;
	default:
		ioc_complain(path, err);
	}
}

/* Nothing but a regular file: opening a pipe or a device has side effects. */
static int open_file(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -ENOTTY;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static enum cmd_exit change(struct cmd_line *line, unsigned long request)
{
	struct pinfs_ioc_range req;
	int fd, err;

	if (!cmd_only_json(line))
		return CMD_USAGE;
	if (tool_parse_size(line->operand[1], &req.offset))
		return cmd_usage(line->cmd, "%s: not an offset",
				 line->operand[1]);
	if (tool_parse_size(line->operand[2], &req.length) || !req.length)
		return cmd_usage(line->cmd, "%s: not a length",
				 line->operand[2]);
	fd = open_file(line->operand[0]);
	err = fd < 0 ? fd : 0;
	if (!err && ioctl(fd, request, &req))
		err = -errno;
	if (err)
		complain(line->operand[0], err);
	if (fd >= 0)
		close(fd);
	return err ? CMD_FAILED : CMD_DONE;
}

static enum cmd_exit run_collapse(struct cmd_line *line)
{
	return change(line, PINFS_IOC_COLLAPSE);
}

static enum cmd_exit run_insert(struct cmd_line *line)
{
	return change(line, PINFS_IOC_INSERT);
}

static const struct cmd_option options[] = { CMD_OPTIONS_END };

const struct command cmd_collapse = {
	.name = "collapse",
	.operands = "FILE OFFSET LENGTH",
	.summary = "Removes a range from a file, what follows moves down",
	.details = "Waits until the file is idle. OFFSET and LENGTH are "
		   "multiples of 4K.\n",
	.options = options,
	.min_operands = 3,
	.max_operands = 3,
	.run = run_collapse,
};

const struct command cmd_insert = {
	.name = "insert",
	.operands = "FILE OFFSET LENGTH",
	.summary = "Inserts a hole into a file, what follows moves up",
	.details = "Waits until the file is idle. OFFSET and LENGTH are "
		   "multiples of 4K.\n",
	.options = options,
	.min_operands = 3,
	.max_operands = 3,
	.run = run_insert,
};
