// SPDX-License-Identifier: BSD-3-Clause
/*
 * syscalls - what tests do to files and no common program does
 *
 *   syscalls noreplace OLD NEW   rename, but not over something
 *   syscalls exchange OLD NEW    let two names change places
 *   syscalls socket PATH         make a socket
 *   syscalls readdir DIR         read a directory that changes meanwhile
 *   syscalls mmap FILE           is a shared mapping the file's own bytes?
 *   syscalls can-mmap FILE       can FILE be mapped shared at all?
 *
 * Exit code 0: done; 1: could not, or it is not as it must be; 2: bad usage.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "syscalls: %s: %s\n", what, why);
	return 1;
}

static int rename_noreplace(char **arg)
{
	if (renameat2(AT_FDCWD, arg[0], AT_FDCWD, arg[1], RENAME_NOREPLACE))
		return fail(arg[1], strerror(errno));
	return 0;
}

static int rename_exchange(char **arg)
{
	if (renameat2(AT_FDCWD, arg[0], AT_FDCWD, arg[1], RENAME_EXCHANGE))
		return fail(arg[1], strerror(errno));
	return 0;
}

static int make_socket(char **arg)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, rc = 0;

	if (strlen(arg[0]) >= sizeof(addr.sun_path))
		return fail(arg[0], strerror(ENAMETOOLONG));
	memcpy(addr.sun_path, arg[0], strlen(arg[0]));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail("socket", strerror(errno));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		rc = fail(arg[0], strerror(errno));
	close(fd);
	return rc;
}

/* --- readdir: entries 0, 1, 2... are there and come and go ------------------ */

#define CHANGE_EVERY 50

struct reading {
	int dir; /* descriptor */
	uint32_t entries; /* 0 to entries - 1 were there at the start */
	uint8_t *seen; /* of each, and of those made later */
	uint32_t seen_old;
	uint32_t made;
};

/* One that was seen goes, and one comes; neither may disturb the reader. */
static int change_dir(struct reading *r, const char *seen_name)
{
	char name[32];
	int fd;

	if (unlinkat(r->dir, seen_name, 0))
		return fail(seen_name, strerror(errno));
	snprintf(name, sizeof(name), "%u", r->entries + r->made);
	fd = openat(r->dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return fail(name, strerror(errno));
	close(fd);
	r->made++;
	return 0;
}

static int see(struct reading *r, const char *name)
{
	unsigned long i = strtoul(name, NULL, 10);

	if (i >= 2ul * r->entries)
		return fail(name, "a name that nobody made");
	if (r->seen[i]++)
		return fail(name, "read twice");
	if (i >= r->entries)
		return 0;
	r->seen_old++;
	return r->seen_old % CHANGE_EVERY ? 0 : change_dir(r, name);
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static int read_all(struct reading *r, DIR *dir)
{
	struct dirent *de;
	int rc = 0;

	for (;;) {
		errno = 0;
		de = readdir(dir);
		if (!de)
			break;
		if (!is_dot(de->d_name))
			rc = see(r, de->d_name);
		if (rc)
			return rc;
	}
	if (errno)
		return fail("readdir", strerror(errno));
	if (r->seen_old != r->entries)
		return fail("readdir", "names that were there all along are "
				       "missing");
	return 0;
}

/* A position that telldir() gave leads to the same entry, also later. */
static int check_seek(DIR *dir, uint32_t skip)
{
	char want[NAME_MAX + 1] = "";
	struct dirent *de;
	long at;

	rewinddir(dir);
	while (skip-- && readdir(dir))
		;
	at = telldir(dir);
	de = readdir(dir);
	if (!de)
		return fail("telldir", "the directory ended early");
	memcpy(want, de->d_name, strlen(de->d_name));
	while (readdir(dir))
		;
	seekdir(dir, at);
	de = readdir(dir);
	if (!de || strcmp(de->d_name, want) != 0)
		return fail("seekdir", "leads to another entry");
	return 0;
}

static uint32_t count_entries(DIR *dir)
{
	struct dirent *de;
	uint32_t n = 0;

	while ((de = readdir(dir)))
		n += !is_dot(de->d_name);
	rewinddir(dir);
	return n;
}

static int read_changing_dir(char **arg)
{
	struct reading r = { .seen_old = 0 };
	DIR *dir = opendir(arg[0]);
	int rc;

	if (!dir)
		return fail(arg[0], strerror(errno));
	r.dir = dirfd(dir);
	r.entries = count_entries(dir);
	r.seen = calloc(2, r.entries);
	if (!r.seen || !r.entries)
		rc = fail(arg[0], "nothing to read");
	else
		rc = read_all(&r, dir);
	if (!rc)
		rc = check_seek(dir, r.entries / 2);
	free(r.seen);
	closedir(dir);
	return rc;
}

/* --- mmap -------------------------------------------------------------------- */

#define MAP_BYTES ((size_t)256 << 10)

static int check_pread(int fd, off_t off, char want)
{
	char got;

	if (pread(fd, &got, 1, off) != 1)
		return fail("pread", strerror(errno));
	return got == want ? 0 : fail("pread", "not what the mapping holds");
}

/* Another process stores through a mapping of its own. */
static int store_elsewhere(const char *path, size_t off, char value)
{
	int fd, status;
	pid_t pid;
	char *p;

	pid = fork();
	if (pid < 0)
		return fail("fork", strerror(errno));
	if (pid == 0) {
		fd = open(path, O_RDWR);
		p = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, 0);
		if (p == MAP_FAILED)
			_exit(1);
		p[off] = value;
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		return fail("fork", "the other process could not map it");
	return 0;
}

static int check_mapping(const char *path, int fd, volatile char *p)
{
	int rc;

	p[0] = 'a';
	p[MAP_BYTES - 1] = 'z';
	rc = check_pread(fd, 0, 'a');
	if (!rc)
		rc = check_pread(fd, MAP_BYTES - 1, 'z');
	if (!rc && pwrite(fd, "w", 1, 5000) != 1)
		rc = fail("pwrite", strerror(errno));
	if (!rc && p[5000] != 'w')
		rc = fail("mapping", "does not show what was written");
	if (!rc)
		rc = store_elsewhere(path, 70000, 'o');
	if (!rc && p[70000] != 'o')
		rc = fail("mapping", "does not show what another stored");
	if (!rc && msync((void *)p, MAP_BYTES, MS_SYNC))
		rc = fail("msync", strerror(errno));
	return rc;
}

static int with_mapping(const char *path, bool look)
{
	int fd, rc = 0;
	char *p;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return fail(path, strerror(errno));
	if (ftruncate(fd, MAP_BYTES)) {
		rc = fail(path, strerror(errno));
		goto out_fd;
	}
	p = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		rc = fail(path, strerror(errno));
		goto out_fd;
	}
	if (look)
		rc = check_mapping(path, fd, p);
	munmap(p, MAP_BYTES);
out_fd:
	close(fd);
	return rc;
}

static int map_shared(char **arg)
{
	return with_mapping(arg[0], true);
}

static int can_map(char **arg)
{
	return with_mapping(arg[0], false);
}

static const struct {
	const char *name;
	int args;
	int (*run)(char **arg);
} commands[] = {
	{ "noreplace", 2, rename_noreplace },
	{ "exchange", 2, rename_exchange },
	{ "socket", 1, make_socket },
	{ "readdir", 1, read_changing_dir },
	{ "mmap", 1, map_shared },
	{ "can-mmap", 1, can_map },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (argc == commands[i].args + 2 &&
		    !strcmp(argv[1], commands[i].name))
			return commands[i].run(argv + 2);
	}
	fprintf(stderr, "usage: syscalls COMMAND ARG...\n");
	return 2;
}
