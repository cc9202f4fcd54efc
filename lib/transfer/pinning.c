// SPDX-License-Identifier: BSD-3-Clause
#include "transfer/pinning.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"

struct pinning {
	struct fs *fs;
	struct pin_set *set;
	struct pinning_options opt;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* lock: granted, stop or an errand's end */
	unsigned int refs; /* lock: the owner's, and one an errand */
	bool granted; /* lock */
	int stop; /* lock: what waits are to return */
	struct errand *errand; /* lock: a write back that runs, or NULL */
	struct admission admission;
};

/*
 * struct errand - an invalidation on its way, which nobody can call back
 *
 * Its waiter may leave; the last of the two frees it.
 */
struct errand {
	struct pinning *p;
	bool over; /* p->lock */
	bool left; /* p->lock: by its waiter */
	size_t count;
	struct pinning_span span[];
};

/* --- beginning and end ---------------------------------------------------- */

int pinning_begin(struct fs *fs, const struct pinning_options *opt,
		  struct pinning **out)
{
	struct pinning *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;
	int err;

	if (!p)
		return -ENOMEM;
	p->fs = fs;
	p->opt = *opt;
	p->refs = 1;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	err = pin_set_begin(fs_layouts(fs), &opt->set, &p->set);
	if (err) {
		pthread_cond_destroy(&p->changed);
		pthread_mutex_destroy(&p->lock);
		free(p);
		return err;
	}
	*out = p;
	return 0;
}

struct pin_set *pinning_set(struct pinning *p)
{
	return p->set;
}

/* The last one out: who waits for the set's end closes the file system (L15). */
static void pinning_free(struct pinning *p)
{
	pin_set_free(p->set);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void pinning_end(struct pinning *p)
{
	bool last;

	pin_set_no_cancel(p->set);
	pin_set_unpin(p->set);
	pthread_mutex_lock(&p->lock);
	last = --p->refs == 0;
	pthread_mutex_unlock(&p->lock);
	if (last)
		pinning_free(p);
}

/* --- stopping ------------------------------------------------------------- */

void pinning_stop(struct pinning *p, int err)
{
	pthread_mutex_lock(&p->lock);
	if (p->stop != -ECANCELED)
		p->stop = err;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

int pinning_resume(struct pinning *p)
{
	int err;

	pthread_mutex_lock(&p->lock);
	if (p->stop == -EINTR)
		p->stop = 0;
	err = p->stop;
	pthread_mutex_unlock(&p->lock);
	return err;
}

static int stopped(struct pinning *p)
{
	int err;

	pthread_mutex_lock(&p->lock);
	err = p->stop;
	pthread_mutex_unlock(&p->lock);
	return err;
}

/* --- invalidating --------------------------------------------------------- */

static void errand_free(struct errand *e)
{
	for (size_t i = 0; i < e->count; i++)
		inode_put(e->span[i].ip);
	free(e);
}

static struct errand *errand_new(struct pinning *p,
				 const struct pinning_span *span, size_t count)
{
	struct errand *e = malloc(sizeof(*e) + count * sizeof(e->span[0]));

	if (!e)
		return NULL;
	memset(e, 0, sizeof(*e));
	e->p = p;
	e->count = count;
	for (size_t i = 0; i < count; i++) {
		e->span[i] = span[i];
		inode_hold(span[i].ip);
	}
	return e;
}

static void invalidate(struct pinning *p, const struct pinning_span *span,
		       size_t count)
{
	for (size_t i = 0; i < count; i++)
		fs_invalidate(p->fs, span[i].ip, span[i].off, span[i].len);
}

/* run_errand - on its own thread; serves no request, holds no lock (C5) */
static void run_errand(void *arg)
{
	struct errand *e = arg;
	struct pinning *p = e->p;
	bool last, left;

	invalidate(p, e->span, e->count);
	pthread_mutex_lock(&p->lock);
	e->over = true;
	left = e->left;
	if (p->errand == e)
		p->errand = NULL;
	last = --p->refs == 0;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	/* The inodes before the set: with that the file system may close. */
	if (left)
		errand_free(e);
	if (last)
		pinning_free(p);
}

/* errand_start - on success it is for errand_wait() to free e; -ENOMEM */
static int errand_start(struct pinning *p, struct errand *e, bool write_back)
{
	int err;

	pthread_mutex_lock(&p->lock);
	p->refs++;
	if (write_back)
		p->errand = e;
	pthread_mutex_unlock(&p->lock);
	err = p->opt.spawn(p->opt.spawn_arg, run_errand, e);
	if (!err)
		return 0;
	pthread_mutex_lock(&p->lock);
	p->refs--;
	if (p->errand == e)
		p->errand = NULL;
	pthread_mutex_unlock(&p->lock);
	errand_free(e);
	return -ENOMEM;
}

static struct timespec deadline_of(uint64_t limit_ns)
{
	uint64_t at = now_ns() + limit_ns;

	return (struct timespec){
		.tv_sec = (time_t)(at / NSEC_PER_SEC),
		.tv_nsec = (long)(at % NSEC_PER_SEC),
	};
}

/* wait_changed - false: the limit has passed; p->lock is held */
static bool wait_changed(struct pinning *p, const struct timespec *deadline)
{
	if (!deadline)
		return pthread_cond_wait(&p->changed, &p->lock) == 0;
	return pthread_cond_timedwait(&p->changed, &p->lock, deadline) !=
	       ETIMEDOUT;
}

/* errand_wait - until it is over, or its waiter is to leave */
static int errand_wait(struct pinning *p, struct errand *e,
		       const struct timespec *deadline)
{
	bool in_time = true, over;
	int err;

	pthread_mutex_lock(&p->lock);
	while (!e->over && !p->stop && in_time)
		in_time = wait_changed(p, deadline);
	err = e->over ? 0 : p->stop ? p->stop : -EDEADLK;
	over = e->over;
	e->left = true;
	pthread_mutex_unlock(&p->lock);
	if (over)
		errand_free(e);
	return err;
}

/*
 * errand_before - wait for a write back that its waiter has left
 *
 * So a set has one at a time, however often it tries.
 */
static int errand_before(struct pinning *p, const struct timespec *deadline)
{
	bool in_time = true;
	int err;

	pthread_mutex_lock(&p->lock);
	while (p->errand && !p->stop && in_time)
		in_time = wait_changed(p, deadline);
	err = !p->errand ? 0 : p->stop ? p->stop : -EDEADLK;
	pthread_mutex_unlock(&p->lock);
	return err;
}

/* write_back - on a thread of its own, waited for until the limit has passed */
static int write_back(struct pinning *p, const struct pinning_span *span,
		      uint64_t limit_ns)
{
	struct timespec at = deadline_of(limit_ns);
	const struct timespec *deadline = limit_ns ? &at : NULL;
	struct errand *e;
	int err;

	err = errand_before(p, deadline);
	if (err)
		return err;
	e = errand_new(p, span, 1);
	err = e ? errand_start(p, e, true) : -ENOMEM;
	return err ? err : errand_wait(p, e, deadline);
}

int pinning_write_back(struct pinning *p, struct inode *ip, uint64_t limit_ns)
{
	const struct pinning_span all = { .ip = ip };
	int err = pin_set_announce(p->set, ip);

	if (!err)
		err = stopped(p);
	if (!err && layout_refuses(p->set, ip))
		err = -EAGAIN;
	if (err)
		return err;
	if (p->opt.spawn)
		return write_back(p, &all, limit_ns);
	invalidate(p, &all, 1);
	return 0;
}

int pinning_drop_pages(struct pinning *p, const struct pinning_span *span,
		       size_t count, uint64_t limit_ns)
{
	struct timespec at = deadline_of(limit_ns);
	struct errand *e = NULL;
	int err = -ENOMEM;

	/* A cancelled set's end is not called off by that. */
	pin_set_no_cancel(p->set);
	pthread_mutex_lock(&p->lock);
	if (p->stop == -ECANCELED)
		p->stop = 0;
	pthread_mutex_unlock(&p->lock);
	if (p->opt.spawn)
		e = errand_new(p, span, count);
	if (e)
		err = errand_start(p, e, false);
	if (!err)
		return errand_wait(p, e, limit_ns ? &at : NULL);
	/* Nothing waits for us any more: here, then. */
	invalidate(p, span, count);
	return 0;
}

/* --- admission ------------------------------------------------------------ */

static void on_granted(struct admission *a)
{
	struct pinning *p = container_of(a, struct pinning, admission);

	pthread_mutex_lock(&p->lock);
	p->granted = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* wait_granted - behind the breaks that came first, or until stopped */
static int wait_granted(struct pinning *p)
{
	int err;

	if (p->opt.waiting)
		p->opt.waiting(p->opt.arg);
	pthread_mutex_lock(&p->lock);
	while (!p->granted && !p->stop)
		pthread_cond_wait(&p->changed, &p->lock);
	err = p->granted ? 0 : p->stop;
	pthread_mutex_unlock(&p->lock);
	if (!err || layout_admit_cancel(&p->admission))
		return err;
	/* It is on its way: admission must not go before it has come. */
	pthread_mutex_lock(&p->lock);
	while (!p->granted)
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
	return err;
}

int pinning_admit(struct pinning *p, struct inode *ip, uint64_t off,
		  uint64_t len)
{
	uint64_t first = off >> PINFS_BLOCK_SHIFT;
	uint64_t end = div_round_up(off + len, PINFS_BLOCK_SIZE);
	int err = stopped(p);

	if (err)
		return err;
	p->admission.granted = on_granted;
	p->granted = false; /* nobody else looks before layout_admit() */
	err = layout_admit(p->set, ip, first, end - first, &p->admission);
	return err == -EINPROGRESS ? wait_granted(p) : err;
}
