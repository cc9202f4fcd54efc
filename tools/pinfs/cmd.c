// SPDX-License-Identifier: BSD-3-Clause
/* A subcommand's options: from its table to getopt_long(3) and to --help. */
#include "cmd.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum cmd_exit cmd_usage(const struct command *cmd, const char *fmt, ...)
{
	char why[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	log_error("%s: %s; see pinfs %s --help", cmd->name, why, cmd->name);
	return CMD_USAGE;
}

void cmd_help(const struct command *cmd)
{
	const struct cmd_option *o;
	char left[64];

	printf("Usage: pinfs %s [OPTION]... %s\n%s.\n", cmd->name,
	       cmd->operands, cmd->summary);
	if (cmd->details)
		printf("\n%s", cmd->details);
	printf("\nOptions:\n");
	for (o = cmd->options; o->name; o++) {
		snprintf(left, sizeof(left), "--%s%s%s", o->name,
			 o->arg ? "=" : "", o->arg ? o->arg : "");
		printf("  %-24s %s\n", left, o->help);
	}
	printf("  %-24s %s\n", "--help", "print this and exit");
}

static void make_longopts(struct cmd_line *line)
{
	const struct cmd_option *o = line->cmd->options;
	size_t n = 0;

	for (; o->name; o++) {
		assert(n < CMD_MAX_OPTIONS);
		line->longopt[n++] = (struct option){
			.name = o->name,
			.has_arg = o->arg ? required_argument : no_argument,
			.val = o->val,
		};
	}
	line->longopt[n++] = (struct option){
		.name = "help",
		.has_arg = no_argument,
		.val = CMD_OPT_HELP,
	};
	line->longopt[n] = (struct option){ .name = NULL };
}

static int take_operands(struct cmd_line *line)
{
	line->operand = line->argv + optind;
	line->operands = line->argc - optind;
	if (line->operands < line->cmd->min_operands)
		cmd_usage(line->cmd, "missing operand, %s expected",
			  line->cmd->operands);
	else if (line->operands > line->cmd->max_operands)
		cmd_usage(line->cmd, "%s: one operand too many",
			  line->operand[line->cmd->max_operands]);
	else
		return CMD_OPT_END;
	return CMD_OPT_BAD;
}

static int bad_option(const struct cmd_line *line, int how)
{
	const char *arg = line->argv[optind - 1];

	if (how == ':')
		cmd_usage(line->cmd, "%s: needs an argument", arg);
	else if (optopt > ' ' && optopt < CMD_OPT_HELP && arg[1] != '-')
		cmd_usage(line->cmd, "-%c: unknown option", optopt);
	else if (optopt)
		cmd_usage(line->cmd, "%s: takes no argument", arg);
	else
		cmd_usage(line->cmd, "%s: unknown or ambiguous option", arg);
	return CMD_OPT_BAD;
}

int cmd_next_option(struct cmd_line *line)
{
	int val;

	if (!line->longopt[0].name) {
		make_longopts(line);
		optind = 1;
		opterr = 0;
	}
	val = getopt_long(line->argc, line->argv, ":", line->longopt, NULL);
	switch (val) {
	case -1:
		return take_operands(line);
	case ':':
	case '?':
		return bad_option(line, val);
	case CMD_OPT_HELP:
		cmd_help(line->cmd);
		exit(CMD_DONE);
	case CMD_OPT_JSON:
		line->json = true;
		break;
	}
	return val;
}

bool cmd_only_json(struct cmd_line *line)
{
	int opt;

	do {
		opt = cmd_next_option(line);
	} while (opt > 0);
	return opt == CMD_OPT_END;
}
