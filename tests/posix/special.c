// SPDX-License-Identifier: BSD-3-Clause
/* Fifos, sockets, devices, symbolic links. */
#include <limits.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "posix.h"

static void fifos(void)
{
	char buf[8];
	int r, w;

	OK(mkfifo("p", 0600));
	CHECK(S_ISFIFO(stat_of("p").st_mode));
	EQ(0, stat_of("p").st_size);
	r = FD(open("p", O_RDONLY | O_NONBLOCK));
	w = FD(open("p", O_WRONLY));
	EQ(7, OK(write(w, "through", 7)));
	EQ(7, OK(read(r, buf, sizeof(buf))));
	OK(link("p", "q")); /* the same by another name */
	EQ(1, OK(write(FD(open("q", O_WRONLY)), "x", 1)));
	EQ(1, OK(read(r, buf, sizeof(buf))));
	OK(rename("q", "z"));
	OK(unlink("p"));
	EQ(1, OK(write(FD(open("z", O_WRONLY)), "y", 1)));
	EQ(1, OK(read(r, buf, sizeof(buf))));
	AS(ALICE)
	{
		ERR(EACCES, open("z", O_RDONLY | O_NONBLOCK));
	}
}

static void sockets(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "s" };
	int l = FD(socket(AF_UNIX, SOCK_STREAM, 0)), c, a;
	char buf[8];

	OK(bind(l, (void *)&addr, sizeof(addr)));
	OK(listen(l, 1));
	CHECK(S_ISSOCK(stat_of("s").st_mode));
	EQ(0755, mode_of("s"));
	ERR(EADDRINUSE, bind(FD(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&addr,
			     sizeof(addr)));
	ERR(ENXIO, open("s", O_RDWR));
	c = FD(socket(AF_UNIX, SOCK_STREAM, 0));
	OK(connect(c, (void *)&addr, sizeof(addr)));
	a = FD(accept(l, NULL, NULL));
	EQ(5, OK(send(c, "hello", 5, 0)));
	EQ(5, OK(recv(a, buf, sizeof(buf), 0)));
	OK(chmod("s", 0600));
	AS(ALICE)
	{
		ERR(EACCES, connect(FD(socket(AF_UNIX, SOCK_STREAM, 0)),
				    (void *)&addr, sizeof(addr)));
	}
	OK(unlink("s"));
	ERR(ENOENT, connect(FD(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&addr,
			    sizeof(addr)));
}

static void devices(void)
{
	static const unsigned int number[][2] = {
		{ 1, 3 },     { 1, 5 },		{ 0, 0 },
		{ 255, 255 }, { 259, 1048575 }, { 4095, 1048575 },
	};
	struct statvfs fs;
	char name[16];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(number); i++) {
		snprintf(name, sizeof(name), "c%zu", i);
		OK(mknod(name, S_IFCHR | 0600,
			 makedev(number[i][0], number[i][1])));
		CHECK(S_ISCHR(stat_of(name).st_mode));
		EQ(number[i][0], major(stat_of(name).st_rdev));
		EQ(number[i][1], minor(stat_of(name).st_rdev));
		name[0] = 'b';
		OK(mknod(name, S_IFBLK | 0600,
			 makedev(number[i][0], number[i][1])));
		CHECK(S_ISBLK(stat_of(name).st_mode));
	}
	make_dir("d", 0777);
	AS(ALICE)
	{
		ERR(EPERM, mknod("d/n", S_IFCHR | 0600, makedev(1, 3)));
		ERR(EPERM, mknod("d/n", S_IFBLK | 0600, makedev(7, 0)));
		OK(mknod("d/p", S_IFIFO | 0600, 0));
		OK(mknod("d/s", S_IFSOCK | 0600, 0));
		OK(mknod("d/r", S_IFREG | 0600, 0));
	}
	ERR(EPERM, mknod("dir", S_IFDIR | 0700, 0));
	ERR(EINVAL, mknod("x", S_IFLNK | 0700, 0));
	/* They are used as what they name, if the mount lets them be. */
	OK(statvfs(".", &fs));
	if (fs.f_flag & ST_NODEV) {
		ERR(EACCES, open("c0", O_RDWR));
		return;
	}
	EQ(3, OK(write(FD(open("c0", O_RDWR)), "abc", 3)));
	EQ(0, OK(read(FD(open("c0", O_RDWR)), name, 3)));
	name[0] = 'x';
	EQ(1, OK(read(FD(open("c1", O_RDWR)), name, 1)));
	EQ(0, name[0]);
}

static void links(void)
{
	char target[PATH_MAX + 1], got[PATH_MAX + 1], name[16];
	int n, i;

	for (n = 1; n < PATH_MAX; n += n < 300 || n > 4000 ? 1 : 37) {
		for (i = 0; i < n; i++)
			target[i] = (char)(1 + (i * 7 + n) % 255);
		target[n] = '\0';
		snprintf(name, sizeof(name), "%d", n);
		OK(symlink(target, name));
		EQ(n, OK(readlink(name, got, sizeof(got))));
		CHECK(memcmp(got, target, (size_t)n) == 0);
		EQ(n, stat_of(name).st_size);
		CHECK(S_ISLNK(stat_of(name).st_mode));
	}
	EQ(7, OK(readlink("4095", got, 7)));
	memset(target, 'x', PATH_MAX);
	target[PATH_MAX] = '\0';
	ERR(ENAMETOOLONG, symlink(target, "long"));
	make_file("f", 0644, 0);
	ERR(EINVAL, readlink("f", got, sizeof(got)));
	ERR(EINVAL, readlink("1", got, 0));
}

static void followed(void)
{
	make_dir("d", 0755);
	make_file("d/f", 0644, 5);
	OK(symlink("d", "l"));
	OK(symlink("../d/f", "d/up"));
	EQ(5, ({
		   struct stat st;

		   OK(stat("l/up", &st));
		   st.st_size;
	   }));
	OK(truncate("l/up", 7));
	EQ(7, stat_of("d/f").st_size);
	CHECK(S_ISLNK(stat_of("l").st_mode));
	CHECK(S_ISDIR(stat_of("l/").st_mode));
	ERR(ENOTDIR, rmdir("l"));
	OK(rename("l", "m"));
	CHECK(S_ISLNK(stat_of("m").st_mode));
	OK(unlink("m"));
	CHECK(exists("d/f"));
}

const struct posix_case special_cases[] = {
	CASE(fifos), CASE(sockets),  CASE(devices),
	CASE(links), CASE(followed), NO_CASE,
};
