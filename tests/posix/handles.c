// SPDX-License-Identifier: BSD-3-Clause
/*
 * File handles from one mount to the next. "save" writes the handles of all that
 * stands in a directory to a file, with the name and the inode number; "check" looks
 * them up: one whose name is there still must lead to it, any other is stale.
 */
#include <dirent.h>

#include "commands.h"
#include "posix.h"

struct saved {
	char name[256];
	uint64_t ino;
	struct file_handle head;
	uint8_t room[MAX_HANDLE_SZ];
};

static int save(const char *dir, const char *file)
{
	int at = FD(open(dir, O_RDONLY | O_DIRECTORY)), mount;
	int out = FD(open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600));
	DIR *d = fdopendir(dup(at));
	struct dirent *de;

	CHECK(d);
	while ((de = readdir(d))) {
		struct saved s = { .ino = de->d_ino,
				   .head.handle_bytes = MAX_HANDLE_SZ };

		if (!strcmp(de->d_name, ".."))
			continue;
		snprintf(s.name, sizeof(s.name), "%s", de->d_name);
		OK(name_to_handle_at(at, s.name, &s.head, &mount, 0));
		EQ(sizeof(s), OK(write(out, &s, sizeof(s))));
	}
	closedir(d);
	return 0;
}

static void check_one(int at, struct saved *s)
{
	int fd = open_by_handle_at(at, &s->head, O_PATH), why = errno;
	struct stat st;

	if (fstatat(at, s->name, &st, AT_SYMLINK_NOFOLLOW) ||
	    st.st_ino != s->ino) {
		if (fd >= 0)
			FAIL("%s: is gone, and its handle is not", s->name);
		EQ(ESTALE, why);
		return;
	}
	if (fd < 0)
		FAIL("%s: %s", s->name, strerrorname_np(why));
	OK(fstat(fd, &st));
	EQ(s->ino, st.st_ino);
	OK(close(fd));
}

static int check(const char *dir, const char *file)
{
	int at = FD(open(dir, O_RDONLY | O_DIRECTORY));
	int in = FD(open(file, O_RDONLY));
	struct saved s;
	unsigned int n = 0;

	while (OK(read(in, &s, sizeof(s))) == sizeof(s)) {
		check_one(at, &s);
		n++;
	}
	CHECK(n > 0);
	printf("%u handles\n", n);
	return 0;
}

int handles_command(char **arg)
{
	if (!strcmp(arg[0], "save"))
		return save(arg[1], arg[2]);
	return check(arg[1], arg[2]);
}
