// SPDX-License-Identifier: BSD-3-Clause
/*
 * Recovery of a damaged journal, and what comes after it: a transaction, a
 * crash, and recovery once more.
 */
#include "../crash/record.h"
#include "format/csum.h"
#include "fuzz.h"
#include "image.h"
#include "journal/journal.h"

static const uint8_t boot_id[16] = { 1 };
static struct pinfs_super super;

/* has_super - as volume_open() has it verified before it is used */
static bool has_super(const struct pool *pool)
{
	const char *why;

	super = *(const struct pinfs_super *)pool->base;
	return !format_super_verify(&super, 0, pool->size >> PINFS_BLOCK_SHIFT,
				    &why);
}

/* commit_some - new lines and bits, in blocks that any pool has */
static void commit_some(struct journal *j)
{
	uint64_t blkno = le64_to_cpu(super.first_free);
	uint64_t group = le64_to_cpu(super.groups_start);
	struct tx *tx = tx_begin(j);
	uint8_t *block = tx ? tx_block_new(tx, blkno) : NULL;

	if (!block) {
		tx_abort(tx);
		return;
	}
	block[70] = 1;
	if (tx_set_bits(tx, group, 5, 3) || tx_clear_bits(tx, group, 9, 2)) {
		tx_abort(tx);
		return;
	}
	tx_count(tx, -1, 0);
	(void)tx_commit(tx);
}

static bool recover(struct pool *pool, const struct input *in)
{
	struct journal_recovery rec;
	struct journal *j;

	if (journal_open(pool, &super, boot_id,
			 in->flags & INPUT_READ_ONLY ? JOURNAL_READ_ONLY : 0,
			 &j, &rec))
		return false;
	if (!(in->flags & INPUT_READ_ONLY))
		commit_some(j);
	if (in->flags & INPUT_ABANDON)
		journal_abandon(j);
	else
		(void)journal_close(j);
	return true;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct input in = { .flags = 0 };
	struct journal_recovery rec = { 0 };
	struct input got;
	struct pool *pool;

	(void)argc;
	(void)argv;
	image_init();
	pool = image_take((const uint8_t *)&in, sizeof(in), &got);
	if (!has_super(pool) ||
	    journal_replay_private(pool, &super, boot_id, &rec) ||
	    rec.replayed < 10)
		die("the image has only %d records to replay",
		    (int)rec.replayed);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal_recovery rec;
	struct input in;
	struct pool *pool = image_take(data, size, &in);

	if (!pool)
		return -1;
	if (has_super(pool)) {
		if (in.seed % 4 == 0)
			(void)journal_replay_private(pool, &super, boot_id,
						     &rec);
		if (recover(pool, &in))
			(void)recover(pool, &in);
	}
	return 0;
}
