// SPDX-License-Identifier: BSD-3-Clause
/*
 * What names cost, as operations a second, a line each: OPERATION FIGURE
 *
 *   names tree DIR FILES DIRS SECONDS    over and over, FILES empty ones in each of
 *                                        DIRS directories: create and close, stat,
 *                                        look-ups of names that are not there,
 *                                        rename, unlink
 *   names list DIR SECONDS               entries of DIR, opened, listed and closed
 *                                        over and over
 *
 *   names fill DIR N                     makes DIR, and creates and closes N files in it
 *   names among DIR N SECONDS            in what fill made, as root: look-ups of names
 *                                        at random that the kernel has forgotten,
 *                                        create and close, unlink
 *
 * stat asks the server each time (AT_STATX_FORCE_SYNC): from the kernel's caches
 * every file system answers alike.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

static unsigned int files, dirs, lap;

/* name_of - with the letter that says in which state the file is */
static const char *name_of(char *buf, size_t size, char letter, unsigned int i)
{
	snprintf(buf, size, "d%u/%c%u", i % dirs, letter, i / dirs);
	return buf;
}

static void create_named(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_EXCL, 0644);

	if (fd < 0)
		err(1, "create %s", name);
	close(fd);
}

static void create(unsigned int i)
{
	char name[64];

	create_named(name_of(name, sizeof(name), 'n', i));
}

static void ask(unsigned int i)
{
	struct statx st;
	char name[64];

	if (statx(AT_FDCWD, name_of(name, sizeof(name), 'n', i),
		  AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st))
		err(1, "stat %s", name);
}

/* miss - each time another name, for the kernel remembers that there is none */
static void miss(unsigned int i)
{
	char name[64];

	snprintf(name, sizeof(name), "d%u/x%u-%u", i % dirs, lap, i);
	if (access(name, F_OK) == 0)
		errx(1, "there is %s", name);
}

static void move(unsigned int i)
{
	char from[64], to[64];

	if (rename(name_of(from, sizeof(from), 'n', i),
		   name_of(to, sizeof(to), 'm', i)))
		err(1, "rename %s", from);
}

static void drop(unsigned int i)
{
	char name[64];

	if (unlink(name_of(name, sizeof(name), 'm', i)))
		err(1, "unlink %s", name);
}

static const struct {
	const char *name;
	void (*fn)(unsigned int i);
} phases[] = {
	{ "create", create }, { "stat", ask },	  { "miss", miss },
	{ "rename", move },   { "unlink", drop },
};

#define PHASES (sizeof(phases) / sizeof(phases[0]))

static double timed(void (*fn)(unsigned int i), unsigned int n)
{
	double start = now();

	for (unsigned int i = 0; i < n; i++)
		fn(i);
	return now() - start;
}

static void make_dirs(void)
{
	char name[64];

	for (unsigned int i = 0; i < dirs; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		if (mkdir(name, 0755))
			err(1, "mkdir %s", name);
	}
}

static void remove_dirs(void)
{
	char name[64];

	for (unsigned int i = 0; i < dirs; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		if (rmdir(name))
			err(1, "rmdir %s", name);
	}
}

static void tree(double seconds)
{
	double took[PHASES] = { 0 }, end = now() + seconds;

	make_dirs();
	while (now() < end) {
		for (size_t p = 0; p < PHASES; p++)
			took[p] += timed(phases[p].fn, files * dirs);
		lap++;
	}
	remove_dirs();
	for (size_t p = 0; p < PHASES; p++)
		printf("%s %.0f\n", phases[p].name,
		       (double)lap * files * dirs / took[p]);
}

static void list(const char *path, double seconds)
{
	double start = now(), count = 0;

	while (now() < start + seconds) {
		DIR *d = opendir(path);

		if (!d)
			err(1, "%s", path);
		while (readdir(d))
			count++;
		closedir(d);
	}
	printf("list %.0f\n", count / (now() - start));
}

/* --- one directory of N ---------------------------------------------------------- */

#define BATCH 1000u

static unsigned int among;

static void enter_with(const char *path, unsigned int n)
{
	if (chdir(path))
		err(1, "%s", path);
	among = n;
}

static void create_nth(unsigned int i)
{
	char name[32];

	snprintf(name, sizeof(name), "n%u", i);
	create_named(name);
}

static void create_more(unsigned int i)
{
	create_nth(among + i);
}

static void unlink_more(unsigned int i)
{
	char name[32];

	snprintf(name, sizeof(name), "n%u", among + i);
	if (unlink(name))
		err(1, "unlink %s", name);
}

/* look - 2654435761 is odd and prime to N, so no name comes twice in N */
static void look(unsigned int i)
{
	unsigned long long at = (i + 1ull * lap * BATCH) * 2654435761ull;
	char name[32];

	snprintf(name, sizeof(name), "n%llu", at % among);
	if (access(name, F_OK))
		err(1, "look up %s", name);
}

/* forget - the kernel forgets names and inodes */
static void forget(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd < 0 || write(fd, "2", 1) != 1)
		err(1, "/proc/sys/vm/drop_caches");
	close(fd);
}

static void fill(const char *path, unsigned int n)
{
	if (mkdir(path, 0755))
		err(1, "%s", path);
	enter_with(path, n);
	printf("create %.0f\n", n / timed(create_nth, n));
}

static void in_one_of(const char *path, unsigned int n, double seconds)
{
	double took[3] = { 0 }, end = now() + seconds;

	enter_with(path, n);
	do {
		forget();
		took[0] += timed(look, BATCH);
		took[1] += timed(create_more, BATCH);
		took[2] += timed(unlink_more, BATCH);
		lap++;
	} while (now() < end);
	printf("lookup %.0f\ncreate %.0f\nunlink %.0f\n", lap * BATCH / took[0],
	       lap * BATCH / took[1], lap * BATCH / took[2]);
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "tree")) {
		files = (unsigned int)atoi(argv[3]);
		dirs = (unsigned int)atoi(argv[4]);
		if (chdir(argv[2]))
			err(1, "%s", argv[2]);
		if (files && dirs) {
			tree(atof(argv[5]));
			return 0;
		}
	}
	if (argc == 4 && !strcmp(argv[1], "list")) {
		list(argv[2], atof(argv[3]));
		return 0;
	}
	if (argc == 4 && !strcmp(argv[1], "fill") && atoi(argv[3]) > 0) {
		fill(argv[2], (unsigned int)atoi(argv[3]));
		return 0;
	}
	if (argc == 5 && !strcmp(argv[1], "among") && atoi(argv[3]) > 0) {
		in_one_of(argv[2], (unsigned int)atoi(argv[3]), atof(argv[4]));
		return 0;
	}
	fprintf(stderr, "usage: names tree DIR FILES DIRS SECONDS\n"
			"       names list DIR SECONDS\n"
			"       names fill DIR N\n"
			"       names among DIR N SECONDS\n");
	return 2;
}
