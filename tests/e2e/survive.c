// SPDX-License-Identifier: BSD-3-Clause
/*
 * survive - work on files until their daemon dies, then see what is left
 *
 *   survive DIR WORKERS SEED
 *
 * Each worker has a folder of DIR to itself and knows, in memory, what all that
 * has returned must have left there. Commands, a line each, from standard input;
 * each is answered:
 *
 *   run      work until the connection is gone        "stopped OPERATIONS"
 *   check    compare the folders with what is known   "ok FILES"
 *   quit
 *
 * The operation that was under way when the daemon died is there or not, as a
 * whole (S1); of a write, any of its sectors. All that had returned is there (S2).
 * Every 16 bytes of a file name it and the write that they are of, so that bytes
 * of any other file are told (S4).
 *
 * Exit code 0: as it should be, 1: not, and what is wrong; 2: bad usage.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "wire/pinfs_ioctl.h"

#define SECTOR	512u
#define BLOCK	8u /* sectors of one */
#define SECTORS 512u /* of a file at most */
#define NAMES	20u
#define WORKERS 16
#define NOTHING (-1)
#define MAGIC	0x9e3779b9u

enum kind { NONE, FILE_KIND, DIR_KIND, LINK_KIND };

/* struct object - what a name, or several, lead to */
struct object {
	enum kind kind;
	uint32_t id;
	uint32_t links;
	uint32_t xattr; /* stamp of its value; 0: none */
	uint32_t size; /* sectors */
	uint32_t stamp[SECTORS]; /* 0: zeroes */
};

struct model {
	int name[NAMES]; /* object, or NOTHING */
	struct object object[NAMES];
};

struct unit {
	uint32_t magic;
	uint32_t worker;
	uint32_t id;
	uint32_t stamp;
};

struct worker {
	uint32_t index;
	int dir;
	int held; /* a file without a name, or -1 */
	uint64_t random;
	uint32_t stamps, ids;
	int torn; /* object of a write under way, or NOTHING */
	uint64_t operations;
	struct model now, next;
	char why[256];
};

static const char *top;
static uint8_t data[SECTORS * SECTOR + 1];

static uint32_t pick(struct worker *w, uint32_t n)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(w->random >> 33) % n;
}

static const char *name_of(unsigned int slot)
{
	static char name[2][NAMES][160];
	static unsigned int turn;
	char *p = name[turn ^= 1][slot];

	/* Long ones too, so that the folder is of more than one block. */
	snprintf(
		p, sizeof(name[0][0]), "n%02u%.*s", slot,
		slot % 4 == 0 ? 120 : 0,
		"................................................................"
		"................................................................");
	return p;
}

static bool is_gone(int err)
{
	const char *options = getenv("PINFS_OPTIONS");

	/* Over io_uring what was under way is cancelled with the daemon's rings. */
	if (err == ECANCELED)
		return options && strstr(options, "io_uring");
	return err == ENOTCONN || err == ECONNABORTED || err == EIO;
}

/* --- contents -------------------------------------------------------------------- */

static void fill(const struct worker *w, uint32_t id, uint32_t stamp,
		 uint32_t count)
{
	for (uint32_t s = 0; s < count; s++)
		for (uint32_t i = 0; i < SECTOR / sizeof(struct unit); i++) {
			struct unit u = { MAGIC, w->index, id, stamp + s };

			memcpy(data + s * SECTOR + i * sizeof(u), &u,
			       sizeof(u));
		}
}

static __attribute__((format(printf, 2, 3))) bool wrong(struct worker *w,
							const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
	return false;
}

/* stamp_of - what a sector is of; false for what this file never had */
static bool stamp_of(struct worker *w, const struct object *o, uint32_t sector,
		     uint32_t *stamp)
{
	const struct unit *u = (const void *)(data + sector * SECTOR);
	struct unit want = { MAGIC, w->index, o->id, u->stamp };

	if (u->magic == 0)
		want = (struct unit){ 0 };
	for (uint32_t i = 0; i < SECTOR / sizeof(*u); i++)
		if (memcmp(&u[i], &want, sizeof(want)))
			return wrong(w,
				     "sector %u of file %u: foreign or torn: "
				     "%08x of worker %u, file %u, stamp %u",
				     sector, o->id, u[i].magic, u[i].worker,
				     u[i].id, u[i].stamp);
	*stamp = want.stamp;
	return true;
}

/* --- comparing ------------------------------------------------------------------- */

/* the value of an attribute, or a link's target: of many lengths, up to 3,000 */
static size_t text_of(uint32_t stamp, char *buf)
{
	size_t n = stamp % 3 ? 10 + stamp % 40 : 1000 + stamp % 2000;

	memset(buf, 'a' + (int)(stamp % 26), n);
	snprintf(buf, n, "%u", stamp);
	buf[strlen(buf)] = '-';
	return n;
}

static bool same_xattr(struct worker *w, const char *name,
		       const struct object *o)
{
	char path[64], want[4096], got[4096];
	size_t size = o->xattr ? text_of(o->xattr, want) : 0;
	ssize_t n;
	int fd = openat(w->dir, name, O_RDONLY | O_NONBLOCK);

	if (fd < 0)
		return wrong(w, "%s: open: %s", name, strerror(errno));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = getxattr(path, "user.survive", got, sizeof(got));
	close(fd);
	if (n < 0 && errno == ENODATA && !o->xattr)
		return true;
	if (n != (ssize_t)size || memcmp(got, want, size) || !o->xattr)
		return wrong(w, "%s: attribute of %zd bytes, not of stamp %u",
			     name, n, o->xattr);
	return true;
}

/* same_contents - actual goes to seen, if a write may be torn: else o decides */
static bool same_contents(struct worker *w, const char *name,
			  const struct object *o, const struct object * or,
			  struct object *seen)
{
	int fd = openat(w->dir, name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : pread(fd, data, sizeof(data), 0);
	uint32_t size = (uint32_t)(n / SECTOR);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return wrong(w, "%s: reading: %s", name, strerror(errno));
	if (n % SECTOR || size < o->size || size > or->size)
		return wrong(w, "%s: %zd bytes, not %u to %u", name, n,
			     o->size * SECTOR, or->size * SECTOR);
	for (uint32_t i = 0; i < size; i++) {
		uint32_t stamp = 0, old = i < o->size ? o->stamp[i] : 0;

		if (!stamp_of(w, o, i, &stamp))
			return false;
		if (stamp != old && stamp != or->stamp[i])
			return wrong(w,
				     "%s: sector %u of file %u: stamp %u, "
				     "not %u or %u",
				     name, i, o->id, stamp, old, or->stamp[i]);
		if (seen)
			seen->stamp[i] = stamp;
	}
	if (seen)
		seen->size = size;
	return true;
}

static bool same_object(struct worker *w, unsigned int slot,
			const struct object *o, const struct object * or,
			struct object *seen)
{
	const char *name = name_of(slot);
	char want[4096], got[4096];
	struct stat st;
	ssize_t n;

	if (fstatat(w->dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return wrong(w, "%s: %s", name, strerror(errno));
	if ((o->kind == DIR_KIND) != S_ISDIR(st.st_mode) ||
	    (o->kind == LINK_KIND) != S_ISLNK(st.st_mode))
		return wrong(w, "%s: mode %o", name, st.st_mode);
	if (o->kind != DIR_KIND && st.st_nlink != o->links)
		return wrong(w, "%s: %lu links, not %u", name,
			     (unsigned long)st.st_nlink, o->links);
	if (o->kind == LINK_KIND) {
		n = readlinkat(w->dir, name, got, sizeof(got));
		if (n != (ssize_t)text_of(o->id, want) ||
		    memcmp(got, want, (size_t)n))
			return wrong(w, "%s: another target", name);
		return true;
	}
	if (!same_xattr(w, name, o))
		return false;
	return o->kind == DIR_KIND || same_contents(w, name, o, or, seen);
}

static bool same_names(struct worker *w, const struct model *m)
{
	DIR *d = fdopendir(openat(w->dir, ".", O_RDONLY | O_DIRECTORY));
	unsigned int want = 2, got = 0;

	if (!d)
		return wrong(w, "folder: %s", strerror(errno));
	while (readdir(d))
		got++;
	closedir(d);
	for (unsigned int i = 0; i < NAMES; i++)
		want += m->name[i] != NOTHING;
	return got == want || wrong(w, "%u names, not %u", got, want);
}

/* same - is the folder as m says? A torn write: anything between m and w->next */
static bool same(struct worker *w, const struct model *m)
{
	static struct object seen;

	if (!same_names(w, m))
		return false;
	for (unsigned int i = 0; i < NAMES; i++) {
		int at = m->name[i];
		bool torn = at != NOTHING && at == w->torn;
		const struct object *o = &m->object[at == NOTHING ? 0 : at];

		if (at == NOTHING)
			continue;
		if (!torn) {
			if (!same_object(w, i, o, o, NULL))
				return false;
			continue;
		}
		seen = *o;
		if (!same_object(w, i, o, &w->next.object[at], &seen))
			return false;
		w->now.object[at] = seen;
		w->torn = NOTHING;
	}
	return true;
}

/* check - now, or next as a whole; what it is becomes what is known */
static bool check(struct worker *w)
{
	char why[256];

	if (same(w, &w->now)) {
		w->next = w->now;
		w->torn = NOTHING;
		return true;
	}
	if (w->torn != NOTHING)
		return false;
	memcpy(why, w->why, sizeof(why));
	if (memcmp(&w->now, &w->next, sizeof(w->now)) && same(w, &w->next)) {
		w->now = w->next;
		return true;
	}
	fprintf(stderr,
		"survive: worker %u: as before the last operation: %s; "
		"as after: ",
		w->index, why);
	return false;
}

/* --- operations: change w->next, then do it; 0, or -1 with errno ------------------ */

static int find(struct worker *w, enum kind kind)
{
	unsigned int from = pick(w, NAMES);

	for (unsigned int i = 0; i < NAMES; i++) {
		unsigned int slot = (from + i) % NAMES;
		int at = w->now.name[slot];

		if (kind == NONE ?
			    at == NOTHING :
			    at != NOTHING && w->now.object[at].kind == kind)
			return (int)slot;
	}
	return -1;
}

static struct object *object_at(struct worker *w, int slot)
{
	return &w->next.object[w->next.name[slot]];
}

static void drop_name(struct worker *w, int slot)
{
	struct object *o = object_at(w, slot);

	if (--o->links == 0)
		memset(o, 0, sizeof(*o));
	w->next.name[slot] = NOTHING;
}

static int op_create(struct worker *w)
{
	static const enum kind kinds[] = { FILE_KIND, FILE_KIND, FILE_KIND,
					   DIR_KIND, LINK_KIND };
	int slot = find(w, NONE), at = 0, fd;
	char target[4096];
	struct object *o;

	if (slot < 0)
		return 0;
	while (w->next.object[at].kind != NONE)
		at++;
	o = &w->next.object[at];
	o->kind = kinds[pick(w, 5)];
	o->id = ++w->ids;
	o->links = 1;
	w->next.name[slot] = at;
	if (o->kind == DIR_KIND)
		return mkdirat(w->dir, name_of((unsigned int)slot), 0700);
	if (o->kind == LINK_KIND) {
		target[text_of(o->id, target)] = '\0';
		return symlinkat(target, w->dir, name_of((unsigned int)slot));
	}
	fd = openat(w->dir, name_of((unsigned int)slot),
		    O_RDWR | O_CREAT | O_EXCL, 0600);
	return fd < 0 ? -1 : (close(fd), 0);
}

static int op_unlink(struct worker *w)
{
	enum kind kind = (enum kind)(FILE_KIND + pick(w, 3));
	int slot = find(w, kind);

	if (slot < 0)
		return 0;
	drop_name(w, slot);
	return unlinkat(w->dir, name_of((unsigned int)slot),
			kind == DIR_KIND ? AT_REMOVEDIR : 0);
}

/* op_hold - a file without a name, that the next mount has to free (L10) */
static int op_hold(struct worker *w)
{
	int slot = find(w, FILE_KIND);

	if (slot < 0)
		return 0;
	if (w->held >= 0)
		close(w->held);
	w->held = openat(w->dir, name_of((unsigned int)slot), O_RDWR);
	if (w->held < 0)
		return -1;
	drop_name(w, slot);
	return unlinkat(w->dir, name_of((unsigned int)slot), 0);
}

static int op_link(struct worker *w)
{
	int from = find(w, FILE_KIND), to = find(w, NONE);

	if (from < 0 || to < 0)
		return 0;
	object_at(w, from)->links++;
	w->next.name[to] = w->next.name[from];
	return linkat(w->dir, name_of((unsigned int)from), w->dir,
		      name_of((unsigned int)to), 0);
}

static int op_rename(struct worker *w)
{
	enum kind kind = (enum kind)(FILE_KIND + pick(w, 3));
	int from = find(w, kind), to = find(w, pick(w, 2) ? kind : NONE), at;

	if (from < 0 || to < 0 || from == to ||
	    w->now.name[from] == w->now.name[to])
		return 0;
	at = w->next.name[from];
	if (w->next.name[to] != NOTHING)
		drop_name(w, to);
	w->next.name[to] = at;
	w->next.name[from] = NOTHING;
	return renameat(w->dir, name_of((unsigned int)from), w->dir,
			name_of((unsigned int)to));
}

static int op_exchange(struct worker *w)
{
	int from = find(w, FILE_KIND), to = find(w, FILE_KIND), at;

	if (from < 0 || to < 0 || from == to)
		return 0;
	at = w->next.name[from];
	w->next.name[from] = w->next.name[to];
	w->next.name[to] = at;
	return renameat2(w->dir, name_of((unsigned int)from), w->dir,
			 name_of((unsigned int)to), RENAME_EXCHANGE);
}

static int op_xattr(struct worker *w)
{
	int slot = find(w, pick(w, 4) ? FILE_KIND : DIR_KIND), fd, err;
	struct object *o;
	char value[4096];
	size_t n;

	if (slot < 0)
		return 0;
	fd = openat(w->dir, name_of((unsigned int)slot), O_RDONLY);
	if (fd < 0)
		return -1;
	o = object_at(w, slot);
	if (o->xattr && pick(w, 3) == 0) {
		o->xattr = 0;
		err = fremovexattr(fd, "user.survive");
	} else {
		o->xattr = ++w->stamps;
		n = text_of(o->xattr, value);
		err = fsetxattr(fd, "user.survive", value, n, 0);
	}
	close(fd);
	return err;
}

static int op_write(struct worker *w)
{
	int slot = find(w, FILE_KIND), fd;
	uint32_t at, count;
	struct object *o;
	ssize_t n;

	if (slot < 0)
		return 0;
	o = object_at(w, slot);
	at = pick(w, 2) ? o->size : pick(w, SECTORS);
	count = 1 + pick(w, pick(w, 4) ? 16 : 200);
	if (at >= SECTORS)
		return 0;
	count = count < SECTORS - at ? count : SECTORS - at;
	fd = openat(w->dir, name_of((unsigned int)slot), O_WRONLY);
	if (fd < 0)
		return -1;
	fill(w, o->id, w->stamps + 1, count);
	for (uint32_t i = 0; i < count; i++)
		o->stamp[at + i] = ++w->stamps;
	if (o->size < at + count)
		o->size = at + count;
	w->torn = w->next.name[slot];
	n = pwrite(fd, data, count * SECTOR, at * SECTOR);
	if (n == (ssize_t)(count * SECTOR) && pick(w, 8) == 0 && fsync(fd))
		n = -1;
	close(fd);
	if (n >= 0 && n != (ssize_t)(count * SECTOR)) {
		/* Cut short: by the death of the daemon, or there is no space. */
		errno = ENOTCONN;
		return -1;
	}
	return n < 0 ? -1 : 0;
}

static void zero(struct object *o, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		o->stamp[i] = 0;
}

static int op_truncate(struct worker *w)
{
	int slot = find(w, FILE_KIND), fd, err;
	struct object *o;
	uint32_t size;

	if (slot < 0)
		return 0;
	o = object_at(w, slot);
	size = pick(w, 3) ? pick(w, SECTORS) : 0;
	fd = openat(w->dir, name_of((unsigned int)slot), O_WRONLY);
	if (fd < 0)
		return -1;
	if (size < o->size)
		zero(o, size, o->size);
	o->size = size;
	err = ftruncate(fd, size * SECTOR);
	close(fd);
	return err;
}

/* shift - what collapse (down) and insert (up) do with the stamps */
static void shift(struct object *o, uint32_t at, uint32_t count, bool up)
{
	uint32_t *s = o->stamp;

	if (up) {
		memmove(s + at + count, s + at, (o->size - at) * sizeof(*s));
		zero(o, at, at + count);
		o->size += count;
		return;
	}
	memmove(s + at, s + at + count, (o->size - at - count) * sizeof(*s));
	zero(o, o->size - count, o->size);
	o->size -= count;
}

static int op_fallocate(struct worker *w)
{
	static const int modes[] = { 0,
				     FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_ZERO_RANGE,
				     FALLOC_FL_COLLAPSE_RANGE,
				     FALLOC_FL_INSERT_RANGE };
	int slot = find(w, FILE_KIND), mode = modes[pick(w, 6)], fd, err;
	bool shifts = mode == FALLOC_FL_COLLAPSE_RANGE ||
		      mode == FALLOC_FL_INSERT_RANGE;
	uint32_t unit = shifts ? BLOCK : 1, at, n;
	struct pinfs_ioc_range range;
	struct object *o;

	if (slot < 0)
		return 0;
	o = object_at(w, slot);
	at = pick(w, SECTORS / 2 / unit) * unit;
	n = (1 + pick(w, SECTORS / 4 / unit)) * unit;
	if ((shifts && at >= o->size) ||
	    (mode == FALLOC_FL_COLLAPSE_RANGE && at + n >= o->size) ||
	    (mode == FALLOC_FL_INSERT_RANGE && o->size + n > SECTORS))
		return 0;
	if (shifts)
		shift(o, at, n, mode == FALLOC_FL_INSERT_RANGE);
	else if (mode == FALLOC_FL_ZERO_RANGE || mode & FALLOC_FL_PUNCH_HOLE)
		zero(o, at, at + n);
	if ((mode == 0 || mode == FALLOC_FL_ZERO_RANGE) && o->size < at + n)
		o->size = at + n;
	range = (struct pinfs_ioc_range){ at * SECTOR, n * SECTOR };
	fd = openat(w->dir, name_of((unsigned int)slot), O_RDWR);
	if (fd < 0)
		return -1;
	/* fallocate(2) of a FUSE file has no modes that shift. */
	err = shifts ?
		      ioctl(fd,
			    mode == FALLOC_FL_INSERT_RANGE ? PINFS_IOC_INSERT :
							     PINFS_IOC_COLLAPSE,
			    &range) :
		      fallocate(fd, mode, at * SECTOR, n * SECTOR);
	close(fd);
	return err;
}

/* op_look - at the folder, without a crash */
static int op_look(struct worker *w)
{
	struct statvfs st;

	if (pick(w, 20) || same(w, &w->now))
		return 0;
	/* A daemon that died meanwhile explains it. */
	if (fstatvfs(w->dir, &st)) {
		errno = ENOTCONN;
		return -1;
	}
	fprintf(stderr, "survive: worker %u: while it works: %s\n", w->index,
		w->why);
	exit(1);
}

static int (*const operations[])(struct worker *) = {
	op_create, op_create,	op_create, op_write,	 op_write,
	op_write,  op_write,	op_write,  op_truncate,	 op_fallocate,
	op_unlink, op_hold,	op_link,   op_rename,	 op_rename,
	op_xattr,  op_exchange, op_look,   op_fallocate,
};

/* --- workers ------------------------------------------------------------------------ */

static void open_folder(struct worker *w)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/w%u", top, w->index);
	if (mkdir(path, 0755) && errno != EEXIST)
		err(1, "%s", path);
	w->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->dir < 0)
		err(1, "%s", path);
}

/* work - until the connection is gone; an error of a living daemon is a failure */
static void work(struct worker *w)
{
	struct statvfs st;
	unsigned int op;

	open_folder(w);
	for (;;) {
		w->torn = NOTHING;
		w->next = w->now;
		op = pick(w, sizeof(operations) / sizeof(*operations));
		if (operations[op](w))
			break;
		w->now = w->next;
		w->operations++;
	}
	if (!is_gone(errno) || fstatvfs(w->dir, &st) == 0)
		err(1, "worker %u: operation %u", w->index, op);
	if (w->held >= 0)
		close(w->held);
	w->held = -1;
	close(w->dir);
}

static uint64_t look(struct worker *w)
{
	uint64_t files = 0;

	open_folder(w);
	if (!check(w))
		errx(1, "worker %u: %s", w->index, w->why);
	close(w->dir);
	for (unsigned int i = 0; i < NAMES; i++)
		files += w->now.name[i] != NOTHING;
	return files;
}

static _Noreturn void serve(struct worker *w, int in, int out)
{
	uint64_t answer;
	char c;

	while (read(in, &c, 1) == 1) {
		if (c == 'r')
			work(w);
		answer = c == 'r' ? w->operations : look(w);
		if (write(out, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	exit(0);
}

struct child {
	pid_t pid;
	int to, from;
};

static void start(struct child *c, uint32_t index, uint64_t seed)
{
	struct worker *w = calloc(1, sizeof(*w));
	int in[2], out[2];

	if (!w || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		err(1, "worker");
	w->index = index;
	w->random = seed * 0x9e3779b97f4a7c15u + index;
	w->held = -1;
	w->torn = NOTHING;
	for (unsigned int i = 0; i < NAMES; i++)
		w->now.name[i] = NOTHING;
	w->next = w->now;
	c->pid = fork();
	if (c->pid < 0)
		err(1, "fork");
	if (c->pid == 0) {
		close(in[1]);
		close(out[0]);
		serve(w, in[0], out[1]);
	}
	free(w);
	close(in[0]);
	close(out[1]);
	c->to = in[1];
	c->from = out[0];
}

/* all - have each worker do it; the sum of what they answer */
static uint64_t all(struct child *c, int n, char command)
{
	uint64_t sum = 0, one;

	for (int i = 0; i < n; i++)
		if (write(c[i].to, &command, 1) != 1)
			err(1, "worker %d", i);
	for (int i = 0; i < n; i++) {
		if (read(c[i].from, &one, sizeof(one)) != sizeof(one))
			errx(1, "worker %d has failed", i);
		sum += one;
	}
	return sum;
}

int main(int argc, char **argv)
{
	struct child child[WORKERS];
	char line[32];
	int n = argc == 4 ? atoi(argv[2]) : 0;

	if (n < 1 || n > WORKERS)
		errx(2, "usage: survive DIR WORKERS SEED");
	top = argv[1];
	for (int i = 0; i < n; i++)
		start(&child[i], (uint32_t)i, strtoull(argv[3], NULL, 0));
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "run\n"))
			printf("stopped %" PRIu64 "\n", all(child, n, 'r'));
		else if (!strcmp(line, "check\n"))
			printf("ok %" PRIu64 "\n", all(child, n, 'c'));
		else
			break;
		fflush(stdout);
	}
	/* The later ones hold the earlier ones' ends, so all are closed first. */
	for (int i = 0; i < n; i++)
		close(child[i].to);
	for (int i = 0; i < n; i++)
		waitpid(child[i].pid, NULL, 0);
	return 0;
}
