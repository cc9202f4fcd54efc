/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a DMA of the daemon (transfer.h) and a client's pin set (client.h) have
 * in common: a pin set whose owner waits for what it needs on its own thread,
 * and can be called off there.
 *
 *   begin -> write a file back (C1) -> be admitted to a range of it -> ... -> end
 *
 * One thread at a time drives it; pinning_stop() comes from any.
 */
#ifndef PINFS_PINNING_H
#define PINFS_PINNING_H

#include "fs/fs.h"

struct pinning;

struct pinning_options {
	struct pin_options set;
	/* Called when admission has to wait behind a break; may be NULL. */
	void (*waiting)(void *arg);
	void *arg;
	/*
	 * Runs fn(arg) on a thread of its own, before the file system closes;
	 * -EAGAIN. With it the kernel's part in an invalidation is waited for,
	 * and the wait can be stopped; without (NULL) it is done on the spot.
	 */
	int (*spawn)(void *spawn_arg, void (*fn)(void *arg), void *arg);
	void *spawn_arg;
};

/* pinning_begin - what pin_set_begin() says, or -ENOMEM */
int pinning_begin(struct fs *fs, const struct pinning_options *opt,
		  struct pinning **out);

struct pin_set *pinning_set(struct pinning *p);

/*
 * pinning_write_back - C1: what was written before is in the blocks, and the
 *                      kernel's pages are gone
 * @limit_ns: wait no longer than that, 0: as long as it takes
 *
 * Before admission: to write dirty pages back the kernel may have to wait for a
 * truncate, which must not have to wait for us. Who has pins elsewhere has to
 * set a limit, since the truncate may wait for those (L5). -EAGAIN: would have
 * to wait behind a break, and is not to; -EDEADLK: the limit has passed; what
 * pinning_stop() said; -ENOMEM.
 */
int pinning_write_back(struct pinning *p, struct inode *ip, uint64_t limit_ns);

/*
 * pinning_admit - have the blocks of [off, off + len) stay where they are
 *
 * What layout_admit() says, or what pinning_stop() said; waits for its turn.
 */
int pinning_admit(struct pinning *p, struct inode *ip, uint64_t off,
		  uint64_t len);

/*
 * pinning_stop - who waits, or is about to, gets err
 *
 * -EINTR can be taken back with pinning_resume(); -ECANCELED lasts.
 */
void pinning_stop(struct pinning *p, int err);

/* pinning_resume - an -EINTR is over; returns the error that still stands */
int pinning_resume(struct pinning *p);

/* struct pinning_span - bytes of a file, len 0: to its end */
struct pinning_span {
	struct inode *ip;
	uint64_t off;
	uint64_t len;
};

/*
 * pinning_drop_pages - C2: the kernel's pages of these go, after the pins have
 *
 * 0; -EDEADLK: the limit has passed; what pinning_stop() said: then they go
 * without anybody waiting, and the set lives until they have.
 */
int pinning_drop_pages(struct pinning *p, const struct pinning_span *span,
		       size_t count, uint64_t limit_ns);

/* pinning_end - unpins if need be; the cancel function runs no more */
void pinning_end(struct pinning *p);

#endif
