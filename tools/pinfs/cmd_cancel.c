// SPDX-License-Identifier: BSD-3-Clause
/* pinfs cancel: cancels the DMA behind a pin set. */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd.h"
#include "ioc.h"
#include "value.h"

static void complain(const char *path, uint64_t id, int err)
{
	switch (err) {
	case -ENOENT:
	case -ESRCH:
		log_error("%s: there is no pin set %" PRIu64
			  "; pinfs pins lists them",
			  path, id);
		break;
	case -EPERM:
	case -EACCES:
		log_error("%s: pin set %" PRIu64 " is for its owner, the "
			  "mount's owner and root to cancel",
			  path, id);
		break;
	default:
		ioc_complain(path, err);
	}
}

static enum cmd_exit run(struct cmd_line *line)
{
	struct pinfs_ioc_cancel req = { .id = 0 };
	int fd, err = 0;

	if (!cmd_only_json(line))
		return CMD_USAGE;
	if (value_number(line->operand[1], UINT64_MAX, &req.id))
		return cmd_usage(line->cmd, "%s: not the number of a pin set",
				 line->operand[1]);
	fd = ioc_open(line->operand[0]);
	if (fd < 0)
		return CMD_FAILED;
	if (ioctl(fd, PINFS_IOC_CANCEL, &req))
		err = -errno;
	if (err)
		complain(line->operand[0], req.id, err);
	close(fd);
	return err ? CMD_FAILED : CMD_DONE;
}

static const struct cmd_option options[] = { CMD_OPTIONS_END };

const struct command cmd_cancel = {
	.name = "cancel",
	.operands = "MNT PINSET",
	.summary = "Cancels the DMA behind a pin set",
	.details = "The pins end when the kernel has finished the I/O; "
		   "pinfs pins shows the set\nuntil then.\n",
	.options = options,
	.min_operands = 2,
	.max_operands = 2,
	.run = run,
};
