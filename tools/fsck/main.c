// SPDX-License-Identifier: BSD-3-Clause
/* fsck.pinfs: checks a pool. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "common/tool.h"
#include "fsck.h"

#define PROGRAM "fsck.pinfs"

/* The bits of fsck(8)'s exit code. */
enum fsck_exit {
	FSCK_CLEAN = 0,
	FSCK_UNCORRECTED = 4,
	FSCK_ERROR = 8,
	FSCK_USAGE = 16,
};

struct args {
	bool json;
	bool verbose;
	bool repair; /* asked for with -p or -y */
	const char *path;
};

static void help(void)
{
	printf("Usage: " PROGRAM " [-n|-p|-y] [-v] [--json] POOL\n"
	       "Checks the pinfs file system in POOL, which must not be "
	       "mounted.\n"
	       "\n"
	       "  -n             check only (and what happens without it, "
	       "too)\n"
	       "  -p, -a, -y     check, and say that this version repairs "
	       "nothing\n"
	       "                 if there is something to repair\n"
	       "  -v, --verbose  say what the repair would be, and what was "
	       "counted\n"
	       "      --json     print one JSON object\n"
	       "      --codes    print the table of findings and exit\n"
	       "      --help     print this and exit\n"
	       "      --version  print the version and exit\n"
	       "\n"
	       "The exit code is a sum: 0 nothing found, 4 something found, "
	       "8 could not\n"
	       "check (or not repair), 16 bad usage.\n");
}

static void usage(const char *what)
{
	if (what)
		log_error("%s", what);
	fprintf(stderr, "Try '" PROGRAM " --help'.\n");
	exit(FSCK_USAGE);
}

static void parse_option(struct args *a, int opt)
{
	switch (opt) {
	case 'n':
		break;
	case 'a':
	case 'p':
	case 'y':
		a->repair = true;
		break;
	case 'v':
		a->verbose = true;
		break;
	case 'j':
		a->json = true;
		break;
	case 'c':
		findings_codes();
		exit(FSCK_CLEAN);
	case 'h':
		help();
		exit(FSCK_CLEAN);
	case 'V':
		tool_version(PROGRAM);
		exit(FSCK_CLEAN);
	default:
		usage(NULL);
	}
}

static void parse(struct args *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "verbose", no_argument, NULL, 'v' },
		{ "json", no_argument, NULL, 'j' },
		{ "codes", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "napyv", options, NULL)) != -1)
		parse_option(a, opt);
	if (argc - optind < 1)
		usage("which POOL?");
	if (argc - optind > 1)
		usage("one POOL at a time");
	a->path = argv[optind];
}

/* What cannot be read arrives as a signal, for the pool is mapped. */
static void on_sigbus(int sig)
{
	static const char text[] = PROGRAM
		": the pool cannot be read: the medium fails\n";
	ssize_t n;

	(void)sig;
	n = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)n;
	_exit(FSCK_ERROR);
}

static int open_pool(const struct args *a, struct pool **pool)
{
	struct pool_owner owner;
	int err;

	err = pool_open(a->path, POOL_PRIVATE, pool, &owner);
	if (err == -EBUSY)
		log_error("%s: it is in use%s%s; unmount it first", a->path,
			  owner.text[0] ? " by " : "", owner.text);
	else if (err == -ENOSPC)
		log_error("%s: it is shorter than a block: there is no pinfs "
			  "file system in it",
			  a->path);
	else if (err)
		log_error("%s: %s", a->path, tool_why(err));
	return err;
}

static int check(struct fsck *f)
{
	static int (*const passes[])(struct fsck * f) = {
		pass_super, pass_itable,  pass_inodes, pass_dirs,
		pass_links, pass_orphans, pass_space,
	};
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(passes); i++) {
		err = passes[i](f);
		if (err)
			return err;
	}
	findings_note(f->findings, "files", f->files);
	findings_note(f->findings, "directories", f->dirs);
	findings_note(f->findings, "others", f->others);
	findings_note(f->findings, "clean", f->was_clean);
	findings_note(f->findings, "replayed", f->replayed);
	return 0;
}

static void release(struct fsck *f)
{
	if (f->info)
		munmap(f->info, f->info_bytes);
	free(f->itable);
	bits_close(&f->used);
	bits_close(&f->walked);
	pool_close(f->pool);
}

/* result - say how it ended; returns the exit code */
static int result(const struct args *a, uint64_t count, int err)
{
	int code = count ? FSCK_UNCORRECTED : FSCK_CLEAN;

	if (err) {
		log_error("%s: could not be checked to the end: %s", a->path,
			  tool_why(err));
		return code | FSCK_ERROR;
	}
	if (count && a->repair) {
		log_error("%s: this version only checks: nothing was repaired; "
			  "copy what can be read to a new pool",
			  a->path);
		return code | FSCK_ERROR;
	}
	if (a->verbose && !a->json)
		printf("%s: %s\n", a->path,
		       count ? "damaged" : "nothing is wrong");
	return code;
}

int main(int argc, char **argv)
{
	struct args a = { 0 };
	struct fsck f = { 0 };
	uint64_t count;
	int err;

	log_init(PROGRAM);
	parse(&a, argc, argv);
	signal(SIGBUS, on_sigbus);
	if (open_pool(&a, &f.pool))
		return FSCK_ERROR;
	f.findings = findings_new(a.path, a.json, a.verbose);
	if (!f.findings) {
		pool_close(f.pool);
		tool_die(FSCK_ERROR, "out of memory");
	}
	err = check(&f);
	count = findings_count(f.findings);
	findings_end(f.findings, !err);
	release(&f);
	return result(&a, count, err);
}
