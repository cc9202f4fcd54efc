// SPDX-License-Identifier: BSD-3-Clause
/*
 * What can be done with a file that a device has pinned: all but to change its
 * layout. It is done to the file itself, and undone.
 *
 *   posix held FILE
 */
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include "commands.h"
#include "posix.h"

static void attributes(const char *f)
{
	const struct timespec t[2] = { { 5, 5 }, { 6, 6 } };
	mode_t mode = mode_of(f);
	char c;

	OK(chmod(f, 0640));
	EQ(0640, mode_of(f));
	OK(chown(f, ALICE_ID, SHARED_ID));
	EQ(ALICE_ID, stat_of(f).st_uid);
	OK(chown(f, 0, 0));
	OK(chmod(f, mode));
	OK(setxattr(f, "user.held", "x", 1, 0));
	EQ(1, OK(getxattr(f, "user.held", &c, 1)));
	OK(removexattr(f, "user.held"));
	OK(utimensat(AT_FDCWD, f, t, 0));
	EQ(6, stat_of(f).st_mtim.tv_sec);
}

static void names(const char *f)
{
	char other[4096];

	snprintf(other, sizeof(other), "%s.other", f);
	OK(link(f, other));
	EQ(2, stat_of(f).st_nlink);
	OK(unlink(f));
	EQ(1, stat_of(other).st_nlink);
	OK(rename(other, f));
	CHECK(!exists(other));
}

static void contents(const char *f)
{
	int fd = FD(open(f, O_RDWR)), copy;
	off_t size = stat_of(f).st_size;
	char c = 'w', buf[4096];
	uint8_t *p;

	OK(pread(fd, buf, sizeof(buf), 0));
	EQ(1, OK(pwrite(fd, &c, 1, size - 1)));
	EQ(1, OK(pread(fd, &c, 1, size - 1)));
	EQ('w', c);
	EQ(1, OK(pwrite(fd, &c, 1, size))); /* longer */
	EQ(size + 1, stat_of(f).st_size);
	OK(lseek(fd, 0, SEEK_DATA));
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	(void)*(volatile uint8_t *)p;
	OK(munmap(p, 4096));
	snprintf(buf, sizeof(buf), "%s.copy", f);
	copy = FD(open(buf, O_RDWR | O_CREAT | O_EXCL, 0600));
	EQ(size + 1, OK(copy_file_range(fd, &(off_t){ 0 }, copy, NULL,
					(size_t)size + 1, 0)));
	OK(unlink(buf));
	OK(fsync(fd));
	OK(flock(fd, LOCK_EX));
}

int held_command(const char *file)
{
	attributes(file);
	names(file);
	contents(file);
	AS(BOB)
	{
		ERR(EPERM, chmod(file, 0777));
	}
	printf("held: passed\n");
	return 0;
}
