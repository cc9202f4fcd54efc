// SPDX-License-Identifier: BSD-3-Clause
/* Names, links, renames, and trees of them. */
#include <dirent.h>
#include <limits.h>
#include <sys/wait.h>

#include "posix.h"

static unsigned int names_in(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned int n = 0;

	CHECK(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* Any byte but / and 0, alone and at each length. */
static void bytes(void)
{
	char name[NAME_MAX + 1] = "";
	int c, n;

	make_dir("d", 0755);
	OK(chdir("d"));
	for (c = 1; c < 256; c++) {
		if (c == '/')
			continue;
		snprintf(name, sizeof(name), "%c", c);
		if (c == '.')
			snprintf(name, sizeof(name), "x.");
		OK(mknod(name, S_IFREG | 0600, 0));
		CHECK(exists(name));
	}
	EQ(254, names_in("."));
	for (n = 2; n <= NAME_MAX; n++) {
		memset(name, n % 2 ? 0xff : ' ', (size_t)n);
		OK(mknod(name, S_IFREG | 0600, 0));
	}
	EQ(254 + 254, names_in("."));
	memset(name, ' ', NAME_MAX);
	name[NAME_MAX - 1] = '\0';
	OK(unlink(name));
	OK(rename("A", "..."));
	OK(unlink("..."));
	EQ(254 + 252, names_in("."));
	CHECK(!exists("A"));
}

static void counts(void)
{
	make_file("f", 0644, 3);
	make_dir("d", 0755);
	EQ(1, stat_of("f").st_nlink);
	EQ(2, stat_of("d").st_nlink);
	OK(link("f", "d/g"));
	EQ(2, stat_of("f").st_nlink);
	EQ(stat_of("f").st_ino, stat_of("d/g").st_ino);
	OK(mkdir("d/sub", 0755));
	EQ(3, stat_of("d").st_nlink);
	OK(rename("d/sub", "sub"));
	EQ(2, stat_of("d").st_nlink);
	OK(unlink("f"));
	EQ(1, stat_of("d/g").st_nlink);
	OK(symlink("d/g", "l"));
	OK(link("l", "l2")); /* the link itself */
	EQ(2, stat_of("l").st_nlink);
	EQ(1, stat_of("d/g").st_nlink);
	OK(linkat(AT_FDCWD, "l", AT_FDCWD, "h", AT_SYMLINK_FOLLOW));
	EQ(2, stat_of("d/g").st_nlink);
	OK(rmdir("sub"));
}

/* As many as an ext4 has at most: of pinfs's limit a unit test knows. */
static void many_links(void)
{
	char name[16];
	int i;

	make_file("f", 0644, 0);
	for (i = 1; i < 2000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		OK(link("f", name));
	}
	EQ(2000, stat_of("f").st_nlink);
	for (i = 1; i < 2000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		OK(unlink(name));
	}
	EQ(1, stat_of("f").st_nlink);
}

static int rename_flags(const char *from, const char *to, unsigned int flags)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void renames(void)
{
	ino_t f, g;

	make_file("f", 0644, 1);
	make_file("g", 0644, 2);
	make_dir("d", 0755);
	make_dir("e", 0755);
	f = stat_of("f").st_ino;
	g = stat_of("g").st_ino;
	ERR(EEXIST, rename_flags("f", "g", RENAME_NOREPLACE));
	ERR(EEXIST, rename_flags("f", "d", RENAME_NOREPLACE));
	OK(rename_flags("f", "new", RENAME_NOREPLACE));
	OK(rename_flags("new", "g", RENAME_EXCHANGE));
	EQ(f, stat_of("g").st_ino);
	EQ(g, stat_of("new").st_ino);
	ERR(ENOENT, rename_flags("g", "missing", RENAME_EXCHANGE));
	OK(rename_flags("g", "d", RENAME_EXCHANGE));
	EQ(f, stat_of("d").st_ino);
	OK(mkdir("g/in", 0755));
	ERR(EINVAL, rename_flags("d", "e", RENAME_NOREPLACE | RENAME_EXCHANGE));
	ERR(EINVAL, rename_flags("d", "x", 1u << 7));
	OK(rename("d", "new"));
	EQ(f, stat_of("new").st_ino);
	OK(rename("new", "new"));
	OK(link("new", "same"));
	OK(rename("new", "same")); /* of one file: nothing */
	CHECK(exists("new") && exists("same"));
	OK(rename("e", "g/in")); /* an empty directory's place */
	OK(rename("g/in", "g/in"));
	if (on_pinfs()) /* docs/LIMITS.md */
		ERR(EINVAL, rename_flags("new", "y", RENAME_WHITEOUT));
}

static void into_itself(void)
{
	make_dir("a", 0755);
	make_dir("a/b", 0755);
	make_dir("a/b/c", 0755);
	make_file("f", 0644, 0);
	ERR(EINVAL, rename("a", "a/x"));
	ERR(EINVAL, rename("a", "a/b/c/x"));
	ERR(EINVAL, rename("a", "a/b"));
	ERR(ENOTEMPTY, rename("a/b/c", "a"));
	ERR(EINVAL, rename_flags("a", "a/b/c", RENAME_EXCHANGE));
	ERR(EINVAL, rename_flags("a/b/c", "a", RENAME_EXCHANGE));
	ERR(ENOTEMPTY, rename("a/b", "a"));
	CHECK(exists("a/b/c"));
	EQ(3, stat_of("a").st_nlink);
}

static const char *const moved_in[] = { "a", "b", "a/c", "b/d" };

static void move(unsigned int k)
{
	unsigned int seed = k + 1;
	char from[32], to[32];

	for (unsigned int i = 0; i < 300; i++) {
		int x = rand_r(&seed) % 8, y = rand_r(&seed) % 8;

		snprintf(from, sizeof(from), "%s/%d",
			 moved_in[rand_r(&seed) % 4], x);
		snprintf(to, sizeof(to), "%s/%d", moved_in[rand_r(&seed) % 4],
			 i % 3 ? x : y);
		rename_flags(from, to,
			     i % 3 ? RENAME_NOREPLACE : RENAME_EXCHANGE);
		if (i % 16 == 0)
			rename_flags("a", "b/d/a", RENAME_NOREPLACE);
		if (i % 16 == 1)
			rename_flags("b/d/a", "a", RENAME_NOREPLACE);
	}
}

/*
 * Directories and files that change places across four directories, of which
 * two also move below each other: no deadlock, and all of them are there.
 */
static void cross_renames(void)
{
	unsigned int i, n = 0;
	char name[32];

	for (i = 0; i < 4; i++)
		make_dir(moved_in[i], 0755);
	for (i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "%s/%u", moved_in[i % 4], i);
		if (i < 4)
			make_dir(name, 0755);
		else
			make_file(name, 0644, 1);
	}
	together(4, move);
	rename_flags("b/d/a", "a", RENAME_NOREPLACE);
	for (i = 0; i < 4; i++)
		n += names_in(moved_in[i]);
	EQ(8 + 2, n);
}

/* Deeper than a path can be long, and back. */
static void deep(void)
{
	char cwd[PATH_MAX], name[101];
	int i, depth = 200, up;

	memset(name, 'd', 100);
	name[100] = '\0';
	up = FD(open(".", O_RDONLY | O_DIRECTORY));
	for (i = 0; i < depth; i++) { /* 20,000 bytes of path */
		OK(mkdir(name, 0755));
		OK(chdir(name));
	}
	CHECK(!getcwd(cwd, sizeof(cwd)));
	make_file("f", 0644, 5);
	EQ(5, stat_of("f").st_size);
	OK(mkdir("empty", 0755));
	/* Up again by a rename, to where a path is short. */
	OK(renameat(AT_FDCWD, "f", up, "f"));
	ERR(EINVAL, renameat(up, name, AT_FDCWD, "empty/x"));
	OK(rmdir("empty"));
	for (i = 0; i < depth; i++) {
		OK(chdir(".."));
		OK(rmdir(name));
	}
	EQ(5, stat_of("f").st_size);
}

/* A path of exactly PATH_MAX, its end included. */
static void longest_path(void)
{
	char path[PATH_MAX + 1] = "", cwd[PATH_MAX];
	size_t at = 0;
	int fd;

	CHECK(getcwd(cwd, sizeof(cwd)));
	while (at + 200 < PATH_MAX - 256) {
		memset(path + at, 'p', 199);
		path[at + 199] = '\0';
		OK(mkdir(path, 0755));
		path[at + 199] = '/';
		at += 200;
	}
	while (at + 2 < PATH_MAX - 100) {
		memcpy(path + at, "./", 2);
		at += 2;
	}
	memset(path + at, 'f', PATH_MAX - 1 - at);
	path[PATH_MAX - 1] = '\0';
	EQ(PATH_MAX - 1, strlen(path));
	fd = FD(open(path, O_CREAT | O_EXCL | O_RDWR, 0644));
	OK(close(fd));
	OK(access(path, F_OK));
	path[PATH_MAX - 1] = 'f';
	ERR(ENAMETOOLONG, access(path, F_OK));
	path[PATH_MAX - 1] = '\0';
	OK(unlink(path));
}

static void slashes_and_dots(void)
{
	make_dir("d", 0755);
	make_file("d/f", 0644, 1);
	OK(access("d/./../d//f", F_OK));
	OK(access("d/f", F_OK));
	ERR(ENOTDIR, access("d/f/", F_OK));
	ERR(ENOTDIR, access("d/f/..", F_OK));
	OK(mkdir("d/sub/", 0755));
	OK(rmdir("d/sub/"));
	OK(mkdir("e", 0755));
	OK(rename("e/", "d/e2/"));
	EQ(stat_of(".").st_ino, stat_of("d/..").st_ino);
	EQ(stat_of("d").st_ino, stat_of("d/e2/..").st_ino);
}

static int won[2]; /* a pipe: how many names each creator has got */

static void create(unsigned int k)
{
	int i, fd, mine = 0;
	char name[16];

	(void)k;
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "%d", i);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
		if (fd < 0) {
			EQ(EEXIST, errno);
			continue;
		}
		mine++;
		OK(close(fd));
	}
	EQ(sizeof(mine), OK(write(won[1], &mine, sizeof(mine))));
}

/* Names of one directory are taken by many at once, each by one. */
static void racing_creators(void)
{
	int n, k, sum = 0;

	OK(pipe(won));
	together(4, create);
	for (k = 0; k < 4; k++) {
		EQ(sizeof(n), OK(read(won[0], &n, sizeof(n))));
		sum += n;
	}
	EQ(200, sum);
	EQ(200, names_in("."));
}

const struct posix_case names_cases[] = {
	CASE(bytes),
	CASE(counts),
	CASE(many_links),
	CASE(renames),
	CASE(into_itself),
	CASE(cross_renames),
	CASE(deep),
	CASE(longest_path),
	CASE(slashes_and_dots),
	CASE(racing_creators),
	NO_CASE,
};
