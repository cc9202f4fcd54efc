// SPDX-License-Identifier: BSD-3-Clause
/*
 * mount.fuse.pinfs: what mount(8) runs for file systems of type fuse.pinfs.
 *
 * It turns mount's options into the daemon's and becomes the daemon, which
 * returns when the mount is live.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/tool.h"
#include "options.h"

#define PROGRAM "mount.fuse.pinfs"
#define DAEMON	"pinfsd"

struct args {
	const char *pool;
	const char *mountpoint;
	struct options options;
	bool fake; /* do everything but mount */
	bool verbose;
};

static void help(void)
{
	printf("Usage: " PROGRAM " POOL MOUNTPOINT [-o OPT,...]\n"
	       "Mounts a pinfs pool; mount -t fuse.pinfs runs it.\n"
	       "\n"
	       "  -o OPT,...   options of " DAEMON " and of mount(8)\n"
	       "  -r           the same as -o ro\n"
	       "  -f           check the arguments, mount nothing\n"
	       "  -v           print the command that is run\n"
	       "  -n, -s, -w, -t TYPE  accepted, for mount(8) passes them on\n"
	       "  --help       print this and exit\n"
	       "  --version    print the version and exit\n");
}

static void no_memory(void)
{
	tool_die(TOOL_FAILED, "%s", strerror(ENOMEM));
}

static void bad_option(char **argv, int opt)
{
	const char *why = opt == ':' ? "needs an argument" : "unknown option";

	if (optopt)
		tool_die(TOOL_USAGE, "-%c: %s; see " PROGRAM " --help", optopt,
			 why);
	tool_die(TOOL_USAGE, "%s: %s; see " PROGRAM " --help", argv[optind - 1],
		 why);
}

static void take_option(struct args *a, int opt, char **argv)
{
	switch (opt) {
	case 'o':
		if (options_add(&a->options, optarg))
			no_memory();
		break;
	case 'r':
		if (options_add(&a->options, "ro"))
			no_memory();
		break;
	case 'f':
		a->fake = true;
		break;
	case 'v':
		a->verbose = true;
		break;
	case 'n':
	case 's':
	case 't':
	case 'w':
		break;
	case 'h':
		help();
		exit(TOOL_DONE);
	case 'V':
		tool_version(PROGRAM);
		exit(TOOL_DONE);
	default:
		bad_option(argv, opt);
	}
}

static void parse(struct args *a, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":o:t:fnrsvw", longopts, NULL)) !=
	       -1)
		take_option(a, opt, argv);
	if (argc - optind != 2)
		tool_die(TOOL_USAGE, "%s; see " PROGRAM " --help",
			 argc - optind < 2 ?
				 "a pool and a mount point expected" :
				 "one operand too many");
	a->pool = argv[optind];
	a->mountpoint = argv[optind + 1];
}

/*
 * What root mounts may have devices and set-id programs, as on any other file
 * system, unless he says otherwise; FUSE's own default is the contrary.
 */
static void add_defaults(struct options *o)
{
	if (geteuid() != 0)
		return;
	if (!o->dev && options_append(o, "dev"))
		no_memory();
	if (!o->suid && options_append(o, "suid"))
		no_memory();
}

/* The daemon beside this very program; NULL if there is none. */
static char *daemon_beside(void)
{
	char self[4096], *path;
	ssize_t n;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0)
		return NULL;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	if (asprintf(&path, "%s/" DAEMON, self) < 0)
		no_memory();
	if (!access(path, X_OK))
		return path;
	free(path);
	return NULL;
}

static void run_daemon(const struct args *a)
{
	char *beside = daemon_beside();
	const char *argv[8];
	size_t i, n = 0;

	argv[n++] = beside ? beside : DAEMON;
	if (a->options.text) {
		argv[n++] = "-o";
		argv[n++] = a->options.text;
	}
	if (a->pool[0] == '-' || a->mountpoint[0] == '-')
		argv[n++] = "--";
	argv[n++] = a->pool;
	argv[n++] = a->mountpoint;
	argv[n] = NULL;
	for (i = 0; a->verbose && i < n; i++)
		printf("%s%c", argv[i], i + 1 < n ? ' ' : '\n');
	fflush(stdout);
	if (a->fake)
		exit(TOOL_DONE);
	execvp(argv[0], (char *const *)argv);
	tool_die(TOOL_FAILED,
		 "%s: %s; install it beside " PROGRAM
		 " or in a directory of PATH",
		 argv[0], strerror(errno));
}

int main(int argc, char **argv)
{
	struct args a = { .fake = false };

	log_init(PROGRAM);
	parse(&a, argc, argv);
	if (a.options.remount && !a.fake)
		remount(a.mountpoint, &a.options);
	add_defaults(&a.options);
	run_daemon(&a);
	return TOOL_FAILED;
}
