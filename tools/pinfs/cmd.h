/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The subcommands of pinfs: each is one structure in a file of its own, and
 * one line in main.c.
 */
#ifndef PINFS_CMD_H
#define PINFS_CMD_H

#include <getopt.h>
#include <stdbool.h>

enum cmd_exit {
	CMD_DONE = 0,
	CMD_FAILED = 1,
	CMD_USAGE = 2,
};

/* Values of options that every subcommand understands in the same way. */
enum {
	CMD_OPT_END = 0,
	CMD_OPT_BAD = -1, /* said so on stderr */
	CMD_OPT_HELP = 1000,
	CMD_OPT_JSON,
};

#define CMD_MAX_OPTIONS 24

/* struct cmd_option - one long option; a table of them ends with no name */
struct cmd_option {
	const char *name;
	const char *arg; /* what follows it, NULL: nothing */
	int val; /* what cmd_option() returns, above 0 */
	const char *help;
};

#define CMD_JSON                                                            \
	{                                                                   \
		"json", NULL, CMD_OPT_JSON, "print JSON, with raw integers" \
	}
#define CMD_OPTIONS_END             \
	{                           \
		NULL, NULL, 0, NULL \
	}

struct cmd_line;

struct command {
	const char *name;
	const char *operands;
	const char *summary;
	const char *details; /* more for --help, or NULL */
	const struct cmd_option *options;
	int min_operands, max_operands;
	enum cmd_exit (*run)(struct cmd_line *line);
};

/* struct cmd_line - a subcommand's arguments, argv[0] its name */
struct cmd_line {
	const struct command *cmd;
	int argc;
	char **argv;
	bool json;
	char **operand; /* set at CMD_OPT_END, ends with NULL */
	int operands;
	struct option longopt[CMD_MAX_OPTIONS + 2];
};

/*
 * cmd_next_option - the next option's val, its argument in optarg
 *
 * CMD_OPT_END: no more, and the number of operands is right.
 * CMD_OPT_BAD: wrong, and said so.  --help prints and exits.
 */
int cmd_next_option(struct cmd_line *line);

/* cmd_usage - say what is wrong with the arguments; returns CMD_USAGE */
enum cmd_exit cmd_usage(const struct command *cmd, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void cmd_help(const struct command *cmd);

/* cmd_only_json - parse the line of a subcommand with no option but --json */
bool cmd_only_json(struct cmd_line *line);

extern const struct command cmd_info;
extern const struct command cmd_map;
extern const struct command cmd_pins;
extern const struct command cmd_breaks;
extern const struct command cmd_stats;
extern const struct command cmd_trace;
extern const struct command cmd_dma;
extern const struct command cmd_cancel;
extern const struct command cmd_collapse;
extern const struct command cmd_insert;
extern const struct command cmd_dump;

#endif
