// SPDX-License-Identifier: BSD-3-Clause
/*
 * Requests that change a layout, and may wait for it: truncate, fallocate,
 * collapse and insert.
 *
 * While one waits there is its unanswered request and the structure here, and
 * no thread (L9). What happens to it, in this order:
 *
 *   fs_change_init()            from here on it can be interrupted
 *   ring_listen()               on_interrupt() may run at once, or any time
 *   fs_change_start()           the change is on its way
 *   on_done()                   first waits for an on_interrupt() that runs,
 *                               then answers; called once, by any thread
 *
 * on_interrupt() runs with the request or the ring locked, so that it must not
 * answer. Over io_uring the ring (ring.c) also has a say in whether there may be one
 * more that waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>

#include "base/log.h"
#include "notify.h"
#include "ops.h"

struct deferred {
	struct fs_change change;
	struct daemon *d;
	struct ring_wait ring;
	int refused; /* by the ring, as one too many */
	fuse_req_t req;
	fuse_ino_t node;
	void (*answer)(struct deferred *df, int err); /* also frees it */
	/* setattr: what else there is to do. */
	struct stat attr;
	unsigned int set;
	/* ioctl: how it ended. */
	int err;
};

/* answered - it is over, and so is the request */
static void answered(struct deferred *df)
{
	ring_drop(df->d->ring, &df->ring);
	free(df);
}

static void answer_err(struct deferred *df, int err)
{
	ops_reply(df->req, err);
	answered(df);
}

static void on_interrupt(struct ring_wait *w)
{
	struct deferred *df = container_of(w, struct deferred, ring);

	fs_change_interrupt(&df->change);
}

static void on_done(struct fs_change *change, int err)
{
	struct deferred *df = container_of(change, struct deferred, change);

	ring_unlisten(df->d->ring, &df->ring);
	df->answer(df, err);
}

static struct deferred *deferred_new(fuse_req_t req, fuse_ino_t node,
				     enum pinfs_change kind, uint64_t off,
				     uint64_t len)
{
	struct deferred *df = calloc(1, sizeof(*df));

	if (!df)
		return NULL;
	df->d = daemon_of(req);
	df->req = req;
	df->node = node;
	df->answer = answer_err;
	df->change.kind = kind;
	df->change.offset = off;
	df->change.length = len;
	df->change.who = ops_caller(req);
	df->change.done = on_done;
	df->ring.interrupt = on_interrupt;
	df->refused = ring_hold(df->d->ring, &df->ring, req, false);
	if (df->refused)
		df->change.flags = FS_CHANGE_NO_WAIT;
	return df;
}

static void deferred_start(struct deferred *df)
{
	struct ring *ring = df->d->ring;
	uint32_t pid = df->change.who.pid;
	int err = fs_change_init(df->d->fs, df->node, &df->change);

	if (err) {
		df->answer(df, err);
		return;
	}
	ring_listen(ring, &df->ring);
	fs_change_start(&df->change);
	ring_look(ring, pid);
}

/* --- setattr -------------------------------------------------------------- */

static const struct {
	int fuse;
	unsigned int fs;
} set_flags[] = {
	{ FUSE_SET_ATTR_MODE, FS_SET_MODE },
	{ FUSE_SET_ATTR_UID, FS_SET_UID },
	{ FUSE_SET_ATTR_GID, FS_SET_GID },
	{ FUSE_SET_ATTR_ATIME, FS_SET_ATIME },
	{ FUSE_SET_ATTR_MTIME, FS_SET_MTIME },
	{ FUSE_SET_ATTR_ATIME_NOW, FS_SET_ATIME_NOW },
	{ FUSE_SET_ATTR_MTIME_NOW, FS_SET_MTIME_NOW },
	{ FUSE_SET_ATTR_CTIME, FS_SET_CTIME },
};

static unsigned int set_of(int to_set)
{
	unsigned int set = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(set_flags); i++)
		if (to_set & set_flags[i].fuse)
			set |= set_flags[i].fs;
	/* "Now" comes with the flag of a given time, which it is not. */
	if (set & FS_SET_ATIME_NOW)
		set &= ~FS_SET_ATIME;
	if (set & FS_SET_MTIME_NOW)
		set &= ~FS_SET_MTIME;
	return set;
}

static void set_attr(fuse_req_t req, fuse_ino_t node, const struct stat *attr,
		     unsigned int set)
{
	struct fs *fs = daemon_of(req)->fs;
	struct stat st;
	int err;

	err = set ? fs_setattr(fs, node, attr, set, &st) :
		    fs_getattr(fs, node, &st);
	if (err)
		ops_reply(req, err);
	else
		fuse_reply_attr(req, &st, ATTR_TIMEOUT_S);
}

/* The size is as asked for; the rest, which waits for nothing, follows. */
static void answer_attr(struct deferred *df, int err)
{
	if (err)
		ops_reply(df->req, err);
	else
		set_attr(df->req, df->node, &df->attr, df->set);
	answered(df);
}

void op_setattr(fuse_req_t req, fuse_ino_t node, struct stat *attr, int to_set,
		struct fuse_file_info *fi)
{
	struct deferred *df;
	unsigned int set;

	(void)fi;
	if (!(to_set & FUSE_SET_ATTR_SIZE)) {
		/* Only an owner can be given and be none to change. */
		set = set_of(to_set);
		set_attr(req, node, attr, set ? set : FS_SET_NOTHING);
		return;
	}
	df = deferred_new(req, node, PINFS_CHANGE_TRUNCATE,
			  (uint64_t)attr->st_size, 0);
	if (!df) {
		ops_reply(req, -ENOMEM);
		return;
	}
	df->answer = answer_attr;
	df->attr = *attr;
	df->set = set_of(to_set);
	deferred_start(df);
}

/* --- fallocate ------------------------------------------------------------ */

static const struct {
	int mode;
	enum pinfs_change kind;
	unsigned int flags;
} modes[] = {
	{ 0, PINFS_CHANGE_ALLOCATE, 0 },
	{ FALLOC_FL_KEEP_SIZE, PINFS_CHANGE_ALLOCATE, FS_CHANGE_KEEP_SIZE },
	{ FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PINFS_CHANGE_PUNCH_HOLE,
	  FS_CHANGE_KEEP_SIZE },
	{ FALLOC_FL_ZERO_RANGE, PINFS_CHANGE_ZERO_RANGE, 0 },
	{ FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, PINFS_CHANGE_ZERO_RANGE,
	  FS_CHANGE_KEEP_SIZE },
};

void op_fallocate(fuse_req_t req, fuse_ino_t node, int mode, off_t off,
		  off_t len, struct fuse_file_info *fi)
{
	struct deferred *df;
	size_t i;

	(void)fi;
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		if (modes[i].mode == mode)
			break;
	if (i == ARRAY_SIZE(modes)) {
		ops_reply(req, -EOPNOTSUPP);
		return;
	}
	df = deferred_new(req, node, modes[i].kind, (uint64_t)off,
			  (uint64_t)len);
	if (!df) {
		ops_reply(req, -ENOMEM);
		return;
	}
	df->change.flags |= modes[i].flags;
	deferred_start(df);
}

/* --- collapse and insert -------------------------------------------------- */

/*
 * The kernel takes no part in these, so it is to forget what it knows of the
 * file: before, that what it holds be written where it belongs, and after.
 * Both are errands of their own (C5); a truncate of the file that waits may
 * keep them waiting as well, and nobody else.
 */
static void reply_range(struct ring_wait *w)
{
	struct deferred *df = container_of(w, struct deferred, ring);
	struct crew *crew = df->d->crew;

	if (df->err)
		ops_reply(df->req, df->err);
	else
		fuse_reply_ioctl(df->req, 0, NULL, 0);
	answered(df);
	crew_leave(crew);
}

static void after_range(void *arg)
{
	struct deferred *df = arg;

	if (!df->err)
		notify_invalidate(df->d, df->node, 0, 0);
	ring_answer(df->d->ring, &df->ring, reply_range);
}

static void answer_range(struct deferred *df, int err)
{
	df->err = err;
	/* Nothing has changed, or there is no thread to be had: then here. */
	if (err || crew_spawn(df->d->crew, after_range, df))
		after_range(df);
}

static void before_range(void *arg)
{
	struct deferred *df = arg;

	notify_invalidate(df->d, df->node, 0, 0);
	deferred_start(df);
}

void deferred_range(fuse_req_t req, fuse_ino_t node, enum pinfs_change kind,
		    const struct pinfs_ioc_range *range)
{
	struct deferred *df =
		deferred_new(req, node, kind, range->offset, range->length);
	int err = -ENOMEM;

	if (!df)
		goto err_reply;
	df->answer = answer_range;
	err = df->refused;
	if (err)
		goto err_free;
	crew_enter(df->d->crew);
	err = crew_spawn(df->d->crew, before_range, df);
	if (!err)
		return;
	crew_leave(df->d->crew);
err_free:
	answered(df);
err_reply:
	ops_reply(req, err);
}
