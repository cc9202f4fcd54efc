// SPDX-License-Identifier: BSD-3-Clause
/* The pool, mapped with the caller's own rights. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "super.h"

/* check_size - a file or block device has it all; of devdax, mmap(2) says */
static int check_size(int fd, uint64_t size)
{
	struct stat st;
	off_t end;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISCHR(st.st_mode))
		return 0;
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return -ESTALE;
	end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return -errno;
	return (uint64_t)end < size ? -ESTALE : 0;
}

/*
 * guard - say that there may be I/O on the pool that its mount does not know of
 *
 * The lock goes with the last reference to this description, and a ring's is
 * one. It has been taken in time if the daemon still lived after that: whoever
 * claims the pool after it finds the lock.
 */
static int guard(struct pinfs_pool *p, int mount_fd)
{
	struct flock fl = {
		.l_type = F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = PINFS_GUEST_BYTE,
		.l_len = 1,
	};
	struct pinfs_ioc_info info;

	if (fcntl(p->fd, F_OFD_SETLK, &fl))
		return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	return pinfs__ask_info(mount_fd, &info);
}

static int map_pool(struct pinfs_pool *p, const struct pinfs_ioc_info *info,
		    int prot)
{
	int how = prot & PROT_WRITE ? O_RDWR : O_RDONLY;
	int err;

	p->fd = open(info->pool, how | O_CLOEXEC | O_NONBLOCK);
	if (p->fd < 0)
		return -errno;
	p->size = info->total_blocks * info->block_size;
	err = check_size(p->fd, p->size);
	if (err)
		return err;
	p->base = mmap(NULL, p->size, prot, MAP_SHARED, p->fd, 0);
	if (p->base == MAP_FAILED)
		return -errno;
	return pinfs__super_is(p->base, info->uuid) ? 0 : -ESTALE;
}

int pinfs_pool_map(int fd, int prot, pinfs_pool **pool)
{
	struct pinfs_ioc_info info;
	struct pinfs_pool *p;
	int err;

	if (prot != PROT_READ && prot != (PROT_READ | PROT_WRITE))
		return -EINVAL;
	err = pinfs__ask_info(fd, &info);
	if (err)
		return err;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->base = MAP_FAILED;
	err = map_pool(p, &info, prot);
	if (!err)
		err = guard(p, fd);
	if (err)
		goto err_pool;
	*pool = p;
	return 0;

err_pool:
	if (p->base != MAP_FAILED)
		munmap(p->base, p->size);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
	return err;
}

void pinfs_pool_unmap(pinfs_pool *pool)
{
	if (!pool)
		return;
	munmap(pool->base, pool->size);
	close(pool->fd);
	free(pool);
}

int pinfs_pool_fd(const pinfs_pool *pool)
{
	return pool->fd;
}

void *pinfs_extent_addr(const pinfs_pool *pool,
			const struct pinfs_extent *extent)
{
	if (extent->physical > pool->size ||
	    extent->length > pool->size - extent->physical)
		return NULL;
	return pool->base + extent->physical;
}
