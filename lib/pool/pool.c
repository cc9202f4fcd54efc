// SPDX-License-Identifier: BSD-3-Clause
/* Opening, backing and closing a pool. */
#include "pool/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/util.h"
#include "pool/persist.h"
#include "pool/pool_i.h"

#define BLOCK 4096ull
#define CHUNK (2ull << 20)

static bool read_only(unsigned int flags)
{
	return flags & (POOL_READ_ONLY | POOL_PRIVATE);
}

/* devdax_size - a devdax tells its size in sysfs only */
static int devdax_size(const struct stat *st, uint64_t *size)
{
	char path[64];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/size",
		 major(st->st_rdev), minor(st->st_rdev));
	f = fopen(path, "re");
	if (!f)
		return -ENOTBLK;
	n = fscanf(f, "%lu", size);
	fclose(f);
	return n == 1 ? 0 : -ENOTBLK;
}

static int fd_size(int fd, const struct stat *st, uint64_t *size)
{
	if (S_ISREG(st->st_mode)) {
		*size = (uint64_t)st->st_size;
		return 0;
	}
	if (S_ISBLK(st->st_mode))
		return ioctl(fd, BLKGETSIZE64, size) ? -errno : 0;
	return devdax_size(st, size);
}

/* fd_is_sparse - may a store meet a hole?  "Perhaps" counts as yes. */
static bool fd_is_sparse(int fd, const struct stat *st)
{
	off_t hole;

	if (!S_ISREG(st->st_mode))
		return false;
	if (st->st_blocks < st->st_size / 512)
		return true;
	hole = lseek(fd, 0, SEEK_HOLE);
	return hole >= 0 && hole < st->st_size;
}

static bool is_pool_type(const struct stat *st)
{
	return S_ISREG(st->st_mode) || S_ISBLK(st->st_mode) ||
	       S_ISCHR(st->st_mode);
}

/*
 * open_path - look at the type first: opening may have effects on a device
 *
 * The lock lies on the inode, and a block device may have several: O_EXCL
 * keeps out those who come by another, and whoever has it mounted.
 */
static int open_path(const char *path, unsigned int flags, struct stat *st)
{
	int how = O_CLOEXEC | (read_only(flags) ? O_RDONLY : O_RDWR);
	uint64_t deadline = 0;
	struct stat before;
	int fd;

	if (stat(path, &before))
		return -errno;
	if (S_ISDIR(before.st_mode))
		return -EISDIR;
	if (!is_pool_type(&before))
		return -ENOTBLK;
	if (S_ISBLK(before.st_mode) && !(flags & POOL_NO_CLAIM))
		how |= O_EXCL;
	do {
		fd = open(path, how);
	} while (fd < 0 && errno == EBUSY && claim_wait(&deadline));
	if (fd < 0)
		return -errno;
	if (fstat(fd, st)) {
		close(fd);
		return -EIO;
	}
	if (st->st_ino != before.st_ino || st->st_dev != before.st_dev) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

static int alloc_backed(struct pool_impl *pi)
{
	uint64_t words = div_round_up(div_round_up(pi->pool.size, CHUNK), 64);
	void *m;

	pi->backed_bytes = words * 8;
	m = mmap(NULL, pi->backed_bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		return -errno;
	pi->pool.backed = m;
	return 0;
}

static int claim(struct pool *p, unsigned int flags, const struct stat *st,
		 struct pool_owner *owner)
{
	int err;

	if (flags & POOL_NO_CLAIM)
		return 0;
	err = claim_take(p->fd, read_only(flags));
	if (err == -EBUSY && owner)
		claim_owner(p->fd, st, owner);
	return err;
}

/* set_up - everything after open(2): size, claim, mapping */
static int set_up(struct pool_impl *pi, unsigned int flags,
		  const struct stat *st, struct pool_owner *owner)
{
	struct pool *p = &pi->pool;
	uint64_t size = 0;
	int err;

	err = fd_size(p->fd, st, &size);
	if (err)
		return err;
	p->size = round_down_u64(size, BLOCK);
	if (!p->size)
		return -ENOSPC;
	err = claim(p, flags, st, owner);
	if (err)
		return err;
	p->writable = !(flags & POOL_READ_ONLY);
	p->sparse = !read_only(flags) && fd_is_sparse(p->fd, st);
	err = alloc_backed(pi);
	if (err)
		return err;
	err = map_pool(pi, flags, st);
	if (err)
		goto err_backed;
	return 0;

err_backed:
	munmap(p->backed, pi->backed_bytes);
	return err;
}

int pool_open(const char *path, unsigned int flags, struct pool **out,
	      struct pool_owner *owner)
{
	struct pool_impl *pi;
	struct stat st;
	int err;

	if (owner)
		memset(owner, 0, sizeof(*owner));
	pi = calloc(1, sizeof(*pi));
	if (!pi)
		return -ENOMEM;
	pi->pool.path = realpath(path, NULL);
	if (!pi->pool.path) {
		err = -errno;
		goto err_free;
	}
	err = open_path(path, flags, &st);
	if (err == -EBUSY && owner)
		pool_owner(path, owner);
	if (err < 0)
		goto err_path;
	pi->pool.fd = err;
	err = set_up(pi, flags, &st, owner);
	if (err)
		goto err_close;
	*out = &pi->pool;
	return 0;

err_close:
	close(pi->pool.fd);
err_path:
	free(pi->pool.path);
err_free:
	free(pi);
	return err;
}

int pool_create(const char *path, uint64_t size)
{
	int err = 0;
	int fd;

	if (size > INT64_MAX)
		return -EFBIG;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size)) {
		err = -errno;
		unlink(path);
	}
	close(fd);
	return err;
}

int pool_owner(const char *path, struct pool_owner *owner)
{
	struct stat st;
	int err;
	int fd;

	memset(owner, 0, sizeof(*owner));
	fd = open_path(path, POOL_READ_ONLY | POOL_NO_CLAIM, &st);
	if (fd < 0)
		return fd;
	err = claim_owner(fd, &st, owner);
	close(fd);
	return err;
}

bool pool_has_guests(const struct pool *pool)
{
	return claim_has_guests(pool->fd);
}

void pool_await_guests(struct pool *pool)
{
	claim_await_guests(pool->fd);
}

int pool_note_mount(struct pool *pool, const char *mountpoint)
{
	struct pool_impl *pi = container_of(pool, struct pool_impl, pool);
	char *note = NULL;
	int err;

	err = claim_note(pool->fd, mountpoint, &note);
	if (err)
		return err;
	free(pi->note);
	pi->note = note;
	return 0;
}

void pool_close(struct pool *pool)
{
	struct pool_impl *pi;

	if (!pool)
		return;
	pi = container_of(pool, struct pool_impl, pool);
	map_drop(pi);
	munmap(pool->backed, pi->backed_bytes);
	if (pi->note)
		unlink(pi->note);
	close(pool->fd);
	free(pi->note);
	free(pool->path);
	free(pi);
}

/* allocate - 0 too if the file system cannot tell: then stores will show */
static int allocate(int fd, uint64_t off, uint64_t len)
{
	int err;

	do {
		err = fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)off,
				(off_t)len) ?
			      -errno :
			      0;
	} while (err == -EINTR);
	if (err == -EOPNOTSUPP || err == -ENOSYS)
		return 0;
	return err == -EDQUOT ? -ENOSPC : err;
}

/*
 * back_chunk - all of the chunk, or -ENOSPC
 *
 * Less would not do: a store makes the kernel write a folio, which may be larger
 * than what was asked for.
 */
static int back_chunk(struct pool *pool, uint64_t chunk)
{
	uint64_t *word = &pool->backed[chunk / 64];
	uint64_t bit = 1ull << chunk % 64;
	uint64_t from = chunk * CHUNK;
	uint64_t to = min_u64(from + CHUNK, pool->size);
	int err;

	if (__atomic_load_n(word, __ATOMIC_RELAXED) & bit)
		return 0;
	err = allocate(pool->fd, from, to - from);
	if (!err)
		__atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
	return err;
}

int pool_back(struct pool *pool, uint64_t off, uint64_t len)
{
	uint64_t chunk;
	int err;

	if (len > pool->size || off > pool->size - len)
		return -EINVAL;
	if (!pool->sparse || !len)
		return 0;
	for (chunk = off / CHUNK; chunk <= (off + len - 1) / CHUNK; chunk++) {
		err = back_chunk(pool, chunk);
		if (err)
			return err;
	}
	return 0;
}

int pool_sync(struct pool *pool)
{
	return pool->persist->sync(pool);
}
