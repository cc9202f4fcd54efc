// SPDX-License-Identifier: BSD-3-Clause
/* Flags, figures of the file system, handles. */
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "posix.h"

#ifndef FS_DAX_FL
#define FS_DAX_FL 0x02000000
#endif

#define OURS                                                            \
	((unsigned int)(FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | \
			FS_NOATIME_FL | FS_SYNC_FL | FS_DAX_FL))

static unsigned int all_flags(int fd)
{
	unsigned int flags = 0; /* whatever the ioctl's name says */

	OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	return flags;
}

/* set_flags - of OURS; others that a file system has of its own stay */
static int set_flags(const char *path, unsigned int flags)
{
	int fd = FD(open(path, O_RDONLY)), r, e;

	flags |= all_flags(fd) & ~OURS;
	r = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	e = errno;
	close(fd);
	errno = e;
	return r;
}

static unsigned int flags_of(const char *path)
{
	int fd = FD(open(path, O_RDONLY));
	unsigned int flags = all_flags(fd) & OURS;

	close(fd);
	return flags;
}

static void flags(void)
{
	make_file("f", 0644, 0);
	make_dir("d", 0755);
	EQ(0, flags_of("f"));
	OK(set_flags("f", FS_NODUMP_FL | FS_NOATIME_FL));
	EQ(FS_NODUMP_FL | FS_NOATIME_FL, flags_of("f"));
	OK(set_flags("f", FS_SYNC_FL));
	EQ(FS_SYNC_FL, flags_of("f"));
	OK(set_flags("f", 0));
	OK(set_flags("d", FS_NODUMP_FL));
	EQ(FS_NODUMP_FL, flags_of("d"));
	OK(chown("f", ALICE_ID, ALICE_ID));
	AS(BOB)
	{
		ERR(EPERM, set_flags("f", FS_NODUMP_FL));
	}
	AS(ALICE)
	{
		OK(set_flags("f", FS_NODUMP_FL));
		ERR(EPERM, set_flags("f", FS_NODUMP_FL | FS_IMMUTABLE_FL));
		ERR(EPERM, set_flags("f", FS_APPEND_FL));
		EQ(FS_NODUMP_FL, flags_of("f"));
		OK(set_flags("f", 0));
	}
}

static void immutable(void)
{
	const struct timespec t[2] = { { 5, 5 }, { 5, 5 } };

	make_file("f", 0666, 100);
	make_dir("d", 0777);
	make_file("d/f", 0666, 100);
	OK(set_flags("f", FS_IMMUTABLE_FL));
	OK(set_flags("d", FS_IMMUTABLE_FL));
	ERR(EPERM, open("f", O_WRONLY));
	ERR(EPERM, open("f", O_RDWR | O_APPEND));
	ERR(EPERM, truncate("f", 0));
	ERR(EPERM, unlink("f"));
	ERR(EPERM, rename("f", "g"));
	ERR(EPERM, link("f", "g"));
	ERR(EPERM, chmod("f", 0600));
	ERR(EPERM, chown("f", 1, 1));
	ERR(EPERM, utimensat(AT_FDCWD, "f", t, 0));
	OK(open("f", O_RDONLY));
	ERR(EPERM, open("d/g", O_CREAT | O_WRONLY, 0644));
	ERR(EPERM, mkdir("d/g", 0755));
	ERR(EPERM, unlink("d/f"));
	ERR(EPERM, rename("d/f", "d/g"));
	ERR(EPERM, rmdir("d"));
	OK(close(FD(open("d/f", O_WRONLY)))); /* its files are not */
	AS(ALICE)
	{
		ERR(EPERM, open("f", O_WRONLY));
		ERR(EPERM, set_flags("f", 0));
	}
	OK(set_flags("f", 0));
	OK(set_flags("d", 0));
	OK(unlink("f"));
	OK(unlink("d/f"));
}

static void append_only(void)
{
	int fd;

	make_file("f", 0666, 100);
	OK(set_flags("f", FS_APPEND_FL));
	ERR(EPERM, open("f", O_WRONLY));
	ERR(EPERM, open("f", O_WRONLY | O_APPEND | O_TRUNC));
	ERR(EPERM, truncate("f", 10));
	ERR(EPERM, unlink("f"));
	fd = FD(open("f", O_WRONLY | O_APPEND));
	EQ(5, OK(write(fd, "added", 5)));
	EQ(105, stat_of("f").st_size);
	ERR(EPERM, ftruncate(fd, 0));
	ERR(EPERM,
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 10));
	if (!on_pinfs()) /* docs/LIMITS.md */
		ERR(EPERM, fcntl(fd, F_SETFL, 0)); /* to append it is bound */
	OK(set_flags("f", 0));
	OK(unlink("f"));
	make_dir("d", 0777);
	make_file("d/f", 0666, 0);
	OK(set_flags("d", FS_APPEND_FL));
	make_file("d/g", 0666, 0);
	ERR(EPERM, unlink("d/g"));
	ERR(EPERM, rename("d/g", "d/h"));
	OK(set_flags("d", 0));
	OK(unlink("d/g"));
}

static void xflags(void)
{
	struct fsxattr x, y;
	int fd;

	make_file("f", 0644, 0);
	fd = FD(open("f", O_RDONLY));
	OK(ioctl(fd, FS_IOC_FSGETXATTR, &x));
	EQ(0, x.fsx_xflags & FS_XFLAG_NODUMP);
	x.fsx_xflags |= FS_XFLAG_NODUMP;
	OK(ioctl(fd, FS_IOC_FSSETXATTR, &x));
	OK(ioctl(fd, FS_IOC_FSGETXATTR, &y));
	CHECK(y.fsx_xflags & FS_XFLAG_NODUMP);
	EQ(FS_NODUMP_FL, flags_of("f"));
	x.fsx_xflags &= ~(unsigned int)FS_XFLAG_NODUMP;
	OK(ioctl(fd, FS_IOC_FSSETXATTR, &x));
	EQ(0, flags_of("f"));
	if (!on_pinfs())
		return;
	x.fsx_xflags = FS_XFLAG_DAX;
	OK(ioctl(fd, FS_IOC_FSSETXATTR, &x));
	EQ(FS_DAX_FL, flags_of("f"));
	make_dir("d", 0755);
	fd = FD(open("d", O_RDONLY));
	OK(ioctl(fd, FS_IOC_FSSETXATTR, &x));
	make_file("d/f", 0644, 0); /* inherits it */
	EQ(FS_DAX_FL, flags_of("d/f"));
	x.fsx_projid = 5;
	ERR(EOPNOTSUPP, ioctl(fd, FS_IOC_FSSETXATTR, &x));
}

static void figures(void)
{
	struct statvfs a, b;
	struct stat st;
	struct statfs fs;
	int fd;

	OK(statvfs(".", &a));
	EQ(4096, a.f_bsize);
	EQ(4096, a.f_frsize);
	EQ(255, a.f_namemax);
	CHECK(a.f_bavail <= a.f_bfree && a.f_bfree < a.f_blocks);
	CHECK(a.f_ffree < a.f_files && a.f_favail <= a.f_ffree);
	fd = FD(open("f", O_CREAT | O_RDWR, 0644));
	OK(fallocate(fd, 0, 0, 256 * 1024));
	OK(fstat(fd, &st));
	EQ(512, st.st_blocks);
	EQ(4096, st.st_blksize);
	OK(fstatvfs(fd, &b));
	CHECK(a.f_bfree - b.f_bfree >= 64);
	EQ(a.f_blocks, b.f_blocks);
	EQ(a.f_fsid, b.f_fsid);
	OK(statfs(".", &fs));
	if (on_pinfs())
		EQ(0x65735546, fs.f_type); /* FUSE_SUPER_MAGIC */
	EQ(255, fpathconf(fd, _PC_NAME_MAX));
	EQ(4096, fpathconf(fd, _PC_PATH_MAX));
	EQ(1, fpathconf(fd, _PC_NO_TRUNC));
	EQ(1, fpathconf(fd, _PC_CHOWN_RESTRICTED));
}

/* What Linux has room for in stx_attributes, FUSE does not hand on: LIMITS.md */
static void statx_attributes(void)
{
	struct statx stx;

	make_file("f", 0644, 0);
	OK(set_flags("f", FS_IMMUTABLE_FL));
	OK(statx(AT_FDCWD, "f", 0, STATX_ALL, &stx));
	EQ(on_pinfs() ? 0 : STATX_ATTR_IMMUTABLE,
	   stx.stx_attributes & STATX_ATTR_IMMUTABLE);
	OK(set_flags("f", 0));
}

/* --- handles ---------------------------------------------------------------------- */

struct handle {
	struct file_handle head;
	uint8_t room[MAX_HANDLE_SZ];
};

static void handle_of(const char *path, struct handle *h)
{
	int mount;

	h->head.handle_bytes = MAX_HANDLE_SZ;
	OK(name_to_handle_at(AT_FDCWD, path, &h->head, &mount, 0));
}

static void handles(void)
{
	int at = FD(open(".", O_RDONLY | O_DIRECTORY)), fd, mount;
	struct handle f, d, small = { .head.handle_bytes = 0 };
	struct stat st;

	make_file("f", 0644, 77);
	make_dir("d", 0755);
	make_file("d/in", 0644, 0);
	handle_of("f", &f);
	handle_of("d", &d);
	ERR(EOVERFLOW,
	    name_to_handle_at(AT_FDCWD, "f", &small.head, &mount, 0));
	fd = FD(open_by_handle_at(at, &f.head, O_RDONLY));
	OK(fstat(fd, &st));
	EQ(stat_of("f").st_ino, st.st_ino);
	EQ(77, st.st_size);
	OK(close(fd));
	OK(rename("f", "d/g")); /* its name does not matter */
	fd = FD(open_by_handle_at(at, &f.head, O_RDWR));
	OK(ftruncate(fd, 5));
	EQ(5, stat_of("d/g").st_size);
	OK(close(fd));
	fd = FD(open_by_handle_at(at, &d.head, O_RDONLY | O_DIRECTORY));
	OK(faccessat(fd, "in", F_OK, 0));
	EQ(stat_of(".").st_ino, ({
		   OK(fstatat(fd, "..", &st, 0));
		   st.st_ino;
	   }));
	OK(close(fd));
	AS(ALICE)
	{
		ERR(EPERM, open_by_handle_at(at, &f.head, O_RDONLY));
	}
	OK(unlink("d/g"));
	ERR(ESTALE, open_by_handle_at(at, &f.head, O_RDONLY));
	/* Its number may be another file's by now: that one it is not. */
	make_many("d", 50);
	ERR(ESTALE, open_by_handle_at(at, &f.head, O_RDONLY));
	OK(symlink("x", "l"));
	handle_of("l", &f);
	fd = FD(open_by_handle_at(at, &f.head, O_PATH));
	OK(fstat(fd, &st));
	CHECK(S_ISLNK(st.st_mode));
}

const struct posix_case attributes_cases[] = {
	CASE(flags),   CASE(immutable),	       CASE(append_only), CASE(xflags),
	CASE(figures), CASE(statx_attributes), CASE(handles),	  NO_CASE,
};
