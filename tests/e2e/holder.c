// SPDX-License-Identifier: BSD-3-Clause
/*
 * holder - keeps a file open, and mapped if asked to, and does as it is told
 *
 *   holder [-m] [-d] FILE      -m: shared mapping; -d: O_DIRECT
 *
 * Commands, a line each, from standard input; each is answered by "ok", or by
 * an errno's name:
 *
 *   mem OFF LEN OUT      write what the mapping shows to the file OUT
 *   read OFF LEN OUT     the same for what pread(2) gives
 *   poke OFF LEN CHAR    fill part of the mapping with a character
 *   write OFF LEN CHAR   the same with pwrite(2)
 *   msync, fsync
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALIGN 4096

struct holder {
	int fd;
	char *map;
	size_t size;
};

struct command {
	char name[16];
	long long off, len;
	char arg[4096];
};

static int save(const char *path, const void *buf, size_t n)
{
	FILE *f = fopen(path, "w");
	size_t done;

	if (!f)
		return -errno;
	done = fwrite(buf, 1, n, f);
	return fclose(f) || done != n ? -EIO : 0;
}

static int do_mem(const struct holder *h, const struct command *c, char *buf)
{
	if (!h->map || (size_t)(c->off + c->len) > h->size)
		return -EFAULT;
	memcpy(buf, h->map + c->off, (size_t)c->len);
	return save(c->arg, buf, (size_t)c->len);
}

static int do_read(const struct holder *h, const struct command *c, char *buf)
{
	ssize_t n = pread(h->fd, buf, (size_t)c->len, c->off);

	return n < 0 ? -errno : save(c->arg, buf, (size_t)n);
}

static int do_poke(const struct holder *h, const struct command *c, char *buf)
{
	(void)buf;
	if (!h->map || (size_t)(c->off + c->len) > h->size)
		return -EFAULT;
	memset(h->map + c->off, c->arg[0], (size_t)c->len);
	return 0;
}

static int do_write(const struct holder *h, const struct command *c, char *buf)
{
	ssize_t n;

	memset(buf, c->arg[0], (size_t)c->len);
	n = pwrite(h->fd, buf, (size_t)c->len, c->off);
	if (n < 0)
		return -errno;
	return n == c->len ? 0 : -EIO;
}

static int run(const struct holder *h, const struct command *c)
{
	void *buf = NULL;
	int err;

	if (!strcmp(c->name, "msync"))
		return msync(h->map, h->size, MS_SYNC) ? -errno : 0;
	if (!strcmp(c->name, "fsync"))
		return fsync(h->fd) ? -errno : 0;
	if (c->off < 0 || c->len <= 0 ||
	    posix_memalign(&buf, ALIGN, (size_t)c->len))
		return -EINVAL;
	if (!strcmp(c->name, "mem"))
		err = do_mem(h, c, buf);
	else if (!strcmp(c->name, "read"))
		err = do_read(h, c, buf);
	else if (!strcmp(c->name, "poke"))
		err = do_poke(h, c, buf);
	else if (!strcmp(c->name, "write"))
		err = do_write(h, c, buf);
	else
		err = -ENOSYS;
	free(buf);
	return err;
}

static int hold(struct holder *h, const char *path, bool map, bool direct)
{
	struct stat st;

	h->fd = open(path, O_RDWR | (direct ? O_DIRECT : 0));
	if (h->fd < 0 || fstat(h->fd, &st))
		return -errno;
	h->size = (size_t)st.st_size;
	h->map = NULL;
	if (!map)
		return 0;
	h->map = mmap(NULL, h->size, PROT_READ | PROT_WRITE, MAP_SHARED, h->fd,
		      0);
	return h->map == MAP_FAILED ? -errno : 0;
}

int main(int argc, char **argv)
{
	bool map = false, direct = false;
	struct command c;
	struct holder h = { .fd = -1 };
	char line[8192];
	int opt, err;

	while ((opt = getopt(argc, argv, "md")) != -1) {
		map |= opt == 'm';
		direct |= opt == 'd';
	}
	if (argc - optind != 1) {
		fprintf(stderr, "usage: holder [-m] [-d] FILE\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	err = hold(&h, argv[optind], map, direct);
	puts(err ? strerrorname_np(-err) : "ok");
	if (err)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		memset(&c, 0, sizeof(c));
		sscanf(line, "%15s %lld %lld %4095s", c.name, &c.off, &c.len,
		       c.arg);
		err = run(&h, &c);
		puts(err ? strerrorname_np(-err) : "ok");
	}
	return 0;
}
