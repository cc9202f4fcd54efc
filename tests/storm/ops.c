// SPDX-License-Identifier: BSD-3-Clause
/* Everything else that the storm does with a file. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/util.h"
#include "storm.h"
#include "wire/pinfs_ioctl.h"

/* What a change may say: the pool is nearly full, and signals come. */
static const int change_errors[] = { ENOSPC, EINTR, 0 };

/* outcome_of - of a call's result; what it may not say ends the storm */
static enum outcome outcome_of(const struct proc *p, const char *what,
			       long result, const int *list)
{
	if (result >= 0)
		return DONE;
	if (!allowed(errno, list))
		broken(p, "%s: %s", what, strerror(errno));
	return REFUSED;
}

/* --- layout changes ------------------------------------------------------------ */

/* alarm_in - signals from then on, again and again, so that none is too early */
static void alarm_in(unsigned int us)
{
	const struct itimerval when = {
		.it_value.tv_usec = us,
		.it_interval.tv_usec = us ? 2000 : 0,
	};

	setitimer(ITIMER_REAL, &when, NULL);
}

/* maybe_alarm - some changes are interrupted while they wait */
static void maybe_alarm(struct proc *p)
{
	if (chance(p, 25))
		alarm_in(200 + (unsigned int)draw(p, 10000));
}

static enum outcome op_truncate(struct proc *p)
{
	enum outcome how;
	struct target t;

	if (!target_open(p, O_RDWR, &t))
		return REFUSED;
	maybe_alarm(p);
	how = outcome_of(
		p, "truncate",
		ftruncate(t.fd, (off_t)(draw(p, FILE_MOST / SECTOR) * SECTOR)),
		change_errors);
	alarm_in(0);
	target_close(&t);
	return how;
}

static enum outcome op_open_truncate(struct proc *p)
{
	struct target t;

	if (!target_open(p, O_RDWR | O_TRUNC, &t))
		return REFUSED;
	target_close(&t);
	return DONE;
}

static enum outcome op_allocate(struct proc *p)
{
	static const int modes[] = {
		0,
		FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
	};
	off_t off = (off_t)(draw(p, FILE_MOST / SECTOR) * SECTOR);
	enum outcome how;
	struct target t;

	if (!target_open(p, O_RDWR, &t))
		return REFUSED;
	maybe_alarm(p);
	how = outcome_of(p, "fallocate",
			 fallocate(t.fd, modes[draw(p, ARRAY_SIZE(modes))], off,
				   (off_t)draw_sectors(p, 512 << 10)),
			 change_errors);
	alarm_in(0);
	target_close(&t);
	return how;
}

/* op_shift - collapse or insert, of files whose sectors may be anywhere */
static enum outcome op_shift(struct proc *p)
{
	/* EINVAL: past the end of file, or up to it. */
	static const int errors[] = { ENOSPC, EINTR, EINVAL, 0 };
	struct pinfs_ioc_range r = {
		.offset = draw(p, FILE_MOST / BLOCK / 2) * BLOCK,
		.length = (1 + draw(p, 64)) * BLOCK,
	};
	enum outcome how = REFUSED;
	struct target t;

	if (!target_open(p, O_RDWR, &t))
		return REFUSED;
	if (t.id & ID_SHIFTS) {
		bool insert = t.size < FILE_MOST && chance(p, 50);

		maybe_alarm(p);
		how = outcome_of(p, insert ? "insert" : "collapse",
				 ioctl(t.fd,
				       insert ? PINFS_IOC_INSERT :
						PINFS_IOC_COLLAPSE,
				       &r),
				 errors);
		alarm_in(0);
	}
	target_close(&t);
	return how;
}

/* --- names --------------------------------------------------------------------- */

static enum outcome op_renew(struct proc *p)
{
	static const int gone[] = { ENOENT, 0 };
	unsigned int n = (unsigned int)draw(p, p->st->files);
	char name[16];

	name_of(n, name);
	(void)outcome_of(p, "unlink", unlinkat(p->st->dir, name, 0), gone);
	return target_make(p, n) ? DONE : REFUSED;
}

static enum outcome op_rename(struct proc *p)
{
	static const int errors[] = { ENOENT, EEXIST, ENOSPC, 0 };
	static const unsigned int flags[] = { 0, RENAME_NOREPLACE,
					      RENAME_EXCHANGE,
					      RENAME_EXCHANGE };
	char from[16], to[16];

	name_of((unsigned int)draw(p, p->st->files), from);
	name_of((unsigned int)draw(p, p->st->files), to);
	return outcome_of(p, "rename",
			  syscall(SYS_renameat2, p->st->dir, from, p->st->dir,
				  to, flags[draw(p, ARRAY_SIZE(flags))]),
			  errors);
}

/* --- bytes --------------------------------------------------------------------- */

static enum outcome op_write(struct proc *p)
{
	static const int full[] = { ENOSPC, 0 };
	uint64_t off = draw(p, FILE_MOST / SECTOR) * SECTOR;
	uint64_t len = draw_sectors(p, 64 << 10);
	enum outcome how;
	struct target t;

	if (!target_open(p, chance(p, 20) ? O_RDWR | O_DIRECT : O_RDWR, &t))
		return REFUSED;
	sector_fill(p, t.id, off, p->buf, len);
	how = outcome_of(p, "write", pwrite(t.fd, p->buf, len, (off_t)off),
			 full);
	if (chance(p, 5))
		how = outcome_of(p, "fsync", fsync(t.fd), full);
	target_close(&t);
	return how;
}

void ops_write_around(struct proc *p)
{
	for (int i = 0; i < 4; i++)
		(void)op_write(p);
}

static void read_all(struct proc *p, struct target *t)
{
	uint64_t off = 0;
	ssize_t n;

	while ((n = pread(t->fd, p->buf, BUF_SIZE, (off_t)off)) > 0) {
		sector_check(p, "read", t->id, off, p->buf, (size_t)n);
		off += (uint64_t)n;
	}
	if (n < 0)
		broken(p, "read: %s", strerror(errno));
}

static enum outcome op_read(struct proc *p)
{
	struct target t;

	if (!target_open(p, O_RDONLY, &t))
		return REFUSED;
	read_all(p, &t);
	target_close(&t);
	return DONE;
}

static sigjmp_buf past_end;

static void on_bus(int sig)
{
	(void)sig;
	siglongjmp(past_end, 1);
}

static void on_alarm(int sig)
{
	(void)sig;
}

void ops_catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_bus };

	sigaction(SIGBUS, &sa, NULL);
	sa.sa_handler = on_alarm; /* no SA_RESTART */
	sigaction(SIGALRM, &sa, NULL);
}

static enum outcome op_map(struct proc *p)
{
	volatile enum outcome how = REFUSED;
	volatile size_t at;
	struct target t;
	size_t len;
	void *map;

	if (!target_open(p, O_RDONLY, &t))
		return REFUSED;
	len = min_u64(t.size, BUF_SIZE) & ~(size_t)(BLOCK - 1);
	/* A file that the kernel does not cache has no shared mappings. */
	map = len ? mmap(NULL, len, PROT_READ, MAP_SHARED, t.fd, 0) :
		    MAP_FAILED;
	if (len && map == MAP_FAILED && errno == ENODEV)
		map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, t.fd, 0);
	if (len && map == MAP_FAILED)
		broken(p, "mmap: %s", strerror(errno));
	if (len) {
		/* Truncated meanwhile: there is nothing to be seen. */
		for (at = 0; at < len && !sigsetjmp(past_end, 1); at += BLOCK) {
			memcpy(p->buf, (const uint8_t *)map + at, BLOCK);
			sector_check(p, "mapping", t.id, at, p->buf, BLOCK);
			how = DONE;
		}
		munmap(map, len);
	}
	target_close(&t);
	return how;
}

/* --- a file that nobody else has: not only whose bytes, but which (C1, C2) ------- */

static void same(const struct proc *p, const char *what, const uint8_t *want,
		 const uint8_t *got, uint64_t len)
{
	uint64_t i = 0;

	while (i < len && want[i] == got[i])
		i++;
	if (i < len)
		broken(p, "%s: byte %llu is %#x, expected %#x", what,
		       (unsigned long long)i, got[i], want[i]);
}

/* private_round - what one way brings in, the other brings out */
static enum outcome private_round(struct proc *p, struct target *t)
{
	uint64_t off = draw(p, 64) * SECTOR, len = draw_sectors(p, 32 << 10);
	uint8_t *want = p->buf, *got = p->buf + BUF_SIZE / 2;
	ssize_t n;

	sector_fill(p, t->id, off, want, len);
	if (chance(p, 50)) {
		if (!dma_exactly(p, t, true, off, want, len))
			return REFUSED;
		n = pread(t->fd, got, len, (off_t)off);
		if (n != (ssize_t)len)
			broken(p, "read after a DMA of %llu bytes: %zd (C2)",
			       (unsigned long long)len, n);
		same(p, "read after a DMA (C2)", want, got, len);
		return DONE;
	}
	if (pwrite(t->fd, want, len, (off_t)off) != (ssize_t)len)
		return REFUSED;
	if (!dma_exactly(p, t, false, off, got, len))
		return REFUSED;
	same(p, "DMA after a write (C1)", want, got, len);
	return DONE;
}

static enum outcome op_private(struct proc *p)
{
	struct target t = { .id = (uint64_t)p->index << 1 };
	enum outcome how;
	char name[16];

	snprintf(name, sizeof(name), "p%u", p->index);
	t.fd = openat(p->st->dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (t.fd < 0 && errno == ENOSPC)
		return REFUSED;
	if (t.fd < 0)
		broken(p, "%s: %s", name, strerror(errno));
	how = private_round(p, &t);
	if (chance(p, 50) && ftruncate(t.fd, 0))
		broken(p, "truncating %s: %s", name, strerror(errno));
	target_close(&t);
	return how;
}

/* --- all of them ----------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned int weight;
	enum outcome (*fn)(struct proc *p);
} ops[] = {
	{ "dma-in", 30, dma_in },
	{ "dma-out", 15, dma_out },
	{ "dma-slow", 6, dma_slow },
	{ "client", 4, guest },
	{ "truncate", 14, op_truncate },
	{ "open-truncate", 1, op_open_truncate },
	{ "fallocate", 8, op_allocate },
	{ "shift", 5, op_shift },
	{ "renew", 4, op_renew },
	{ "rename", 4, op_rename },
	{ "write", 10, op_write },
	{ "read", 8, op_read },
	{ "map", 4, op_map },
	{ "private", 6, op_private },
};

_Static_assert(ARRAY_SIZE(ops) <= OPS_MAX, "shared counters");

static size_t draw_op(struct proc *p)
{
	uint64_t all = 0, at;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		all += ops[i].weight;
	at = draw(p, all);
	for (i = 0; at >= ops[i].weight; i++)
		at -= ops[i].weight;
	return i;
}

void ops_one(struct proc *p)
{
	struct shared *sh = p->st->shared;
	struct slot *slot = &sh->slot[p->index - 1];
	size_t i = draw_op(p);

	slot->what = ops[i].name;
	slot->since_ns = now_ns();
	if (ops[i].fn(p) == DONE)
		sh->done[i]++;
	else
		sh->refused[i]++;
	slot->since_ns = 0;
}

void ops_report(const struct storm *st)
{
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		printf("%s %llu refused %llu\n", ops[i].name,
		       (unsigned long long)st->shared->done[i],
		       (unsigned long long)st->shared->refused[i]);
	fflush(stdout);
}

void ops_check_all(struct proc *p)
{
	DIR *dir = fdopendir(dup(p->st->dir));
	struct target t;
	struct dirent *e;

	if (!dir)
		broken(p, "the directory: %s", strerror(errno));
	while ((e = readdir(dir))) {
		if (e->d_name[0] != 'f')
			continue;
		t.fd = openat(p->st->dir, e->d_name, O_RDONLY | O_CLOEXEC);
		if (t.fd < 0 ||
		    fgetxattr(t.fd, XATTR, &t.id, sizeof(t.id)) != sizeof(t.id))
			broken(p, "%s: %s", e->d_name, strerror(errno));
		read_all(p, &t);
		target_close(&t);
	}
	closedir(dir);
}
