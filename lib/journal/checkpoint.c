// SPDX-License-Identifier: BSD-3-Clause
/*
 * The checkpointer: the thread that makes records of an ordinary file's pool
 * durable and brings them home. One round:
 *
 *   1. S = the youngest record; wait until all up to S are written.
 *   2. Sync. Data that S and older records speak of, the records themselves,
 *      and what the round before brought home, are on the medium.
 *   3. Write the state: sealed up to S, home up to the round before. Sync.
 *      From here on S survives power loss: who waits in fsync is woken if he
 *      began to wait before this round began. A round that was at work then
 *      may have synced before he stored his data.
 *   4. Apply the records up to S to their home locations.
 *   5. Take the overlay's pages up to S out; blocks freed by then may be used.
 *
 * A home location changes only in 4, when its record is sealed; the kernel may
 * write it back from then on. A freed block is used again only after 5, so
 * its free is durable, and recovery, which would replay an older change to
 * it, sees the free and does not (apply.c).
 */
#include "journal/journal_i.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"

/* What a crash can cost at most that nobody has asked to be durable. */
#define ROUND_SECONDS 5

int journal_fail(struct journal *j, int err, const char *what)
{
	int none = 0;

	if (atomic_compare_exchange_strong(&j->error, &none, err))
		log_error("%s: journal: %s: %s; nothing more is written: "
			  "unmount, repair the pool's disk and mount again",
			  j->pool->path, what, strerror(-err));
	room_wake(j);
	return atomic_load(&j->error);
}

/* state_is - does the state on the medium say so already? */
static bool state_is(struct journal *j, uint64_t home, uint64_t sealed)
{
	return le64_to_cpu(j->state.checkpoint_seq) == home &&
	       le64_to_cpu(j->state.sealed_seq) == sealed;
}

static int seal(struct journal *j, uint64_t round, uint64_t upto)
{
	int err;

	lanes_wait_finished(j, upto);
	err = pool_sync(j->pool);
	if (!err && !state_is(j, j->applied_seq, upto))
		err = lanes_reclaim(j, j->applied_seq, upto);
	if (err)
		return journal_fail(j, err, "sync");
	atomic_store(&j->sealed_seq, upto);
	room_wake(j);
	pthread_mutex_lock(&j->ckpt_lock);
	j->synced_round = round;
	pthread_cond_broadcast(&j->ckpt_done);
	pthread_mutex_unlock(&j->ckpt_lock);
	return 0;
}

static int bring_home(struct journal *j, uint64_t upto)
{
	struct record_set set = { 0 };
	int err = lanes_collect(j, j->applied_seq, upto, &set);

	if (!err)
		err = apply_set(j, &set);
	free(set.rec);
	if (err)
		return journal_fail(j, err, "checkpoint");
	j->applied_seq = upto;
	atomic_fetch_add(&j->checkpoints, 1);
	return 0;
}

/* call_waiters - those whose records are home */
void call_waiters(struct journal *j, uint64_t upto)
{
	struct journal_waiter *due = NULL, **at;

	pthread_mutex_lock(&j->ckpt_lock);
	for (at = &j->waiters; *at;) {
		struct journal_waiter *w = *at;

		if (w->seq > upto) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->next = due;
		due = w;
	}
	pthread_mutex_unlock(&j->ckpt_lock);
	while (due) {
		struct journal_waiter *w = due;

		due = w->next;
		w->fn(w);
	}
}

static void publish_home(struct journal *j, uint64_t upto)
{
	pthread_mutex_lock(&j->ckpt_lock);
	j->home_seq = upto;
	pthread_cond_broadcast(&j->ckpt_done);
	pthread_mutex_unlock(&j->ckpt_lock);
}

static uint64_t begin_round(struct journal *j)
{
	uint64_t round;

	pthread_mutex_lock(&j->ckpt_lock);
	round = ++j->begun_round;
	pthread_mutex_unlock(&j->ckpt_lock);
	return round;
}

/* checkpoint_round - see above; checkpointer, or nobody else at work */
int checkpoint_round(struct journal *j)
{
	uint64_t round = begin_round(j);
	uint64_t upto = atomic_load(&j->next_seq) - 1;
	int err = OMITTED("S-home") ? bring_home(j, upto) : 0;

	if (!err)
		err = seal(j, round, upto);
	if (!err)
		err = bring_home(j, upto);
	if (err)
		return err;
	if (overlay_drop(j->overlay, upto)) {
		call_waiters(j, upto);
		publish_home(j, upto);
	}
	return 0;
}

static bool has_reason(const struct journal *j)
{
	/* Who is in the way of bringing home wakes us when he leaves. */
	return j->stop || j->pressed || j->wanted_round > j->synced_round ||
	       (j->wanted_home > j->home_seq &&
		atomic_load(&j->overlay->blocked) == 0);
}

/* wait_reason - until somebody asks, or the time is up */
static void wait_reason(struct journal *j)
{
	struct timespec ts;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ROUND_SECONDS;
	while (!has_reason(j) && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&j->ckpt_wake, &j->ckpt_lock, &ts);
}

/*
 * A round takes back the room of the one before, so who is pressed for room
 * needs two.
 */
static void run_rounds(struct journal *j, bool asked, bool pressed)
{
	uint64_t youngest = atomic_load(&j->next_seq) - 1;

	if (!asked && youngest == j->applied_seq && youngest == j->home_seq)
		return;
	if (checkpoint_round(j) == 0 && pressed)
		checkpoint_round(j);
}

static void *checkpointer(void *arg)
{
	struct journal *j = arg;

	pthread_mutex_lock(&j->ckpt_lock);
	for (;;) {
		bool asked, pressed;

		wait_reason(j);
		if (j->stop)
			break;
		asked = has_reason(j);
		pressed = j->pressed;
		j->pressed = false;
		pthread_mutex_unlock(&j->ckpt_lock);
		if (atomic_load(&j->error) == 0)
			run_rounds(j, asked, pressed);
		pthread_mutex_lock(&j->ckpt_lock);
		if (atomic_load(&j->error)) {
			j->synced_round = UINT64_MAX;
			j->home_seq = UINT64_MAX;
			pthread_cond_broadcast(&j->ckpt_done);
		}
	}
	pthread_mutex_unlock(&j->ckpt_lock);
	return NULL;
}

int checkpointer_start(struct journal *j)
{
	int err = -pthread_create(&j->thread, NULL, checkpointer, j);

	j->thread_runs = err == 0;
	return err;
}

void checkpointer_stop(struct journal *j)
{
	if (!j->thread_runs)
		return;
	pthread_mutex_lock(&j->ckpt_lock);
	j->stop = true;
	pthread_cond_signal(&j->ckpt_wake);
	pthread_mutex_unlock(&j->ckpt_lock);
	pthread_join(j->thread, NULL);
	j->thread_runs = false;
}

/* checkpointer_press - a lane, or memory, runs short */
void checkpointer_press(struct journal *j)
{
	pthread_mutex_lock(&j->ckpt_lock);
	j->pressed = true;
	pthread_cond_signal(&j->ckpt_wake);
	pthread_mutex_unlock(&j->ckpt_lock);
}

/* checkpointer_unblock - nobody is in the way of overlay_drop() any more */
void checkpointer_unblock(struct journal *j)
{
	pthread_mutex_lock(&j->ckpt_lock);
	atomic_store(&j->overlay->blocked, 0);
	pthread_cond_signal(&j->ckpt_wake);
	pthread_mutex_unlock(&j->ckpt_lock);
}

/* wait_for - until *done has reached goal; ckpt_lock is held */
static void wait_for(struct journal *j, uint64_t goal, uint64_t *wanted,
		     const uint64_t *done)
{
	if (*wanted < goal)
		*wanted = goal;
	while (*done < goal) {
		pthread_cond_signal(&j->ckpt_wake);
		pthread_cond_wait(&j->ckpt_done, &j->ckpt_lock);
	}
}

int journal_sync(struct journal *j)
{
	if (!j->overlay || j->read_only)
		return atomic_load(&j->error);
	pthread_mutex_lock(&j->ckpt_lock);
	wait_for(j, j->begun_round + 1, &j->wanted_round, &j->synced_round);
	pthread_mutex_unlock(&j->ckpt_lock);
	return atomic_load(&j->error);
}

uint64_t journal_youngest(struct journal *j)
{
	return atomic_load(&j->next_seq) - 1;
}

bool journal_is_sealed(struct journal *j, uint64_t seq)
{
	return !j->overlay || seq <= atomic_load(&j->sealed_seq);
}

int journal_bring_home(struct journal *j)
{
	if (!j->overlay || j->read_only)
		return atomic_load(&j->error);
	pthread_mutex_lock(&j->ckpt_lock);
	wait_for(j, atomic_load(&j->next_seq) - 1, &j->wanted_home,
		 &j->home_seq);
	pthread_mutex_unlock(&j->ckpt_lock);
	return atomic_load(&j->error);
}

void journal_when_home(struct journal *j, struct journal_waiter *w)
{
	if (!j->overlay) {
		w->fn(w);
		return;
	}
	pthread_mutex_lock(&j->ckpt_lock);
	w->seq = atomic_load(&j->next_seq) - 1;
	w->next = j->waiters;
	j->waiters = w;
	pthread_mutex_unlock(&j->ckpt_lock);
}

/* checkpointer_flush - rounds that empty the lanes; the thread has stopped */
int checkpointer_flush(struct journal *j)
{
	int err = atomic_load(&j->error);

	/* Seal and bring home, then record that it is home. */
	if (!err)
		err = checkpoint_round(j);
	if (!err)
		err = checkpoint_round(j);
	call_waiters(j, UINT64_MAX);
	return err;
}
