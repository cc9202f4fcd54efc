// SPDX-License-Identifier: BSD-3-Clause
/* fsck.pinfs: checks a pool. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/tool.h"
#include "fsck.h"
#include "progress.h"
#include "repair.h"

#define PROGRAM "fsck.pinfs"

/* The bits of fsck(8)'s exit code. */
enum fsck_exit {
	FSCK_CLEAN = 0,
	FSCK_CORRECTED = 1,
	FSCK_UNCORRECTED = 4,
	FSCK_ERROR = 8,
	FSCK_USAGE = 16,
	FSCK_CANCELLED = 32,
};

struct args {
	bool json;
	bool verbose;
	int mode; /* the option that chose it, or 0 */
	const char *path;
};

static void help(void)
{
	printf("Usage: " PROGRAM " [-n|-p|-y] [-v] [--json] POOL\n"
	       "Checks and repairs the pinfs file system in POOL, which must "
	       "not be mounted.\n"
	       "\n"
	       "  -n             check only (and what happens without it, "
	       "too)\n"
	       "  -p, -a         repair if no repair can lose anything\n"
	       "  -y             repair all\n"
	       "  -v, --verbose  say what the repair is, and what was counted\n"
	       "      --json     print one JSON object\n"
	       "      --codes    print the table of findings and exit\n"
	       "      --help     print this and exit\n"
	       "      --version  print the version and exit\n"
	       "\n"
	       "The exit code is a sum: 0 nothing found, 1 repaired, 4 found "
	       "and not\n"
	       "repaired, 8 could not check or repair, 16 bad usage, 32 "
	       "cancelled.\n");
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
	case 'a':
		opt = 'p';
		/* fallthrough */
	case 'n':
	case 'p':
	case 'y':
		if (a->mode && a->mode != opt)
			usage("one of -n, -p and -y");
		a->mode = opt;
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

static void on_cancel(int sig)
{
	(void)sig;
	fsck_cancel();
}

static void catch_signals(void (*cancel)(int sig))
{
	struct sigaction sa = { .sa_handler = cancel, .sa_flags = SA_RESTART };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

static int open_pool(const struct args *a, unsigned int flags,
		     struct pool **pool)
{
	struct pool_owner owner;
	int err;

	err = pool_open(a->path, flags, pool, &owner);
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

/*
 * open_pools - the private mapping, to check, and, for a repair, the one to
 *              write to, which has the claim
 */
static int open_pools(const struct args *a, struct fsck *f, struct pool **to)
{
	int err;

	*to = NULL;
	if (a->mode != 'p' && a->mode != 'y')
		return open_pool(a, POOL_PRIVATE, &f->pool);
	err = open_pool(a, 0, to);
	if (!err)
		err = open_pool(a, POOL_PRIVATE | POOL_NO_CLAIM, &f->pool);
	if (err)
		pool_close(*to);
	return err;
}

static int repair(struct fsck *f, const struct args *a, struct pool *to)
{
	int err;

	findings_set_mode(f->findings,
			  a->mode == 'y' ? FSCK_REPAIR : FSCK_PREEN);
	err = repair_open(f);
	if (!err)
		err = fsck_repair(f);
	if (err || findings_left(f->findings))
		return err;
	/* Now it is worse to stop than to go on. */
	catch_signals(SIG_IGN);
	if (fsck_is_cancelled())
		return -ECANCELED;
	err = fsck_write(f, to);
	if (!err && findings_count(f->findings))
		findings_repaired(f->findings);
	return err;
}

static int failed(const struct args *a, int err)
{
	if (err == -ECANCELED) {
		log_error("%s: cancelled; nothing was changed", a->path);
		return FSCK_CANCELLED;
	}
	if (err == -EUCLEAN && a->mode == 'y')
		log_error("%s: it cannot be repaired: copy what can be read to "
			  "a new pool",
			  a->path);
	else if (err == -ENOSPC)
		log_error("%s: there is no room for the repair, in the pool or "
			  "on its disk",
			  a->path);
	else
		log_error("%s: could not be checked to the end: %s", a->path,
			  tool_why(err));
	return FSCK_ERROR;
}

/* result - say how it ended; returns the exit code */
static int result(const struct args *a, uint64_t count, uint64_t left, int err)
{
	bool repairing = a->mode == 'p' || a->mode == 'y';
	int code = !count		      ? FSCK_CLEAN :
		   repairing && !left && !err ? FSCK_CORRECTED :
						FSCK_UNCORRECTED;

	if (err)
		return code | failed(a, err);
	if (left && a->mode == 'p')
		log_error("%s: nothing was repaired: run fsck.pinfs -y",
			  a->path);
	else if (left && a->mode == 'y')
		log_error("%s: nothing was repaired: a newer fsck.pinfs has to",
			  a->path);
	if (a->verbose && !a->json)
		printf("%s: %s\n", a->path,
		       code == FSCK_CLEAN     ? "nothing is wrong" :
		       code == FSCK_CORRECTED ? "repaired" :
						"damaged");
	return code;
}

int main(int argc, char **argv)
{
	struct args a = { 0 };
	struct fsck f = { 0 };
	uint64_t count, left;
	struct pool *to;
	int err;

	log_init(PROGRAM);
	parse(&a, argc, argv);
	signal(SIGBUS, on_sigbus);
	catch_signals(on_cancel);
	if (open_pools(&a, &f, &to))
		return FSCK_ERROR;
	f.findings = findings_new(a.path, a.json, a.verbose);
	if (!f.findings)
		tool_die(FSCK_ERROR, "out of memory");
	if (!a.json)
		progress_enable();
	err = to ? repair(&f, &a, to) : fsck_check(&f);
	count = findings_count(f.findings);
	left = findings_left(f.findings);
	findings_end(f.findings, !err);
	fsck_release(&f);
	pool_close(f.pool);
	pool_close(to);
	return result(&a, count, left, err);
}
