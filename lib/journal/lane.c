// SPDX-License-Identifier: BSD-3-Clause
/*
 * Lanes: rings of records, one thread at a time in each.
 *
 * A record is dead once it is home and the state's checkpoint_seq says so. Its
 * space is taken back by lanes_reclaim(), which moves checkpoint_seq and all
 * tails in one write of the state, so every lane begins with its first live
 * record: recovery walks from there until the numbers stop growing.
 */
#include "journal/journal_i.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static int lane_init(struct journal *j, uint32_t i)
{
	uint32_t blocks = le32_to_cpu(j->sb->lane_blocks);
	struct lane *lane = &j->lane[i];

	lane->base = journal_home(j, le64_to_cpu(j->sb->journal_start) + 2 +
					     (uint64_t)i * blocks);
	lane->size = blocks << PINFS_BLOCK_SHIFT;
	lane->index = i;
	lane->queue_size = lane->size / PINFS_LINE_SIZE;
	lane->queue = calloc(lane->queue_size, sizeof(*lane->queue));
	if (!lane->queue)
		return -ENOMEM;
	pthread_mutex_init(&lane->lock, NULL);
	pthread_mutex_init(&lane->queue_lock, NULL);
	return 0;
}

int lanes_init(struct journal *j)
{
	int err;

	j->lanes = le32_to_cpu(j->sb->lanes);
	j->lane = calloc(j->lanes, sizeof(*j->lane));
	if (!j->lane)
		return -ENOMEM;
	for (uint32_t i = 0; i < j->lanes; i++) {
		err = lane_init(j, i);
		if (err)
			goto err_lanes;
	}
	return 0;

err_lanes:
	lanes_free(j);
	return err;
}

void lanes_free(struct journal *j)
{
	if (!j->lane)
		return;
	for (uint32_t i = 0; i < j->lanes; i++) {
		struct lane *lane = &j->lane[i];

		if (!lane->queue)
			continue;
		pthread_mutex_destroy(&lane->lock);
		pthread_mutex_destroy(&lane->queue_lock);
		free(lane->queue);
	}
	free(j->lane);
	j->lane = NULL;
}

/* lane_capacity - bytes of the largest record; a lane holds two of them */
size_t lane_capacity(const struct journal *j)
{
	return ((size_t)le32_to_cpu(j->sb->lane_blocks) << PINFS_BLOCK_SHIFT) /
	       2;
}

/* lane_get - a lane for this thread, locked: its own if it is not taken */
struct lane *lane_get(struct journal *j)
{
	static _Atomic uint32_t threads;
	static _Thread_local uint32_t own;

	if (own == 0)
		own = atomic_fetch_add(&threads, 1) + 1;
	for (uint32_t i = 0; i < j->lanes; i++) {
		struct lane *lane = &j->lane[(own + i) % j->lanes];

		if (pthread_mutex_trylock(&lane->lock) == 0)
			return lane;
	}
	pthread_mutex_lock(&j->lane[own % j->lanes].lock);
	return &j->lane[own % j->lanes];
}

void lane_put(struct lane *lane)
{
	pthread_mutex_unlock(&lane->lock);
}

/* lowest_active - every transaction with a smaller number has finished */
static uint64_t lowest_active(struct journal *j)
{
	/* Read before the lanes: who starts after this gets no less. */
	uint64_t lowest = atomic_load(&j->next_seq);

	for (uint32_t i = 0; i < j->lanes; i++) {
		uint64_t seq = atomic_load(&j->lane[i].active);

		if (seq && seq < lowest)
			lowest = seq;
	}
	return lowest;
}

void room_wake(struct journal *j)
{
	if (atomic_load(&j->room_waiters) == 0)
		return;
	pthread_mutex_lock(&j->room_lock);
	pthread_cond_broadcast(&j->room_cond);
	pthread_mutex_unlock(&j->room_lock);
}

/* lane_done - the lane's record is written and its changes are in place */
void lane_done(struct journal *j, struct lane *lane)
{
	atomic_store(&lane->active, 0);
	room_wake(j);
}

/* lanes_wait_finished - until no transaction up to upto is at work */
void lanes_wait_finished(struct journal *j, uint64_t upto)
{
	atomic_fetch_add(&j->room_waiters, 1);
	pthread_mutex_lock(&j->room_lock);
	while (lowest_active(j) <= upto)
		pthread_cond_wait(&j->room_cond, &j->room_lock);
	pthread_mutex_unlock(&j->room_lock);
	atomic_fetch_sub(&j->room_waiters, 1);
}

/* struct reclaimed - what a reclaim gathers from the lanes */
struct reclaimed {
	int64_t free_delta;
	int64_t inode_delta;
	uint32_t bytes[PINFS_MAX_LANES];
};

/* lane_forget - drop records up to upto, add up what they count */
static void lane_forget(struct lane *lane, uint64_t upto, struct reclaimed *sum)
{
	pthread_mutex_lock(&lane->queue_lock);
	while (lane->queue_count > 0) {
		struct lane_record *r = &lane->queue[lane->queue_head];

		if (r->seq > upto)
			break;
		sum->free_delta += r->free_delta;
		sum->inode_delta += r->inode_delta;
		sum->bytes[lane->index] += r->bytes;
		lane->tail = (lane->tail + r->bytes) % lane->size;
		lane->queue_head = (lane->queue_head + 1) % lane->queue_size;
		lane->queue_count--;
	}
	pthread_mutex_unlock(&lane->queue_lock);
}

/*
 * lanes_reclaim - records up to upto are home and durable: take back their room
 * @sealed: records that are durable, on an ordinary file
 *
 * The room counts as free only after the state that says so is on the medium,
 * or a crash would find tails that point into younger records. If it can't be
 * written, the room is never free again. checkpoint_seq never goes back: an
 * empty lane's tail is where records lie that were reclaimed.
 */
int lanes_reclaim(struct journal *j, uint64_t upto, uint64_t sealed)
{
	struct pinfs_jstate *s = &j->state;
	struct reclaimed sum = { 0 };
	int err;

	pthread_mutex_lock(&j->state_lock);
	upto = max_u64(upto, le64_to_cpu(s->checkpoint_seq));
	sealed = max_u64(sealed, upto);
	for (uint32_t i = 0; i < j->lanes; i++) {
		lane_forget(&j->lane[i], upto, &sum);
		s->tail[i] = cpu_to_le32(j->lane[i].tail);
	}
	s->checkpoint_seq = cpu_to_le64(upto);
	s->sealed_seq = cpu_to_le64(sealed);
	s->free_blocks = cpu_to_le64(le64_to_cpu(s->free_blocks) +
				     (uint64_t)sum.free_delta);
	s->used_inodes = cpu_to_le64(le64_to_cpu(s->used_inodes) +
				     (uint64_t)sum.inode_delta);
	err = OMITTED("S-room") ? 0 : jstate_write(j);
	if (!err && j->overlay)
		err = pool_sync(j->pool);
	for (uint32_t i = 0; i < j->lanes && !err; i++)
		atomic_fetch_sub(&j->lane[i].used, sum.bytes[i]);
	pthread_mutex_unlock(&j->state_lock);
	return err;
}

/* lanes_collect - the records numbered after + 1 to upto, all finished */
int lanes_collect(struct journal *j, uint64_t after, uint64_t upto,
		  struct record_set *set)
{
	int err = 0;

	for (uint32_t i = 0; i < j->lanes && !err; i++) {
		struct lane *lane = &j->lane[i];

		pthread_mutex_lock(&lane->queue_lock);
		for (uint32_t k = 0; k < lane->queue_count && !err; k++) {
			struct lane_record *r =
				&lane->queue[(lane->queue_head + k) %
					     lane->queue_size];

			if (r->seq > after && r->seq <= upto)
				err = record_set_add(
					set, (void *)(lane->base + r->offset));
		}
		pthread_mutex_unlock(&lane->queue_lock);
	}
	return err;
}

/* oldest_seq - of the lane's records; none: more than any */
static uint64_t oldest_seq(struct lane *lane)
{
	uint64_t seq = UINT64_MAX;

	pthread_mutex_lock(&lane->queue_lock);
	if (lane->queue_count > 0)
		seq = lane->queue[lane->queue_head].seq;
	pthread_mutex_unlock(&lane->queue_lock);
	return seq;
}

/* lane_pad - bytes left unused at the end of the ring by a record of length */
static uint32_t lane_pad(const struct lane *lane, uint32_t length)
{
	uint32_t to_end = lane->size - lane->head;

	return to_end < length ? to_end : 0;
}

static bool lane_has_room(const struct lane *lane, uint32_t length)
{
	uint32_t need = length + lane_pad(lane, length);

	return (uint64_t)atomic_load(&lane->used) + need <= lane->size;
}

/*
 * lane_wait_room - until a record of length fits
 *
 * On persistent memory records are home when their transactions have finished,
 * so this thread reclaims them itself; the only thing to wait for is another
 * lane's transaction, which has its room already. On a file the checkpointer
 * does it. Either way who waits here is not active, so nobody waits for him.
 */
static int lane_wait_room(struct journal *j, struct lane *lane, uint32_t length)
{
	int err = 0;

	atomic_fetch_add(&j->room_waiters, 1);
	pthread_mutex_lock(&j->room_lock);
	while (!(err = atomic_load(&j->error)) &&
	       !lane_has_room(lane, length)) {
		/* It may fall again, so look once. */
		uint64_t lowest = lowest_active(j);

		if (j->overlay) {
			checkpointer_press(j);
			pthread_cond_wait(&j->room_cond, &j->room_lock);
		} else if (oldest_seq(lane) < lowest) {
			err = lanes_reclaim(j, lowest - 1, lowest - 1);
			if (err)
				break;
		} else {
			pthread_cond_wait(&j->room_cond, &j->room_lock);
		}
	}
	pthread_mutex_unlock(&j->room_lock);
	atomic_fetch_sub(&j->room_waiters, 1);
	return err;
}

/* lane_wrap - say that the next record is at the ring's start */
static void lane_wrap(struct journal *j, struct lane *lane, uint64_t seq)
{
	struct pinfs_jrec wrap = {
		.magic = cpu_to_le32(PINFS_MAGIC_JREC),
		.flags = cpu_to_le32(PINFS_JREC_WRAP),
		.seq = cpu_to_le64(seq),
		.length = cpu_to_le32(sizeof(wrap)),
		.lane = cpu_to_le32(lane->index),
	};

	wrap.csum = cpu_to_le64(jrec_csum(j, &wrap));
	persist_copy_flush(j->pool, lane->base + lane->head, &wrap,
			   sizeof(wrap));
}

static void lane_queue(struct lane *lane, const struct pinfs_jrec *rec,
		       uint32_t offset, uint32_t bytes)
{
	struct lane_record *r;

	pthread_mutex_lock(&lane->queue_lock);
	assert(lane->queue_count < lane->queue_size);
	r = &lane->queue[(lane->queue_head + lane->queue_count) %
			 lane->queue_size];
	r->seq = le64_to_cpu(rec->seq);
	r->offset = offset;
	r->bytes = bytes;
	r->free_delta = (int64_t)le64_to_cpu(rec->free_delta);
	r->inode_delta = (int64_t)le64_to_cpu(rec->inode_delta);
	lane->queue_count++;
	atomic_fetch_add(&lane->used, bytes);
	pthread_mutex_unlock(&lane->queue_lock);
}

/*
 * lane_append - number the record, seal it, and commit it
 *
 * The lane is locked and stays active until lane_done(). The record commits
 * with its checksum: whatever of it a crash leaves out, the sum is wrong and
 * the record was never there (S1). One fence makes it durable (S2).
 */
int lane_append(struct journal *j, struct lane *lane, struct pinfs_jrec *rec)
{
	uint32_t length = le32_to_cpu(rec->length);
	uint32_t pad;
	uint64_t seq;
	int err;

	if (length > lane_capacity(j))
		return -EFBIG;
	if (!lane_has_room(lane, length)) {
		err = lane_wait_room(j, lane, length);
		if (err)
			return err;
	}
	/* A lower bound first, so that lowest_active() never misses us. */
	atomic_store(&lane->active, atomic_load(&j->next_seq));
	seq = atomic_fetch_add(&j->next_seq, 1);
	atomic_store(&lane->active, seq);

	pad = lane_pad(lane, length);
	if (pad) {
		lane_wrap(j, lane, seq);
		lane->head = 0;
	}
	rec->seq = cpu_to_le64(seq);
	rec->lane = cpu_to_le32(lane->index);
	rec->csum = cpu_to_le64(jrec_csum(j, rec));
	persist_copy_flush(j->pool, lane->base + lane->head, rec, length);
	persist_fence(j->pool);
	lane_queue(lane, rec, lane->head, length + pad);
	lane->head = (lane->head + length) % lane->size;
	return 0;
}
