// SPDX-License-Identifier: BSD-3-Clause
/* Open files: open, read, seek, the map. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "fs/fs_i.h"
#include "fs/names.h"
#include "inode/extent.h"

/* What holes are read from. */
static const uint8_t zeroes[64 * 1024];

int fs_file_new(struct inode *ip, int flags, struct fs_file **out)
{
	struct fs_file *file = malloc(sizeof(*file));

	if (!file)
		return -ENOMEM;
	file->ip = inode_hold(ip);
	file->flags = flags;
	atomic_init(&file->dropped, false);
	atomic_fetch_add(&ip->opens, 1);
	*out = file;
	return 0;
}

/* check_open - may it be opened so? ip is locked */
static int check_open(struct fs *fs, struct inode *ip, int flags)
{
	bool reads = (flags & O_ACCMODE) == O_RDONLY;

	if (ip->dead)
		return -ESTALE;
	/* The kernel would not ask; a damaged medium may have it think so (S5). */
	if (S_ISDIR(inode_mode(ip, NULL)))
		return reads ? 0 : -EISDIR;
	if (!S_ISREG(inode_mode(ip, NULL)))
		return -ENXIO;
	if (reads)
		return 0;
	if (fs->opt.read_only)
		return -EROFS;
	return fs_refuse(ip,
			 flags & O_APPEND ? PINFS_IFLAG_IMMUTABLE : FS_FIXED);
}

int fs_file_open(struct fs *fs, uint64_t node, int flags, struct fs_file **out)
{
	struct inode *ip;
	unsigned int guard;
	int err = fs_inode(fs, node, &ip);

	if (err)
		return err;
	guard = inode_look(ip);
	err = check_open(fs, ip, flags);
	if (!err)
		err = fs_file_new(ip, flags, out);
	inode_look_end(ip, guard);
	inode_put(ip);
	return err;
}

void fs_file_release(struct fs *fs, struct fs_file *file)
{
	(void)fs;
	if (!file)
		return;
	atomic_fetch_sub(&file->ip->opens, 1);
	inode_put(file->ip);
	free(file);
}

struct inode *fs_file_inode(const struct fs_file *file)
{
	return file->ip;
}

int fs_file_flags(const struct fs_file *file)
{
	return file->flags;
}

bool fs_file_dropped_privs(struct fs_file *file)
{
	return atomic_load(&file->dropped) &&
	       atomic_exchange(&file->dropped, false);
}

bool fs_file_is_dax(struct fs *fs, struct fs_file *file)
{
	struct inode *ip = file->ip;
	unsigned int guard;
	uint64_t flags;

	if (fs->opt.dax == FS_DAX_ALWAYS || layout_is_pinned(ip))
		return true;
	if (fs->opt.dax == FS_DAX_NEVER)
		return false;
	guard = inode_look(ip);
	flags = le64_to_cpu(inode_read(ip, NULL)->flags);
	inode_look_end(ip, guard);
	return flags & PINFS_IFLAG_DAX;
}

/* --- reading ----------------------------------------------------------------------- */

/* is_after - is the inode's access time later than another of its times? */
static bool is_after(const struct pinfs_inode *di, le64 sec, le32 ns)
{
	int64_t at = (int64_t)le64_to_cpu(di->atime);
	int64_t then = (int64_t)le64_to_cpu(sec);

	if (at != then)
		return at > then;
	return le32_to_cpu(di->atime_ns) > le32_to_cpu(ns);
}

/*
 * atime_is_old - relatime: the access time follows if it is no later than the
 * last change, or older than a day
 */
static bool atime_is_old(struct inode *ip)
{
	const struct pinfs_inode *di = inode_read(ip, NULL);

	if (le64_to_cpu(di->flags) & PINFS_IFLAG_NOATIME)
		return false;
	if (!is_after(di, di->mtime, di->mtime_ns) ||
	    !is_after(di, di->ctime, di->ctime_ns))
		return true;
	return inode_now().tv_sec - (int64_t)le64_to_cpu(di->atime) >=
	       24 * 60 * 60;
}

static void touch_atime(struct fs *fs, struct inode *ip)
{
	struct op op;
	int err;

	pthread_rwlock_wrlock(&ip->lock);
	err = op_begin(&op, fs);
	if (!err && ip->dead)
		err = -ESTALE;
	if (!err)
		err = inode_touch(ip, op.tx, INODE_ATIME);
	op_end(&op, err); /* a read does not fail for its access time */
	pthread_rwlock_unlock(&ip->lock);
}

void fs_accessed(struct fs *fs, struct inode *ip)
{
	unsigned int guard;
	bool old;

	if (fs->opt.read_only)
		return;
	guard = inode_look(ip);
	old = !ip->dead && atime_is_old(ip);
	inode_look_end(ip, guard);
	if (old)
		touch_atime(fs, ip);
}

/* add_bytes - n bytes of an extent, or zeroes for NULL */
static void add_bytes(struct fs_read *r, const uint8_t *mem, size_t n)
{
	while (n > 0) {
		size_t part = mem ? n : min_u64(n, sizeof(zeroes));
		const uint8_t *from = mem ? mem : zeroes;

		r->iov[r->count++] = (struct iovec){
			(void *)(uintptr_t)from,
			part,
		};
		r->length += part;
		n -= part;
	}
}

static int gather(struct fs_read *r, uint64_t off, size_t size)
{
	uint64_t end = off + size;

	while (off < end) {
		uint64_t in = off % PINFS_BLOCK_SIZE, bytes;
		const uint8_t *mem = NULL;
		struct extent e;
		int err =
			extent_find(r->ip, NULL, off >> PINFS_BLOCK_SHIFT, &e);

		if (err)
			return err;
		bytes = min_u64((e.len << PINFS_BLOCK_SHIFT) - in, end - off);
		if (extent_is_data(&e)) {
			if (!volume_has(r->ip->vol, e.pblk, e.len))
				return -EUCLEAN;
			mem = (uint8_t *)volume_block(r->ip->vol, e.pblk) + in;
		}
		add_bytes(r, mem, bytes);
		off += bytes;
	}
	return 0;
}

int fs_read_begin(struct fs *fs, struct fs_file *file, uint64_t off,
		  size_t size, struct fs_read *r)
{
	struct inode *ip = file->ip;
	uint64_t end;
	bool old;
	int err = 0;

	r->fs = fs;
	/*
	 * A handle of its own: once the bytes are sent, the file may be closed,
	 * and released by another thread, before fs_read_end().
	 */
	r->ip = inode_hold(ip);
	r->count = 0;
	r->length = 0;
	r->guard = journal_enter(fs->vol->journal);
	pthread_rwlock_rdlock(&ip->lock);
	old = !fs->opt.read_only && atime_is_old(ip);
	if (old) {
		pthread_rwlock_unlock(&ip->lock);
		touch_atime(fs, ip);
		pthread_rwlock_rdlock(&ip->lock);
	}
	end = inode_size(ip, NULL);
	if (ip->dead)
		err = -ESTALE;
	else if (off < end)
		err = gather(r, off,
			     min_u64(min_u64(size, FS_READ_MAX), end - off));
	if (err)
		fs_read_end(r);
	return err;
}

void fs_read_end(struct fs_read *r)
{
	pthread_rwlock_unlock(&r->ip->lock);
	journal_leave(r->fs->vol->journal, r->guard);
	inode_put(r->ip);
}

int fs_fsync(struct fs *fs, struct fs_file *file)
{
	(void)file;
	return fs_sync(fs);
}

/* --- seeking ------------------------------------------------------------------------ */

static int64_t seek_locked(struct inode *ip, uint64_t off, bool data)
{
	uint64_t size = inode_size(ip, NULL), at = off;

	if (off >= size)
		return -ENXIO;
	while (at < size) {
		struct extent e;
		int err = extent_find(ip, NULL, at >> PINFS_BLOCK_SHIFT, &e);

		if (err)
			return err;
		if (extent_is_data(&e) == data)
			return (int64_t)at;
		if (e.lblk + e.len >= EXTENT_END)
			break;
		at = (e.lblk + e.len) << PINFS_BLOCK_SHIFT;
	}
	/* There is a hole at the end of every file, and no data behind it. */
	return data ? -ENXIO : (int64_t)size;
}

int64_t fs_lseek(struct fs *fs, struct fs_file *file, uint64_t off, int whence)
{
	struct inode *ip = file->ip;
	unsigned int guard;
	int64_t at;

	(void)fs;
	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	guard = inode_look(ip);
	at = ip->dead ? -ESTALE : seek_locked(ip, off, whence == SEEK_DATA);
	inode_look_end(ip, guard);
	return at;
}

/* --- the map ------------------------------------------------------------------------ */

static void map_extent(struct fs *fs, const struct extent *e,
		       struct pinfs_ioc_map *io)
{
	struct pinfs_ioc_extent *out = &io->extent[io->count++];

	memset(out, 0, sizeof(*out));
	out->logical = e->lblk << PINFS_BLOCK_SHIFT;
	out->physical = e->pblk << PINFS_BLOCK_SHIFT;
	out->length = e->len << PINFS_BLOCK_SHIFT;
	out->flags = e->unwritten ? PINFS_MAP_UNWRITTEN : 0;
	layout_count_pins(fs->layouts, e->pblk, e->len, &out->pinned_blocks,
			  &out->pins);
}

static int map_locked(struct fs *fs, struct inode *ip, struct pinfs_ioc_map *io)
{
	uint64_t lblk = io->cursor >> PINFS_BLOCK_SHIFT;

	io->count = 0;
	while (lblk < EXTENT_END && io->count < PINFS_MAP_PER_CALL) {
		struct extent e;
		int err = extent_find(ip, NULL, lblk, &e);

		if (err)
			return err;
		if (e.pblk && !volume_has(ip->vol, e.pblk, e.len))
			return -EUCLEAN;
		if (e.pblk)
			map_extent(fs, &e, io);
		lblk = e.lblk + e.len;
	}
	io->cursor = lblk << PINFS_BLOCK_SHIFT;
	return 0;
}

int fs_map(struct fs *fs, struct fs_file *file, struct pinfs_ioc_map *io)
{
	struct inode *ip = file->ip;
	unsigned int guard = inode_look(ip);
	int err;

	if (!S_ISREG(inode_mode(ip, NULL)))
		err = -EINVAL;
	else
		err = ip->dead ? -ESTALE : map_locked(fs, ip, io);
	inode_look_end(ip, guard);
	return err;
}
