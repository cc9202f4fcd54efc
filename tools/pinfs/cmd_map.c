// SPDX-License-Identifier: BSD-3-Clause
/* pinfs map: where a file's blocks are, and which are pinned. */
#include <errno.h>

#include "listing.h"

#define F(member, kind, label) \
	FIELD(struct pinfs_ioc_extent, member, kind, label)

static const char *const flag_names[] = { "unwritten", NULL };

static const struct field fields[] = {
	F(logical, NUMBER, "LOGICAL"),
	F(physical, NUMBER, "PHYSICAL"),
	F(length, BYTES, "LENGTH"),
	F(pinned_blocks, NUMBER, "PINNED"),
	F(pins, NUMBER, "PINS"),
	FIELD_NAMES(struct pinfs_ioc_extent, flags, BITS, "FLAGS", flag_names),
	FIELD_END,
};

static int fetch(int fd, struct ioc_list *list)
{
	if (ioc_scope(fd) == PINFS_SCOPE_FILE)
		return ioc_list_map(fd, list);
	*list = (struct ioc_list){ .count = 0 };
	return -EISDIR;
}

static enum cmd_exit run(struct cmd_line *line)
{
	return listing_run(line, fields, fetch, sizeof(struct pinfs_ioc_extent),
			   "no blocks");
}

static const struct cmd_option options[] = { CMD_JSON, CMD_OPTIONS_END };

const struct command cmd_map = {
	.name = "map",
	.operands = "FILE",
	.summary = "Lists a file's extents and the pins on them",
	.details = "PHYSICAL counts from the pool's start, PINNED the blocks "
		   "of the extent that\nare pinned, PINS all pins on them.\n",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};
