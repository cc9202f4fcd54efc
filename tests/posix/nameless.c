// SPDX-License-Identifier: BSD-3-Clause
/* Files without a name: O_TMPFILE, and giving them one. */
#include <dirent.h>
#include <sys/statvfs.h>

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

static void name_it(int fd, const char *name)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW));
}

static void made_and_gone(void)
{
	struct stat st;
	int fd;

	make_dir("d", 0755);
	fd = FD(open("d", O_TMPFILE | O_RDWR | O_CLOEXEC, 0640));
	OK(fstat(fd, &st));
	EQ(0, st.st_nlink);
	EQ(S_IFREG | 0640, st.st_mode);
	EQ(0, names_in("d"));
	EQ(5, OK(pwrite(fd, "bytes", 5, 10000)));
	OK(fstat(fd, &st));
	EQ(10005, st.st_size);
	OK(close(fd));
	EQ(0, names_in("d"));
	OK(rmdir("d"));
}

static void named(void)
{
	struct stat st;
	char buf[5];
	int fd;

	make_dir("d", 0755);
	fd = FD(open("d", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644));
	EQ(5, OK(write(fd, "bytes", 5)));
	name_it(fd, "d/name");
	OK(fstat(fd, &st));
	EQ(1, st.st_nlink);
	EQ(1, names_in("d"));
	EQ(st.st_ino, stat_of("d/name").st_ino);
	OK(link("d/name", "other"));
	EQ(2, stat_of("d/name").st_nlink);
	OK(close(fd));
	fd = FD(open("d/name", O_RDONLY));
	EQ(5, OK(read(fd, buf, 5)));
	CHECK(!memcmp(buf, "bytes", 5));
	/* A name that is taken stays whose it is. */
	fd = FD(open("d", O_TMPFILE | O_RDWR, 0644));
	ERR(EEXIST, linkat(fd, "", AT_FDCWD, "other", AT_EMPTY_PATH));
	OK(linkat(fd, "", AT_FDCWD, "third", AT_EMPTY_PATH));
	OK(unlink("third"));
	/* Once it has lost all names it gets no more. */
	ERR(ENOENT, linkat(fd, "", AT_FDCWD, "again", AT_EMPTY_PATH));
}

static void exclusive(void)
{
	int fd = FD(open(".", O_TMPFILE | O_EXCL | O_RDWR, 0644));

	ERR(ENOENT, linkat(fd, "", AT_FDCWD, "name", AT_EMPTY_PATH));
	EQ(1, OK(write(fd, "x", 1)));
	EQ(0, names_in("."));
}

static void rights(void)
{
	make_file("f", 0644, 0);
	make_dir("d", 0755);
	ERR(EINVAL, open("d", O_TMPFILE | O_RDONLY, 0644));
	ERR(ENOTDIR, open("f", O_TMPFILE | O_RDWR, 0644));
	ERR(ENOENT, open("missing", O_TMPFILE | O_RDWR, 0644));
	AS(ALICE)
	{
		ERR(EACCES, open("d", O_TMPFILE | O_RDWR, 0644));
	}
	make_dir("g", 02777);
	OK(chown("g", 0, SHARED_ID));
	OK(chmod("g", 02777));
	AS(ALICE)
	{
		struct stat st;
		int fd;

		umask(026);
		fd = FD(open("g", O_TMPFILE | O_RDWR, 0666));
		OK(fstat(fd, &st));
		EQ(0640, st.st_mode & 07777);
		EQ(ALICE_ID, st.st_uid);
		EQ(SHARED_ID, st.st_gid);
		name_it(fd, "g/hers");
	}
	EQ(ALICE_ID, stat_of("g/hers").st_uid);
	EQ(0640, mode_of("g/hers"));
}

static void many_at_once(void)
{
	int fd[50], i;
	char name[16];

	for (i = 0; i < 50; i++) {
		fd[i] = FD(open(".", O_TMPFILE | O_RDWR, 0644));
		EQ(4, OK(write(fd[i], &i, 4)));
	}
	for (i = 0; i < 50; i += 2) {
		snprintf(name, sizeof(name), "%d", i);
		name_it(fd[i], name);
	}
	for (i = 0; i < 50; i++)
		OK(close(fd[i]));
	EQ(25, names_in("."));
	for (i = 0; i < 50; i += 2) {
		int got, in;

		snprintf(name, sizeof(name), "%d", i);
		in = FD(open(name, O_RDONLY));
		EQ(4, OK(read(in, &got, 4)));
		EQ(i, got);
		OK(close(in));
	}
}

const struct posix_case nameless_cases[] = {
	CASE(made_and_gone), CASE(named),	 CASE(exclusive),
	CASE(rights),	     CASE(many_at_once), NO_CASE,
};
