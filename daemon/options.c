// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "common/tool.h"
#include "daemon.h"

#define CPUS_MIN      2
#define CPUS_MAX      32
#define THREADS_MAX   1024u
#define DEPTH_MIN     16u
#define DEPTH_MAX     4096u
#define DEPTH	      64u
#define BREAK_WARN_NS (10 * NSEC_PER_SEC)

enum { KEY_HELP = 1, KEY_VERSION, KEY_FOREGROUND, KEY_DEBUG };

/* FUSE_OPT_KEY() with a constant that no compiler frowns upon. */
#define KEY(text, key)              \
	{                           \
		text, UINT_MAX, key \
	}

static const struct fuse_opt flags[] = {
	KEY("-h", KEY_HELP),	   KEY("--help", KEY_HELP),
	KEY("-V", KEY_VERSION),	   KEY("--version", KEY_VERSION),
	KEY("-f", KEY_FOREGROUND), KEY("-d", KEY_DEBUG),
	KEY("debug", KEY_DEBUG),   FUSE_OPT_END,
};

static void help(void)
{
	printf("Usage: " PROGRAM " [OPTION]... POOL MOUNTPOINT\n"
	       "Mounts a pinfs pool, and returns when the mount is live.\n"
	       "\n"
	       "  -f           stay in the foreground\n"
	       "  -d           the same, and print what the kernel asks for\n"
	       "  -o OPT,...   mount options:\n"
	       "    dax=always|inode|never  page cache for file data: never, "
	       "as the file's\n"
	       "                            FS_XFLAG_DAX says (default), "
	       "always\n"
	       "    layout_scope=file|range what a layout change waits for: all DMA\n"
	       "                            of the file, or what it unmaps or moves\n"
	       "    break_timeout=TIME      it fails with EBUSY after that "
	       "(0, default: never)\n"
	       "    break_warn=TIME         it is logged after that (default "
	       "10, 0: never)\n"
	       "    threads=N               that serve requests\n"
	       "    io_uring                requests through io_uring, if libfuse and the\n"
	       "                            kernel have it\n"
	       "    io_uring_q_depth=N      how many at a time, for each CPU (64)\n"
	       "    ro, allow_other, ...    those of mount.fuse3(8)\n"
	       "  --help       print this and exit\n"
	       "  --version    print the version and exit\n"
	       "\n"
	       "TIME is in seconds, or with ms, s, m. fusermount3 -u "
	       "MOUNTPOINT unmounts.\n");
}

/* --- options with a meaning here ------------------------------------------ */

static void bad_value(const char *option, const char *want)
{
	tool_die(TOOL_USAGE, "%s: %s expected", option, want);
}

static void take_dax(struct options *opt, const char *option, const char *value)
{
	if (!strcmp(value, "always"))
		opt->fs.dax = FS_DAX_ALWAYS;
	else if (!strcmp(value, "inode"))
		opt->fs.dax = FS_DAX_INODE;
	else if (!strcmp(value, "never"))
		opt->fs.dax = FS_DAX_NEVER;
	else
		bad_value(option, "always, inode or never");
}

static void take_scope(struct options *opt, const char *option,
		       const char *value)
{
	if (!strcmp(value, "file"))
		opt->fs.scope_range = false;
	else if (!strcmp(value, "range"))
		opt->fs.scope_range = true;
	else
		bad_value(option, "file or range");
}

static void take_duration(const char *option, const char *value, uint64_t *ns)
{
	if (tool_parse_duration(value, ns))
		bad_value(option, "a time such as 10, 500ms or 2m");
}

static void take_timeout(struct options *opt, const char *option,
			 const char *value)
{
	take_duration(option, value, &opt->fs.break_timeout_ns);
}

static void take_warn(struct options *opt, const char *option,
		      const char *value)
{
	take_duration(option, value, &opt->fs.break_warn_ns);
}

static void take_threads(struct options *opt, const char *option,
			 const char *value)
{
	uint64_t n = 0;

	if (tool_parse_size(value, &n) || n < 1 || n > THREADS_MAX)
		bad_value(option, "a number from 1 to 1024");
	opt->threads = (unsigned int)n;
}

static void take_depth(struct options *opt, const char *option,
		       const char *value)
{
	uint64_t n = 0;

	if (tool_parse_size(value, &n) || n < DEPTH_MIN || n > DEPTH_MAX)
		bad_value(option, "a number from 16 to 4096");
	opt->io_uring_depth = (unsigned int)n;
}

/* keep: libfuse is to know of it as well */
static const struct {
	const char *name; /* a value follows what ends in '=' */
	void (*take)(struct options *opt, const char *option,
		     const char *value);
	size_t flag; /* or a flag to set */
	bool keep;
} known[] = {
	{ "dax=", take_dax, 0, false },
	{ "layout_scope=", take_scope, 0, false },
	{ "break_timeout=", take_timeout, 0, false },
	{ "break_warn=", take_warn, 0, false },
	{ "threads=", take_threads, 0, false },
	{ "io_uring_q_depth=", take_depth, 0, false },
	{ "io_uring", NULL, offsetof(struct options, io_uring), false },
	{ "ro", NULL, offsetof(struct options, fs.read_only), true },
	{ "allow_other", NULL, offsetof(struct options, allow_other), true },
	{ "fsname=", NULL, offsetof(struct options, fsname), true },
	{ "subtype=", NULL, offsetof(struct options, subtype), true },
	/* Always set, so given once is enough. */
	{ "default_permissions", NULL, 0, false },
};

static bool matches(const char *option, const char *name, const char **value)
{
	size_t n = strlen(name);

	*value = option + n;
	if (name[n - 1] == '=')
		return strncmp(option, name, n) == 0;
	return strcmp(option, name) == 0;
}

/* Returns 1 if the option is one for libfuse. */
static int take_option(struct options *opt, const char *option)
{
	const char *value;
	size_t i;

	if (option[0] == '-')
		tool_die(TOOL_USAGE,
			 "%s: unknown option; see " PROGRAM " --help", option);
	if (!strcmp(option, "rw"))
		opt->fs.read_only = false;
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		if (!matches(option, known[i].name, &value))
			continue;
		if (known[i].take)
			known[i].take(opt, option, value);
		else if (known[i].flag)
			*(bool *)((char *)opt + known[i].flag) = true;
		return known[i].keep;
	}
	return 1;
}

static int take_operand(struct options *opt, const char *arg)
{
	if (!opt->pool)
		opt->pool = arg;
	else if (!opt->mountpoint)
		opt->mountpoint = arg;
	else
		tool_die(TOOL_USAGE,
			 "%s: one operand too many; see " PROGRAM " --help",
			 arg);
	return 0;
}

static int take_arg(void *data, const char *arg, int key, struct fuse_args *out)
{
	struct options *opt = data;

	(void)out;
	switch (key) {
	case KEY_HELP:
		help();
		exit(TOOL_DONE);
	case KEY_VERSION:
		tool_version(PROGRAM);
		exit(TOOL_DONE);
	case KEY_DEBUG:
		opt->debug = true;
		opt->foreground = true;
		return 0;
	case KEY_FOREGROUND:
		opt->foreground = true;
		return 0;
	case FUSE_OPT_KEY_NONOPT:
		return take_operand(opt, strdup(arg));
	default:
		return take_option(opt, arg);
	}
}

unsigned int options_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (cpus < CPUS_MIN)
		return CPUS_MIN;
	return cpus > CPUS_MAX ? CPUS_MAX : (unsigned int)cpus;
}

static void set_defaults(struct options *opt)
{
	opt->io_uring_depth = DEPTH;
	opt->fs.workers = options_cpus();
	opt->fs.break_warn_ns = BREAK_WARN_NS;
}

void options_parse(struct options *opt, int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);

	*opt = (struct options){ .pool = NULL };
	set_defaults(opt);
	if (fuse_opt_parse(&args, opt, flags, take_arg))
		exit(TOOL_USAGE);
	if (!opt->pool || !opt->mountpoint)
		tool_die(TOOL_USAGE,
			 "a pool and a mount point expected; see " PROGRAM
			 " --help");
	opt->fuse = args;
}

int options_add(struct options *opt, const char *name, const char *value)
{
	char *text = NULL, *escaped = NULL;
	int err = -ENOMEM;

	if (asprintf(&text, "%s%s", name, value ? value : "") < 0)
		return -ENOMEM;
	/* A comma in a pool's name is not the end of the option. */
	if (fuse_opt_add_opt_escaped(&escaped, text) == 0 &&
	    fuse_opt_add_arg(&opt->fuse, "-o") == 0 &&
	    fuse_opt_add_arg(&opt->fuse, escaped) == 0)
		err = 0;
	free(escaped);
	free(text);
	return err;
}

void options_free(struct options *opt)
{
	fuse_opt_free_args(&opt->fuse);
	free((char *)opt->pool);
	free((char *)opt->mountpoint);
}
