// SPDX-License-Identifier: BSD-3-Clause
/* Making an empty file system. */
#include "format/make.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "format/csum.h"
#include "pool/persist.h"

/* The inode file's first map: its bitmap, and inodes 0 to 119. */
#define FIRST_ITABLE_BLOCKS 16u

struct make {
	struct pool *pool;
	const struct format_options *opt;
	struct format_geometry geo;
	uint64_t head_end; /* blocks below are in use */
};

/* union block - room to build one in */
union block {
	struct pinfs_blkhdr hdr;
	struct pinfs_super super;
	struct pinfs_jstate jstate;
	struct pinfs_bitmap bitmap;
	struct pinfs_root root;
	struct pinfs_inode inode[PINFS_INODES_PER_BLOCK];
	uint8_t bytes[PINFS_BLOCK_SIZE];
};

int format_options_init(struct format_options *opt)
{
	memset(opt, 0, sizeof(*opt));
	if (getrandom(opt->uuid, sizeof(opt->uuid), 0) != 16 ||
	    getrandom(&opt->csum_seed, 8, 0) != 8 ||
	    getrandom(&opt->hash_seed, 8, 0) != 8)
		return -EIO;
	/* RFC 4122: version 4, variant 1 */
	opt->uuid[6] = (uint8_t)((opt->uuid[6] & 0x0f) | 0x40);
	opt->uuid[8] = (uint8_t)((opt->uuid[8] & 0x3f) | 0x80);
	opt->uid = geteuid();
	opt->gid = getegid();
	clock_gettime(CLOCK_REALTIME, &opt->now);
	return 0;
}

static void *block_at(const struct make *m, uint64_t blkno)
{
	return m->pool->base + (blkno << PINFS_BLOCK_SHIFT);
}

static void put(const struct make *m, uint64_t blkno, const union block *b)
{
	persist_copy_flush(m->pool, block_at(m, blkno), b, sizeof(*b));
}

static void wipe(const struct make *m, uint64_t blkno, uint64_t count)
{
	persist_set_flush(m->pool, block_at(m, blkno), 0,
			  count << PINFS_BLOCK_SHIFT);
}

static int settle(const struct make *m)
{
	persist_fence(m->pool);
	return pool_sync(m->pool);
}

/* back - have the disk allocate all that is going to be written */
static int back(const struct make *m)
{
	uint64_t last = m->geo.total_blocks - 1;
	int err;

	err = pool_back(m->pool, 0, m->head_end << PINFS_BLOCK_SHIFT);
	if (err)
		return err;
	return pool_back(m->pool, last << PINFS_BLOCK_SHIFT, PINFS_BLOCK_SIZE);
}

/*
 * invalidate - no valid superblock from here on, not even the backup of an
 * older file system that ended elsewhere
 */
static int invalidate(const struct make *m)
{
	const struct pinfs_super *old = block_at(m, 0);
	uint64_t last = m->geo.total_blocks - 1;
	uint64_t old_last = le64_to_cpu(old->total_blocks) - 1;
	const char *why;

	if (!format_super_verify(old, 0, m->geo.total_blocks, &why) &&
	    old_last != last)
		wipe(m, old_last, 1);
	wipe(m, last, 1);
	wipe(m, 0, 1);
	return settle(m);
}

/* State A has an even number, so that the next goes to B. */
static void put_journal(const struct make *m)
{
	uint64_t at = m->geo.journal_start;
	union block b = { 0 };

	wipe(m, at + 1, 1 + (uint64_t)m->geo.lanes * m->geo.lane_blocks);
	b.jstate.hdr.magic = cpu_to_le32(PINFS_MAGIC_JSTATE);
	b.jstate.flags = cpu_to_le32(PINFS_JSTATE_CLEAN);
	b.jstate.free_blocks =
		cpu_to_le64(m->geo.total_blocks - m->head_end - 1);
	b.jstate.used_inodes = cpu_to_le64(1);
	b.jstate.change_time = cpu_to_le64((uint64_t)m->opt->now.tv_sec);
	format_block_seal(&b.hdr, at, m->opt->csum_seed);
	put(m, at, &b);
}

static void init_inode(const struct make *m, struct pinfs_inode *di,
		       uint64_t ino, mode_t mode)
{
	le64 sec = cpu_to_le64((uint64_t)m->opt->now.tv_sec);
	le32 nsec = cpu_to_le32((uint32_t)m->opt->now.tv_nsec);

	di->ino = cpu_to_le64(ino);
	di->mode = cpu_to_le32(mode);
	di->uid = cpu_to_le32(m->opt->uid);
	di->gid = cpu_to_le32(m->opt->gid);
	di->atime = di->mtime = di->ctime = di->btime = sec;
	di->atime_ns = di->mtime_ns = di->ctime_ns = di->btime_ns = nsec;
}

static void put_root_block(const struct make *m)
{
	union block b = { 0 };
	struct pinfs_inode *di = &b.root.itable;

	init_inode(m, di, PINFS_ITABLE_INO, S_IFREG | 0600);
	di->nlink = cpu_to_le32(1);
	di->size = cpu_to_le64(FIRST_ITABLE_BLOCKS << PINFS_BLOCK_SHIFT);
	di->blocks = cpu_to_le64(FIRST_ITABLE_BLOCKS);
	di->tree_count = cpu_to_le16(1);
	di->u.extent[0].pblk = cpu_to_le64(m->geo.first_free);
	di->u.extent[0].len = cpu_to_le32(FIRST_ITABLE_BLOCKS);
	format_inode_seal(di, m->opt->csum_seed);
	put(m, m->geo.root_block, &b);
}

static void bitmap_seal(const struct make *m, struct pinfs_bitmap *b,
			uint32_t magic, uint64_t index, uint64_t blkno)
{
	uint64_t clear = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(b->bits); i++)
		clear += (unsigned int)__builtin_popcountll(
			~le64_to_cpu(b->bits[i]));
	b->hdr.magic = cpu_to_le32(magic);
	b->hdr.spec[0] = cpu_to_le64(index);
	b->hdr.spec[1] = cpu_to_le64(clear);
	format_block_seal(&b->hdr, blkno, m->opt->csum_seed);
}

static void put_itable(const struct make *m)
{
	uint64_t at = m->geo.first_free;
	union block b = { 0 };
	struct pinfs_inode *root;

	wipe(m, at, FIRST_ITABLE_BLOCKS);
	b.bitmap.bits[0] =
		cpu_to_le64(1ull << PINFS_ITABLE_INO | 1ull << PINFS_ROOT_INO);
	bitmap_seal(m, &b.bitmap, PINFS_MAGIC_IMAP, 0, at);
	put(m, at, &b);

	memset(&b, 0, sizeof(b));
	root = &b.inode[PINFS_ROOT_INO];
	init_inode(m, root, PINFS_ROOT_INO, S_IFDIR | 0755);
	root->nlink = cpu_to_le32(2);
	root->parent = cpu_to_le64(PINFS_ROOT_INO);
	format_inode_seal(root, m->opt->csum_seed);
	put(m, at + 1, &b);
}

/* set_bits - [from, to) of the bitmap, as far as it has them */
static void set_bits(struct pinfs_bitmap *b, uint64_t from, uint64_t to)
{
	uint64_t i;

	for (i = from; i < to && i % 64; i++)
		b->bits[i / 64].raw |= htole64(1ull << i % 64);
	for (; i + 64 <= to; i += 64)
		b->bits[i / 64] = cpu_to_le64(UINT64_MAX);
	for (; i < to; i++)
		b->bits[i / 64].raw |= htole64(1ull << i % 64);
}

static void put_group(const struct make *m, uint64_t group)
{
	uint64_t first = group * PINFS_GROUP_BLOCKS;
	uint64_t last = m->geo.total_blocks - 1;
	union block b = { 0 };

	if (m->head_end > first)
		set_bits(&b.bitmap, 0,
			 min_u64(m->head_end - first, PINFS_GROUP_BLOCKS));
	/* The backup superblock, and what is beyond the pool. */
	if (last - first < PINFS_GROUP_BLOCKS)
		set_bits(&b.bitmap, last - first, PINFS_GROUP_BLOCKS);
	bitmap_seal(m, &b.bitmap, PINFS_MAGIC_GROUP, group,
		    m->geo.groups_start + group);
	put(m, m->geo.groups_start + group, &b);
}

static void put_super(const struct make *m, uint64_t blkno)
{
	const struct format_geometry *g = &m->geo;
	const struct format_options *opt = m->opt;
	union block b = { 0 };
	struct pinfs_super *sb = &b.super;

	memcpy(sb->magic, PINFS_SUPER_MAGIC, sizeof(sb->magic));
	memcpy(sb->uuid, opt->uuid, sizeof(sb->uuid));
	if (opt->label)
		memcpy(sb->label, opt->label, strlen(opt->label));
	sb->version = cpu_to_le32(PINFS_VERSION);
	sb->block_size = cpu_to_le32(PINFS_BLOCK_SIZE);
	sb->total_blocks = cpu_to_le64(g->total_blocks);
	sb->journal_start = cpu_to_le64(g->journal_start);
	sb->lanes = cpu_to_le32(g->lanes);
	sb->lane_blocks = cpu_to_le32(g->lane_blocks);
	sb->root_block = cpu_to_le64(g->root_block);
	sb->groups_start = cpu_to_le64(g->groups_start);
	sb->groups = cpu_to_le64(g->groups);
	sb->first_free = cpu_to_le64(g->first_free);
	sb->csum_seed = cpu_to_le64(opt->csum_seed);
	sb->hash_seed = cpu_to_le64(opt->hash_seed);
	sb->mkfs_time = cpu_to_le64((uint64_t)opt->now.tv_sec);
	format_super_seal(sb, blkno);
	put(m, blkno, &b);
}

int format_make(struct pool *pool, const struct format_options *opt)
{
	struct make m = { .pool = pool, .opt = opt };
	uint64_t group;
	int err;

	if (opt->label && strlen(opt->label) > PINFS_LABEL_MAX)
		return -EINVAL;
	err = format_geometry(pool->size >> PINFS_BLOCK_SHIFT, &m.geo);
	if (err)
		return err;
	m.head_end = m.geo.first_free + FIRST_ITABLE_BLOCKS;
	err = back(&m);
	if (!err)
		err = invalidate(&m);
	if (err)
		return err;

	put_journal(&m);
	put_root_block(&m);
	put_itable(&m);
	for (group = 0; group < m.geo.groups; group++)
		put_group(&m, group);
	err = settle(&m);
	if (err)
		return err;

	/* All is there: the superblocks make it a file system. */
	put_super(&m, m.geo.total_blocks - 1);
	err = settle(&m);
	if (err)
		return err;
	put_super(&m, 0);
	return settle(&m);
}
