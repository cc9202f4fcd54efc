// SPDX-License-Identifier: BSD-3-Clause
/* What can be wrong with the larger file system of tree.h. */
#include "damage.h"

#include <string.h>

#include "base/util.h"

static void *block_of(struct pool *pool, uint64_t blkno)
{
	return pool->base + blkno * PINFS_BLOCK_SIZE;
}

static const struct pinfs_super *super_of(struct pool *pool)
{
	return block_of(pool, 0);
}

static void seal(struct pool *pool, uint64_t blkno)
{
	format_block_seal(block_of(pool, blkno), blkno,
			  le64_to_cpu(super_of(pool)->csum_seed));
}

/* each - the n'th block with that magic number, by inode; 0 if there is none */
static uint64_t find(struct pool *pool, uint32_t magic, unsigned int level,
		     unsigned int n)
{
	const struct pinfs_super *sb = super_of(pool);
	uint64_t seed = le64_to_cpu(sb->csum_seed), at;
	const struct pinfs_blkhdr *hdr;
	const char *why;

	for (at = le64_to_cpu(sb->first_free);
	     at < le64_to_cpu(sb->total_blocks) - 1; at++) {
		hdr = block_of(pool, at);
		if (le32_to_cpu(hdr->magic) == magic &&
		    le16_to_cpu(hdr->level) == level &&
		    !format_block_verify(hdr, magic, at, seed, &why) && !n--)
			return at;
	}
	return 0;
}

/* Above /many's leaves: all names must be found again. */
void damage_tree_index(struct pool *pool)
{
	uint64_t at = find(pool, PINFS_MAGIC_INDEX, 1, 0);

	must(at != 0);
	memset(block_of(pool, at), 0x55, PINFS_BLOCK_SIZE);
}

/* The block with the root, /docs and the first below it, and /pieces. */
void damage_tree_inode_blocks(struct pool *pool)
{
	uint64_t first = le64_to_cpu(super_of(pool)->first_free);

	memset(block_of(pool, first + 1), 0, 2 * PINFS_BLOCK_SIZE);
}

/* The inode file's inode: all of it is to be found again. */
void damage_tree_itable(struct pool *pool)
{
	memset(block_of(pool, le64_to_cpu(super_of(pool)->root_block)), 0xaa,
	       PINFS_INODE_CSUM_BYTES);
}

/* The same by the leaf of its tree. */
void damage_tree_itable_leaf(struct pool *pool)
{
	const struct pinfs_root *root =
		block_of(pool, le64_to_cpu(super_of(pool)->root_block));

	must(le16_to_cpu(root->itable.tree_level) == 1);
	memset(block_of(pool, le64_to_cpu(root->itable.u.index[0].child)), 0,
	       PINFS_BLOCK_SIZE);
}

/* One of the leaves of /pieces: its extents are lost, those of others are not. */
void damage_tree_extents(struct pool *pool)
{
	uint64_t at = find(pool, PINFS_MAGIC_EXTENTS, 0, 1);

	must(at != 0);
	memset(block_of(pool, at), 0, PINFS_BLOCK_SIZE);
}

/* One of the leaves of /many: the names are lost, the files are not. */
void damage_tree_dir_leaf(struct pool *pool)
{
	struct pinfs_dirent_node *n;
	uint64_t at;
	unsigned int i;

	for (i = 0;; i++) {
		at = find(pool, PINFS_MAGIC_DIRENTS, 0, i);
		must(at != 0);
		n = block_of(pool, at);
		if (le16_to_cpu(n->hdr.count) > 10)
			break;
	}
	memset(n, 0, PINFS_BLOCK_SIZE);
}

/* The same, but for all that is one bit: each name can tell whether it is good. */
void damage_tree_names(struct pool *pool)
{
	struct pinfs_dirent_node *n;
	uint64_t at;
	unsigned int i;

	for (i = 0;; i++) {
		at = find(pool, PINFS_MAGIC_DIRENTS, 0, i);
		must(at != 0);
		n = block_of(pool, at);
		if (le16_to_cpu(n->hdr.count) > 10)
			break;
	}
	((uint8_t *)n)[le16_to_cpu(n->slot[3]) + PINFS_DIRENT_HEAD] ^= 1;
	(void)seal;
}
