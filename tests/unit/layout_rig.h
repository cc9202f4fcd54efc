/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the layout protocol share: files, pin sets, breaks. */
#ifndef PINFS_TEST_LAYOUT_RIG_H
#define PINFS_TEST_LAYOUT_RIG_H

#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/timer.h"
#include "gate.h"
#include "layout/layout.h"
#include "scratch_fs.h"

#define RIG_WORKERS 2u
#define RIG_FILES   4u
#define RIG_BLOCKS  16u /* of each file, all data */

/* struct rig - an instance with some files, "f0" and so on */
struct rig {
	struct scratch_fs sf;
	struct layouts *ls;
	uint64_t node[RIG_FILES];
	struct inode *ip[RIG_FILES];
	struct rig_clock {
		struct timer timer;
		struct gate stopped, go;
	} clock;
};

void rig_setup(struct rig *r, const struct fs_options *opt);

/* rig_teardown - drains, and looks that nothing has been left behind */
void rig_teardown(struct rig *r);

/* rig_tick - the next number of the order in which things happen */
unsigned int rig_tick(void);

/* rig_settle - what has been posted to the workers so far has been done */
void rig_settle(struct rig *r);

/* rig_clock_stop - no break is out of time or named, until rig_clock_go() */
void rig_clock_stop(struct rig *r);
void rig_clock_go(struct rig *r);

struct pinfs_ioc_stats rig_stats(struct rig *r);

/* --- pin sets ------------------------------------------------------------ */

struct pin_set *rig_begin(struct rig *r, unsigned int flags);

/* rig_pin - admission without a wait, if need be, and pins */
void rig_pin(struct pin_set *set, struct inode *ip, uint64_t first,
	     uint64_t count);

/* rig_hold - a set that has all of a file pinned */
struct pin_set *rig_hold(struct rig *r, struct inode *ip);

/* struct rig_wait - a set that waits to be admitted */
struct rig_wait {
	struct admission a;
	struct gate granted;
	unsigned int tick; /* when it was */
};

/* rig_admit - what layout_admit() says */
int rig_admit(struct pin_set *set, struct inode *ip, struct rig_wait *w);

/* rig_admit_waiting - sleeps until it is admitted */
void rig_admit_waiting(struct pin_set *set, struct inode *ip);

/* --- breaks -------------------------------------------------------------- */

struct rig_break {
	struct layout_break brk;
	struct inode *ip;
	struct gate running; /* run has been called */
	struct gate go; /* awaited by run, if hold is set */
	struct gate over; /* it has run or failed */
	bool hold;
	bool was_pinned; /* run found a pin set there (L3) */
	pthread_t thread; /* that called run or fail */
	unsigned int tick; /* when it ran or failed */
	int err;
};

void rig_break_init(struct rig *r, struct rig_break *b, struct inode *ip);

/* rig_break - init and ask; true if it was over at once */
bool rig_break(struct rig *r, struct rig_break *b, struct inode *ip);

/* rig_break_ran - await its end, and that it was well */
void rig_break_ran(struct rig_break *b);

/* rig_add - a case of its own */
void rig_add(Suite *s, const char *name, const TTest *fn, int times);

int rig_main(Suite *s);

#endif
