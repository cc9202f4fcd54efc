// SPDX-License-Identifier: BSD-3-Clause
/* A file in a scratch volume, and a model of its extents. */
#include "scratch_extents.h"

#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "inode/dir.h"
#include "inode/extent.h"

static void make_file(struct scratch_extents *se)
{
	struct inode_init init = { .mode = S_IFREG | 0644, .nlink = 1 };
	struct tx *tx = scratch_begin(&se->sv);
	struct inode *ip;

	ck_assert_int_eq(inode_new(se->sv.vol, tx, &init, &ip), 0);
	ck_assert_int_eq(dir_add(se->sv.root, tx, "f", 1, ip->ino, DT_REG), 0);
	ck_assert_int_eq(scratch_end(&se->sv, tx, 0), 0);
	pthread_rwlock_unlock(&ip->lock);
	se->ino = ip->ino;
	se->ip = ip;
}

void scratch_extents_make(struct scratch_extents *se, enum scratch_kind kind,
			  uint64_t size, uint64_t cells)
{
	scratch_volume_make(&se->sv, kind, size);
	make_file(se);
	se->empty_free = scratch_free_blocks(&se->sv);
	se->cells = cells;
	se->model = calloc(cells + 1, sizeof(*se->model));
}

void scratch_extents_open(struct scratch_extents *se)
{
	scratch_volume_open(&se->sv);
	ck_assert_int_eq(inode_get(se->sv.vol, se->ino, INODE_ANY_GEN, &se->ip),
			 0);
}

void scratch_extents_close(struct scratch_extents *se)
{
	inode_put(se->ip);
	scratch_volume_close(&se->sv);
}

struct tx *scratch_extents_begin(struct scratch_extents *se)
{
	struct tx *tx;

	se->sv.guard = journal_enter(se->sv.vol->journal);
	pthread_rwlock_wrlock(&se->ip->lock);
	tx = tx_begin(se->sv.vol->journal);
	ck_assert_ptr_nonnull(tx);
	return tx;
}

void scratch_extents_end(struct scratch_extents *se, struct tx *tx, bool commit)
{
	if (commit)
		ck_assert_int_eq(tx_commit(tx), 0);
	else
		tx_abort(tx);
	pthread_rwlock_unlock(&se->ip->lock);
	journal_leave(se->sv.vol->journal, se->sv.guard);
}

/* covers - is the extent, or hole, e what the model has there? */
static bool covers(const struct extent *e, const struct scratch_cell *model,
		   uint64_t cells)
{
	for (uint64_t i = 0; i < e->len && e->lblk + i < cells; i++) {
		const struct scratch_cell *c = &model[e->lblk + i];

		if (c->pblk == SCRATCH_SOME ?
			    e->pblk == 0 :
			    c->pblk != (e->pblk ? e->pblk + i : 0))
			return false;
		if (c->pblk && c->unwritten != e->unwritten)
			return false;
	}
	return e->len > 0 && !e->fresh;
}

/* last_is_found - from its own number, too, not only from the first's? */
static bool last_is_found(struct scratch_extents *se, const struct extent *e)
{
	struct extent last;

	if (extent_find(se->ip, NULL, e->lblk + e->len - 1, &last))
		return false;
	return last.len == 1 &&
	       last.pblk == (e->pblk ? e->pblk + e->len - 1 : 0);
}

bool scratch_extents_equal(struct scratch_extents *se,
			   const struct scratch_cell *model)
{
	unsigned int guard = journal_enter(se->sv.vol->journal);
	bool equal = true;
	struct extent e;

	pthread_rwlock_rdlock(&se->ip->lock);
	for (uint64_t at = 0; equal && at < EXTENT_END; at += e.len) {
		ck_assert_int_eq(extent_find(se->ip, NULL, at, &e), 0);
		equal = e.lblk == at && covers(&e, model, se->cells) &&
			(at < se->cells || e.pblk == 0) &&
			last_is_found(se, &e);
	}
	pthread_rwlock_unlock(&se->ip->lock);
	journal_leave(se->sv.vol->journal, guard);
	return equal;
}

void scratch_extents_compare(struct scratch_extents *se)
{
	ck_assert(scratch_extents_equal(se, se->model));
}

void scratch_model_collapse(struct scratch_extents *se, uint64_t first,
			    uint64_t count)
{
	memmove(&se->model[first], &se->model[first + count],
		(se->cells - first - count) * sizeof(*se->model));
	memset(&se->model[se->cells - count], 0, count * sizeof(*se->model));
}

void scratch_model_insert(struct scratch_extents *se, uint64_t first,
			  uint64_t count)
{
	memmove(&se->model[first + count], &se->model[first],
		(se->cells - first - count) * sizeof(*se->model));
	memset(&se->model[first], 0, count * sizeof(*se->model));
}
