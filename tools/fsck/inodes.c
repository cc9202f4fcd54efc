// SPDX-License-Identifier: BSD-3-Clause
/* The pass inodes: every inode with its tree and its blobs. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fsck.h"
#include "repair.h"

/* --- blobs --------------------------------------------------------------- */

/* take_part - append one block's bytes; false if they do not fit together */
static bool take_part(struct fsck *f, uint64_t ino, uint64_t blkno,
		      struct blob *to)
{
	const struct pinfs_blob *b = block_at(f, blkno);
	const char *why = "";
	size_t used;

	if (format_blob_verify(b, blkno, f->total, f->seed, &why)) {
		found(f->findings, BLOB_DAMAGED, ino, blkno, "%s", why);
		return false;
	}
	if (le64_to_cpu(b->hdr.owner) != ino) {
		found(f->findings, NODE_OWNER, ino, blkno, "%s", "");
		return false;
	}
	used = le64_to_cpu(b->hdr.spec[1]);
	if (!to->have)
		to->whole = le64_to_cpu(b->hdr.spec[2]);
	if (le64_to_cpu(b->hdr.spec[2]) != to->whole ||
	    to->have + used > to->whole) {
		found(f->findings, BLOB_DAMAGED, ino, blkno, "%s",
		      "the parts do not make the whole");
		return false;
	}
	memcpy(to->bytes + to->have, b->bytes, used);
	to->have += used;
	return true;
}

int check_blob(struct fsck *f, uint64_t ino, uint64_t first, struct blob *b)
{
	const struct pinfs_blob *block;
	uint64_t blkno = first;

	*b = (struct blob){ .bytes = malloc(PINFS_BLOB_MAX) };
	if (!b->bytes)
		return -ENOMEM;
	/* A circle ends where it meets a block that is claimed. */
	while (blkno) {
		b->damaged = !claim_meta(f, ino, blkno);
		if (b->damaged)
			return 0;
		b->blocks++;
		b->damaged = !take_part(f, ino, blkno, b);
		if (b->damaged)
			return 0;
		block = block_at(f, blkno);
		blkno = le64_to_cpu(block->hdr.spec[0]);
	}
	b->damaged = b->have != b->whole;
	if (b->damaged)
		found(f->findings, BLOB_DAMAGED, ino, first, "%s",
		      "it ends too early");
	return 0;
}

size_t check_xattrs(struct fsck *f, uint64_t ino, const uint8_t *b, size_t len)
{
	struct pinfs_xattr x;
	const char *why = NULL;
	size_t at = 0, next, name, value;

	for (; at < len; at = next) {
		if (len - at < sizeof(x)) {
			why = "a head without the rest";
			break;
		}
		memcpy(&x, b + at, sizeof(x));
		next = at + sizeof(x);
		name = le16_to_cpu(x.name_len);
		value = le32_to_cpu(x.value_len);
		if (!name || name > 255 || value > 65536 ||
		    name + value > len - next)
			why = "an attribute of an impossible length";
		else if (memchr(b + next, '\0', name))
			why = "a name with a NUL";
		else if (le16_to_cpu(x.reserved))
			why = "reserved bytes in use";
		if (why)
			break;
		next += name + value;
	}
	if (why)
		found(f->findings, XATTR_DAMAGED, ino, NOWHERE, "%s", why);
	return at;
}

/* --- inodes -------------------------------------------------------------- */

static int count_dir_leaf(struct walk *w, uint64_t blkno, uint64_t low,
			  uint64_t high)
{
	/* Claimed, verified and counted is all that there is to do yet. */
	(void)w;
	(void)blkno;
	(void)low;
	(void)high;
	return 0;
}

/* broken_tree - have it built anew from its leaves, those that got lost, too */
static int broken_tree(struct fsck *f, uint64_t ino,
		       const struct pinfs_inode *di)
{
	struct broken *b;

	if (!is_repairing(f))
		return 0;
	b = note_broken(f, ino);
	if (!b)
		return -ENOMEM;
	b->type = IFTODT(le32_to_cpu(di->mode));
	b->search = true;
	return 0;
}

static int check_tree(struct fsck *f, uint64_t ino,
		      const struct pinfs_inode *di, uint64_t *blocks)
{
	struct extent_walk ew = {
		.walk = { .f = f, .ino = ino, .claiming = true },
	};
	struct walk w = {
		.f = f,
		.ino = ino,
		.claiming = true,
		.leaf_magic = PINFS_MAGIC_DIRENTS,
		.leaf = count_dir_leaf,
	};
	int err = 0;

	if (S_ISREG(le32_to_cpu(di->mode))) {
		err = walk_extents(&ew, di);
		*blocks += ew.blocks;
	} else if (S_ISDIR(le32_to_cpu(di->mode)) &&
		   le16_to_cpu(di->tree_level)) {
		err = walk_tree(&w, di);
		*blocks += w.nodes;
	}
	if (!err && (ew.walk.broken || w.broken))
		err = broken_tree(f, ino, di);
	return err;
}

/* drop_xattrs - what can be read of them is written anew */
static int drop_xattrs(struct fsck *f, uint64_t ino, struct blob *b,
		       size_t good)
{
	struct pinfs_inode *di = edit_inode(f, ino);
	struct broken *br;

	di->xattr = cpu_to_le64(0);
	seal_inode(f, di);
	if (!good)
		return 0;
	br = note_broken(f, ino);
	if (!br)
		return -ENOMEM;
	br->type = IFTODT(le32_to_cpu(di->mode));
	br->xattr = b->bytes;
	br->xattr_len = good;
	b->bytes = NULL;
	return 0;
}

static int check_xattr_blob(struct fsck *f, uint64_t ino,
			    const struct pinfs_inode *di, uint64_t *blocks)
{
	struct blob b;
	size_t good;
	int err;

	err = check_blob(f, ino, le64_to_cpu(di->xattr), &b);
	if (err)
		return err;
	*blocks += b.blocks;
	if (is_repairing(f) || !b.damaged) {
		good = check_xattrs(f, ino, b.bytes, b.have);
		if (is_repairing(f) && (b.damaged || good < b.have)) {
			*blocks -= b.blocks;
			err = drop_xattrs(f, ino, &b, good);
		}
	}
	free(b.bytes);
	return err;
}

static int check_target_blob(struct fsck *f, uint64_t ino,
			     const struct pinfs_inode *di, uint64_t *blocks)
{
	uint64_t target = le64_to_cpu(di->target);
	struct blob b;
	int err;

	if (!target)
		return 0;
	err = check_blob(f, ino, target, &b);
	if (err)
		return err;
	*blocks += b.blocks;
	if (!b.damaged && (b.whole != le64_to_cpu(di->size) ||
			   memchr(b.bytes, '\0', b.whole))) {
		found(f->findings, SYMLINK_TARGET, ino, target, "%s", "");
		b.damaged = true;
	}
	free(b.bytes);
	if (b.damaged && is_repairing(f))
		inode_clear(f, ino);
	return 0;
}

static void count_type(struct fsck *f, uint32_t mode)
{
	if (S_ISREG(mode))
		f->files++;
	else if (S_ISDIR(mode))
		f->dirs++;
	else
		f->others++;
}

void inode_clear(struct fsck *f, uint64_t ino)
{
	struct pinfs_inode *di = edit_inode(f, ino);
	uint32_t gen = le32_to_cpu(di->gen) & ((1u << PINFS_GEN_BITS) - 1);

	memset(di, 0, sizeof(*di));
	di->magic = cpu_to_le32(PINFS_MAGIC_INODE);
	di->gen = cpu_to_le32(gen);
	di->ino = cpu_to_le64(ino);
	seal_inode(f, di);
	imap_mark(f, ino, false);
	memset(info_of(f, ino), 0, sizeof(struct ino_info));
	f->used_inodes--;
}

/* lost_inode - neither the inode nor its block: search, then give up */
static void lost_inode(struct fsck *f, uint64_t ino)
{
	if (!f->rep->searched)
		f->rep->search = true;
	else if (imap_mark(f, ino, false))
		f->used_inodes--;
}

/* mend - false: it is to be made anew from what is left of its tree, or freed */
static bool mend(struct fsck *f, uint64_t ino, int *err)
{
	struct broken *b;

	if (inode_mend(f, ino, edit_inode(f, ino)))
		return true;
	b = note_broken(f, ino);
	if (!b) {
		*err = -ENOMEM;
		return false;
	}
	b->remake = true;
	b->search = true;
	return false;
}

/* verify - is it an inode that the rest can go by? */
static bool verify(struct fsck *f, uint64_t ino, const struct pinfs_inode *di,
		   int *err)
{
	const char *why = "";
	int bad;

	if (!di) {
		if (found(f->findings, INODE_UNMAPPED, ino, NOWHERE, "%s", ""))
			lost_inode(f, ino);
		return false;
	}
	if (format_inode_is_free(di)) {
		why = "marked in use, and empty";
		bad = -EUCLEAN;
	} else {
		bad = format_inode_verify(di, ino, f->seed, &why);
	}
	if (!bad)
		bad = format_inode_map_verify(di, f->total, &why);
	if (bad && found(f->findings, INODE_DAMAGED, ino, NOWHERE, "%s", why))
		return mend(f, ino, err);
	return !bad;
}

static void check_blocks(struct fsck *f, uint64_t ino,
			 const struct pinfs_inode *di, uint64_t blocks)
{
	struct pinfs_inode *to;

	if (blocks == le64_to_cpu(di->blocks))
		return;
	if (!found(f->findings, INODE_BLOCKS, ino, NOWHERE,
		   "it says %" PRIu64 ", and has %" PRIu64,
		   le64_to_cpu(di->blocks), blocks))
		return;
	to = edit_inode(f, ino);
	to->blocks = cpu_to_le64(blocks);
	seal_inode(f, to);
}

static int check_inode(struct fsck *f, uint64_t ino,
		       const struct pinfs_inode *di)
{
	struct ino_info *info = info_of(f, ino);
	uint64_t blocks = 0, blobs = 0;
	int err = 0;

	if (!info)
		return 0;
	f->used_inodes++;
	info->damaged = !verify(f, ino, di, &err);
	if (info->damaged)
		return err;
	info->type = IFTODT(le32_to_cpu(di->mode));
	info->nlink = le32_to_cpu(di->nlink);
	count_type(f, le32_to_cpu(di->mode));
	err = check_tree(f, ino, di, &blocks);
	if (!err)
		err = check_xattr_blob(f, ino, di, &blobs);
	if (!err)
		err = check_target_blob(f, ino, di, &blobs);
	/* A link may be gone by now. */
	if (!err && info->type)
		check_blocks(f, ino, di, blocks + blobs);
	info->blobs = (uint32_t)blobs;
	return err;
}

int pass_inodes(struct fsck *f)
{
	return each_inode(f, check_inode);
}
