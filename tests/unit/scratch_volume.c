// SPDX-License-Identifier: BSD-3-Clause
/* A volume in a scratch folder. */
#include "scratch_volume.h"

#include <check.h>
#include <unistd.h>

#include "base/util.h"
#include "format/make.h"

void scratch_volume_open(struct scratch_volume *sv)
{
	const char *path = scratch_path(sv->kind, "pool");

	ck_assert_int_eq(pool_open(path, 0, &sv->pool, NULL), 0);
	ck_assert_int_eq(volume_open(sv->pool, 0, &sv->vol), 0);
	ck_assert_int_eq(inode_get(sv->vol, PINFS_ROOT_INO, INODE_ANY_GEN,
				   &sv->root),
			 0);
}

void scratch_volume_make(struct scratch_volume *sv, enum scratch_kind kind,
			 uint64_t size)
{
	const char *path = scratch_path(kind, "pool");
	struct format_options opt;

	unlink(path);
	ck_assert_int_eq(pool_create(path, size), 0);
	ck_assert_int_eq(pool_open(path, 0, &sv->pool, NULL), 0);
	ck_assert_int_eq(format_options_init(&opt), 0);
	/* The same hashes in each run. */
	opt.hash_seed = 42;
	ck_assert_int_eq(format_make(sv->pool, &opt), 0);
	pool_close(sv->pool);
	sv->kind = kind;
	scratch_volume_open(sv);
	sv->free_blocks = scratch_free_blocks(sv);
}

void scratch_volume_close(struct scratch_volume *sv)
{
	inode_put(sv->root);
	ck_assert_int_eq(volume_close(sv->vol), 0);
	pool_close(sv->pool);
}

void scratch_volume_reopen(struct scratch_volume *sv)
{
	scratch_volume_close(sv);
	scratch_volume_open(sv);
}

struct tx *scratch_begin(struct scratch_volume *sv)
{
	struct tx *tx;

	sv->guard = journal_enter(sv->vol->journal);
	pthread_rwlock_wrlock(&sv->root->lock);
	tx = tx_begin(sv->vol->journal);
	ck_assert_ptr_nonnull(tx);
	return tx;
}

int scratch_end(struct scratch_volume *sv, struct tx *tx, int err)
{
	if (err)
		tx_abort(tx);
	else
		err = tx_commit(tx);
	scratch_leave(sv);
	return err;
}

void scratch_enter(struct scratch_volume *sv)
{
	sv->guard = journal_enter(sv->vol->journal);
	pthread_rwlock_rdlock(&sv->root->lock);
}

void scratch_leave(struct scratch_volume *sv)
{
	pthread_rwlock_unlock(&sv->root->lock);
	journal_leave(sv->vol->journal, sv->guard);
}

int64_t scratch_free_blocks(struct scratch_volume *sv)
{
	struct journal_counts counts;

	journal_counts(sv->vol->journal, &counts);
	return counts.free_blocks;
}

struct pinfs_inode *scratch_raw_root(const struct pool *pool)
{
	const struct pinfs_super *sb = (const void *)pool->base;
	const struct pinfs_root *root;
	uint64_t at;

	root = (const void *)(pool->base +
			      le64_to_cpu(sb->root_block) * PINFS_BLOCK_SIZE);
	/* Behind the first map. */
	at = le64_to_cpu(root->itable.u.extent[0].pblk) + 1;
	return (struct pinfs_inode *)(pool->base + at * PINFS_BLOCK_SIZE) +
	       PINFS_ROOT_INO;
}

void scratch_fill(struct scratch_volume *sv, int64_t left)
{
	struct tx *tx = scratch_begin(sv);
	int64_t n = scratch_free_blocks(sv) - left;
	struct space_run run;

	while (n > 0) {
		ck_assert_int_eq(space_alloc(sv->vol->space, tx, 0, (uint64_t)n,
					     SPACE_RESERVE, &run),
				 0);
		n -= (int64_t)run.count;
	}
	ck_assert_int_eq(scratch_end(sv, tx, 0), 0);
	ck_assert_int_eq(scratch_free_blocks(sv), left);
}

uint64_t scratch_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}
