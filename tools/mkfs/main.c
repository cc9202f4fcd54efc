// SPDX-License-Identifier: BSD-3-Clause
/* mkfs.pinfs: makes a pool. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "common/tool.h"
#include "format/csum.h"
#include "format/make.h"
#include "pool/pool.h"
#include "probe.h"

#define PROGRAM "mkfs.pinfs"

struct args {
	bool force;
	bool dry_run;
	bool quiet;
	uint64_t size; /* 0: what is there */
	const char *path;
	struct format_options format;
};

static void help(void)
{
	printf("Usage: " PROGRAM " [OPTION]... POOL\n"
	       "Makes an empty pinfs file system in the file or device POOL.\n"
	       "\n"
	       "  -s, --size=SIZE    make POOL, a file of SIZE bytes (K, M, G, "
	       "T), sparse\n"
	       "  -L, --label=LABEL  its name, up to 64 bytes\n"
	       "  -U, --uuid=UUID    its UUID rather than a random one\n"
	       "  -f, --force        overwrite a file system that is there; "
	       "with -s,\n"
	       "                     change the size of a file that is there\n"
	       "  -n, --dry-run      say what would be done, and do nothing\n"
	       "  -q, --quiet        say nothing unless it fails\n"
	       "      --help         print this and exit\n"
	       "      --version      print the version and exit\n"
	       "\n"
	       "A pool that is mounted, or in use in another way, is never "
	       "touched.\n");
}

static void usage(const char *what)
{
	if (what)
		log_error("%s", what);
	fprintf(stderr, "Try '" PROGRAM " --help'.\n");
	exit(TOOL_USAGE);
}

static void parse_size(struct args *a, const char *text)
{
	if (tool_parse_size(text, &a->size) || !a->size)
		tool_die(TOOL_USAGE, "-s %s: not a size, such as 512M or 4G",
			 text);
}

static void parse_label(struct args *a, const char *text)
{
	if (strlen(text) > PINFS_LABEL_MAX)
		tool_die(TOOL_USAGE, "-L %s: longer than %d bytes", text,
			 PINFS_LABEL_MAX);
	a->format.label = text;
}

static void parse_option(struct args *a, int opt)
{
	switch (opt) {
	case 's':
		parse_size(a, optarg);
		break;
	case 'L':
		parse_label(a, optarg);
		break;
	case 'U':
		if (uuid_parse(optarg, a->format.uuid))
			tool_die(TOOL_USAGE, "-U %s: not a UUID", optarg);
		break;
	case 'f':
		a->force = true;
		break;
	case 'n':
		a->dry_run = true;
		break;
	case 'q':
		a->quiet = true;
		break;
	case 'h':
		help();
		exit(TOOL_DONE);
	case 'V':
		tool_version(PROGRAM);
		exit(TOOL_DONE);
	default:
		usage(NULL);
	}
}

static void parse(struct args *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "size", required_argument, NULL, 's' },
		{ "label", required_argument, NULL, 'L' },
		{ "uuid", required_argument, NULL, 'U' },
		{ "force", no_argument, NULL, 'f' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "fnqs:L:U:", options, NULL)) !=
	       -1)
		parse_option(a, opt);
	if (argc - optind < 1)
		usage("which POOL?");
	if (argc - optind > 1)
		usage("one POOL at a time");
	a->path = argv[optind];
}

/* check_geometry - does the size do? */
static int check_geometry(const struct args *a, uint64_t bytes,
			  struct format_geometry *g)
{
	char text[TOOL_SIZE_TEXT];
	int err;

	err = format_geometry(bytes >> PINFS_BLOCK_SHIFT, g);
	tool_size_text(text, bytes);
	if (err)
		log_error("%s: %s is too %s for a pool: 16M to 4096T, please",
			  a->path, text, err == -ENOSPC ? "small" : "large");
	return err;
}

/* say_geometry - what has come of it, or would */
static void say_geometry(const struct args *a, uint64_t bytes,
			 const struct format_geometry *geometry)
{
	const struct format_geometry g = *geometry;
	char text[TOOL_SIZE_TEXT];
	char uuid[37];

	if (a->quiet)
		return;
	tool_size_text(text, bytes);
	uuid_unparse(a->format.uuid, uuid);
	printf("%s: %s%s, %" PRIu64 " blocks of 4 KiB, journal of %u lanes, "
	       "UUID %s%s%s\n",
	       a->path, a->dry_run ? "would be " : "", text, g.total_blocks,
	       g.lanes, uuid, a->format.label ? ", label " : "",
	       a->format.label ? a->format.label : "");
}

static void say_busy(const struct args *a, const struct pool_owner *owner)
{
	log_error("%s: it is in use%s%s; unmount it first", a->path,
		  owner->text[0] ? " by " : "", owner->text);
}

static int open_pool(const struct args *a, struct pool **pool)
{
	unsigned int flags = a->dry_run ? POOL_READ_ONLY : 0;
	struct pool_owner owner;
	int err;

	err = pool_open(a->path, flags, pool, &owner);
	if (err == -EBUSY)
		say_busy(a, &owner);
	else if (err == -ENOENT)
		log_error("%s: there is no such file; make one with -s SIZE",
			  a->path);
	else if (err == -ENOSPC)
		log_error("%s: it is empty; give a size with -f -s SIZE",
			  a->path);
	else if (err)
		log_error("%s: %s", a->path, tool_why(err));
	return err;
}

/* check_content - refuse, without -f, what looks like somebody's data */
static int check_content(const struct args *a, const struct pool *pool)
{
	char what[160];
	int found;

	if (a->force)
		return 0;
	found = probe_content(pool, what, sizeof(what));
	if (found < 0) {
		log_error("%s: cannot tell what is in it: %s; -f overwrites it",
			  a->path, strerror(-found));
		return found;
	}
	if (found) {
		log_error("%s: it holds %s; -f overwrites it", a->path, what);
		return -EEXIST;
	}
	return 0;
}

/*
 * change_size - of a file that is there, while it is claimed
 *
 * Emptied first: what it held must not show in the new pool's holes.  One that
 * is empty already cannot be anybody's pool.
 */
static int change_size(const struct args *a)
{
	struct pool_owner owner;
	struct pool *pool = NULL;
	int err;

	err = pool_open(a->path, 0, &pool, &owner);
	if (err == -EBUSY)
		say_busy(a, &owner);
	if (err && err != -ENOSPC)
		return err;
	err = 0;
	if (truncate(a->path, 0) || truncate(a->path, (off_t)a->size)) {
		err = -errno;
		log_error("%s: cannot change its size: %s", a->path,
			  strerror(-err));
	}
	pool_close(pool);
	return err;
}

static int resize(const struct args *a)
{
	struct pool_owner owner;
	struct stat st;

	if (stat(a->path, &st))
		return -errno;
	if (!S_ISREG(st.st_mode)) {
		log_error("%s: -s is for files; a device has its size",
			  a->path);
		return -EINVAL;
	}
	if (!a->force) {
		log_error("%s: it is there already; leave out -s to use it as "
			  "it is, or add -f to change its size",
			  a->path);
		return -EEXIST;
	}
	if (!a->dry_run)
		return change_size(a);
	if (!pool_owner(a->path, &owner)) {
		say_busy(a, &owner);
		return -EBUSY;
	}
	return 0;
}

/* provide_file - what -s asks for; *created tells that it was not there */
static int provide_file(const struct args *a, bool *created)
{
	int err;

	err = a->dry_run ? (access(a->path, F_OK) ? 0 : -EEXIST) :
			   pool_create(a->path, a->size);
	if (err == -EEXIST)
		return resize(a);
	if (err)
		log_error("%s: cannot make it: %s", a->path, strerror(-err));
	else
		*created = !a->dry_run;
	return err;
}

static int make(const struct args *a)
{
	struct format_geometry g;
	struct pool *pool;
	int err;

	err = open_pool(a, &pool);
	if (err)
		return err;
	err = check_content(a, pool);
	if (!err)
		err = check_geometry(a, pool->size, &g);
	if (!err && !a->dry_run) {
		err = format_make(pool, &a->format);
		if (err)
			log_error("%s: cannot write it: %s", a->path,
				  strerror(-err));
	}
	if (!err)
		say_geometry(a, pool->size, &g);
	pool_close(pool);
	return err;
}

static int run(const struct args *a)
{
	struct format_geometry g;
	bool created = false;
	int err;

	if (!a->size)
		return make(a);
	err = check_geometry(a, a->size, &g);
	if (!err)
		err = provide_file(a, &created);
	if (!err && a->dry_run)
		say_geometry(a, a->size, &g);
	if (err || a->dry_run)
		return err;
	err = make(a);
	if (err && created)
		unlink(a->path);
	return err;
}

int main(int argc, char **argv)
{
	struct args a = { 0 };
	int err;

	log_init(PROGRAM);
	err = format_options_init(&a.format);
	if (err)
		tool_die(TOOL_FAILED, "no random numbers: %s", strerror(-err));
	parse(&a, argc, argv);
	return run(&a) ? TOOL_FAILED : TOOL_DONE;
}
