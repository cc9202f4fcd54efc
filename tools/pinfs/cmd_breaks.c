// SPDX-License-Identifier: BSD-3-Clause
/* pinfs breaks: layout changes that wait for a file to be idle. */
#include "listing.h"

#define F(member, kind, label) \
	FIELD(struct pinfs_ioc_break, member, kind, label)
#define F_NAMES(member, kind, label, names) \
	FIELD_NAMES(struct pinfs_ioc_break, member, kind, label, names)

static const char *const states[] = {
	[PINFS_BREAK_WAITING] = "waiting",
	[PINFS_BREAK_RUNNING] = "running",
	NULL,
};

static const struct field fields[] = {
	F(id, NUMBER, "BREAK"),
	F_NAMES(change, NAMED, "OPERATION", listing_change),
	F_NAMES(state, NAMED, "STATE", states),
	F(offset, NUMBER, "OFFSET"),
	F(length, BYTES, "LENGTH"),
	F(age_ns, NS, "AGE"),
	F(pid, NUMBER, "PID"),
	F(uid, NUMBER, NULL),
	F(comm, TEXT, "COMMAND"),
	F(waits_for_pins, NUMBER, "PINSETS"),
	F(ahead, NUMBER, "AHEAD"),
	F(waits_for, NUMBER, "WAITS-FOR"),
	F(ino, NUMBER, "INODE"),
	F(name, TEXT, "FILE"),
	FIELD_END,
};

static int fetch(int fd, struct ioc_list *list)
{
	return ioc_list_breaks(fd, ioc_scope(fd), list);
}

static enum cmd_exit run(struct cmd_line *line)
{
	return listing_run(line, fields, fetch, sizeof(struct pinfs_ioc_break),
			   "no breaks");
}

static const struct cmd_option options[] = { CMD_JSON, CMD_OPTIONS_END };

const struct command cmd_breaks = {
	.name = "breaks",
	.operands = "MNT|FILE",
	.summary = "Lists the deferred operations of a mount or a file",
	.details =
		"OFFSET of a truncate is the new size. PID and COMMAND are of "
		"the process that\n"
		"waits, PINSETS counts the pin sets that hold "
		"the operation up, AHEAD the breaks of\nthe file that come "
		"first, WAITS-FOR is one of either.\n",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};
