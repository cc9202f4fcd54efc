/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client's pin set: the blocks are pinned here, the I/O is the client's own.
 *
 *   begin -> { write back (C1) -> be admitted -> prepare -> pin }... -> the
 *   client's I/O -> unpin -> invalidate (C2) -> end
 *
 * Whoever drives it sees to it that the end comes when the I/O is over, and not
 * before (L11).
 */
#ifndef PINFS_CLIENT_H
#define PINFS_CLIENT_H

#include "fs/fs.h"

/* Ranges of one set; one more is refused with -E2BIG. */
#define CLIENT_RANGES_MAX 65536u

struct client;

struct client_options {
	struct layout_owner owner;
	enum pinfs_direction direction;
	unsigned int flags; /* PIN_* */
	/* As struct pinning_options has them. */
	void (*waiting)(void *arg);
	void *arg;
	int (*spawn)(void *spawn_arg, void (*fn)(void *arg), void *arg);
	void *spawn_arg;
};

/* client_new - what pin_set_begin() says */
int client_new(struct fs *fs, const struct client_options *opt,
	       struct client **out);

uint64_t client_id(const struct client *c);
enum pinfs_direction client_direction(const struct client *c);

/*
 * client_extend - pin [off, off + len) of a file, too; all of it or nothing
 * @from: what client_extents() is to be given for what was pinned here
 *
 * On a thread that serves no request and holds no lock (C5); it may have to wait
 * for breaks that were asked for before the set began (L4), never for later
 * ones (L5). After an error the set is as it was before.
 *
 * -EINTR, -ECANCELED: as client_interrupt() and pin_set_cancel() have it
 * -EAGAIN: it would have to wait, and PIN_NOWAIT is set
 * -EDEADLK: the set has pins, and for a second the kernel has not written the
 *	file's pages back: something may hold it up that waits for those pins
 * -EINVAL, -EISDIR, -EFBIG, -ENXIO (to a device: past the end of file), -E2BIG,
 * -EROFS, -ENOSPC, -ESTALE, -ENOMEM
 */
int client_extend(struct client *c, struct inode *ip, uint64_t off,
		  uint64_t len, uint64_t *from);

/*
 * client_extents - what is pinned, in the order of the extends
 * @from: 0, or where to go on
 * @ext: room for count; holes of a file that goes to a device are left out
 *
 * Returns how many there are; 0: no more.
 */
size_t client_extents(const struct client *c, uint64_t *from,
		      struct pinfs_ioc_pinned *ext, size_t count);

/*
 * client_interrupt - an extend or end that waits returns -EINTR
 *
 * Any thread; holds until client_resume().
 */
void client_interrupt(struct client *c);
void client_resume(struct client *c);

/* client_stop - for good: an extend that waits, or will, returns -ECANCELED */
void client_stop(struct client *c);

/*
 * client_end - the I/O is over: end the pins
 * @end: from a device: offset in the file behind the last byte that has
 *       arrived, UINT64_MAX: all of every range
 * @why: 0, or why nothing is known of the I/O, for the statistics
 *
 * On a thread that serves no request and holds no lock (C5); once. The pins end
 * in any case; errors are those of the file's storage, and -EINTR, or -EDEADLK
 * after ten seconds: the kernel's pages of the ranges have not all gone yet.
 */
int client_end(struct client *c, uint64_t end, int why);

/* client_unpin - the same on any thread: the kernel's pages are left as they are */
int client_unpin(struct client *c, uint64_t end, int why);

/* client_free - it has ended; the mount may not, before its pages have gone */
void client_free(struct client *c);

#endif
