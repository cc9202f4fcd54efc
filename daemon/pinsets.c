// SPDX-License-Identifier: BSD-3-Clause
/*
 * A set, and who may touch it:
 *
 *            extend, extents, end begins           it is over
 *   IDLE -------------------------------> BUSY ------------------> IDLE
 *     |                                    |
 *     | released, cut                      | end; or released meanwhile
 *     v                                    v
 *   ENDING: out of the table, one errand's own, then gone
 *
 * Lock: one, for the table and the states; nothing is waited for with it held.
 */
#include "pinsets.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/util.h"
#include "pool/pool.h"
#include "transfer/client.h"

#define BUCKETS		1024u
#define SETS_PER_HANDLE 1024u

struct pinsets {
	struct daemon *d;
	pthread_mutex_t lock;
	struct list_head bucket[BUCKETS]; /* lock: by id */
	bool cut; /* lock */
};

struct pinset {
	struct pinsets *all;
	struct client *client;
	uint64_t key;
	struct handle *handle; /* lock; NULL: released */
	struct list_head of_handle; /* lock */
	struct list_head of_bucket; /* lock; or of who ends it */
	bool busy; /* lock */
	struct pinset *next; /* of those that end together */
};

struct pinsets *pinsets_new(struct daemon *d)
{
	struct pinsets *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return NULL;
	ps->d = d;
	pthread_mutex_init(&ps->lock, NULL);
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&ps->bucket[i]);
	return ps;
}

void pinsets_free(struct pinsets *ps)
{
	if (!ps)
		return;
	pthread_mutex_destroy(&ps->lock);
	free(ps);
}

static struct list_head *bucket_of(struct pinsets *ps, uint64_t id)
{
	return &ps->bucket[id % BUCKETS];
}

/* --- the table ------------------------------------------------------------ */

/* take - the set is the caller's until give_back() */
static int take(struct pinsets *ps, uint64_t id, uint64_t key,
		struct pinset **out)
{
	struct pinset *s;
	int err = -ENOENT;

	pthread_mutex_lock(&ps->lock);
	list_for_each_entry(s, bucket_of(ps, id), of_bucket) {
		if (client_id(s->client) != id)
			continue;
		err = s->key != key ? -EACCES : s->busy ? -EBUSY : 0;
		if (!err) {
			s->busy = true;
			*out = s;
		}
		break;
	}
	pthread_mutex_unlock(&ps->lock);
	return err;
}

/* orphan - it is no handle's any more; lock is held */
static void orphan(struct pinset *s)
{
	if (!s->handle)
		return;
	list_del(&s->of_handle);
	s->handle->npinsets--;
	s->handle = NULL;
}

/* retire - nobody finds it any more; it is the caller's, who has taken it */
static void retire(struct pinset *s)
{
	pthread_mutex_lock(&s->all->lock);
	orphan(s);
	list_del(&s->of_bucket);
	pthread_mutex_unlock(&s->all->lock);
}

static void set_free(struct pinset *s)
{
	client_free(s->client);
	free(s);
}

/* end_unknown - nobody has said how far the I/O came, but it is over */
static void end_unknown(struct pinset *s)
{
	int err = client_end(s->client, 0, -ECANCELED);

	if (err)
		log_warn("the end of a client's pins: %s", strerror(-err));
	set_free(s);
}

static void end_chain(void *arg)
{
	struct pinset *s = arg, *next;

	for (; s; s = next) {
		next = s->next;
		end_unknown(s);
	}
}

/*
 * end_soon - all of the chain, on a thread that may wait (C5)
 *
 * Without one the pins end all the same, since somebody may wait for that; what
 * the kernel has cached of the ranges it keeps.
 */
static void end_soon(struct pinsets *ps, struct pinset *s)
{
	struct pinset *next;

	if (!s || crew_spawn(ps->d->crew, end_chain, s) == 0)
		return;
	log_warn("no thread to be had: the kernel may keep cached pages of "
		 "what a client's device has written");
	for (; s; s = next) {
		next = s->next;
		client_unpin(s->client, 0, -ECANCELED);
		set_free(s);
	}
}

/* give_back - true: it has been released meanwhile, and is to be ended */
static bool give_back(struct pinset *s)
{
	struct pinsets *ps = s->all;
	bool released;

	pthread_mutex_lock(&ps->lock);
	s->busy = false;
	released = !s->handle;
	if (released)
		list_del(&s->of_bucket);
	pthread_mutex_unlock(&ps->lock);
	return released;
}

/* --- beginning ------------------------------------------------------------ */

static int spawn(void *crew, void (*fn)(void *arg), void *arg)
{
	return crew_spawn(crew, fn, arg);
}

static int pinset_new(struct ioc *io, const struct pinfs_ioc_pin_begin *in,
		      struct pinset **out)
{
	const struct fs_caller who = ops_caller(io->req);
	const struct client_options opt = {
		.owner = layout_owner_of(who.pid, who.uid),
		.direction = (enum pinfs_direction)in->direction,
		.flags = (in->flags & PINFS_PIN_NOWAIT ? PIN_NOWAIT : 0) |
			 (in->flags & PINFS_PIN_LONGTERM ? PIN_LONGTERM : 0),
		.spawn = spawn,
		.spawn_arg = io->d->crew,
	};
	struct pinset *s = calloc(1, sizeof(*s));
	int err = -EIO;

	if (!s)
		return -ENOMEM;
	s->all = io->d->pinsets;
	if (getrandom(&s->key, sizeof(s->key), 0) == sizeof(s->key))
		err = client_new(io->d->fs, &opt, &s->client);
	if (err)
		free(s);
	else
		*out = s;
	return err;
}

/* insert - into the table, and to the handle's; there is a limit to those */
static int insert(struct pinsets *ps, struct handle *h, struct pinset *s)
{
	int err = 0;

	pthread_mutex_lock(&ps->lock);
	if (ps->cut)
		err = -ENOTCONN;
	else if (h->npinsets == SETS_PER_HANDLE)
		err = -EMFILE;
	if (!err) {
		s->handle = h;
		h->npinsets++;
		list_add(&s->of_handle, &h->pinsets);
		list_add(&s->of_bucket, bucket_of(ps, client_id(s->client)));
	}
	pthread_mutex_unlock(&ps->lock);
	return err;
}

/* may_move - is the descriptor open for what a set of that direction does? */
static int may_move(const struct ioc *io, enum pinfs_direction direction)
{
	int how = fs_file_flags(io->h->file) & O_ACCMODE;
	bool may = direction == PINFS_FROM_DEVICE ? how != O_RDONLY :
						    how != O_WRONLY;

	if (io->is_dir)
		return -EISDIR;
	return may ? 0 : -EBADF;
}

int ioc_pin_begin(struct ioc *io)
{
	const struct pinfs_ioc_pin_begin *in = io->in;
	struct pinfs_ioc_pin_begin out = *in;
	struct pinset *s;
	int err;

	if (in->id || in->key || in->reserved[0] || in->reserved[1] ||
	    (in->flags & ~(PINFS_PIN_NOWAIT | PINFS_PIN_LONGTERM)) ||
	    (in->direction != PINFS_FROM_DEVICE &&
	     in->direction != PINFS_TO_DEVICE))
		return -EINVAL;
	err = may_move(io, (enum pinfs_direction)in->direction);
	if (!err)
		err = pinset_new(io, in, &s);
	if (err)
		return err;
	/* Its key, before somebody else could know its id. */
	out.id = client_id(s->client);
	out.key = s->key;
	err = insert(io->d->pinsets, io->h, s);
	if (err) {
		set_free(s);
		return err;
	}
	return ioc_reply(io, &out, sizeof(out));
}

/* --- calls that may take time --------------------------------------------- */

/* struct call - one of them, on its way */
struct call {
	fuse_req_t req;
	struct ring *ring;
	struct ring_wait held;
	struct pinset *set;
	struct inode *ip; /* extend */
	uint64_t offset; /* extend, of the file */
	uint64_t length;
	uint64_t end; /* end */
	int err; /* how it ended */
	struct pinfs_ioc_pin_extend out; /* extend: what it found */
};

static void on_interrupt(struct ring_wait *w)
{
	struct call *call = container_of(w, struct call, held);

	client_interrupt(call->set->client);
}

/* listen, unlisten - what interrupted one call is none of the next one's */
static void listen(struct call *call)
{
	client_resume(call->set->client);
	ring_listen(call->ring, &call->held);
	ring_look(call->ring, (uint32_t)fuse_req_ctx(call->req)->pid);
}

static void unlisten(struct call *call)
{
	ring_unlisten(call->ring, &call->held);
}

/*
 * call_start - fn(call) as an errand, with the set that id and key name
 *
 * There is always room in the ring for an end, which does not wait for pins.
 */
static int call_start(struct ioc *io, uint64_t id, uint64_t key,
		      const struct call *like, void (*fn)(void *arg))
{
	struct call *call = malloc(sizeof(*call));
	int err = -ENOMEM;

	if (!call)
		return err;
	*call = *like;
	call->req = io->req;
	call->ring = io->d->ring;
	call->held.interrupt = on_interrupt;
	err = ring_hold(call->ring, &call->held, io->req, !call->ip);
	if (err)
		goto err_free;
	err = take(io->d->pinsets, id, key, &call->set);
	if (err)
		goto err_drop;
	/* Before it is on its way: from then on it is the errand's. */
	if (call->ip) {
		err = may_move(io, client_direction(call->set->client));
		inode_hold(call->ip);
	}
	if (!err)
		err = crew_spawn(io->d->crew, fn, call);
	if (!err)
		return IOC_ANSWERED;
	if (call->ip)
		inode_put(call->ip);
	if (give_back(call->set))
		end_soon(io->d->pinsets, call->set);
err_drop:
	ring_drop(call->ring, &call->held);
err_free:
	free(call);
	return err;
}

/* fill - the page of extents that begins at out->cursor */
static void fill(const struct pinset *s, struct pinfs_ioc_pin_extend *out)
{
	struct pinfs_ioc_pinned next;
	uint64_t after;

	out->count = (uint32_t)client_extents(
		s->client, &out->cursor, out->extent, PINFS_PINNED_PER_CALL);
	after = out->cursor;
	out->more = client_extents(s->client, &after, &next, 1) > 0;
}

static void reply(struct ring_wait *w)
{
	struct call *call = container_of(w, struct call, held);

	if (call->err)
		ops_reply(call->req, call->err);
	else if (call->ip)
		fuse_reply_ioctl(call->req, 0, &call->out, sizeof(call->out));
	else
		fuse_reply_ioctl(call->req, 0, NULL, 0);
	ring_drop(call->ring, &call->held);
	free(call);
}

/* over - answered when it is no longer busy: the next call may be on its way */
static void over(struct call *call)
{
	struct pinset *s = call->set;

	if (give_back(s)) {
		end_unknown(s);
		call->err = -ECANCELED;
	}
	ring_answer(call->ring, &call->held, reply);
}

static void extend(void *arg)
{
	struct call *call = arg;
	struct pinset *s = call->set;

	call->out.id = client_id(s->client);
	call->out.key = s->key;
	call->out.offset = call->offset;
	call->out.length = call->length;
	listen(call);
	call->err = client_extend(s->client, call->ip, call->offset,
				  call->length, &call->out.cursor);
	unlisten(call);
	inode_put(call->ip);
	if (!call->err)
		fill(s, &call->out);
	over(call);
}

int ioc_pin_extend(struct ioc *io)
{
	const struct pinfs_ioc_pin_extend *in = io->in;
	const struct call like = {
		.ip = fs_file_inode(io->h->file),
		.offset = in->offset,
		.length = in->length,
	};

	if (in->cursor || in->count || in->more || in->reserved[0] ||
	    in->reserved[1])
		return -EINVAL;
	return call_start(io, in->id, in->key, &like, extend);
}

int ioc_pin_extents(struct ioc *io)
{
	const struct pinfs_ioc_pin_extend *in = io->in;
	struct pinfs_ioc_pin_extend out = { .id = in->id,
					    .key = in->key,
					    .cursor = in->cursor };
	struct pinset *s;
	int err;

	if (in->offset || in->length || in->count || in->more ||
	    in->reserved[0] || in->reserved[1])
		return -EINVAL;
	err = take(io->d->pinsets, in->id, in->key, &s);
	if (err)
		return err;
	fill(s, &out);
	if (give_back(s))
		end_soon(io->d->pinsets, s);
	return ioc_reply(io, &out, sizeof(out));
}

static void end(void *arg)
{
	struct call *call = arg;

	retire(call->set);
	listen(call);
	call->err = client_end(call->set->client, call->end, 0);
	unlisten(call);
	set_free(call->set);
	ring_answer(call->ring, &call->held, reply);
}

int ioc_pin_end(struct ioc *io)
{
	const struct pinfs_ioc_pin_end *in = io->in;
	const struct call like = { .end = in->end };

	if (in->reserved[0] || in->reserved[1])
		return -EINVAL;
	return call_start(io, in->id, in->key, &like, end);
}

/* --- their end ------------------------------------------------------------ */

/*
 * detach - chain those that may be ended; what has a call under way is stopped,
 * and ends with that; lock is held
 */
static void detach(struct pinset *s, struct pinset **chain)
{
	orphan(s);
	if (s->busy) {
		client_stop(s->client);
		return;
	}
	list_del(&s->of_bucket);
	s->next = *chain;
	*chain = s;
}

void pinsets_release(struct pinsets *ps, struct handle *h)
{
	struct pinset *s, *tmp, *chain = NULL;

	pthread_mutex_lock(&ps->lock);
	list_for_each_entry_safe(s, tmp, &h->pinsets, of_handle)
		detach(s, &chain);
	pthread_mutex_unlock(&ps->lock);
	end_soon(ps, chain);
}

void pinsets_stop(struct pinsets *ps)
{
	struct pinset *s;

	pthread_mutex_lock(&ps->lock);
	for (size_t i = 0; i < BUCKETS; i++)
		list_for_each_entry(s, &ps->bucket[i], of_bucket)
			if (s->busy)
				client_stop(s->client);
	pthread_mutex_unlock(&ps->lock);
}

static struct pinset *detach_all(struct pinsets *ps)
{
	struct pinset *s, *tmp, *chain = NULL;

	pthread_mutex_lock(&ps->lock);
	for (size_t i = 0; i < BUCKETS; i++)
		list_for_each_entry_safe(s, tmp, &ps->bucket[i], of_bucket)
			detach(s, &chain);
	pthread_mutex_unlock(&ps->lock);
	return chain;
}

static void end_when_unmapped(void *arg)
{
	struct pinsets *ps = arg;
	struct pool *pool = ps->d->pool;

	if (pool->writable && pool_has_guests(pool)) {
		log_info("%s: stays in use until no client has it mapped any "
			 "more: its I/O may not be over",
			 pool->path);
		pool_await_guests(pool);
	}
	end_chain(detach_all(ps));
}

void pinsets_cut(struct pinsets *ps)
{
	bool was_cut, empty = true;

	pthread_mutex_lock(&ps->lock);
	was_cut = ps->cut;
	ps->cut = true;
	for (size_t i = 0; i < BUCKETS; i++)
		empty = empty && list_empty(&ps->bucket[i]);
	pthread_mutex_unlock(&ps->lock);
	if (was_cut || empty)
		return;
	/* The thread that comes here has nothing else to do any more. */
	if (crew_spawn(ps->d->crew, end_when_unmapped, ps))
		end_when_unmapped(ps);
}
