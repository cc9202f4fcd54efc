// SPDX-License-Identifier: BSD-3-Clause
/* Metadata blocks with a header: read with verification, changed, allocated. */
#include "inode/volume.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/log.h"
#include "format/csum.h"

static _Atomic uint64_t *verified_word(struct volume *vol, uint64_t blkno)
{
	return (_Atomic uint64_t *)&vol->verified[blkno / 64];
}

static bool is_verified(struct volume *vol, uint64_t blkno)
{
	return atomic_load_explicit(verified_word(vol, blkno),
				    memory_order_relaxed) >>
		       (blkno % 64) &
	       1;
}

static void set_verified(struct volume *vol, uint64_t blkno, bool is)
{
	uint64_t bit = 1ull << (blkno % 64);

	if (is)
		atomic_fetch_or(verified_word(vol, blkno), bit);
	else
		atomic_fetch_and(verified_word(vol, blkno), ~bit);
}

static int verify(struct volume *vol, const void *block, uint64_t blkno,
		  uint32_t magic, const char **why)
{
	switch (magic) {
	case PINFS_MAGIC_INDEX:
		return format_index_verify(block, blkno, vol->total_blocks,
					   vol->seed, why);
	case PINFS_MAGIC_EXTENTS:
		return format_extents_verify(block, blkno, vol->total_blocks,
					     vol->seed, why);
	case PINFS_MAGIC_DIRENTS:
		return format_dirents_verify(block, blkno, vol->seed, why);
	case PINFS_MAGIC_BLOB:
		return format_blob_verify(block, blkno, vol->total_blocks,
					  vol->seed, why);
	default:
		*why = "unknown kind of block";
		return -EUCLEAN;
	}
}

static int check(struct volume *vol, const struct pinfs_blkhdr *hdr,
		 uint64_t blkno, uint32_t magic, uint64_t owner,
		 const char **why)
{
	if (!is_verified(vol, blkno)) {
		int err = verify(vol, hdr, blkno, magic, why);

		if (err)
			return err;
		set_verified(vol, blkno, true);
	}
	if (le32_to_cpu(hdr->magic) != magic) {
		*why = "another kind of block is expected";
		return -EUCLEAN;
	}
	if (le64_to_cpu(hdr->owner) != owner) {
		*why = "it belongs to another inode";
		return -EUCLEAN;
	}
	return 0;
}

const void *meta_read(struct volume *vol, struct tx *tx, uint64_t blkno,
		      uint32_t magic, uint64_t owner, int *err)
{
	const struct pinfs_blkhdr *hdr;
	const char *why = "it lies outside of the pool";

	*err = -EUCLEAN;
	if (!volume_has(vol, blkno, 1))
		goto err_damaged;
	hdr = tx_read(vol->journal, tx, blkno);
	*err = check(vol, hdr, blkno, magic, owner, &why);
	if (*err)
		goto err_damaged;
	return hdr;

err_damaged:
	log_error("%s: inode %llu: block %llu: %s: unmount and run fsck.pinfs",
		  vol->pool->path, (unsigned long long)owner,
		  (unsigned long long)blkno, why);
	return NULL;
}

void meta_fetch(struct volume *vol, uint64_t blkno, size_t off)
{
	if (volume_has(vol, blkno, 1))
		journal_fetch(vol->journal, blkno, off);
}

void *meta_edit(struct volume *vol, struct tx *tx, uint64_t blkno,
		uint32_t magic, uint64_t owner, int *err)
{
	void *block;

	if (!meta_read(vol, tx, blkno, magic, owner, err))
		return NULL;
	block = tx_block(tx, blkno);
	if (!block)
		*err = -ENOMEM;
	return block;
}

void *meta_alloc(struct volume *vol, struct tx *tx, uint64_t goal,
		 uint32_t magic, uint64_t owner, uint64_t *blkno, int *err)
{
	struct space_run run;
	struct pinfs_blkhdr *hdr;

	/* From the reserve too: freeing space may need a node (S6). */
	*err = space_alloc(vol->space, tx, goal, 1, SPACE_RESERVE, &run);
	if (*err)
		return NULL;
	hdr = tx_block_new(tx, run.first);
	if (!hdr) {
		*err = -ENOMEM;
		return NULL;
	}
	hdr->magic = cpu_to_le32(magic);
	hdr->owner = cpu_to_le64(owner);
	set_verified(vol, run.first, true);
	*blkno = run.first;
	return hdr;
}

int meta_free(struct volume *vol, struct tx *tx, uint64_t blkno)
{
	tx_forget(tx, blkno);
	set_verified(vol, blkno, false);
	return space_free(vol->space, tx, blkno, 1);
}
