// SPDX-License-Identifier: BSD-3-Clause
/* Who may do what: modes, owners, groups, set-id and sticky bits, umask. */
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "posix.h"

static void allow(const char *path, int mode)
{
	OK(faccessat(AT_FDCWD, path, mode, AT_EACCESS));
}

static void refuse(const char *path, int mode)
{
	ERR(EACCES, faccessat(AT_FDCWD, path, mode, AT_EACCESS));
}

/* The class decides, the first that fits, and no other adds to it. */
static void classes(void)
{
	make_file("f", 0640, 1);
	OK(chown("f", ALICE_ID, SHARED_ID));
	AS(ALICE)
	{
		allow("f", R_OK | W_OK);
		refuse("f", X_OK);
		OK(chmod("f", 0077));
		refuse("f", R_OK);
		refuse("f", W_OK);
		ERR(EACCES, open("f", O_RDONLY));
		OK(chmod("f", 0604));
	}
	AS(BOB)
	{
		allow("f", R_OK);
		refuse("f", W_OK);
		ERR(EACCES, open("f", O_WRONLY));
		ERR(EACCES, open("f", O_RDWR));
		ERR(EACCES, truncate("f", 0));
		OK(open("f", O_RDONLY));
	}
	OK(chown("f", BOB_ID, BOB_ID));
	AS(ALICE)
	{
		allow("f", R_OK);
	}
	OK(chmod("f", 0000));
	OK(open("f", O_RDWR)); /* root */
	refuse("f", X_OK); /* but who may execute it? */
}

static void supplementary_groups(void)
{
	make_file("f", 0060, 1);
	OK(chown("f", 0, SHARED_ID));
	AS(ALICE)
	{
		allow("f", R_OK | W_OK);
	}
	AS(BOB)
	{
		refuse("f", R_OK);
	}
	OK(chmod("f", 0606)); /* her class is the group's, which may not */
	AS(ALICE)
	{
		refuse("f", R_OK);
	}
	AS(BOB)
	{
		allow("f", R_OK | W_OK);
	}
}

static void directories(void)
{
	make_dir("d", 0755);
	make_file("d/f", 0666, 1);
	AS(BOB)
	{
		ERR(EACCES, open("d/new", O_CREAT | O_WRONLY, 0666));
		ERR(EACCES, mkdir("d/new", 0777));
		ERR(EACCES, symlink("x", "d/new"));
		ERR(EACCES, mknod("d/new", S_IFIFO | 0666, 0));
		ERR(EACCES, unlink("d/f"));
		ERR(EACCES, rename("d/f", "d/g"));
	}
	OK(chmod("d", 0744)); /* to read names, and no more */
	AS(BOB)
	{
		ERR(EACCES, open("d/f", O_RDONLY));
		ERR(EACCES, access("d/missing", F_OK));
		ERR(EACCES, chdir("d"));
		OK(open("d", O_RDONLY | O_DIRECTORY));
	}
	OK(chmod("d", 0711)); /* to use names that are known */
	AS(BOB)
	{
		OK(open("d/f", O_RDONLY));
		ERR(EACCES, open("d", O_RDONLY | O_DIRECTORY));
		ERR(ENOENT, access("d/missing", F_OK));
	}
	OK(chmod("d", 0777));
	AS(BOB)
	{
		OK(rename("d/f", "d/g"));
		OK(unlink("d/g"));
	}
}

/* A directory that moves has its ".." changed, which is a write to it. */
static void moved_directory(void)
{
	make_dir("a", 0777);
	make_dir("b", 0777);
	make_dir("a/d", 0555);
	OK(chown("a/d", ALICE_ID, ALICE_ID));
	AS(BOB)
	{
		ERR(EACCES, rename("a/d", "b/d"));
		OK(rename("a/d", "a/e"));
	}
	OK(chmod("a/e", 0777));
	AS(BOB)
	{
		OK(rename("a/e", "b/e"));
	}
}

static void only_owners(void)
{
	const struct timespec given[2] = { { 5, 0 }, { 5, 0 } };

	make_file("f", 0666, 1);
	OK(chown("f", ALICE_ID, ALICE_ID));
	AS(BOB)
	{
		ERR(EPERM, chmod("f", 0777));
		ERR(EPERM, chown("f", BOB_ID, SAME_ID));
		ERR(EPERM, chown("f", SAME_ID, BOB_ID));
		ERR(EPERM, utimensat(AT_FDCWD, "f", given, 0));
		OK(utimensat(AT_FDCWD, "f", NULL, 0)); /* may write to it */
		ERR(EPERM, open("f", O_RDONLY | O_NOATIME));
	}
	OK(chmod("f", 0644));
	AS(BOB)
	{
		ERR(EACCES, utimensat(AT_FDCWD, "f", NULL, 0));
	}
	AS(ALICE)
	{
		OK(chmod("f", 0600));
		OK(chown("f", SAME_ID, SHARED_ID));
		OK(chown("f", ALICE_ID, ALICE_ID));
		ERR(EPERM, chown("f", SAME_ID, BOB_ID));
		ERR(EPERM, chown("f", BOB_ID, SAME_ID));
		OK(utimensat(AT_FDCWD, "f", given, 0));
		OK(open("f", O_RDONLY | O_NOATIME));
	}
}

static void set_group_id_directory(void)
{
	make_dir("d", 02777);
	OK(chown("d", 0, SHARED_ID));
	OK(chmod("d", 02777));
	AS(BOB)
	{
		make_file("d/f", 0644, 0);
		OK(mkdir("d/sub", 0755));
		OK(symlink("x", "d/link"));
		OK(mkfifo("d/fifo", 0644));
	}
	EQ(SHARED_ID, stat_of("d/f").st_gid);
	EQ(SHARED_ID, stat_of("d/link").st_gid);
	EQ(SHARED_ID, stat_of("d/fifo").st_gid);
	EQ(SHARED_ID, stat_of("d/sub").st_gid);
	EQ(BOB_ID, stat_of("d/f").st_uid);
	EQ(02755, mode_of("d/sub"));
	EQ(0644, mode_of("d/f"));
	/* Who is not in the group makes no program of its rights. */
	AS(BOB)
	{
		OK(open("d/x", O_CREAT | O_EXCL | O_WRONLY, 02755));
		OK(mknod("d/y", S_IFREG | 02755, 0));
	}
	EQ(0755, mode_of("d/x"));
	EQ(0755, mode_of("d/y"));
	AS(ALICE)
	{
		OK(open("d/z", O_CREAT | O_EXCL | O_WRONLY, 02755));
	}
	EQ(02755, mode_of("d/z"));
}

static void chmod_and_set_ids(void)
{
	make_file("f", 0644, 0);
	OK(chown("f", ALICE_ID, BOB_ID));
	AS(ALICE)
	{
		OK(chmod("f", 06755)); /* a group that she is not in */
		EQ(04755, mode_of("f"));
	}
	OK(chown("f", ALICE_ID, SHARED_ID));
	AS(ALICE)
	{
		OK(chmod("f", 06755));
		EQ(06755, mode_of("f"));
		OK(chmod("f", 01644));
		EQ(01644, mode_of("f"));
	}
}

static void sticky(void)
{
	make_dir("d", 01777);
	make_file("d/alice", 0666, 0);
	OK(chown("d/alice", ALICE_ID, ALICE_ID));
	make_dir("d/dir", 0777);
	OK(chown("d/dir", ALICE_ID, ALICE_ID));
	AS(BOB)
	{
		ERR(EPERM, unlink("d/alice"));
		ERR(EPERM, rmdir("d/dir"));
		ERR(EPERM, rename("d/alice", "d/x"));
		make_file("d/bob", 0666, 0);
		ERR(EPERM, rename("d/bob", "d/alice"));
		OK(rename("d/bob", "d/bob2"));
	}
	AS(ALICE)
	{
		ERR(EPERM, unlink("d/bob2"));
		OK(unlink("d/alice"));
		OK(rmdir("d/dir"));
	}
	OK(chown("d", ALICE_ID, ALICE_ID));
	AS(ALICE)
	{
		OK(unlink("d/bob2")); /* the directory's owner may */
	}
}

static void set_capability(const char *path)
{
	struct vfs_cap_data cap = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data[0].permitted = 1u << CAP_NET_RAW,
	};

	OK(setxattr(path, "security.capability", &cap, XATTR_CAPS_SZ_2, 0));
}

static bool has_capability(const char *path)
{
	char buf[64];

	if (getxattr(path, "security.capability", buf, sizeof(buf)) > 0)
		return true;
	EQ(ENODATA, errno);
	return false;
}

static void chown_takes_privileges(void)
{
	make_file("f", 06755, 0);
	set_capability("f");
	CHECK(has_capability("f"));
	OK(chown("f", ALICE_ID, ALICE_ID));
	EQ(0755, mode_of("f"));
	CHECK(!has_capability("f"));
	/* Also by nobody to nobody. */
	OK(chmod("f", 06755));
	set_capability("f");
	AS(ALICE)
	{
		OK(chown("f", SAME_ID, SAME_ID));
	}
	EQ(0755, mode_of("f"));
	CHECK(!has_capability("f"));
	/* Not executable by the group, the bit means something else. */
	OK(chmod("f", 02644));
	OK(chown("f", BOB_ID, BOB_ID));
	EQ(02644, mode_of("f"));
	/* A directory keeps its own. */
	make_dir("d", 02755);
	OK(chown("d", ALICE_ID, ALICE_ID));
	EQ(02755, mode_of("d"));
}

/* privileged - as others may write to it */
static void privileged(const char *path)
{
	OK(chmod(path, 06777));
	set_capability(path);
	EQ(06777, mode_of(path));
}

static void lost(const char *path)
{
	EQ(0777, mode_of(path));
	CHECK(!has_capability(path));
}

static void contents_take_privileges(void)
{
	make_file("f", 0777, 8192);
	privileged("f");
	AS(ALICE)
	{
		EQ(1, OK(write(FD(open("f", O_WRONLY)), "x", 1)));
		lost("f");
	}
	privileged("f");
	AS(ALICE)
	{
		OK(truncate("f", 5000));
		lost("f");
	}
	privileged("f");
	AS(ALICE)
	{
		OK(open("f", O_WRONLY | O_TRUNC));
		lost("f");
	}
	privileged("f");
	AS(ALICE)
	{
		OK(fallocate(FD(open("f", O_WRONLY)), 0, 0, 10000));
		lost("f");
	}
	privileged("f");
	AS(ALICE)
	{
		EQ(4096, OK(write(FD(open("f", O_WRONLY | O_APPEND)),
				  (char[4096]){ 1 }, 4096)));
		lost("f");
	}
}

static void umasks(void)
{
	umask(027);
	OK(close(FD(open("f", O_CREAT | O_WRONLY, 0666))));
	OK(mkdir("d", 0777));
	OK(mkfifo("p", 0666));
	OK(mknod("n", S_IFREG | 0777, 0));
	OK(symlink("x", "l"));
	EQ(0640, mode_of("f"));
	EQ(0750, mode_of("d"));
	EQ(0640, mode_of("p"));
	EQ(0750, mode_of("n"));
	EQ(0777, mode_of("l"));
	umask(0777);
	OK(close(FD(open("none", O_CREAT | O_WRONLY, 0666))));
	EQ(0, mode_of("none"));
	umask(0);
	OK(mkdir("all", 01777));
	EQ(01777, mode_of("all"));
	OK(close(FD(open("bits", O_CREAT | O_WRONLY, 07777))));
	EQ(07777, mode_of("bits"));
}

/* The rights of a descriptor are those of the time when it was opened. */
static void open_before(void)
{
	int fd;

	make_file("f", 0644, 10);
	fd = FD(open("f", O_RDWR));
	OK(chmod("f", 0));
	OK(chown("f", BOB_ID, BOB_ID));
	AS(ALICE)
	{
		char c;

		EQ(1, OK(pread(fd, &c, 1, 0)));
		EQ(1, OK(pwrite(fd, "x", 1, 0)));
		OK(ftruncate(fd, 3));
	}
	/* A new file may be opened for what its mode forbids. */
	AS(ALICE)
	{
		OK(chdir("/"));
	}
	OK(chmod(".", 0777));
	AS(ALICE)
	{
		EQ(1, OK(write(FD(open("g", O_CREAT | O_EXCL | O_RDWR, 0400)),
			       "x", 1)));
		ERR(EACCES, open("g", O_WRONLY));
	}
}

static void owners_of_new(void)
{
	make_dir("d", 0777);
	AS(ALICE)
	{
		make_file("d/f", 0644, 0);
		OK(symlink("f", "d/l"));
	}
	EQ(ALICE_ID, stat_of("d/f").st_uid);
	EQ(ALICE_ID, stat_of("d/f").st_gid);
	EQ(ALICE_ID, stat_of("d/l").st_uid);
	OK(lchown("d/l", BOB_ID, 7));
	EQ(BOB_ID, stat_of("d/l").st_uid);
	EQ(ALICE_ID, stat_of("d/f").st_uid);
	OK(chown("d/l", 8, 9)); /* follows it */
	EQ(8, stat_of("d/f").st_uid);
	OK(chown("d/f", 4294967294u, 4294967294u));
	EQ(4294967294u, stat_of("d/f").st_uid);
}

const struct posix_case permissions_cases[] = {
	CASE(classes),
	CASE(supplementary_groups),
	CASE(directories),
	CASE(moved_directory),
	CASE(only_owners),
	CASE(set_group_id_directory),
	CASE(chmod_and_set_ids),
	CASE(sticky),
	CASE(chown_takes_privileges),
	CASE(contents_take_privileges),
	CASE(umasks),
	CASE(open_before),
	CASE(owners_of_new),
	NO_CASE,
};
