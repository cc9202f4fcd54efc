// SPDX-License-Identifier: BSD-3-Clause
/* pinfs: looks at pools and mounts, and runs emulated DMA. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "cmd.h"
#include "common/tool.h"

static const struct command *const commands[] = {
	&cmd_info,     &cmd_map,    &cmd_pins, &cmd_breaks,
	&cmd_stats,    &cmd_trace,  &cmd_dma,  &cmd_cancel,
	&cmd_collapse, &cmd_insert, &cmd_dump,
};

static void help(void)
{
	size_t i;

	printf("Usage: pinfs COMMAND [OPTION]... OPERAND...\n"
	       "Looks at pinfs pools and mounts, and runs DMA on their files."
	       "\n\nCommands:\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
	printf("\nOptions:\n"
	       "  --help     print this and exit\n"
	       "  --version  print the version and exit\n"
	       "\npinfs COMMAND --help says more of each; so does pinfs(1).\n");
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static enum cmd_exit run(int argc, char **argv)
{
	struct cmd_line line = { .argc = argc - 1, .argv = argv + 1 };

	if (argc < 2) {
		log_error("missing command; see pinfs --help");
		return CMD_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		help();
		return CMD_DONE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		tool_version("pinfs");
		return CMD_DONE;
	}
	line.cmd = find_command(argv[1]);
	if (!line.cmd) {
		log_error("%s: unknown command; see pinfs --help", argv[1]);
		return CMD_USAGE;
	}
	return line.cmd->run(&line);
}

int main(int argc, char **argv)
{
	enum cmd_exit rc;

	setlocale(LC_CTYPE, "");
	log_init("pinfs");
	rc = run(argc, argv);
	/* What could not be printed was not done. */
	if (fflush(stdout) || ferror(stdout)) {
		log_error("standard output: %s", strerror(errno));
		if (rc == CMD_DONE)
			rc = CMD_FAILED;
	}
	return (int)rc;
}
