/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The layout protocol: pins, pin sets and breaks.
 *
 * A *pin set* is what one DMA request pins. It begins, is admitted to files,
 * pins ranges of them, and ends. A *break* is a layout change that has been
 * asked for: it runs when the file is idle. Both take a number from one global
 * sequence when they begin, and this order decides who waits for whom:
 *
 *   a pin set waits to be admitted to a file while a break with a smaller
 *   number is queued there (L4), never for one with a larger number (L5); for
 *   the short time that a break runs everybody waits, and a running break
 *   waits for nobody;
 *
 *   a break waits for the pin sets that have been admitted to its file, in
 *   scope range only for those that have claimed or pinned blocks that it
 *   unmaps or moves, and for the breaks ahead of it (L3, L4).
 *
 * So each wait leads to something that began earlier, and there is no circle.
 *
 * States of a break, and what makes the transitions:
 *
 *          layout_break(): idle              layout_break_done()
 *   NEW ---------------------------> RUNNING -------------------> DONE
 *    |                                  ^                          ^
 *    | layout_break(): busy             | advance(): the last that |
 *    v                                  | was in its way has gone  |
 *   WAITING ----------------------------+                          |
 *    |                                                             |
 *    +-- layout_break_cancel(), timer: EINTR, EBUSY (L7) ----------+
 *
 * and from RUNNING back to WAITING by layout_break_widen().
 *
 * States of a hold (what ties a pin set to one file):
 *
 *        layout_admit(): no older break        pin_set_unpin()
 *   NEW ---------------------------> ADMITTED ----------------> (gone)
 *    |                                  ^
 *    | layout_admit()                   | advance(): older breaks are done
 *    v                                  |
 *   QUEUED -----------------------------+
 *    +---- layout_admit_cancel() -> NEW
 *
 * In scope range an admitted set asks again for each range, and may have to wait
 * for a break that runs, but for none that waits (L5): it is older than those.
 *
 * A waiting break holds an inode handle and its place in the file's queue, and
 * nothing else: no lock, no thread (L6, L9).
 *
 * Locks: layout.lock (one a file) is taken inside inode->lock or alone; a
 * shard's (lists of layouts) before layout.lock; then pin_set.lock, and what a
 * cancel function takes, the timers', the work queue's, and the trace's. Nobody
 * takes an inode lock, or runs or answers anything, with layout.lock held. The
 * pins of one file take no lock that those of another take.
 */
#ifndef PINFS_LAYOUT_H
#define PINFS_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/timer.h"
#include "base/work.h"
#include "inode/inode.h"
#include "layout/trace.h"
#include "wire/pinfs_ioctl.h"

struct layouts;
struct layout;
struct pin_set;

/* struct layout_owner - for whom something is done, for people to read */
struct layout_owner {
	uint32_t pid;
	uint32_t uid;
	char comm[PINFS_COMM_LEN];
};

/* layout_owner_of - look up the command's name; pid 0 is the file system */
struct layout_owner layout_owner_of(uint32_t pid, uint32_t uid);

struct layout_options {
	uint64_t break_timeout_ns; /* 0: wait for ever (L14) */
	uint64_t break_warn_ns; /* 0: never warn */
	unsigned int workers; /* threads that run deferred changes, 1 or more */
	bool scope_range; /* L3: breaks wait for what they unmap or move only */
	/* Last known name of an inode, for messages; may be NULL. */
	void (*name_of)(struct volume *vol, uint64_t ino, char *buf,
			size_t size);
};

/* layouts_open - the protocol's state of one mounted volume */
int layouts_open(struct volume *vol, const struct layout_options *opt,
		 struct layouts **out);

/* layouts_drain_begin - refuse new pin sets */
void layouts_drain_begin(struct layouts *ls);

/*
 * layouts_drain - refuse new pin sets, wait until those that live have ended,
 *                 and the breaks that waited for them too (L15)
 */
void layouts_drain(struct layouts *ls);

/* layouts_close - drained, and all inodes put; NULL is fine */
void layouts_close(struct layouts *ls);

bool layouts_scope_is_range(const struct layouts *ls);

/* layouts_trace - the event stream */
struct trace *layouts_trace(struct layouts *ls);

/*
 * layouts_omit_l11 - are a client's pins to end when a descriptor is closed,
 *                    whatever else keeps the file open? Only in tests (omit.h)
 */
bool layouts_omit_l11(const struct layouts *ls);

/* layouts_work - the queue of the threads that run what was deferred */
struct work_queue *layouts_work(struct layouts *ls);

/*
 * --- pin sets ------------------------------------------------------------
 *
 * A set is driven by one thread at a time; pin_set_cancel() and the listings
 * come from any.
 */

#define PIN_LONGTERM 1u /* refused with -EOPNOTSUPP (L13) */
#define PIN_NOWAIT   2u /* -EAGAIN rather than waiting behind a break */

struct pin_options {
	struct layout_owner owner;
	enum pinfs_direction direction;
	enum pinfs_engine engine;
	unsigned int flags; /* PIN_* */
	/* Called when it is cancelled, under the set's lock; may be NULL. */
	void (*cancel)(void *arg);
	void *cancel_arg;
};

/*
 * pin_set_begin - a new pin set; it has its place in the global order from here
 *
 * -EOPNOTSUPP for long-term pins, -ESHUTDOWN while the mount drains, -ENOMEM.
 */
int pin_set_begin(struct layouts *ls, const struct pin_options *opt,
		  struct pin_set **out);

uint64_t pin_set_id(const struct pin_set *set);

/*
 * pin_set_announce - have listings of ip show the set, before it is admitted
 *
 * For who has something to do in between that may take its time. -ENOMEM.
 */
int pin_set_announce(struct pin_set *set, struct inode *ip);

/*
 * struct admission - a pin set that wants to be admitted to a file
 *
 * The caller's, until layout_admit() returned anything but -EINPROGRESS or
 * granted() was called, which is on a work queue's thread, no lock held.
 */
struct admission {
	struct work work;
	void (*granted)(struct admission *a);
	struct pin_set *set;
	struct hold *hold;
	struct pin_range *range;
	struct list_head node; /* layout.lock */
};

/*
 * layout_admit - from 0 on blocks [first, first + count) of the file stay where
 * they are until the set ends; in scope file, the whole file does
 *
 * 0: admitted; -EINPROGRESS: queued behind a break, granted() will be called;
 * -EAGAIN: it would have been, and PIN_NOWAIT is set; -EALREADY: the set is in
 * the queue, with another admission; -EINVAL: count is 0; -ENOMEM.
 */
int layout_admit(struct pin_set *set, struct inode *ip, uint64_t first,
		 uint64_t count, struct admission *a);

/*
 * layout_refuses - would layout_admit() say -EAGAIN now?
 *
 * For who has something to do before admission, and better does not begin.
 */
bool layout_refuses(struct pin_set *set, struct inode *ip);

/* layout_admit_cancel - true: it is not, and never will be granted */
bool layout_admit_cancel(struct admission *a);

/* struct pinned_run - blocks [pblk, pblk + count) hold file blocks lblk on */
struct pinned_run {
	uint64_t lblk;
	uint64_t pblk;
	uint64_t count;
};

/*
 * layout_pin - pin blocks [first, first + count) of a file; all or none (L2)
 * @runs: the blocks pinned, in file order; the set's, until it is unpinned
 *
 * The set has been admitted, in scope range with this very range. Resolves
 * offsets to blocks, counts each block's pins up, checks that the layout did
 * not change meanwhile, else counts down and starts over. Of a set that goes
 * to a device, holes and unwritten extents are left out: there is nothing to
 * be read. Of one from a device a hole is -ENXIO. Also -ENOMEM, -EUCLEAN,
 * -ESTALE (the file is gone), -EOVERFLOW for more pins of a block than can be
 * counted.
 */
int layout_pin(struct pin_set *set, struct inode *ip, uint64_t first,
	       uint64_t count, const struct pinned_run **runs, size_t *nruns);

/*
 * layout_retract - nothing was pinned of the range that layout_admit() let in
 *
 * Breaks need not wait for it any more, and of a file of which the set has
 * pinned nothing else, for the set. Also after layout_admit() has failed.
 */
void layout_retract(struct pin_set *set, struct inode *ip, uint64_t first,
		    uint64_t count);

/*
 * pin_set_unpin - end all pins, leave all files: the idle event (L8)
 *
 * The kernel has finished with the memory. The set is in no listing any more,
 * but keeps the mount from ending until pin_set_free(): its owner still has
 * pages to invalidate (C2).
 */
void pin_set_unpin(struct pin_set *set);

/* pin_set_no_cancel - the cancel function is not running, and will not again */
void pin_set_no_cancel(struct pin_set *set);

/* pin_set_free - unpins if need be; no admission is queued; NULL is fine */
void pin_set_free(struct pin_set *set);

/* pin_set_progress - for the listing: bytes transferred so far */
void pin_set_progress(struct pin_set *set, uint64_t done);

/* pin_set_cancel - have the set with this id cancelled; -ESRCH, -EPERM */
int pin_set_cancel(struct layouts *ls, uint64_t id, uint32_t uid, bool any);

/* pin_set_cancel_own - the same, by who has the set */
void pin_set_cancel_own(struct pin_set *set);

/* --- breaks -------------------------------------------------------------- */

enum layout_break_step {
	LAYOUT_BREAK_NEW,
	LAYOUT_BREAK_WAITING,
	LAYOUT_BREAK_RUNNING,
	LAYOUT_BREAK_DONE,
};

/*
 * struct layout_break - a layout change; a part of the caller's request
 *
 * Exactly one of run and fail is called, no lock held, and exactly once but for
 * layout_break_widen(); run ends with layout_break_done(), after which the caller
 * may free it, as it may at once in fail.
 */
struct layout_break {
	/* The caller's: */
	enum pinfs_change change;
	uint64_t offset; /* bytes; TRUNCATE: the new size */
	uint64_t length;
	uint64_t first; /* blocks [first, end) of the file are unmapped or */
	uint64_t end; /* moved, none if first == end; for scope range */
	struct layout_owner owner;
	bool no_wait; /* fail with -EBUSY rather than wait */
	void (*run)(struct layout_break *brk);
	void (*fail)(struct layout_break *brk, int err);
	/* The protocol's: */
	struct layouts *ls;
	struct inode *ip;
	struct layout *layout;
	enum layout_break_step step; /* layout.lock */
	int cancelled; /* layout.lock: to fail with, should it have to wait */
	uint64_t number;
	uint64_t asked_ns;
	uint64_t warn_after_ns; /* timer's thread only */
	struct list_head node; /* layout.lock: in the file's queue */
	bool waited; /* layout.lock: has it ever? */
	struct work work;
	struct timer timer;
	int err; /* how it ended */
};

/* layout_break_init - fill in the protocol's part; it can be cancelled now */
int layout_break_init(struct layout_break *brk, struct layouts *ls,
		      struct inode *ip);

/*
 * layout_break - ask for the change
 *
 * Calls run before it returns if the file is idle (L3); else the break waits,
 * without a thread (L9), and run is called on the work queue when the breaks
 * ahead of it are done and the last pin set has left (L8), or fail, with -EINTR
 * or -EBUSY, when it is cancelled or out of time (L7). With no_wait it is out of
 * time at once, and fail called before this returns. Do not touch brk after this.
 */
void layout_break(struct layout_break *brk);

/*
 * layout_break_widen - running, it turns out to unmap or move blocks [first, end)
 *
 * For a change that another one, or a write, has made a different one since it was
 * asked for; nothing has been changed yet, and no lock is held. Returns 0 if it goes
 * on; -EINPROGRESS if it has to wait: it keeps its place (L4), and run, or fail, is
 * called once more, so do not touch brk after this; -EBUSY or -EINTR if it must not
 * wait or was cancelled, to end with.
 */
int layout_break_widen(struct layout_break *brk, uint64_t first, uint64_t end);

/* layout_break_done - the change was made, or has failed; ip is unlocked */
void layout_break_done(struct layout_break *brk, int err);

/*
 * layout_break_cancel - have a break fail with err that waits, or is going to (L7)
 *
 * No effect on one that need not wait, as a signal is none on a local file system.
 * Any thread, from layout_break_init() until run or fail is over; fail is called on
 * the work queue.
 */
void layout_break_cancel(struct layout_break *brk, int err);

/* --- looking ------------------------------------------------------------- */

/* layout_is_pinned - has any pin set been admitted to the file? (L10) */
bool layout_is_pinned(struct inode *ip);

/* layout_has_break - is a break of the file queued? */
bool layout_has_break(struct inode *ip);

/* layout_count_pins - of blocks: how many are pinned, and their pins' sum */
void layout_count_pins(struct layouts *ls, uint64_t pblk, uint64_t count,
		       uint64_t *pinned, uint64_t *pins);

/* Listings, as PINFS_IOC_PINS and _BREAKS have them; ino 0: the whole mount */
void layout_list_pins(struct layouts *ls, uint64_t ino,
		      struct pinfs_ioc_pins *io);
void layout_list_breaks(struct layouts *ls, uint64_t ino,
			struct pinfs_ioc_breaks *io);

/* layout_stats - the protocol's counters; leaves the others alone */
void layout_stats(struct layouts *ls, struct pinfs_ioc_stats *st);

#endif
