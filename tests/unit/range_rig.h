/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of scope range share, on top of the layout protocol's. */
#ifndef PINFS_TEST_RANGE_RIG_H
#define PINFS_TEST_RANGE_RIG_H

#include "layout_rig.h"

/* As ck_assert(), which costs a system call also when all is well. */
#define must(cond)                                      \
	do {                                            \
		if (!(cond))                            \
			ck_abort_msg("not: %s", #cond); \
	} while (0)

void range_setup(struct rig *r);

/* range_claim - what layout_admit() says of this range */
int range_claim(struct pin_set *set, struct inode *ip, uint64_t first,
		uint64_t count, struct rig_wait *w);

/* range_pin - claimed without a wait, and pinned */
void range_pin(struct pin_set *set, struct inode *ip, uint64_t first,
	       uint64_t count);

/* range_hold - a set that has pinned that */
struct pin_set *range_hold(struct rig *r, struct inode *ip, uint64_t first,
			   uint64_t count);

/* range_begin_to_device - one that leaves holes out */
struct pin_set *range_begin_to_device(struct rig *r);

/* range_break - ask for a change of [first, end); true if it was over at once */
bool range_break(struct rig *r, struct rig_break *b, struct inode *ip,
		 uint64_t first, uint64_t end);

/* range_break_waits - asked for, and it has not run, nor will it */
void range_break_waits(struct rig *r, struct rig_break *b, struct inode *ip,
		       uint64_t first, uint64_t end);

/* range_break_runs - at once, whatever else is pinned; and it is over */
void range_break_runs(struct rig *r, struct inode *ip, uint64_t first,
		      uint64_t end);

/* range_break_over - await its end, which must be this one */
void range_break_over(struct rig_break *b, int err);

/* range_block - of the pool, that a file's block is; 0: a hole */
uint64_t range_block(struct inode *ip, uint64_t lblk);

/* --- a real change ------------------------------------------------------------ */

struct range_change {
	struct fs_change ch;
	struct gate over;
	int err;
};

/* range_change_init - not asked for yet */
void range_change_init(struct rig *r, struct range_change *c, unsigned int file,
		       enum pinfs_change kind, uint64_t off, uint64_t len);

/* range_change - ask for it; true if it was over at once */
bool range_change(struct rig *r, struct range_change *c, unsigned int file,
		  enum pinfs_change kind, uint64_t off, uint64_t len);

#endif
