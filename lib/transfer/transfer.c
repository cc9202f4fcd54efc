// SPDX-License-Identifier: BSD-3-Clause
#include "transfer/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "dma/dma.h"
#include "transfer/pinning.h"

#define DEFAULT_DEPTH 8u
#define DEFAULT_CHUNK (1u << 20)

/*
 * What a transfer of unknown length allocates and pins at a time: as much again
 * as has come, so that a short one is not given much more than it needs.
 */
#define WINDOW_LEAST (64u << 10)
#define WINDOW_MOST  (4u << 20)

#define MAX_SIZE ((uint64_t)INT64_MAX)

/* What a device reads where the file has a hole; aligned as its blocks are. */
static const _Alignas(PINFS_BLOCK_SIZE) uint8_t zeroes[64 * 1024];

struct transfer {
	struct fs *fs;
	struct inode *ip;
	struct pinning *pinning;
	struct dma_job *job;
	struct transfer_events events;
	enum pinfs_direction direction;
	uint64_t offset; /* bytes of the file */
	uint64_t length; /* bytes, if not until_end */
	uint64_t device_offset;
	bool until_end; /* of the device */
	uint64_t done; /* transfer_run()'s thread only */
};

static struct pin_set *set_of(const struct transfer *t)
{
	return pinning_set(t->pinning);
}

/* --- setting up ---------------------------------------------------------- */

/* on_progress - done counts all windows */
static void on_progress(void *arg, uint64_t done)
{
	struct transfer *t = arg;

	pin_set_progress(set_of(t), done);
	if (t->events.progress)
		t->events.progress(t->events.arg, pin_set_id(set_of(t)), done);
}

/* on_waiting - behind the breaks that came first */
static void on_waiting(void *arg)
{
	struct transfer *t = arg;

	if (t->events.waiting)
		t->events.waiting(t->events.arg, transfer_id(t));
}

/* on_cancel - the set is cancelled, by whomever */
static void on_cancel(void *arg)
{
	struct transfer *t = arg;

	pinning_stop(t->pinning, -ECANCELED);
	dma_cancel(t->job);
}

static int open_job(struct transfer *t, const struct pinfs_dma_start *start,
		    int device)
{
	struct dma_options opt = {
		.engine = start->engine,
		.direction = t->direction,
		.depth = start->depth ? start->depth : DEFAULT_DEPTH,
		.chunk = start->chunk ? start->chunk : DEFAULT_CHUNK,
		.latency_ns = start->latency_ns,
		.jitter_ns = start->jitter_ns,
		.bandwidth = start->bandwidth,
		.fail_after = start->fail_after,
		.seed = start->seed,
	};
	struct dma_callbacks cb = { .progress = on_progress, .arg = t };

	if (start->engine != PINFS_ENGINE_IO_URING &&
	    start->engine != PINFS_ENGINE_AIO)
		return -EINVAL;
	/* The ring registers the claim's descriptor (L12). */
	return dma_open(&opt, device, fs_volume(t->fs)->pool->fd, &cb, &t->job);
}

static int begin_set(struct transfer *t, const struct pinfs_dma_start *start,
		     const struct layout_owner *owner)
{
	struct pinning_options opt = {
		.set = { .owner = *owner,
			 .direction = t->direction,
			 .engine = start->engine,
			 .cancel = on_cancel,
			 .cancel_arg = t },
		.waiting = on_waiting,
		.arg = t,
	};

	if (start->flags & PINFS_DMA_NOWAIT)
		opt.set.flags |= PIN_NOWAIT;
	if (start->flags & PINFS_DMA_LONGTERM)
		opt.set.flags |= PIN_LONGTERM;
	return pinning_begin(t->fs, &opt, &t->pinning);
}

static int check_range(struct transfer *t)
{
	struct stat st;
	int err = fs_getattr(t->fs, fs_node(t->ip), &st);

	if (err)
		return err;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (t->offset > MAX_SIZE ||
	    (!t->until_end && t->length > MAX_SIZE - t->offset))
		return -EFBIG;
	if (t->direction == PINFS_FROM_DEVICE)
		return t->until_end || t->length > 0 ? 0 : -EINVAL;
	if (t->until_end)
		return -EINVAL;
	if (t->length == 0 || t->offset + t->length > (uint64_t)st.st_size)
		return -ENXIO;
	return 0;
}

int transfer_new(struct fs *fs, struct inode *ip,
		 enum pinfs_direction direction,
		 const struct pinfs_dma_start *start, int device,
		 const struct layout_owner *owner,
		 const struct transfer_events *events, struct transfer **out)
{
	struct transfer *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->fs = fs;
	t->ip = ip;
	t->events = *events;
	t->direction = direction;
	t->offset = start->offset;
	t->length = start->length;
	t->device_offset = start->device_offset;
	t->until_end = start->flags & PINFS_DMA_ALL;
	err = check_range(t);
	if (!err)
		err = open_job(t, start, device);
	if (!err)
		err = begin_set(t, start, owner);
	if (err)
		goto err_transfer;
	inode_hold(ip);
	*out = t;
	return 0;

err_transfer:
	dma_close(t->job);
	free(t);
	return err;
}

uint64_t transfer_id(const struct transfer *t)
{
	return pin_set_id(set_of(t));
}

void transfer_free(struct transfer *t)
{
	if (!t)
		return;
	/* The set last: who waits for its end closes the file system (L15). */
	pin_set_no_cancel(set_of(t));
	dma_close(t->job);
	inode_put(t->ip);
	pinning_end(t->pinning);
	free(t);
}

void transfer_cancel(struct transfer *t)
{
	pin_set_cancel_own(set_of(t));
}

/* --- segments ------------------------------------------------------------ */

struct segments {
	struct dma_segment *seg;
	size_t count, room;
};

static int add_segment(struct segments *s, void *mem, uint64_t length)
{
	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 16;
		struct dma_segment *seg = realloc(s->seg, room * sizeof(*seg));

		if (!seg)
			return -ENOMEM;
		s->seg = seg;
		s->room = room;
	}
	s->seg[s->count++] = (struct dma_segment){ mem, length };
	return 0;
}

/* add_hole - zeroes for a device to read */
static int add_hole(struct segments *s, uint64_t bytes)
{
	int err = 0;

	while (bytes > 0 && !err) {
		uint64_t n = min_u64(bytes, sizeof(zeroes));

		err = add_segment(s, (void *)(uintptr_t)zeroes, n);
		bytes -= n;
	}
	return err;
}

/* build_segments - memory for [off, end), of which runs are pinned */
static int build_segments(struct transfer *t, const struct pinned_run *run,
			  size_t nruns, uint64_t off, uint64_t end,
			  struct segments *s)
{
	int err = 0;

	for (size_t i = 0; i < nruns && !err; i++) {
		uint64_t start = run[i].lblk << PINFS_BLOCK_SHIFT;
		uint64_t stop = (run[i].lblk + run[i].count)
				<< PINFS_BLOCK_SHIFT;
		uint8_t *mem = volume_block(t->ip->vol, run[i].pblk);

		if (start > off)
			err = add_hole(s, start - off);
		off = max_u64(off, start);
		stop = min_u64(stop, end);
		if (!err)
			err = add_segment(s, mem + (off - start), stop - off);
		off = stop;
	}
	if (!err && off < end)
		err = add_hole(s, end - off);
	return err;
}

/* --- running ------------------------------------------------------------- */

/*
 * prepare - have [off, off + len) admitted, and mapped for what the device does
 *
 * While it waited the file may have become shorter; now it can't.
 */
static int prepare(struct transfer *t, uint64_t off, uint64_t len)
{
	int err = pinning_admit(t->pinning, t->ip, off, len);

	if (!err && !t->until_end)
		err = check_range(t);
	if (!err && t->direction == PINFS_FROM_DEVICE)
		err = fs_dma_prepare(t->fs, t->ip, off, len);
	return err;
}

/* move - pin [off, off + len), transfer it, and have it be the file's */
static int move(struct transfer *t, uint64_t off, uint64_t len, uint64_t *moved)
{
	uint64_t first = off >> PINFS_BLOCK_SHIFT;
	uint64_t last = div_round_up(off + len, PINFS_BLOCK_SIZE);
	const struct pinned_run *runs = NULL;
	struct segments s = { 0 };
	size_t nruns;
	int err, finish;

	*moved = 0;
	err = prepare(t, off, len);
	if (!err)
		err = layout_pin(set_of(t), t->ip, first, last - first, &runs,
				 &nruns);
	if (!err)
		err = build_segments(t, runs, nruns, off, off + len, &s);
	if (err)
		goto out_free;
	if (t->done == 0 && t->events.started)
		t->events.started(t->events.arg, pin_set_id(set_of(t)));
	err = dma_run(t->job, s.seg, s.count, t->device_offset + t->done,
		      moved);
	if (t->direction == PINFS_FROM_DEVICE) {
		finish = fs_dma_finish(t->fs, t->ip, off, len, off + *moved);
		err = err ? err : finish;
	}
out_free:
	free(s.seg);
	return err;
}

/* next_window - up to a block's end, so that no two windows share a block */
static uint64_t next_window(const struct transfer *t)
{
	uint64_t at = t->offset + t->done;
	uint64_t len = min_u64(max_u64(t->done, WINDOW_LEAST), WINDOW_MOST);

	len = round_down_u64(len, PINFS_BLOCK_SIZE) - at % PINFS_BLOCK_SIZE;
	return min_u64(len, MAX_SIZE - at);
}

/*
 * move_window - as much of *len as there is space for
 *
 * Nobody knows yet whether the device has more than fits.
 */
static int move_window(struct transfer *t, uint64_t *len, uint64_t *moved)
{
	uint64_t at = t->offset + t->done, end;
	int err = move(t, at, *len, moved);

	while (err == -ENOSPC && *moved == 0 && *len > PINFS_BLOCK_SIZE) {
		end = round_down_u64(at + *len / 2, PINFS_BLOCK_SIZE);
		if (end <= at)
			end = round_down_u64(at, PINFS_BLOCK_SIZE) +
			      PINFS_BLOCK_SIZE;
		*len = end - at;
		err = move(t, at, *len, moved);
	}
	return err;
}

static int move_until_end(struct transfer *t)
{
	uint64_t len, moved;
	int err;

	do {
		len = next_window(t);
		if (len == 0)
			return 0;
		err = move_window(t, &len, &moved);
		t->done += moved;
		pin_set_progress(set_of(t), t->done);
	} while (!err && moved == len);
	return err;
}

static int move_all(struct transfer *t)
{
	int err;

	if (t->until_end)
		return move_until_end(t);
	err = move(t, t->offset, t->length, &t->done);
	pin_set_progress(set_of(t), t->done);
	return err;
}

int transfer_run(struct transfer *t, uint64_t *done)
{
	int err = pinning_write_back(t->pinning, t->ip, 0);

	if (!err)
		err = move_all(t);
	/*
	 * The kernel has let go of the memory: the pins end, and a break that
	 * waits goes on (L8, L11). Only then the page cache, which for dirty
	 * pages may have to wait for that very break; the set counts as ended,
	 * and its owner hears of it, when that is over (C2).
	 */
	pin_set_unpin(set_of(t));
	if (t->direction == PINFS_FROM_DEVICE && t->done > 0)
		fs_invalidate(t->fs, t->ip, t->offset, t->done);
	fs_dma_account(t->fs, t->direction, t->done, err);
	*done = t->done;
	return err;
}
