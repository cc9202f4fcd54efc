// SPDX-License-Identifier: BSD-3-Clause
/* Every size and offset of the media format, pinned (S7).  Nothing runs. */
#include <assert.h>
#include <stddef.h>

#include "format/pinfs_format.h"

#define SIZE(type, n) \
	static_assert(sizeof(struct type) == (n), "size of " #type)
#define AT(type, member, n)                                 \
	static_assert(offsetof(struct type, member) == (n), \
		      "offset of " #type "." #member)

SIZE(pinfs_blkhdr, 64);
AT(pinfs_blkhdr, magic, 0);
AT(pinfs_blkhdr, level, 4);
AT(pinfs_blkhdr, count, 6);
AT(pinfs_blkhdr, csum, 8);
AT(pinfs_blkhdr, blkno, 16);
AT(pinfs_blkhdr, owner, 24);
AT(pinfs_blkhdr, spec, 32);

SIZE(pinfs_super, 4096);
AT(pinfs_super, hdr, 0);
AT(pinfs_super, magic, 64);
AT(pinfs_super, version, 72);
AT(pinfs_super, block_size, 76);
AT(pinfs_super, compat, 80);
AT(pinfs_super, ro_compat, 88);
AT(pinfs_super, incompat, 96);
AT(pinfs_super, uuid, 104);
AT(pinfs_super, label, 120);
AT(pinfs_super, total_blocks, 184);
AT(pinfs_super, journal_start, 192);
AT(pinfs_super, lanes, 200);
AT(pinfs_super, lane_blocks, 204);
AT(pinfs_super, root_block, 208);
AT(pinfs_super, groups_start, 216);
AT(pinfs_super, groups, 224);
AT(pinfs_super, first_free, 232);
AT(pinfs_super, csum_seed, 240);
AT(pinfs_super, hash_seed, 248);
AT(pinfs_super, mkfs_time, 256);
AT(pinfs_super, reserved, 264);

SIZE(pinfs_jstate, 4096);
AT(pinfs_jstate, hdr, 0);
AT(pinfs_jstate, update, 64);
AT(pinfs_jstate, checkpoint_seq, 72);
AT(pinfs_jstate, sealed_seq, 80);
AT(pinfs_jstate, free_blocks, 88);
AT(pinfs_jstate, used_inodes, 96);
AT(pinfs_jstate, flags, 104);
AT(pinfs_jstate, mount_count, 108);
AT(pinfs_jstate, mount_time, 112);
AT(pinfs_jstate, change_time, 120);
AT(pinfs_jstate, boot_id, 128);
AT(pinfs_jstate, tail, 144);
AT(pinfs_jstate, reserved, 400);

SIZE(pinfs_jentry, 16);
AT(pinfs_jentry, target, 0);
AT(pinfs_jentry, first, 8);
AT(pinfs_jentry, count, 12);

SIZE(pinfs_jrec, 64);
AT(pinfs_jrec, magic, 0);
AT(pinfs_jrec, flags, 4);
AT(pinfs_jrec, csum, 8);
AT(pinfs_jrec, seq, 16);
AT(pinfs_jrec, length, 24);
AT(pinfs_jrec, entries, 28);
AT(pinfs_jrec, free_delta, 32);
AT(pinfs_jrec, inode_delta, 40);
AT(pinfs_jrec, lane, 48);
AT(pinfs_jrec, reserved, 52);

SIZE(pinfs_bitmap, 4096);
AT(pinfs_bitmap, hdr, 0);
AT(pinfs_bitmap, bits, 64);

SIZE(pinfs_intent, 32);
AT(pinfs_intent, op, 0);
AT(pinfs_intent, reserved, 4);
AT(pinfs_intent, first, 8);
AT(pinfs_intent, count, 16);
AT(pinfs_intent, cursor, 24);

SIZE(pinfs_extent, 24);
AT(pinfs_extent, lblk, 0);
AT(pinfs_extent, pblk, 8);
AT(pinfs_extent, len, 16);
AT(pinfs_extent, flags, 20);

SIZE(pinfs_index, 16);
AT(pinfs_index, key, 0);
AT(pinfs_index, child, 8);

SIZE(pinfs_orphan, 64);
AT(pinfs_orphan, csum, 0);
AT(pinfs_orphan, next, 8);
AT(pinfs_orphan, prev, 16);
AT(pinfs_orphan, on_list, 24);
AT(pinfs_orphan, reserved, 32);

SIZE(pinfs_inode, 512);
AT(pinfs_inode, magic, 0);
AT(pinfs_inode, gen, 4);
AT(pinfs_inode, csum, 8);
AT(pinfs_inode, ino, 16);
AT(pinfs_inode, mode, 24);
AT(pinfs_inode, nlink, 28);
AT(pinfs_inode, uid, 32);
AT(pinfs_inode, gid, 36);
AT(pinfs_inode, size, 40);
AT(pinfs_inode, blocks, 48);
AT(pinfs_inode, flags, 56);
AT(pinfs_inode, atime, 64);
AT(pinfs_inode, mtime, 72);
AT(pinfs_inode, ctime, 80);
AT(pinfs_inode, btime, 88);
AT(pinfs_inode, atime_ns, 96);
AT(pinfs_inode, mtime_ns, 100);
AT(pinfs_inode, ctime_ns, 104);
AT(pinfs_inode, btime_ns, 108);
AT(pinfs_inode, rdev, 112);
AT(pinfs_inode, parent, 120);
AT(pinfs_inode, xattr, 128);
AT(pinfs_inode, target, 136);
AT(pinfs_inode, intent, 144);
AT(pinfs_inode, tree_level, 176);
AT(pinfs_inode, tree_count, 178);
AT(pinfs_inode, reserved0, 180);
AT(pinfs_inode, reserved1, 184);
AT(pinfs_inode, u, 192);
AT(pinfs_inode, orphan, 448);

SIZE(pinfs_root, 4096);
AT(pinfs_root, itable, 0);
AT(pinfs_root, head, 512);
AT(pinfs_root, reserved, 2560);

SIZE(pinfs_index_node, 4096);
AT(pinfs_index_node, hdr, 0);
AT(pinfs_index_node, index, 64);

SIZE(pinfs_extent_node, 4096);
AT(pinfs_extent_node, hdr, 0);
AT(pinfs_extent_node, extent, 64);

SIZE(pinfs_dirent, 24);
AT(pinfs_dirent, key, 0);
AT(pinfs_dirent, ino, 8);
AT(pinfs_dirent, type, 16);
AT(pinfs_dirent, name_len, 17);
AT(pinfs_dirent, name, 18);

SIZE(pinfs_dirent_node, 4096);
AT(pinfs_dirent_node, hdr, 0);
AT(pinfs_dirent_node, slot, 64);

SIZE(pinfs_blob, 4096);
AT(pinfs_blob, hdr, 0);
AT(pinfs_blob, bytes, 64);

SIZE(pinfs_xattr, 8);
AT(pinfs_xattr, name_len, 0);
AT(pinfs_xattr, reserved, 2);
AT(pinfs_xattr, value_len, 4);

static_assert(PINFS_GROUP_BLOCKS == 32256, "63 chunks a group");
static_assert(PINFS_GROUP_BLOCKS % PINFS_CHUNK_BLOCKS == 0, "whole chunks");
static_assert(PINFS_INODES_PER_BLOCK == 8, "inodes of a block");
static_assert(PINFS_IMAP_BLOCKS == 4033, "blocks of an inode map");
static_assert(PINFS_INLINE_INDEXES == 16, "inline indexes");
static_assert(PINFS_INLINE_EXTENTS * sizeof(struct pinfs_extent) <=
		      PINFS_INLINE_BYTES,
	      "inline extents fit");
static_assert(PINFS_NODE_INDEXES == 252, "indexes of a node");
static_assert(PINFS_NODE_EXTENTS == 168, "extents of a node");
static_assert(offsetof(struct pinfs_inode, orphan) == PINFS_INODE_CSUM_BYTES,
	      "the checksum ends where the orphan line begins");
static_assert(offsetof(struct pinfs_dirent, name) == PINFS_DIRENT_HEAD,
	      "a name follows its head");
static_assert(PINFS_INO_BITS + PINFS_GEN_BITS == 64, "a handle is 64 bits");
