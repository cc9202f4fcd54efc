// SPDX-License-Identifier: BSD-3-Clause
/* The pass inodes: every inode with its tree and its blobs. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fsck.h"

/* --- blobs --------------------------------------------------------------- */

struct chain {
	uint8_t *buf;
	size_t whole; /* bytes, as every part says */
	size_t have;
};

/* take_part - append one block's bytes; false if they do not fit together */
static bool take_part(struct fsck *f, uint64_t ino, uint64_t blkno,
		      struct chain *c)
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
	if (!c->have)
		c->whole = le64_to_cpu(b->hdr.spec[2]);
	if (le64_to_cpu(b->hdr.spec[2]) != c->whole ||
	    c->have + used > c->whole) {
		found(f->findings, BLOB_DAMAGED, ino, blkno, "%s",
		      "the parts do not make the whole");
		return false;
	}
	memcpy(c->buf + c->have, b->bytes, used);
	c->have += used;
	return true;
}

int check_blob(struct fsck *f, uint64_t ino, uint64_t first, uint64_t *blocks,
	       void **out, size_t *len)
{
	struct chain c = { .buf = malloc(PINFS_BLOB_MAX) };
	const struct pinfs_blob *b;
	uint64_t blkno = first;

	*out = NULL;
	if (!c.buf)
		return -ENOMEM;
	/* A circle ends where it meets a block that is claimed. */
	while (blkno) {
		if (!claim_blocks(f, ino, blkno, 1))
			goto out_damaged;
		(*blocks)++;
		if (!take_part(f, ino, blkno, &c))
			goto out_damaged;
		b = block_at(f, blkno);
		blkno = le64_to_cpu(b->hdr.spec[0]);
	}
	if (c.have != c.whole) {
		found(f->findings, BLOB_DAMAGED, ino, first, "%s",
		      "it ends too early");
		goto out_damaged;
	}
	*out = c.buf;
	*len = c.whole;
	return 0;

out_damaged:
	free(c.buf);
	return 0;
}

void check_xattrs(struct fsck *f, uint64_t ino, const uint8_t *b, size_t len)
{
	struct pinfs_xattr x;
	const char *why = NULL;
	size_t at = 0, name, value;

	while (at < len && !why) {
		if (len - at < sizeof(x)) {
			why = "a head without the rest";
			break;
		}
		memcpy(&x, b + at, sizeof(x));
		at += sizeof(x);
		name = le16_to_cpu(x.name_len);
		value = le32_to_cpu(x.value_len);
		if (!name || name > 255 || value > 65536 ||
		    name + value > len - at)
			why = "an attribute of an impossible length";
		else if (memchr(b + at, '\0', name))
			why = "a name with a NUL";
		else if (le16_to_cpu(x.reserved))
			why = "reserved bytes in use";
		at += name + value;
	}
	if (why)
		found(f->findings, XATTR_DAMAGED, ino, NOWHERE, "%s", why);
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

static int check_tree(struct fsck *f, uint64_t ino,
		      const struct pinfs_inode *di, uint64_t *blocks)
{
	struct extent_walk ew = { .walk = { .f = f, .ino = ino } };
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
	return err;
}

static int check_blobs(struct fsck *f, uint64_t ino,
		       const struct pinfs_inode *di, uint64_t *blocks)
{
	uint64_t target = le64_to_cpu(di->target);
	size_t len = 0;
	void *b;
	int err;

	err = check_blob(f, ino, le64_to_cpu(di->xattr), blocks, &b, &len);
	if (err)
		return err;
	if (b)
		check_xattrs(f, ino, b, len);
	free(b);
	if (!target)
		return 0;
	err = check_blob(f, ino, target, blocks, &b, &len);
	if (err)
		return err;
	if (b && (len != le64_to_cpu(di->size) || memchr(b, '\0', len)))
		found(f->findings, SYMLINK_TARGET, ino, target, "%s", "");
	free(b);
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

/* verify - is it an inode that the rest can go by? */
static bool verify(struct fsck *f, uint64_t ino, const struct pinfs_inode *di)
{
	const char *why = "";
	int err;

	if (!di) {
		found(f->findings, INODE_UNMAPPED, ino, NOWHERE, "%s", "");
		return false;
	}
	if (format_inode_is_free(di)) {
		why = "marked in use, and empty";
		err = -EUCLEAN;
	} else {
		err = format_inode_verify(di, ino, f->seed, &why);
	}
	if (!err)
		err = format_inode_map_verify(di, f->total, &why);
	if (err)
		found(f->findings, INODE_DAMAGED, ino, NOWHERE, "%s", why);
	return !err;
}

static int check_inode(struct fsck *f, uint64_t ino,
		       const struct pinfs_inode *di)
{
	struct ino_info *info = info_of(f, ino);
	uint64_t blocks = 0;
	int err;

	if (!info)
		return 0;
	f->used_inodes++;
	info->damaged = !verify(f, ino, di);
	if (info->damaged)
		return 0;
	info->type = IFTODT(le32_to_cpu(di->mode));
	info->nlink = le32_to_cpu(di->nlink);
	count_type(f, le32_to_cpu(di->mode));
	err = check_tree(f, ino, di, &blocks);
	if (!err)
		err = check_blobs(f, ino, di, &blocks);
	if (!err && blocks != le64_to_cpu(di->blocks))
		found(f->findings, INODE_BLOCKS, ino, NOWHERE,
		      "it says %" PRIu64 ", and has %" PRIu64,
		      le64_to_cpu(di->blocks), blocks);
	return err;
}

int pass_inodes(struct fsck *f)
{
	return each_inode(f, check_inode);
}
