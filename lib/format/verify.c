// SPDX-License-Identifier: BSD-3-Clause
/* Verifiers of tree nodes, bitmaps, blobs and the journal's state (S5). */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "format/csum.h"
#include "format/format_i.h"

static int bad(const char **why, const char *text)
{
	*why = text;
	return -EUCLEAN;
}

/* in_pool - neither superblock, and inside */
static bool in_pool(uint64_t blkno, uint64_t len, uint64_t total_blocks)
{
	return blkno && len < total_blocks && blkno < total_blocks - len;
}

int format_index_list_verify(const struct pinfs_index *x, unsigned int count,
			     uint64_t total_blocks, const char **why)
{
	uint64_t key, last = 0;
	unsigned int i;

	for (i = 0; i < count; i++) {
		key = le64_to_cpu(x[i].key);
		/* The first stands for all that is less than the second. */
		if (i && (key < last || (i > 1 && key == last)))
			return bad(why, "index keys do not ascend");
		if (!in_pool(le64_to_cpu(x[i].child), 1, total_blocks))
			return bad(why, "index points out of the pool");
		last = key;
	}
	return 0;
}

int format_extent_list_verify(const struct pinfs_extent *e, unsigned int count,
			      uint64_t total_blocks, const char **why)
{
	uint64_t lblk, end = 0;
	unsigned int i;
	uint32_t len;

	for (i = 0; i < count; i++) {
		lblk = le64_to_cpu(e[i].lblk);
		len = le32_to_cpu(e[i].len);
		if (!len || len > PINFS_EXTENT_MAX_LEN)
			return bad(why, "extent of an impossible length");
		if (le32_to_cpu(e[i].flags) & ~PINFS_EXTENT_KNOWN)
			return bad(why, "extent with unknown flags");
		if (lblk > FORMAT_MAX_LBLK - len)
			return bad(why, "extent past the largest file");
		if (i && lblk < end)
			return bad(why, "extents overlap or are out of order");
		if (!in_pool(le64_to_cpu(e[i].pblk), len, total_blocks))
			return bad(why, "extent out of the pool");
		end = lblk + len;
	}
	return 0;
}

int format_index_verify(const struct pinfs_index_node *n, uint64_t blkno,
			uint64_t total_blocks, uint64_t seed, const char **why)
{
	unsigned int count = le16_to_cpu(n->hdr.count);
	unsigned int level = le16_to_cpu(n->hdr.level);
	int err;

	err = format_block_verify(&n->hdr, PINFS_MAGIC_INDEX, blkno, seed, why);
	if (err)
		return err;
	/* The level PINFS_TREE_MAX_LEVEL itself can only be in an inode. */
	if (!level || level >= PINFS_TREE_MAX_LEVEL)
		return bad(why, "index node of an impossible level");
	if (!count || count > PINFS_NODE_INDEXES)
		return bad(why, "index node with an impossible count");
	return format_index_list_verify(n->index, count, total_blocks, why);
}

int format_extents_verify(const struct pinfs_extent_node *n, uint64_t blkno,
			  uint64_t total_blocks, uint64_t seed,
			  const char **why)
{
	unsigned int count = le16_to_cpu(n->hdr.count);
	int err;

	err = format_block_verify(&n->hdr, PINFS_MAGIC_EXTENTS, blkno, seed,
				  why);
	if (err)
		return err;
	if (le16_to_cpu(n->hdr.level))
		return bad(why, "extent leaf of an impossible level");
	if (count > PINFS_NODE_EXTENTS)
		return bad(why, "extent leaf with an impossible count");
	return format_extent_list_verify(n->extent, count, total_blocks, why);
}

static bool name_is_good(const uint8_t *name, size_t len)
{
	if (!len || memchr(name, '/', len) || memchr(name, '\0', len))
		return false;
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return false;
	return true;
}

static bool type_is_good(uint8_t type)
{
	switch (type) {
	case DT_FIFO:
	case DT_CHR:
	case DT_DIR:
	case DT_BLK:
	case DT_REG:
	case DT_LNK:
	case DT_SOCK:
		return true;
	default:
		return false;
	}
}

/* One bit for each 8 bytes of a leaf, to find entries that overlap. */
struct leaf_map {
	uint64_t bits[PINFS_BLOCK_SIZE / 8 / 64];
};

static bool leaf_map_take(struct leaf_map *m, size_t off, size_t len)
{
	size_t i;

	for (i = off / 8; i < (off + len) / 8; i++) {
		if (m->bits[i / 64] >> i % 64 & 1)
			return false;
		m->bits[i / 64] |= 1ull << i % 64;
	}
	return true;
}

/* dirent_verify - the entry at off, not below low; *size is what it takes */
static int dirent_verify(const struct pinfs_dirent_node *n, size_t off,
			 size_t low, size_t *size, const char **why)
{
	const struct pinfs_dirent *de;
	uint64_t key, ino;

	if (off % 8 || off < low || off > PINFS_BLOCK_SIZE - PINFS_DIRENT_HEAD)
		return bad(why, "directory entry out of its leaf");
	de = (const void *)((const uint8_t *)n + off);
	*size = format_dirent_size(de->name_len);
	if (off + *size > PINFS_BLOCK_SIZE)
		return bad(why, "name past its leaf's end");
	key = le64_to_cpu(de->key);
	ino = le64_to_cpu(de->ino);
	if (key < PINFS_DIR_FIRST_KEY || key >> 63)
		return bad(why, "directory entry with an impossible key");
	if (!ino || ino >> PINFS_INO_BITS)
		return bad(why, "directory entry for an impossible inode");
	if (!type_is_good(de->type))
		return bad(why, "directory entry of an unknown type");
	if (!name_is_good(de->name, de->name_len))
		return bad(why, "impossible name");
	return 0;
}

static int dirents_body_verify(const struct pinfs_dirent_node *n,
			       unsigned int count, const char **why)
{
	size_t low = sizeof(n->hdr) + count * sizeof(n->slot[0]);
	size_t heap = PINFS_BLOCK_SIZE, used = 0, off, size;
	const struct pinfs_dirent *de;
	struct leaf_map map = { 0 };
	uint64_t last = 0;
	unsigned int i;
	int err;

	for (i = 0; i < count; i++) {
		off = le16_to_cpu(n->slot[i]);
		err = dirent_verify(n, off, low, &size, why);
		if (err)
			return err;
		if (!leaf_map_take(&map, off, size))
			return bad(why, "directory entries overlap");
		de = (const void *)((const uint8_t *)n + off);
		if (le64_to_cpu(de->key) <= last)
			return bad(why, "directory keys do not ascend");
		last = le64_to_cpu(de->key);
		heap = off < heap ? off : heap;
		used += size;
	}
	if (le64_to_cpu(n->hdr.spec[0]) != heap)
		return bad(why, "directory leaf with a wrong heap");
	if (le64_to_cpu(n->hdr.spec[1]) != PINFS_BLOCK_SIZE - heap - used)
		return bad(why, "directory leaf with a wrong count of waste");
	return 0;
}

int format_dirents_verify(const struct pinfs_dirent_node *n, uint64_t blkno,
			  uint64_t seed, const char **why)
{
	unsigned int count = le16_to_cpu(n->hdr.count);
	int err;

	err = format_block_verify(&n->hdr, PINFS_MAGIC_DIRENTS, blkno, seed,
				  why);
	if (err)
		return err;
	if (le16_to_cpu(n->hdr.level))
		return bad(why, "directory leaf of an impossible level");
	if (count > PINFS_NODE_BYTES / 2)
		return bad(why, "directory leaf with an impossible count");
	return dirents_body_verify(n, count, why);
}

int format_blob_verify(const struct pinfs_blob *b, uint64_t blkno,
		       uint64_t total_blocks, uint64_t seed, const char **why)
{
	uint64_t next = le64_to_cpu(b->hdr.spec[0]);
	uint64_t used = le64_to_cpu(b->hdr.spec[1]);
	uint64_t whole = le64_to_cpu(b->hdr.spec[2]);
	int err;

	err = format_block_verify(&b->hdr, PINFS_MAGIC_BLOB, blkno, seed, why);
	if (err)
		return err;
	if (next && !in_pool(next, 1, total_blocks))
		return bad(why, "blob goes on out of the pool");
	if (!used || used > PINFS_BLOB_BYTES)
		return bad(why, "blob with an impossible part");
	if (whole < used || whole > PINFS_BLOB_MAX)
		return bad(why, "blob of an impossible length");
	return 0;
}

int format_bitmap_verify(const struct pinfs_bitmap *b, uint32_t magic,
			 uint64_t index, uint64_t blkno, uint64_t seed,
			 const char **why)
{
	uint64_t clear = 0;
	size_t i;
	int err;

	err = format_block_verify(&b->hdr, magic, blkno, seed, why);
	if (err)
		return err;
	if (le64_to_cpu(b->hdr.spec[0]) != index)
		return bad(why, "bitmap of another place");
	for (i = 0; i < PINFS_BITMAP_BYTES / 8; i++)
		clear += (unsigned int)__builtin_popcountll(
			~le64_to_cpu(b->bits[i]));
	if (le64_to_cpu(b->hdr.spec[1]) != clear)
		return bad(why, "bitmap with a wrong count");
	return 0;
}

static bool jstate_is_good(const struct pinfs_jstate *s, uint64_t blkno,
			   uint64_t seed)
{
	const char *why;
	size_t i;

	if (format_block_verify(&s->hdr, PINFS_MAGIC_JSTATE, blkno, seed, &why))
		return false;
	if (le32_to_cpu(s->flags) &
	    ~(PINFS_JSTATE_CLEAN | PINFS_JSTATE_VOLATILE))
		return false;
	for (i = 0; i < PINFS_MAX_LANES; i++)
		if (le32_to_cpu(s->tail[i]) % PINFS_LINE_SIZE)
			return false;
	return true;
}

const struct pinfs_jstate *format_jstate_pick(const struct pinfs_jstate *a,
					      const struct pinfs_jstate *b,
					      uint64_t a_blkno, uint64_t seed)
{
	bool a_good = jstate_is_good(a, a_blkno, seed);
	bool b_good = jstate_is_good(b, a_blkno + 1, seed);

	if (a_good && b_good)
		return le64_to_cpu(b->update) > le64_to_cpu(a->update) ? b : a;
	if (a_good)
		return a;
	return b_good ? b : NULL;
}
