// SPDX-License-Identifier: BSD-3-Clause
/* The errors that manual pages promise, and which comes first. */
#include <limits.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "posix.h"

static char long_name[NAME_MAX + 2];

static void names_too_long(void)
{
	char path[PATH_MAX + 2];

	memset(long_name, 'n', NAME_MAX);
	OK(mkdir(long_name, 0755));
	OK(rmdir(long_name));
	long_name[NAME_MAX] = 'n';
	ERR(ENAMETOOLONG, open(long_name, O_CREAT | O_WRONLY, 0644));
	ERR(ENAMETOOLONG, open(long_name, O_RDONLY));
	ERR(ENAMETOOLONG, mkdir(long_name, 0755));
	ERR(ENAMETOOLONG, symlink("x", long_name));
	ERR(ENAMETOOLONG, unlink(long_name));
	ERR(ENAMETOOLONG, rmdir(long_name));
	ERR(ENAMETOOLONG, mknod(long_name, S_IFIFO | 0644, 0));
	make_file("f", 0644, 0);
	ERR(ENAMETOOLONG, link("f", long_name));
	ERR(ENAMETOOLONG, rename("f", long_name));
	ERR(ENAMETOOLONG, rename(long_name, "f"));
	/* A path of PATH_MAX has no room for its end. */
	memset(path, '/', sizeof(path));
	memcpy(path, "./", 2);
	path[PATH_MAX - 2] = 'f';
	path[PATH_MAX - 1] = '\0';
	OK(access(path, F_OK));
	path[PATH_MAX - 2] = '/';
	path[PATH_MAX - 1] = 'f';
	path[PATH_MAX] = '\0';
	ERR(ENAMETOOLONG, access(path, F_OK));
}

static void no_directory(void)
{
	make_file("f", 0644, 0);
	make_dir("d", 0755);
	ERR(ENOTDIR, open("f/x", O_RDONLY));
	ERR(ENOTDIR, open("f/x", O_CREAT | O_WRONLY, 0644));
	ERR(ENOTDIR, mkdir("f/x", 0755));
	ERR(ENOTDIR, rmdir("f"));
	ERR(ENOTDIR, rename("d", "f"));
	ERR(ENOTDIR, rename("f", "f/x"));
	ERR(ENOTDIR, open("f", O_RDONLY | O_DIRECTORY));
	ERR(ENOTDIR, chdir("f"));
	ERR(ENOTDIR, rename("f/", "g"));
	ERR(ENOTDIR, unlink("f/"));
	ERR(ENOENT, rename("missing", "d/x"));
	ERR(ENOENT, rename("d", "missing/x"));
	ERR(ENOENT, open("missing/x", O_CREAT | O_WRONLY, 0644));
	ERR(ENOENT, open("", O_RDONLY));
	ERR(ENOENT, symlink("", "s"));
}

static void a_directory(void)
{
	make_file("f", 0644, 0);
	make_dir("d", 0755);
	ERR(EISDIR, open("d", O_WRONLY));
	ERR(EISDIR, open("d", O_RDWR));
	ERR(EISDIR, open("d", O_CREAT | O_RDONLY, 0644));
	ERR(EISDIR, open("d", O_TRUNC | O_WRONLY));
	ERR(EISDIR, unlink("d"));
	ERR(EISDIR, truncate("d", 0));
	ERR(EISDIR, rename("f", "d"));
	ERR(EISDIR, read(FD(open("d", O_RDONLY)), (char[4]){ 0 }, 4));
	ERR(EPERM, link("d", "d2"));
	ERR(EISDIR, open("new/", O_CREAT | O_WRONLY, 0644));
}

static void not_empty(void)
{
	make_dir("d", 0755);
	make_dir("d/sub", 0755);
	make_dir("e", 0755);
	ERR(ENOTEMPTY, rmdir("d"));
	ERR(ENOTEMPTY, rename("e", "d"));
	ERR(EINVAL, rmdir("d/."));
	ERR(ENOTEMPTY, rmdir("d/sub/.."));
	ERR(EBUSY, rename("d/.", "x"));
	ERR(EBUSY, rename("d", "e/.."));
	OK(rename("d/sub", "e"));
	OK(rmdir("d"));
}

static void loops(void)
{
	char from[16], to[16];
	int i;

	OK(symlink("b", "a"));
	OK(symlink("a", "b"));
	ERR(ELOOP, open("a", O_RDONLY));
	ERR(ELOOP, access("a/x", F_OK));
	ERR(ELOOP, truncate("a", 0));
	ERR(ELOOP, chmod("a", 0644));
	make_file("f", 0644, 0);
	OK(symlink("f", "l"));
	ERR(ELOOP, open("l", O_RDONLY | O_NOFOLLOW));
	ERR(ENOTDIR, open("l", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
	OK(symlink("f", "0"));
	for (i = 1; i <= 40; i++) {
		snprintf(from, sizeof(from), "%d", i - 1);
		snprintf(to, sizeof(to), "%d", i);
		OK(symlink(from, to));
	}
	OK(access("39", F_OK));
	ERR(ELOOP, access("40", F_OK));
}

static void exists_already(void)
{
	make_file("f", 0644, 0);
	make_dir("d", 0555);
	OK(symlink("nowhere", "l"));
	ERR(EEXIST, open("f", O_CREAT | O_EXCL | O_WRONLY, 0644));
	ERR(EEXIST, open("l", O_CREAT | O_EXCL | O_WRONLY, 0644));
	ERR(EEXIST, open("d", O_CREAT | O_EXCL | O_RDONLY, 0644));
	ERR(EEXIST, mkdir("f", 0755));
	ERR(EEXIST, mkdir("l", 0755));
	ERR(EEXIST, mkdir("d", 0755));
	ERR(EEXIST, mkdir(".", 0755));
	ERR(EEXIST, symlink("x", "f"));
	ERR(EEXIST, link("f", "d"));
	ERR(EEXIST, mknod("f", S_IFIFO | 0644, 0));
	CHECK(!exists("nowhere"));
	OK(close(FD(open("l", O_CREAT | O_WRONLY, 0644)))); /* through it */
	CHECK(exists("nowhere"));
}

/* Which of two errors: the name is looked up first, then rights are asked for. */
static void order(void)
{
	make_dir("d", 0555);
	make_file("d/f", 0644, 0);
	make_dir("d/sub", 0755);
	make_file("d/sub/x", 0644, 0);
	AS(ALICE)
	{
		memset(long_name, 'n', NAME_MAX + 1);
		ERR(EEXIST, mkdir("d/f", 0755));
		ERR(EEXIST, open("d/f", O_CREAT | O_EXCL | O_WRONLY, 0644));
		ERR(EACCES, mkdir("d/new", 0755));
		ERR(ENOENT, unlink("d/missing"));
		ERR(EACCES, unlink("d/f"));
		ERR(EACCES, unlink("d/sub")); /* rather than EISDIR */
		ERR(EACCES, rmdir("d/sub")); /* rather than ENOTEMPTY */
		ERR(ENOTDIR, unlink("d/f/x"));
		ERR(ENOENT, rename("d/missing", "d/x"));
		ERR(EACCES, rename("d/f", "d/x"));
		ERR(EPERM, link("d", "d/x"));
		ERR(ENOENT, chmod("d/missing", 0644));
		ERR(EISDIR, open("d/sub", O_WRONLY)); /* rather than EACCES */
		ERR(EFAULT, syscall(SYS_open, 1L, O_RDONLY));
	}
	OK(chmod("d", 0));
	AS(ALICE)
	{
		ERR(EACCES, unlink("d/missing"));
		ERR(EACCES, rename("d/missing", "x"));
	}
}

static void other_file_system(void)
{
	make_file("f", 0644, 0);
	ERR(EXDEV, link("f", "/dev/shm/x"));
	ERR(EXDEV, rename("f", "/dev/shm/x"));
	ERR(EXDEV, link("/proc/self/mounts", "x"));
	ERR(EXDEV, rename("/proc/self/status", "x"));
}

static void bad_descriptors(void)
{
	int r, w, d, p;

	make_file("f", 0644, 100);
	make_dir("d", 0755);
	OK(mkfifo("p", 0644));
	r = FD(open("f", O_RDONLY));
	w = FD(open("f", O_WRONLY));
	d = FD(open("d", O_RDONLY));
	p = FD(open("p", O_RDWR));
	ERR(EBADF, write(r, "x", 1));
	ERR(EBADF, read(w, (char[1]){ 0 }, 1));
	ERR(EINVAL, ftruncate(r, 0));
	ERR(EINVAL, ftruncate(d, 0));
	ERR(EINVAL, ftruncate(w, -1));
	ERR(EINVAL, truncate("f", -1));
	ERR(EBADF, fallocate(r, 0, 0, 10));
	ERR(ESPIPE, lseek(p, 0, SEEK_SET));
	ERR(EINVAL, truncate("p", 0));
	ERR(EINVAL, lseek(r, -1, SEEK_SET));
	ERR(EINVAL, lseek(r, 0, 77));
	ERR(EINVAL, pread(r, (char[1]){ 0 }, 1, -1));
	ERR(EFAULT, syscall(SYS_read, r, 1L, 1L));
	ERR(EBADF, fsync(-1));
	OK(fsync(r));
	OK(fsync(d));
	OK(fdatasync(w));
	ERR(EINVAL, fsync(p));
	ERR(EINVAL, copy_file_range(r, NULL, p, NULL, 1, 0));
	ERR(EBADF, copy_file_range(w, NULL, w, NULL, 1, 0));
	ERR(EISDIR, copy_file_range(r, NULL, d, NULL, 1, 0));
	ERR(EINVAL, copy_file_range(r, NULL, w, NULL, 1, 1));
	OK(close(p));
	ERR(ENXIO, open("p", O_WRONLY | O_NONBLOCK));
}

static void removed_directory(void)
{
	int fd;

	make_dir("d", 0755);
	fd = FD(open("d", O_RDONLY | O_DIRECTORY));
	OK(rmdir("d"));
	ERR(ENOENT, openat(fd, "x", O_CREAT | O_WRONLY, 0644));
	ERR(ENOENT, mkdirat(fd, "x", 0755));
	ERR(ENOENT, symlinkat("x", fd, "y"));
	make_file("f", 0644, 0);
	ERR(ENOENT, linkat(AT_FDCWD, "f", fd, "x", 0));
	ERR(ENOENT, renameat(AT_FDCWD, "f", fd, "x"));
	EQ(0, ({
		   struct stat st;

		   OK(fstat(fd, &st));
		   st.st_nlink;
	   }));
}

/* Of what nobody has open pinfs knows no more, once it has gone: LIMITS.md */
static void removed_and_not_open(void)
{
	struct stat st;
	int fd;

	make_file("f", 0644, 10);
	fd = FD(open("f", O_PATH));
	OK(unlink("f"));
	if (on_pinfs())
		ERR(ESTALE, fstat(fd, &st));
	else
		OK(fstat(fd, &st));
	make_dir("d", 0755);
	OK(chdir("d"));
	OK(rmdir("../d"));
	if (on_pinfs())
		ERR(ESTALE, stat(".", &st));
	else
		OK(stat(".", &st));
	OK(chdir("/"));
}

const struct posix_case errors_cases[] = {
	CASE(names_too_long),
	CASE(no_directory),
	CASE(a_directory),
	CASE(not_empty),
	CASE(loops),
	CASE(exists_already),
	CASE(order),
	CASE(other_file_system),
	CASE(bad_descriptors),
	CASE(removed_directory),
	CASE(removed_and_not_open),
	NO_CASE,
};
