// SPDX-License-Identifier: BSD-3-Clause
/* Opening, closing and reading. */
#include "journal/journal_i.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"

static void journal_free(struct journal *j)
{
	overlay_free(j->overlay);
	lanes_free(j);
	for (unsigned int i = 0; i < BITMAP_LOCKS; i++)
		pthread_mutex_destroy(&j->bitmap_lock[i]);
	pthread_cond_destroy(&j->ckpt_done);
	pthread_cond_destroy(&j->ckpt_wake);
	pthread_mutex_destroy(&j->ckpt_lock);
	pthread_mutex_destroy(&j->state_lock);
	pthread_cond_destroy(&j->room_cond);
	pthread_mutex_destroy(&j->room_lock);
	free(j);
}

static struct journal *journal_new(struct pool *pool,
				   const struct pinfs_super *sb,
				   const uint8_t *boot_id)
{
	struct journal *j = aligned_alloc(64, round_up_u64(sizeof(*j), 64));
	pthread_condattr_t attr;

	if (!j)
		return NULL;
	memset(j, 0, sizeof(*j));
	j->pool = pool;
	j->sb = sb;
	j->seed = le64_to_cpu(sb->csum_seed);
	memcpy(j->boot_id, boot_id, sizeof(j->boot_id));
	pthread_mutex_init(&j->room_lock, NULL);
	pthread_cond_init(&j->room_cond, NULL);
	pthread_mutex_init(&j->state_lock, NULL);
	pthread_mutex_init(&j->ckpt_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&j->ckpt_wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&j->ckpt_done, NULL);
	for (unsigned int i = 0; i < BITMAP_LOCKS; i++)
		pthread_mutex_init(&j->bitmap_lock[i], NULL);
	return j;
}

/* begin - from here on the pool is in use; the state says so durably */
static int begin(struct journal *j)
{
	struct pinfs_jstate *s = &j->state;
	int err;

	s->flags = cpu_to_le32((j->overlay ? PINFS_JSTATE_VOLATILE : 0) |
			       (OMITTED("S-dirty") ? PINFS_JSTATE_CLEAN : 0));
	s->mount_count = cpu_to_le32(le32_to_cpu(s->mount_count) + 1);
	s->mount_time = cpu_to_le64((uint64_t)time(NULL));
	memcpy(s->boot_id, j->boot_id, sizeof(s->boot_id));
	err = jstate_write(j);
	return err ? err : pool_sync(j->pool);
}

static void set_counters(struct journal *j)
{
	uint64_t seq = le64_to_cpu(j->state.checkpoint_seq);

	for (uint32_t i = 0; i < j->lanes; i++) {
		j->lane[i].tail = le32_to_cpu(j->state.tail[i]);
		j->lane[i].head = j->lane[i].tail;
	}
	j->applied_seq = seq;
	j->home_seq = seq;
	atomic_store(&j->sealed_seq, seq);
	atomic_store(&j->next_seq, seq + 1);
	atomic_store(&j->free_blocks,
		     (int64_t)le64_to_cpu(j->state.free_blocks));
	atomic_store(&j->used_inodes,
		     (int64_t)le64_to_cpu(j->state.used_inodes));
}

/* set_up - load and recover; nothing runs yet */
static int set_up(struct journal *j, struct journal_recovery *rec)
{
	int err = lanes_init(j);

	if (!err)
		err = jstate_load(j);
	if (!err)
		err = journal_recover(j, rec);
	if (!err)
		set_counters(j);
	return err;
}

int journal_open(struct pool *pool, const struct pinfs_super *sb,
		 const uint8_t *boot_id, unsigned int flags,
		 struct journal **out, struct journal_recovery *rec)
{
	struct journal *j = journal_new(pool, sb, boot_id);
	int err;

	if (!j)
		return -ENOMEM;
	j->read_only = flags & JOURNAL_READ_ONLY;
	err = set_up(j, rec);
	if (err)
		goto err_journal;
	if (j->read_only)
		goto out_done;
	if (!pool_is_persistent(pool)) {
		j->overlay = overlay_new();
		err = j->overlay ? 0 : -ENOMEM;
		if (err)
			goto err_journal;
	}
	err = begin(j);
	if (!err && j->overlay && !(flags & JOURNAL_NO_THREAD))
		err = checkpointer_start(j);
	if (err)
		goto err_journal;
out_done:
	*out = j;
	return 0;

err_journal:
	journal_free(j);
	return err;
}

int journal_replay_private(struct pool *pool, const struct pinfs_super *sb,
			   const uint8_t *boot_id, struct journal_recovery *rec)
{
	struct journal *j = journal_new(pool, sb, boot_id);
	int err;

	if (!j)
		return -ENOMEM;
	err = set_up(j, rec);
	journal_free(j);
	return err;
}

/* mark_clean - all records are home and durable */
static int mark_clean(struct journal *j)
{
	uint64_t upto = atomic_load(&j->next_seq) - 1;
	int err = lanes_reclaim(j, upto, upto);

	if (err)
		return err;
	j->state.flags = cpu_to_le32(PINFS_JSTATE_CLEAN);
	err = jstate_write(j);
	return err ? err : pool_sync(j->pool);
}

int journal_close(struct journal *j)
{
	int err = 0;

	if (!j)
		return 0;
	checkpointer_stop(j);
	if (!j->read_only) {
		if (j->overlay)
			err = checkpointer_flush(j);
		if (!err)
			err = mark_clean(j);
	}
	journal_free(j);
	return err;
}

void journal_abandon(struct journal *j)
{
	checkpointer_stop(j);
	call_waiters(j, UINT64_MAX);
	journal_free(j);
}

unsigned int journal_enter(struct journal *j)
{
	return j->overlay ? overlay_enter(j) : 0;
}

void journal_leave(struct journal *j, unsigned int guard)
{
	if (j->overlay)
		overlay_leave(j, guard);
}

const void *journal_read(struct journal *j, uint64_t blkno)
{
	const void *page = j->overlay ? overlay_find(j->overlay, blkno) : NULL;

	return page ? page : journal_home(j, blkno);
}

void journal_fetch(struct journal *j, uint64_t blkno, size_t off)
{
	/* A page of an overlay takes a search to find, which would be the miss. */
	if (!j->overlay)
		__builtin_prefetch((uint8_t *)journal_home(j, blkno) + off);
}

void journal_counts(struct journal *j, struct journal_counts *counts)
{
	counts->free_blocks = atomic_load(&j->free_blocks);
	counts->used_inodes = atomic_load(&j->used_inodes);
	counts->transactions = atomic_load(&j->transactions);
	counts->checkpoints = atomic_load(&j->checkpoints);
}

int journal_error(struct journal *j)
{
	return atomic_load(&j->error);
}

struct pool *journal_pool(struct journal *j)
{
	return j->pool;
}

const struct pinfs_super *journal_super(struct journal *j)
{
	return j->sb;
}
