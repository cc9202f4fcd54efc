// SPDX-License-Identifier: BSD-3-Clause
/* What can be wrong with the small file system of forge.h, one by one. */
#include "damage.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"

/* recount - all that counts blocks is right again */
static void recount(struct forge *fg)
{
	forge_seal_bitmaps(fg);
	fg->state->free_blocks = fg->group->hdr.spec[1];
	forge_seal_state(fg);
}

void damage_super(struct forge *fg)
{
	memset(fg->sb, 0, 64);
}

void damage_backup(struct forge *fg)
{
	memset(forge_block(fg, 4095), 0, 64);
}

void damage_backup_differs(struct forge *fg)
{
	struct pinfs_super *b = forge_block(fg, 4095);

	b->label[0] = 'x';
	format_super_seal(b, 4095);
}

void damage_ro_compat(struct forge *fg)
{
	struct pinfs_super *b = forge_block(fg, 4095);

	fg->sb->ro_compat = b->ro_compat = cpu_to_le64(4);
	format_super_seal(fg->sb, 0);
	format_super_seal(b, 4095);
}

void damage_jstate(struct forge *fg)
{
	fg->state->hdr.csum = cpu_to_le64(1);
}

void damage_root_reserved(struct forge *fg)
{
	fg->root->reserved[1535] = 1;
}

void damage_itable_csum(struct forge *fg)
{
	fg->root->itable.size = cpu_to_le64(1);
}

void damage_itable_unwritten(struct forge *fg)
{
	forge_inode(fg, 0)->u.extent[0].flags = cpu_to_le32(1);
	forge_seal_inode(fg, 0);
}

void damage_itable_short(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 0);

	di->u.extent[0].len = cpu_to_le32(4); /* without that of inode 39 */
	forge_seal_inode(fg, 0);
}

void damage_imap_csum(struct forge *fg)
{
	fg->imap->bits[100].raw ^= 1;
}

void damage_imap_hole(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 0);
	uint64_t first = le64_to_cpu(di->u.extent[0].pblk);

	di->u.extent[0].lblk = cpu_to_le64(1);
	di->u.extent[0].pblk = cpu_to_le64(first + 1);
	di->u.extent[0].len = cpu_to_le32(15);
	forge_seal_inode(fg, 0);
}

void damage_inode_csum(struct forge *fg)
{
	forge_inode(fg, 4)->uid = cpu_to_le32(1);
}

void damage_inode_zeroed(struct forge *fg)
{
	memset(forge_inode(fg, 4), 0, PINFS_INODE_SIZE);
}

void damage_inode_unmarked(struct forge *fg)
{
	fg->imap->bits[0].raw &= htole64(~(1ull << 4));
	forge_seal_bitmaps(fg);
	fg->state->used_inodes = cpu_to_le64(7);
	forge_seal_state(fg);
}

void damage_inode_blocks(struct forge *fg)
{
	forge_inode(fg, 2)->blocks = cpu_to_le64(8);
	forge_seal_inode(fg, 2);
}

void damage_inode_nlink(struct forge *fg)
{
	forge_inode(fg, 2)->nlink = cpu_to_le32(3);
	forge_seal_inode(fg, 2);
}

void damage_dir_nlink(struct forge *fg)
{
	forge_inode(fg, 1)->nlink = cpu_to_le32(4);
	forge_seal_inode(fg, 1);
}

void damage_inode_nameless(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 8);

	di->mode = cpu_to_le32(S_IFIFO | 0600);
	di->ino = cpu_to_le64(8);
	di->nlink = cpu_to_le32(1);
	forge_seal_inode(fg, 8);
	fg->imap->bits[0].raw |= htole64(1ull << 8);
	forge_seal_bitmaps(fg);
	fg->state->used_inodes = cpu_to_le64(9);
	forge_seal_state(fg);
}

void damage_intent_unlisted(struct forge *fg)
{
	forge_inode(fg, 2)->intent.op = cpu_to_le32(PINFS_INTENT_REMOVE);
	forge_seal_inode(fg, 2);
}

void damage_leaf_csum(struct forge *fg)
{
	struct pinfs_extent_node *n = forge_block(fg, fg->file_leaf);

	n->extent[0].len = cpu_to_le32(2);
}

void damage_node_level(struct forge *fg)
{
	struct pinfs_index_node *n = forge_block(fg, fg->sub_index);

	n->hdr.level = cpu_to_le16(2);
	forge_seal(fg, fg->sub_index);
}

void damage_node_owner(struct forge *fg)
{
	struct pinfs_extent_node *n = forge_block(fg, fg->file_leaf);

	n->hdr.owner = cpu_to_le64(3);
	forge_seal(fg, fg->file_leaf);
}

/* second_leaf - of file, for keys from key on, with an extent at lblk */
static void second_leaf(struct forge *fg, uint64_t key, uint64_t lblk)
{
	struct pinfs_inode *di = forge_inode(fg, 2);
	struct pinfs_extent_node *n;
	uint64_t leaf = forge_take(fg, 1);

	memcpy(forge_block(fg, leaf), forge_block(fg, fg->file_leaf), 4096);
	n = forge_block(fg, leaf);
	n->hdr.count = cpu_to_le16(1);
	n->extent[0] = n->extent[1];
	n->extent[0].lblk = cpu_to_le64(lblk);
	n->extent[0].pblk = cpu_to_le64(forge_take(fg, 2));
	forge_seal(fg, leaf);
	di->tree_count = cpu_to_le16(2);
	di->u.index[1].key = cpu_to_le64(key);
	di->u.index[1].child = cpu_to_le64(leaf);
	di->blocks = cpu_to_le64(10);
	forge_seal_inode(fg, 2);
	recount(fg);
}

void damage_two_leaves(struct forge *fg)
{
	second_leaf(fg, 101, 102);
}

/* The first leaf has a key of the second. */
void damage_node_order(struct forge *fg)
{
	second_leaf(fg, 50, 200);
}

void damage_extent_order(struct forge *fg)
{
	second_leaf(fg, 101, 101);
}

/* The leaf with all names has keys of the empty one behind it. */
void damage_name_order(struct forge *fg)
{
	struct pinfs_index_node *n = forge_block(fg, fg->sub_index);
	uint64_t leaf = forge_take(fg, 1);

	forge_fill_leaf(fg, leaf, 3, NULL, 0);
	n->index[1].key = cpu_to_le64(200);
	n->index[1].child = cpu_to_le64(leaf);
	n->hdr.count = cpu_to_le16(2);
	forge_seal(fg, fg->sub_index);
	forge_inode(fg, 3)->blocks = cpu_to_le64(3);
	forge_seal_inode(fg, 3);
	recount(fg);
}

/* A tree that is its own child, and one that spreads without end. */
void damage_tree_cycle(struct forge *fg)
{
	struct pinfs_index_node *n = forge_block(fg, fg->sub_index);
	unsigned int i;

	for (i = 0; i < PINFS_NODE_INDEXES; i++) {
		n->index[i].key = cpu_to_le64(i);
		n->index[i].child = cpu_to_le64(fg->sub_index);
	}
	n->hdr.count = cpu_to_le16(PINFS_NODE_INDEXES);
	forge_seal(fg, fg->sub_index);
	forge_inode(fg, 3)->tree_level = cpu_to_le16(2);
	forge_seal_inode(fg, 3);
}

void damage_blob_part(struct forge *fg)
{
	struct pinfs_blob *b = forge_block(fg, fg->target + 1);

	b->hdr.spec[2] = cpu_to_le64(PINFS_SYMLINK_MAX + 1);
	forge_seal(fg, fg->target + 1);
}

void damage_blob_short(struct forge *fg)
{
	struct pinfs_blob *b = forge_block(fg, fg->target + 1);

	b->hdr.spec[1] = cpu_to_le64(1);
	forge_seal(fg, fg->target + 1);
}

void damage_blob_cycle(struct forge *fg)
{
	struct pinfs_blob *b = forge_block(fg, fg->target + 1);

	b->hdr.spec[0] = cpu_to_le64(fg->target);
	forge_seal(fg, fg->target + 1);
}

/* More than a blob may have, in parts that are all right by themselves. */
void damage_blob_endless(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 5);
	uint64_t first = forge_take(fg, 300), i;
	struct pinfs_blob *b;

	for (i = first; i < first + 300; i++) {
		b = forge_block(fg, i);
		b->hdr.magic = cpu_to_le32(PINFS_MAGIC_BLOB);
		b->hdr.owner = cpu_to_le64(5);
		b->hdr.spec[0] = cpu_to_le64(i < first + 299 ? i + 1 : 0);
		b->hdr.spec[1] = cpu_to_le64(PINFS_BLOB_BYTES);
		b->hdr.spec[2] = cpu_to_le64(PINFS_BLOB_MAX);
		forge_seal(fg, i);
	}
	di->target = cpu_to_le64(first);
	di->blocks = cpu_to_le64(300);
	forge_seal_inode(fg, 5);
	recount(fg);
}

void damage_xattr_long(struct forge *fg)
{
	struct pinfs_blob *b = forge_block(fg, fg->xattr);

	b->bytes[4] = 200; /* of value_len */
	forge_seal(fg, fg->xattr);
}

void damage_symlink_nul(struct forge *fg)
{
	struct pinfs_blob *b = forge_block(fg, fg->target + 1);

	b->bytes[0] = 0;
	forge_seal(fg, fg->target + 1);
}

/* file's second extent is where its first is, and its own block leaks */
void damage_shared(struct forge *fg)
{
	struct pinfs_extent_node *n = forge_block(fg, fg->file_leaf);

	n->extent[1].pblk = n->extent[0].pblk;
	forge_seal(fg, fg->file_leaf);
}

void damage_shared_with_fixed(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 7);

	di->u.extent[0].pblk = cpu_to_le64(1);
	forge_seal_inode(fg, 7);
}

void damage_unmarked(struct forge *fg)
{
	fg->group->bits[fg->data / 64].raw &= htole64(~(1ull << fg->data % 64));
	recount(fg);
}

void damage_leaked(struct forge *fg)
{
	forge_take(fg, 70);
	recount(fg);
}

void damage_beyond_the_end(struct forge *fg)
{
	fg->group->bits[4096 / 64].raw = 0;
	recount(fg);
}

void damage_group_csum(struct forge *fg)
{
	fg->group->bits[0].raw = 0;
}

void damage_count_blocks(struct forge *fg)
{
	fg->state->free_blocks = cpu_to_le64(1);
	forge_seal_state(fg);
}

void damage_count_inodes(struct forge *fg)
{
	fg->state->used_inodes = cpu_to_le64(1);
	forge_seal_state(fg);
}

void damage_dir_hash(struct forge *fg)
{
	forge_entry(fg, fg->sub_leaf, 0)->key = cpu_to_le64(4711 << 7);
	forge_seal(fg, fg->sub_leaf);
}

void damage_dir_duplicate(struct forge *fg)
{
	static const struct forge_name names[] = {
		{ "deep", 6, DT_DIR },
		{ "same", 2, DT_REG },
		{ "same", 2, DT_REG },
	};

	forge_fill_leaf(fg, fg->sub_leaf, 3, names, ARRAY_SIZE(names));
	forge_inode(fg, 2)->nlink = cpu_to_le32(4);
	forge_seal_inode(fg, 2);
}

void damage_dir_dangling(struct forge *fg)
{
	static const struct forge_name names[] = {
		{ "deep", 6, DT_DIR },
		{ "none", 77, DT_REG },
		{ "far", (1ull << 40) - 1, DT_REG },
		{ "zero", 8, DT_REG },
	};

	forge_fill_leaf(fg, fg->sub_leaf, 3, names, ARRAY_SIZE(names));
}

void damage_dir_type(struct forge *fg)
{
	forge_entry(fg, fg->sub_leaf, 0)->type = DT_REG;
	forge_seal(fg, fg->sub_leaf);
}

void damage_dir_twice(struct forge *fg)
{
	static const struct forge_name names[] = {
		{ "deep", 6, DT_DIR },
		{ "deep2", 6, DT_DIR },
	};

	forge_fill_leaf(fg, fg->sub_leaf, 3, names, ARRAY_SIZE(names));
}

void damage_dir_root_again(struct forge *fg)
{
	static const struct forge_name names[] = {
		{ "deep", 6, DT_DIR },
		{ "up", 1, DT_DIR },
	};

	forge_fill_leaf(fg, fg->sub_leaf, 3, names, ARRAY_SIZE(names));
}

void damage_dir_parent(struct forge *fg)
{
	forge_inode(fg, 6)->parent = cpu_to_le64(1);
	forge_seal_inode(fg, 6);
}

/* sub moves into deep, which is in sub. */
void damage_dir_cycle(struct forge *fg)
{
	static const struct forge_name root[] = {
		{ "file", 2, DT_REG },
		{ "hard", 2, DT_REG },
		{ "short", 4, DT_LNK },
		{ "long", 5, DT_LNK },
	};
	static const struct forge_name sub = { "sub", 3, DT_DIR };
	struct pinfs_inode *di = forge_inode(fg, 6);
	uint64_t leaf = forge_take(fg, 1);

	forge_fill_leaf(fg, fg->root_leaf, 1, root, ARRAY_SIZE(root));
	forge_inode(fg, 1)->nlink = cpu_to_le32(2);
	forge_seal_inode(fg, 1);
	forge_fill_leaf(fg, leaf, 6, &sub, 1);
	di->nlink = cpu_to_le32(3);
	di->blocks = cpu_to_le64(1);
	di->tree_level = cpu_to_le16(1);
	di->tree_count = cpu_to_le16(1);
	di->u.index[0].child = cpu_to_le64(leaf);
	forge_seal_inode(fg, 6);
	forge_inode(fg, 3)->parent = cpu_to_le64(6);
	forge_seal_inode(fg, 3);
	recount(fg);
}

void damage_root_is_file(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 1);

	di->mode = cpu_to_le32(S_IFIFO);
	di->tree_level = di->tree_count = cpu_to_le16(0);
	di->blocks = cpu_to_le64(0);
	forge_seal_inode(fg, 1);
}

void damage_orphan_line(struct forge *fg)
{
	forge_inode(fg, 39)->orphan.reserved[0] = 1;
}

void damage_orphan_prev(struct forge *fg)
{
	forge_inode(fg, 39)->orphan.prev = cpu_to_le64(0);
	forge_seal_inode(fg, 39);
}

void damage_orphan_circle(struct forge *fg)
{
	forge_inode(fg, 39)->orphan.next = cpu_to_le64(7);
	forge_seal_inode(fg, 39);
}

void damage_orphan_stray(struct forge *fg)
{
	forge_inode(fg, 7)->orphan.next = cpu_to_le64(0);
	forge_seal_inode(fg, 7);
}

void damage_orphan_head(struct forge *fg)
{
	fg->root->head[7].prev = cpu_to_le64(1);
}

/* A replay that was to begin outside of the lane. */
void damage_jstate_tail(struct forge *fg)
{
	fg->state->flags = cpu_to_le32(0);
	fg->state->tail[0] = cpu_to_le32(PINFS_BLOCK_SIZE * 64);
	forge_seal_state(fg);
}

/* What a repair leaves that is cut before its last step. */
void damage_repair_cut(struct forge *fg)
{
	uint64_t at = le64_to_cpu(fg->sb->journal_start);

	fg->state->flags = cpu_to_le32(PINFS_JSTATE_REPAIR);
	forge_seal_state(fg);
	memcpy(forge_block(fg, at + 1), fg->state, PINFS_BLOCK_SIZE);
	forge_seal(fg, at + 1);
}

/* Nothing is left of the inode of the inode file. */
void damage_itable_zeroed(struct forge *fg)
{
	memset(&fg->root->itable, 0, PINFS_INODE_CSUM_BYTES);
}

/* The bitmap of inodes lies where the inode file does not say. */
void damage_imap_moved(struct forge *fg)
{
	uint64_t to = forge_take(fg, 1);

	memcpy(forge_block(fg, to), fg->imap, PINFS_BLOCK_SIZE);
	forge_seal(fg, to);
	recount(fg);
	damage_imap_hole(fg);
}

/* The block with the root, and with all others of the first eight. */
void damage_inode_block(struct forge *fg)
{
	memset(forge_inode(fg, 1) - 1, 0, PINFS_BLOCK_SIZE);
}

void damage_root_zeroed(struct forge *fg)
{
	memset(forge_inode(fg, 1), 0, PINFS_INODE_SIZE);
}

/* A file has a node of sub's tree for its data. */
void damage_shared_with_nodes(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 7);

	damage_orphan_alone(fg);
	di->size = cpu_to_le64(2 * PINFS_BLOCK_SIZE);
	di->u.extent[0].pblk = cpu_to_le64(fg->sub_index);
	forge_seal_inode(fg, 7);
}

/* Two files with the same blocks: each is to have them. */
void damage_shared_files(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 7);

	damage_orphan_alone(fg);
	di->u.extent[0].pblk = cpu_to_le64(fg->data + 1);
	di->u.extent[0].len = cpu_to_le32(2);
	di->blocks = cpu_to_le64(2);
	di->size = cpu_to_le64(2 * PINFS_BLOCK_SIZE);
	forge_seal_inode(fg, 7);
}

void damage_dir_leaf_csum(struct forge *fg)
{
	forge_entry(fg, fg->root_leaf, 0)->ino = cpu_to_le64(12345);
}

/* A link count that says orphan, of a file that has its names. */
void damage_nlink_zero(struct forge *fg)
{
	forge_inode(fg, 2)->nlink = cpu_to_le32(0);
	forge_seal_inode(fg, 2);
}

/* An orphan that has a link after all, but no name. */
void damage_orphan_alone(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 7);

	memset(&di->orphan, 0, sizeof(di->orphan));
	di->nlink = cpu_to_le32(1);
	forge_seal_inode(fg, 7);
	di = forge_inode(fg, 39);
	di->orphan.prev = cpu_to_le64(0);
	forge_seal_inode(fg, 39);
	fg->root->head[7].next = cpu_to_le64(39);
	format_orphan_seal(&fg->root->head[7], fg->seed);
}

/* An unlinked file that no list leads to: nobody was about to free it. */
void damage_orphan_unlisted(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 7);

	damage_orphan_alone(fg);
	di->nlink = cpu_to_le32(0);
	forge_seal_inode(fg, 7);
}
