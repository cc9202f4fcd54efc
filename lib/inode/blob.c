// SPDX-License-Identifier: BSD-3-Clause
/*
 * Blobs. Each block says how long the whole string is, and holds at least a byte
 * of it: that bounds the way along a chain, whatever the medium says (S5).
 */
#include "inode/blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"

/* struct chain - a way along a blob */
struct chain {
	struct inode *ip;
	struct tx *tx;
	uint64_t next; /* block */
	uint64_t whole; /* bytes; 0: not known yet */
	uint64_t left;
};

static int damaged(const struct chain *c, uint64_t blkno, const char *why)
{
	log_error("%s: inode %llu: block %llu: %s: unmount and run fsck.pinfs",
		  c->ip->vol->pool->path, (unsigned long long)c->ip->ino,
		  (unsigned long long)blkno, why);
	return -EUCLEAN;
}

/* chain_step - the next block, of which there is one; NULL with *err */
static const struct pinfs_blob *chain_step(struct chain *c, int *err)
{
	uint64_t blkno = c->next, used;
	const struct pinfs_blob *b;

	b = meta_read(c->ip->vol, c->tx, blkno, PINFS_MAGIC_BLOB, c->ip->ino,
		      err);
	if (!b)
		return NULL;
	if (c->whole == 0) {
		c->whole = le64_to_cpu(b->hdr.spec[2]);
		c->left = c->whole;
	}
	used = le64_to_cpu(b->hdr.spec[1]);
	c->next = le64_to_cpu(b->hdr.spec[0]);
	if (le64_to_cpu(b->hdr.spec[2]) != c->whole || used > c->left) {
		*err = damaged(c, blkno, "a part of another blob");
		return NULL;
	}
	c->left -= used;
	if ((c->left == 0) != (c->next == 0)) {
		*err = damaged(c, blkno,
			       "a blob of another length than it says");
		return NULL;
	}
	return b;
}

int blob_read(struct inode *ip, struct tx *tx, uint64_t first, void **buf,
	      size_t *len)
{
	struct chain c = { .ip = ip, .tx = tx, .next = first };
	const struct pinfs_blob *b;
	uint8_t *to = NULL;
	uint64_t at = 0;
	int err;

	while (c.next) {
		b = chain_step(&c, &err);
		if (!b)
			goto err_free;
		if (!to)
			to = malloc(c.whole);
		if (!to)
			return -ENOMEM;
		memcpy(to + at, b->bytes, c.whole - c.left - at);
		at = c.whole - c.left;
	}
	*buf = to;
	*len = at;
	return 0;

err_free:
	free(to);
	return err;
}

int blob_write(struct inode *ip, struct tx *tx, const void *buf, size_t len,
	       uint64_t *first)
{
	uint64_t goal = ip->blkno, blkno;
	struct pinfs_blob *b, *prev = NULL;
	const uint8_t *from = buf;
	size_t at, part;
	int err;

	*first = 0;
	if (len > PINFS_BLOB_MAX)
		return -E2BIG;
	for (at = 0; at < len; at += part) {
		b = meta_alloc(ip->vol, tx, goal, PINFS_MAGIC_BLOB, ip->ino,
			       &blkno, &err);
		if (!b)
			return err;
		part = (size_t)min_u64(len - at, PINFS_BLOB_BYTES);
		memcpy(b->bytes, from + at, part);
		b->hdr.spec[1] = cpu_to_le64(part);
		b->hdr.spec[2] = cpu_to_le64(len);
		if (prev)
			prev->hdr.spec[0] = cpu_to_le64(blkno);
		else
			*first = blkno;
		prev = b;
		goal = blkno + 1;
	}
	if (len == 0)
		return 0;
	return inode_add_blocks(ip, tx,
				(int64_t)div_round_up(len, PINFS_BLOB_BYTES));
}

int blob_free(struct inode *ip, struct tx *tx, uint64_t first)
{
	struct chain c = { .ip = ip, .tx = tx, .next = first };
	uint64_t blkno;
	int64_t n = 0;
	int err;

	while (c.next) {
		blkno = c.next;
		if (!chain_step(&c, &err))
			return err;
		err = meta_free(ip->vol, tx, blkno);
		if (err)
			return err;
		n++;
	}
	return n ? inode_add_blocks(ip, tx, -n) : 0;
}
