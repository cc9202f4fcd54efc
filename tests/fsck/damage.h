/* SPDX-License-Identifier: BSD-3-Clause */
/* Damage: each function does one to a file system that is whole. */
#ifndef PINFS_TEST_DAMAGE_H
#define PINFS_TEST_DAMAGE_H

#include "../unit/forge.h"
#include "tree.h"

/* damage.c - to the small one of forge.h */
void damage_super(struct forge *fg);
void damage_backup(struct forge *fg);
void damage_backup_differs(struct forge *fg);
void damage_ro_compat(struct forge *fg);
void damage_jstate(struct forge *fg);
void damage_root_reserved(struct forge *fg);
void damage_itable_csum(struct forge *fg);
void damage_itable_unwritten(struct forge *fg);
void damage_itable_short(struct forge *fg);
void damage_imap_csum(struct forge *fg);
void damage_imap_hole(struct forge *fg);
void damage_inode_csum(struct forge *fg);
void damage_inode_zeroed(struct forge *fg);
void damage_inode_unmarked(struct forge *fg);
void damage_inode_blocks(struct forge *fg);
void damage_inode_nlink(struct forge *fg);
void damage_dir_nlink(struct forge *fg);
void damage_inode_nameless(struct forge *fg);
void damage_intent_unlisted(struct forge *fg);
void damage_leaf_csum(struct forge *fg);
void damage_node_level(struct forge *fg);
void damage_node_owner(struct forge *fg);
void damage_two_leaves(struct forge *fg);
void damage_node_order(struct forge *fg);
void damage_extent_order(struct forge *fg);
void damage_name_order(struct forge *fg);
void damage_tree_cycle(struct forge *fg);
void damage_blob_part(struct forge *fg);
void damage_blob_short(struct forge *fg);
void damage_blob_cycle(struct forge *fg);
void damage_blob_endless(struct forge *fg);
void damage_xattr_long(struct forge *fg);
void damage_symlink_nul(struct forge *fg);
void damage_shared(struct forge *fg);
void damage_shared_with_fixed(struct forge *fg);
void damage_unmarked(struct forge *fg);
void damage_leaked(struct forge *fg);
void damage_beyond_the_end(struct forge *fg);
void damage_group_csum(struct forge *fg);
void damage_count_blocks(struct forge *fg);
void damage_count_inodes(struct forge *fg);
void damage_dir_hash(struct forge *fg);
void damage_dir_duplicate(struct forge *fg);
void damage_dir_dangling(struct forge *fg);
void damage_dir_type(struct forge *fg);
void damage_dir_twice(struct forge *fg);
void damage_dir_root_again(struct forge *fg);
void damage_dir_parent(struct forge *fg);
void damage_dir_cycle(struct forge *fg);
void damage_root_is_file(struct forge *fg);
void damage_orphan_line(struct forge *fg);
void damage_orphan_prev(struct forge *fg);
void damage_orphan_circle(struct forge *fg);
void damage_orphan_stray(struct forge *fg);
void damage_orphan_head(struct forge *fg);
void damage_jstate_tail(struct forge *fg);
void damage_repair_cut(struct forge *fg);
void damage_itable_zeroed(struct forge *fg);
void damage_imap_moved(struct forge *fg);
void damage_inode_block(struct forge *fg);
void damage_root_zeroed(struct forge *fg);
void damage_shared_with_nodes(struct forge *fg);
void damage_shared_files(struct forge *fg);
void damage_dir_leaf_csum(struct forge *fg);
void damage_nlink_zero(struct forge *fg);
void damage_orphan_alone(struct forge *fg);
void damage_orphan_unlisted(struct forge *fg);

/* damage_tree.c - to the larger one of tree.h, by what its inodes say */
void damage_tree_index(struct pool *pool);
void damage_tree_inode_blocks(struct pool *pool);
void damage_tree_itable(struct pool *pool);
void damage_tree_itable_leaf(struct pool *pool);
void damage_tree_extents(struct pool *pool);
void damage_tree_dir_leaf(struct pool *pool);
void damage_tree_names(struct pool *pool);

#endif
