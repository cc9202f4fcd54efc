// SPDX-License-Identifier: BSD-3-Clause
/* pinfs pins: the live pin sets. */
#include "listing.h"

#define F(member, kind, label) FIELD(struct pinfs_ioc_pin, member, kind, label)
#define F_NAMES(member, kind, label, names) \
	FIELD_NAMES(struct pinfs_ioc_pin, member, kind, label, names)

static const struct field fields[] = {
	F(id, NUMBER, "PINSET"),
	F(begin, NUMBER, NULL),
	F_NAMES(direction, NAMED, "DIRECTION", listing_direction),
	F(waiting, BOOL, "WAITS"),
	F(cancelled, BOOL, "CANCELLED"),
	F(offset, NUMBER, "OFFSET"),
	F(length, BYTES, "LENGTH"),
	F(done, BYTES, "DONE"),
	F(blocks, NUMBER, "BLOCKS"),
	F(age_ns, NS, "AGE"),
	F(pid, NUMBER, "PID"),
	F(uid, NUMBER, NULL),
	F(comm, TEXT, "COMMAND"),
	F_NAMES(engine, NAMED, "ENGINE", listing_engine),
	F(ino, NUMBER, "INODE"),
	F(name, TEXT, "FILE"),
	FIELD_END,
};

static int fetch(int fd, struct ioc_list *list)
{
	return ioc_list_pins(fd, ioc_scope(fd), list);
}

static enum cmd_exit run(struct cmd_line *line)
{
	return listing_run(line, fields, fetch, sizeof(struct pinfs_ioc_pin),
			   "no pin sets");
}

static const struct cmd_option options[] = { CMD_JSON, CMD_OPTIONS_END };

const struct command cmd_pins = {
	.name = "pins",
	.operands = "MNT|FILE",
	.summary = "Lists the live pin sets of a mount or a file",
	.details = "A pin set of several ranges has a line for each. WAITS: it "
		   "waits behind a break\nand holds nothing yet. CANCELLED: it "
		   "ends when the kernel has finished the I/O.\n",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};
