// SPDX-License-Identifier: BSD-3-Clause
#include "transfer/client.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "transfer/pinning.h"

#define MAX_SIZE ((uint64_t)INT64_MAX)

/*
 * How long a set with pins waits for the kernel to write a file back. It has
 * to give up some time, as the kernel may wait for a truncate, and that for the
 * set's own pins (L5).
 */
#define WRITE_BACK_NS NSEC_PER_SEC

/*
 * The same at its end: the truncate may wait for another set of the client that
 * waits here.
 */
#define DROP_PAGES_NS (10 * NSEC_PER_SEC)

/* struct client_file - what a set has pinned of one file */
struct client_file {
	struct client_file *next;
	struct inode *ip;
	uint64_t first; /* bytes: all ranges are in [first, end) */
	uint64_t end;
};

/* struct client_range - one extend's, its blocks as layout_pin() gave them */
struct client_range {
	struct client_file *file;
	uint64_t off; /* bytes */
	uint64_t len;
	uint64_t extents; /* of all ranges before it */
	const struct pinned_run *run;
	size_t nruns;
};

struct client {
	struct fs *fs;
	struct pinning *pinning;
	enum pinfs_direction direction;
	struct client_file *files;
	struct client_range *range;
	size_t count, room;
	size_t nfiles;
};

/* --- beginning ------------------------------------------------------------ */

/* cancel_set - pin_set_cancel() calls it: all that can be stopped is a wait */
static void cancel_set(void *arg)
{
	client_stop(arg);
}

int client_new(struct fs *fs, const struct client_options *opt,
	       struct client **out)
{
	struct client *c = calloc(1, sizeof(*c));
	struct pinning_options popt = {
		.set = { .owner = opt->owner,
			 .direction = opt->direction,
			 .engine = PINFS_ENGINE_CLIENT,
			 .flags = opt->flags,
			 .cancel = cancel_set,
			 .cancel_arg = c },
		.waiting = opt->waiting,
		.arg = opt->arg,
		.spawn = opt->spawn,
		.spawn_arg = opt->spawn_arg,
	};
	int err;

	if (!c)
		return -ENOMEM;
	c->fs = fs;
	c->direction = opt->direction;
	err = pinning_begin(fs, &popt, &c->pinning);
	if (err) {
		free(c);
		return err;
	}
	*out = c;
	return 0;
}

uint64_t client_id(const struct client *c)
{
	return pin_set_id(pinning_set(c->pinning));
}

enum pinfs_direction client_direction(const struct client *c)
{
	return c->direction;
}

void client_interrupt(struct client *c)
{
	pinning_stop(c->pinning, -EINTR);
}

void client_stop(struct client *c)
{
	pinning_stop(c->pinning, -ECANCELED);
}

void client_resume(struct client *c)
{
	pinning_resume(c->pinning);
}

/* --- extending ------------------------------------------------------------ */

static int check_range(struct client *c, struct inode *ip, uint64_t off,
		       uint64_t len)
{
	struct stat st;
	int err = fs_getattr(c->fs, fs_node(ip), &st);

	if (err)
		return err;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (len == 0)
		return -EINVAL;
	if (off > MAX_SIZE || len > MAX_SIZE - off)
		return -EFBIG;
	if (c->direction == PINFS_TO_DEVICE && off + len > (uint64_t)st.st_size)
		return -ENXIO;
	return 0;
}

static struct client_file *find_file(const struct client *c,
				     const struct inode *ip)
{
	struct client_file *f = c->files;

	while (f && f->ip != ip)
		f = f->next;
	return f;
}

static int make_room(struct client *c)
{
	size_t room = c->room ? 2 * c->room : 4;
	struct client_range *range;

	if (c->count == CLIENT_RANGES_MAX)
		return -E2BIG;
	if (c->count < c->room)
		return 0;
	range = realloc(c->range, room * sizeof(*range));
	if (!range)
		return -ENOMEM;
	c->range = range;
	c->room = room;
	return 0;
}

/*
 * write_back - C1 speaks of what was written before the set began: once a file
 *
 * Later on there are pins, and a truncate that waits for them keeps the file's
 * dirty pages from being written.
 */
static int write_back(struct client *c, struct inode *ip)
{
	if (find_file(c, ip))
		return 0;
	return pinning_write_back(c->pinning, ip,
				  c->count > 0 ? WRITE_BACK_NS : 0);
}

/* pin - while it waited the file may have become shorter; now it can't */
static int pin(struct client *c, struct inode *ip, struct client_range *r)
{
	uint64_t first = r->off >> PINFS_BLOCK_SHIFT;
	uint64_t last = div_round_up(r->off + r->len, PINFS_BLOCK_SIZE);
	int err = check_range(c, ip, r->off, r->len);

	if (!err && c->direction == PINFS_FROM_DEVICE)
		err = fs_dma_prepare(c->fs, ip, r->off, r->len);
	if (!err)
		err = layout_pin(pinning_set(c->pinning), ip, first,
				 last - first, &r->run, &r->nruns);
	return err;
}

static void retract(struct client *c, struct inode *ip, uint64_t off,
		    uint64_t len)
{
	uint64_t first = off >> PINFS_BLOCK_SHIFT;
	uint64_t last = div_round_up(off + len, PINFS_BLOCK_SIZE);

	layout_retract(pinning_set(c->pinning), ip, first, last - first);
}

/* remember - the range is the set's; f is new if it was not known */
static void remember(struct client *c, struct client_file *f,
		     const struct client_range *r)
{
	const struct client_range *before;
	struct client_range *at = &c->range[c->count];

	*at = *r;
	at->file = f;
	at->extents = 0;
	if (c->count > 0) {
		before = at - 1;
		at->extents = before->extents + before->nruns;
	}
	f->first = min_u64(f->first, r->off);
	f->end = max_u64(f->end, r->off + r->len);
	c->count++;
}

static struct client_file *new_file(struct client *c, struct inode *ip)
{
	struct client_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->ip = inode_hold(ip);
	f->first = UINT64_MAX;
	f->next = c->files;
	c->files = f;
	c->nfiles++;
	return f;
}

/* file_of - the set's of this inode; the newest goes again with drop_file() */
static struct client_file *file_of(struct client *c, struct inode *ip)
{
	struct client_file *f = find_file(c, ip);

	return f ? f : new_file(c, ip);
}

static void drop_file(struct client *c)
{
	struct client_file *f = c->files;

	c->files = f->next;
	c->nfiles--;
	inode_put(f->ip);
	free(f);
}

int client_extend(struct client *c, struct inode *ip, uint64_t off,
		  uint64_t len, uint64_t *from)
{
	struct client_range r = { .off = off, .len = len };
	struct client_file *f;
	int err;

	err = check_range(c, ip, off, len);
	if (!err)
		err = make_room(c);
	if (err)
		return err;
	err = write_back(c, ip);
	if (err)
		goto err_retract;
	f = file_of(c, ip);
	err = f ? pinning_admit(c->pinning, ip, off, len) : -ENOMEM;
	if (!err)
		err = pin(c, ip, &r);
	if (err)
		goto err_file;
	remember(c, f, &r);
	*from = c->range[c->count - 1].extents;
	return 0;

err_file:
	if (f && f->end == 0) /* it has no range: new */
		drop_file(c);
err_retract:
	retract(c, ip, off, len);
	return err;
}

/* --- looking -------------------------------------------------------------- */

/* range_at - the one that has extent number from; c->count if none has */
static size_t range_at(const struct client *c, uint64_t from)
{
	size_t low = 0, high = c->count;

	while (low < high) { /* the first that does not end before */
		size_t mid = low + (high - low) / 2;

		if (c->range[mid].extents + c->range[mid].nruns <= from)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* extent_of - a run as far as the range asks for it, in bytes */
static struct pinfs_ioc_pinned extent_of(const struct client_range *r,
					 const struct pinned_run *run)
{
	uint64_t first = run->lblk << PINFS_BLOCK_SHIFT;
	uint64_t end = (run->lblk + run->count) << PINFS_BLOCK_SHIFT;
	uint64_t at = max_u64(first, r->off);

	return (struct pinfs_ioc_pinned){
		.logical = at,
		.physical = (run->pblk << PINFS_BLOCK_SHIFT) + (at - first),
		.length = min_u64(end, r->off + r->len) - at,
	};
}

size_t client_extents(const struct client *c, uint64_t *from,
		      struct pinfs_ioc_pinned *ext, size_t count)
{
	size_t i = range_at(c, *from), n = 0;

	for (; i < c->count && n < count; i++) {
		const struct client_range *r = &c->range[i];

		while (*from < r->extents + r->nruns && n < count)
			ext[n++] =
				extent_of(r, &r->run[(*from)++ - r->extents]);
	}
	return n;
}

/* --- the end -------------------------------------------------------------- */

/* finish - what has arrived is the files', with the pins still there */
static int finish(struct client *c, uint64_t end, uint64_t *bytes)
{
	int err = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct client_range *r = &c->range[i];
		uint64_t to = r->off + r->len;
		int e = 0;

		if (c->direction == PINFS_FROM_DEVICE) {
			to = max_u64(r->off, min_u64(to, end));
			e = fs_dma_finish(c->fs, r->file->ip, r->off, r->len,
					  to);
		}
		*bytes += to - r->off;
		err = err ? err : e;
	}
	return err;
}

/*
 * drop_pages - C2, after the pins have ended, as in transfer_run()
 *
 * Of each file the least span that has all ranges.
 */
static int drop_pages(struct client *c)
{
	struct pinning_span *span = calloc(c->nfiles, sizeof(*span));
	size_t n = 0;
	int err = 0;

	for (struct client_file *f = c->files; f; f = f->next) {
		struct pinning_span s = { f->ip, f->first, f->end - f->first };

		if (span)
			span[n++] = s;
		else
			err = pinning_drop_pages(c->pinning, &s, 1,
						 DROP_PAGES_NS);
	}
	if (span)
		err = pinning_drop_pages(c->pinning, span, n, DROP_PAGES_NS);
	free(span);
	return err;
}

int client_unpin(struct client *c, uint64_t end, int why)
{
	uint64_t bytes = 0;
	int err = finish(c, end, &bytes);

	pin_set_unpin(pinning_set(c->pinning)); /* L8, L11 */
	fs_dma_account(c->fs, c->direction, why ? 0 : bytes, why ? why : err);
	return err;
}

int client_end(struct client *c, uint64_t end, int why)
{
	int err = client_unpin(c, end, why), dropped = 0;

	if (c->direction == PINFS_FROM_DEVICE && c->count > 0)
		dropped = drop_pages(c);
	return err ? err : dropped;
}

void client_free(struct client *c)
{
	while (c->files)
		drop_file(c);
	pinning_end(c->pinning);
	free(c->range);
	free(c);
}
