// SPDX-License-Identifier: BSD-3-Clause
/* A small file system, made by hand. */
#include "forge.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"

void *forge_block(const struct forge *fg, uint64_t blkno)
{
	return fg->pool->base + blkno * PINFS_BLOCK_SIZE;
}

struct pinfs_inode *forge_inode(const struct forge *fg, uint64_t ino)
{
	struct pinfs_inode *b;

	if (!ino)
		return &fg->root->itable;
	b = forge_block(fg, le64_to_cpu(fg->sb->first_free) + 1 + ino / 8);
	return b + ino % 8;
}

uint64_t forge_take(struct forge *fg, uint64_t n)
{
	uint64_t first = fg->next, i;

	fg->next += n;
	for (i = first; i < fg->next; i++)
		fg->group->bits[i / 64].raw |= htole64(1ull << i % 64);
	return first;
}

void forge_seal(const struct forge *fg, uint64_t blkno)
{
	format_block_seal(forge_block(fg, blkno), blkno, fg->seed);
}

void forge_seal_inode(const struct forge *fg, uint64_t ino)
{
	struct pinfs_inode *di = forge_inode(fg, ino);

	format_inode_seal(di, fg->seed);
	if (le64_to_cpu(di->orphan.on_list))
		format_orphan_seal(&di->orphan, fg->seed);
}

static uint64_t count_clear(const struct pinfs_bitmap *b)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(b->bits); i++)
		n += (unsigned int)__builtin_popcountll(
			~le64_to_cpu(b->bits[i]));
	return n;
}

void forge_seal_bitmaps(const struct forge *fg)
{
	fg->group->hdr.spec[1] = cpu_to_le64(count_clear(fg->group));
	fg->imap->hdr.spec[1] = cpu_to_le64(count_clear(fg->imap));
	forge_seal(fg, le64_to_cpu(fg->sb->groups_start));
	forge_seal(fg, le64_to_cpu(fg->sb->first_free));
}

void forge_seal_state(const struct forge *fg)
{
	forge_seal(fg, le64_to_cpu(fg->sb->journal_start));
}

struct pinfs_dirent *forge_entry(const struct forge *fg, uint64_t leaf,
				 unsigned int slot)
{
	struct pinfs_dirent_node *n = forge_block(fg, leaf);

	return (void *)((uint8_t *)n + le16_to_cpu(n->slot[slot]));
}

static struct pinfs_inode *new_inode(struct forge *fg, uint64_t ino,
				     uint32_t mode, uint32_t nlink)
{
	struct pinfs_inode *di = forge_inode(fg, ino);

	fg->imap->bits[ino / 64].raw |= htole64(1ull << ino % 64);
	di->ino = cpu_to_le64(ino);
	di->mode = cpu_to_le32(mode);
	di->nlink = cpu_to_le32(nlink);
	return di;
}

static void *new_node(struct forge *fg, uint64_t blkno, uint32_t magic,
		      uint64_t owner, unsigned int level, unsigned int count)
{
	struct pinfs_blkhdr *hdr = forge_block(fg, blkno);

	memset(hdr, 0, PINFS_BLOCK_SIZE);
	hdr->magic = cpu_to_le32(magic);
	hdr->owner = cpu_to_le64(owner);
	hdr->level = cpu_to_le16((uint16_t)level);
	hdr->count = cpu_to_le16((uint16_t)count);
	return hdr;
}

static uint64_t key_of(const struct forge *fg, const struct forge_name *n)
{
	return format_name_hash(n->name, strlen(n->name),
				le64_to_cpu(fg->sb->hash_seed));
}

static int by_key(const void *a, const void *b, void *fg)
{
	uint64_t x = key_of(fg, a), y = key_of(fg, b);

	return x < y ? -1 : x > y;
}

void forge_fill_leaf(struct forge *fg, uint64_t leaf, uint64_t dir,
		     const struct forge_name *names, unsigned int n)
{
	struct pinfs_dirent_node *node =
		new_node(fg, leaf, PINFS_MAGIC_DIRENTS, dir, 0, n);
	struct forge_name sorted[8];
	size_t at = PINFS_BLOCK_SIZE, len;
	struct pinfs_dirent *de;
	uint64_t key, last = 0;
	unsigned int i;

	if (n)
		memcpy(sorted, names, n * sizeof(*names));
	qsort_r(sorted, n, sizeof(*sorted), by_key, fg);
	for (i = 0; i < n; i++) {
		len = strlen(sorted[i].name);
		at -= format_dirent_size(len);
		de = (void *)((uint8_t *)node + at);
		key = key_of(fg, &sorted[i]);
		key = key > last ? key : last + 1;
		last = key;
		de->key = cpu_to_le64(key);
		de->ino = cpu_to_le64(sorted[i].ino);
		de->type = sorted[i].type;
		de->name_len = (uint8_t)len;
		memcpy((uint8_t *)de + PINFS_DIRENT_HEAD, sorted[i].name, len);
		node->slot[i] = cpu_to_le16((uint16_t)at);
	}
	node->hdr.spec[0] = cpu_to_le64(at);
	forge_seal(fg, leaf);
}

static void make_root(struct forge *fg)
{
	static const struct forge_name names[] = {
		{ "file", 2, DT_REG }, { "hard", 2, DT_REG },
		{ "sub", 3, DT_DIR },  { "short", 4, DT_LNK },
		{ "long", 5, DT_LNK },
	};
	struct pinfs_inode *di = forge_inode(fg, 1);

	fg->root_leaf = forge_take(fg, 1);
	forge_fill_leaf(fg, fg->root_leaf, 1, names, ARRAY_SIZE(names));
	di->nlink = cpu_to_le32(3);
	di->tree_level = cpu_to_le16(1);
	di->tree_count = cpu_to_le16(1);
	di->u.index[0].child = cpu_to_le64(fg->root_leaf);
	di->blocks = cpu_to_le64(1);
	forge_seal_inode(fg, 1);
}

static void put_xattr(uint8_t **at, const char *name, const char *value)
{
	struct pinfs_xattr x = {
		.name_len = cpu_to_le16((uint16_t)strlen(name)),
		.value_len = cpu_to_le32((uint32_t)strlen(value)),
	};

	memcpy(*at, &x, sizeof(x));
	*at += sizeof(x);
	*at = mempcpy(*at, name, strlen(name));
	*at = mempcpy(*at, value, strlen(value));
}

static void make_file(struct forge *fg)
{
	struct pinfs_inode *di = new_inode(fg, 2, S_IFREG | 0644, 2);
	struct pinfs_extent_node *n;
	struct pinfs_blob *b;
	uint8_t *at;

	fg->file_leaf = forge_take(fg, 1);
	fg->data = forge_take(fg, 5);
	fg->xattr = forge_take(fg, 1);
	n = new_node(fg, fg->file_leaf, PINFS_MAGIC_EXTENTS, 2, 0, 2);
	n->extent[0].pblk = cpu_to_le64(fg->data);
	n->extent[0].len = cpu_to_le32(3);
	n->extent[1].lblk = cpu_to_le64(100);
	n->extent[1].pblk = cpu_to_le64(fg->data + 3);
	n->extent[1].len = cpu_to_le32(2);
	n->extent[1].flags = cpu_to_le32(PINFS_EXTENT_UNWRITTEN);
	forge_seal(fg, fg->file_leaf);

	b = new_node(fg, fg->xattr, PINFS_MAGIC_BLOB, 2, 0, 0);
	at = b->bytes;
	put_xattr(&at, "user.one", "1");
	put_xattr(&at, "user.empty", "");
	b->hdr.spec[1] = cpu_to_le64((uint64_t)(at - b->bytes));
	b->hdr.spec[2] = b->hdr.spec[1];
	forge_seal(fg, fg->xattr);

	di->size = cpu_to_le64(103 * 4096 + 5);
	di->blocks = cpu_to_le64(7);
	di->xattr = cpu_to_le64(fg->xattr);
	di->tree_level = cpu_to_le16(1);
	di->tree_count = cpu_to_le16(1);
	di->u.index[0].child = cpu_to_le64(fg->file_leaf);
	forge_seal_inode(fg, 2);
}

static void make_sub(struct forge *fg)
{
	static const struct forge_name name = { "deep", 6, DT_DIR };
	struct pinfs_inode *di = new_inode(fg, 3, S_IFDIR | 0755, 3);
	struct pinfs_index_node *n;

	fg->sub_index = forge_take(fg, 1);
	fg->sub_leaf = forge_take(fg, 1);
	n = new_node(fg, fg->sub_index, PINFS_MAGIC_INDEX, 3, 1, 1);
	n->index[0].child = cpu_to_le64(fg->sub_leaf);
	forge_seal(fg, fg->sub_index);
	forge_fill_leaf(fg, fg->sub_leaf, 3, &name, 1);
	di->parent = cpu_to_le64(1);
	di->blocks = cpu_to_le64(2);
	di->tree_level = cpu_to_le16(2);
	di->tree_count = cpu_to_le16(1);
	di->u.index[0].child = cpu_to_le64(fg->sub_index);
	forge_seal_inode(fg, 3);

	di = new_inode(fg, 6, S_IFDIR | 0700, 2);
	di->parent = cpu_to_le64(3);
	forge_seal_inode(fg, 6);
}

static void make_symlinks(struct forge *fg)
{
	struct pinfs_inode *di = new_inode(fg, 4, S_IFLNK | 0777, 1);
	struct pinfs_blob *b;
	unsigned int i;

	di->size = cpu_to_le64(4);
	memcpy(di->u.target, "file", 4);
	forge_seal_inode(fg, 4);

	di = new_inode(fg, 5, S_IFLNK | 0777, 1);
	fg->target = forge_take(fg, 2);
	di->size = cpu_to_le64(PINFS_SYMLINK_MAX);
	di->target = cpu_to_le64(fg->target);
	di->blocks = cpu_to_le64(2);
	forge_seal_inode(fg, 5);
	for (i = 0; i < 2; i++) {
		b = new_node(fg, fg->target + i, PINFS_MAGIC_BLOB, 5, 0, 0);
		memset(b->bytes, 'x', sizeof(b->bytes));
		b->hdr.spec[0] = cpu_to_le64(i ? 0 : fg->target + 1);
		b->hdr.spec[1] =
			cpu_to_le64(i ? PINFS_SYMLINK_MAX - PINFS_BLOB_BYTES :
					PINFS_BLOB_BYTES);
		b->hdr.spec[2] = cpu_to_le64(PINFS_SYMLINK_MAX);
		forge_seal(fg, fg->target + i);
	}
}

static void make_orphan(struct forge *fg, uint64_t ino, uint64_t prev,
			uint64_t next)
{
	struct pinfs_inode *di = new_inode(fg, ino, S_IFREG | 0600, 0);

	di->tree_count = cpu_to_le16(1);
	di->u.extent[0].pblk = cpu_to_le64(forge_take(fg, 1));
	di->u.extent[0].len = cpu_to_le32(1);
	di->blocks = cpu_to_le64(1);
	di->orphan.prev = cpu_to_le64(prev);
	di->orphan.next = cpu_to_le64(next);
	di->orphan.on_list = cpu_to_le64(1);
	forge_seal_inode(fg, ino);
}

void forge_make(struct forge *fg, struct pool *pool)
{
	memset(fg, 0, sizeof(*fg));
	fg->pool = pool;
	fg->sb = forge_block(fg, 0);
	fg->seed = le64_to_cpu(fg->sb->csum_seed);
	fg->root = forge_block(fg, le64_to_cpu(fg->sb->root_block));
	fg->state = forge_block(fg, le64_to_cpu(fg->sb->journal_start));
	fg->group = forge_block(fg, le64_to_cpu(fg->sb->groups_start));
	fg->imap = forge_block(fg, le64_to_cpu(fg->sb->first_free));
	fg->next = le64_to_cpu(fg->sb->first_free) + 16;

	make_root(fg);
	make_file(fg);
	make_sub(fg);
	make_symlinks(fg);
	make_orphan(fg, 7, 0, 39);
	make_orphan(fg, 39, 7, 0);
	fg->root->head[7].next = cpu_to_le64(7);
	format_orphan_seal(&fg->root->head[7], fg->seed);
	forge_seal_bitmaps(fg);
	fg->state->free_blocks = fg->group->hdr.spec[1];
	fg->state->used_inodes = cpu_to_le64(8);
	forge_seal_state(fg);
}
