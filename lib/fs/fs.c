// SPDX-License-Identifier: BSD-3-Clause
/* The instance, and what all operations share. */
#include "fs/fs_i.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define NODE_GEN_SHIFT PINFS_INO_BITS
#define ROOT_NODE      1u

int fs_open(struct pool *pool, const struct fs_options *opt, struct fs **out)
{
	struct layout_options lopt = {
		.break_timeout_ns = opt->break_timeout_ns,
		.break_warn_ns = opt->break_warn_ns,
		.workers = opt->workers ? opt->workers : 1,
		.scope_range = opt->scope_range,
		.name_of = fs_path,
	};
	struct fs *fs = calloc(1, sizeof(*fs));
	int err;

	if (!fs)
		return -ENOMEM;
	fs->opt = *opt;
	err = volume_open(pool, opt->read_only ? VOLUME_READ_ONLY : 0,
			  &fs->vol);
	if (err)
		goto err_fs;
	err = layouts_open(fs->vol, &lopt, &fs->layouts);
	if (err)
		goto err_volume;
	pthread_mutex_init(&fs->rename_lock, NULL);
	*out = fs;
	return 0;

err_volume:
	volume_close(fs->vol);
err_fs:
	free(fs);
	return err;
}

void fs_set_kernel(struct fs *fs, const struct fs_kernel *kernel)
{
	fs->kernel = *kernel;
}

void fs_drain_begin(struct fs *fs)
{
	layouts_drain_begin(fs->layouts);
}

void fs_drain(struct fs *fs)
{
	layouts_drain(fs->layouts);
}

int fs_close(struct fs *fs)
{
	int err;

	if (!fs)
		return 0;
	layouts_close(fs->layouts);
	err = volume_close(fs->vol);
	pthread_mutex_destroy(&fs->rename_lock);
	free(fs);
	return err;
}

struct volume *fs_volume(struct fs *fs)
{
	return fs->vol;
}

struct layouts *fs_layouts(struct fs *fs)
{
	return fs->layouts;
}

const struct fs_options *fs_opts(struct fs *fs)
{
	return &fs->opt;
}

/* --- nodes --------------------------------------------------------------------------- */

uint64_t fs_node(const struct inode *ip)
{
	if (ip->ino == PINFS_ROOT_INO)
		return ROOT_NODE;
	return ip->ino | (uint64_t)ip->gen << NODE_GEN_SHIFT;
}

int fs_inode(struct fs *fs, uint64_t node, struct inode **out)
{
	uint64_t ino = node & ((1ull << NODE_GEN_SHIFT) - 1);

	if (node == ROOT_NODE)
		return inode_get(fs->vol, PINFS_ROOT_INO, INODE_ANY_GEN, out);
	return inode_get(fs->vol, ino, (uint32_t)(node >> NODE_GEN_SHIFT), out);
}

void fs_invalidate(struct fs *fs, struct inode *ip, uint64_t off, uint64_t len)
{
	if (!fs->kernel.invalidate)
		return;
	atomic_fetch_add(&fs->invalidations, 1);
	fs->kernel.invalidate(fs->kernel.arg, fs_node(ip), (int64_t)off,
			      (int64_t)len);
}

/* --- operations -------------------------------------------------------------------------- */

int op_begin(struct op *op, struct fs *fs)
{
	op->fs = fs;
	op->tx = NULL;
	if (fs->opt.read_only)
		return -EROFS;
	op->guard = journal_enter(fs->vol->journal);
	op->tx = tx_begin(fs->vol->journal);
	if (!op->tx)
		journal_leave(fs->vol->journal, op->guard);
	return op->tx ? 0 : -ENOMEM;
}

int op_end(struct op *op, int err)
{
	if (!op->tx)
		return err;
	if (err)
		tx_abort(op->tx);
	else
		err = tx_commit(op->tx);
	journal_leave(op->fs->vol->journal, op->guard);
	return err;
}

bool fs_try_again(struct fs *fs, int err, int *tries)
{
	if (err == FS_UNSEALED)
		return journal_sync(fs->vol->journal) == 0;
	/* Even if nothing is pending: it may just have come home. */
	if (err != -ENOSPC || (*tries)++ > 0 ||
	    pool_is_persistent(fs->vol->pool))
		return false;
	return journal_bring_home(fs->vol->journal) == 0;
}

int fs_check_name(const char *name, size_t *len)
{
	*len = strlen(name);
	if (*len == 0)
		return -ENOENT;
	if (*len > PINFS_NAME_MAX)
		return -ENAMETOOLONG;
	if (memchr(name, '/', *len) || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return -EINVAL;
	return 0;
}

int fs_sync(struct fs *fs)
{
	return journal_sync(fs->vol->journal);
}

/* --- figures ------------------------------------------------------------------------------- */

int fs_statfs(struct fs *fs, struct statvfs *st)
{
	struct journal_counts c;
	uint64_t free_blocks;

	journal_counts(fs->vol->journal, &c);
	free_blocks = c.free_blocks > 0 ? (uint64_t)c.free_blocks : 0;
	memset(st, 0, sizeof(*st));
	st->f_bsize = PINFS_BLOCK_SIZE;
	st->f_frsize = PINFS_BLOCK_SIZE;
	st->f_blocks = fs->vol->total_blocks;
	st->f_bfree = free_blocks;
	/* What is freed but not home yet can be had by who asks for it. */
	st->f_bavail =
		space_available(fs->vol->space) + space_pending(fs->vol->space);
	if (st->f_bavail > st->f_bfree)
		st->f_bavail = st->f_bfree;
	/* Inodes are made of free blocks. */
	st->f_files =
		(uint64_t)c.used_inodes + free_blocks * PINFS_INODES_PER_BLOCK;
	st->f_ffree = free_blocks * PINFS_INODES_PER_BLOCK;
	st->f_favail = st->f_bavail * PINFS_INODES_PER_BLOCK;
	memcpy(&st->f_fsid, fs->vol->super.uuid, sizeof(st->f_fsid));
	st->f_namemax = PINFS_NAME_MAX;
	return 0;
}

void fs_dma_account(struct fs *fs, enum pinfs_direction direction,
		    uint64_t bytes, int err)
{
	atomic_fetch_add(&fs->dma_bytes[direction], bytes);
	if (err && err != -ECANCELED)
		atomic_fetch_add(&fs->dma_errors, 1);
}

void fs_stats(struct fs *fs, struct pinfs_ioc_stats *st)
{
	struct journal_counts c;

	memset(st, 0, sizeof(*st));
	layout_stats(fs->layouts, st);
	journal_counts(fs->vol->journal, &c);
	st->transactions = c.transactions;
	st->checkpoints = c.checkpoints;
	st->dma_bytes_in = atomic_load(&fs->dma_bytes[PINFS_FROM_DEVICE]);
	st->dma_bytes_out = atomic_load(&fs->dma_bytes[PINFS_TO_DEVICE]);
	st->dma_errors = atomic_load(&fs->dma_errors);
	st->invalidations = atomic_load(&fs->invalidations);
	st->orphans = volume_orphans(fs->vol);
}

void fs_info(struct fs *fs, struct pinfs_ioc_info *info)
{
	const struct pinfs_super *sb = &fs->vol->super;
	struct journal_counts c;

	journal_counts(fs->vol->journal, &c);
	info->wire_version = PINFS_WIRE_VERSION;
	info->flags =
		(fs->opt.read_only ? PINFS_INFO_READ_ONLY : 0) |
		(pool_is_persistent(fs->vol->pool) ? PINFS_INFO_PERSISTENT : 0);
	info->dax = fs->opt.dax;
	memcpy(info->uuid, sb->uuid, sizeof(info->uuid));
	memcpy(info->label, sb->label, sizeof(info->label));
	info->block_size = PINFS_BLOCK_SIZE;
	info->total_blocks = fs->vol->total_blocks;
	info->free_blocks = (uint64_t)c.free_blocks;
	info->used_inodes = (uint64_t)c.used_inodes;
	info->break_timeout_ns = fs->opt.break_timeout_ns;
	info->break_warn_ns = fs->opt.break_warn_ns;
}
