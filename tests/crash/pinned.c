// SPDX-License-Identifier: BSD-3-Clause
/*
 * Workloads with a device: it has pinned blocks of a file (L1) and stores into
 * them, flushed by nobody, while a layout change of the file waits (L3) or its
 * name goes (L10), and other files take blocks. Then all has arrived, the pins
 * end, and what waited runs.
 */
#include <errno.h>
#include <semaphore.h>
#include <string.h>

#include "base/omit.h"
#include "base/util.h"
#include "inode/change.h"
#include "record.h"
#include "transfer/pinning.h"
#include "work.h"

#define BLOCK PINFS_BLOCK_SIZE

#define PATH "d1/b"

/* What is pinned: data, a hole, data again, and a block behind the end. */
#define LEN (3 * BLOCK + 1000)

static struct {
	struct inode *ip;
	struct pinning *p;
	const struct pinned_run *run;
	size_t runs;
	uint64_t node;
	uint64_t len; /* bytes from the file's beginning that are pinned */
	uint64_t end; /* of what arrives */
	struct fs_change change;
	bool asked;
	sem_t over;
	int err;
} dev;

struct state_dma pinned_dma(void)
{
	return (struct state_dma){
		.node = dev.node, .from = 0, .to = dev.len, .end = dev.end
	};
}

static struct record *record_of(struct fs *fs)
{
	return fs_volume(fs)->pool->persist_arg;
}

/* do_ahead - the blocks, before they are made data: the first half of a pin */
static int do_ahead(struct fs *fs, const struct work_op *op)
{
	struct journal *j = fs_volume(fs)->journal;
	unsigned int guard;
	int err = work_find(fs, op->path, &dev.node);

	dev.len = op->len;
	memset(&dev.change, 0, sizeof(dev.change));
	dev.asked = false;
	if (!err)
		err = fs_inode(fs, dev.node, &dev.ip);
	if (err)
		return err;
	guard = journal_enter(j);
	pthread_rwlock_wrlock(&dev.ip->lock);
	err = inode_allocate(dev.ip, 0, div_round_up(op->len, BLOCK));
	pthread_rwlock_unlock(&dev.ip->lock);
	journal_leave(j, guard);
	return err;
}

static int do_pin(struct fs *fs, const struct work_op *op)
{
	const struct pinning_options opt = {
		.set = { .owner = { .pid = 1 },
			 .direction = PINFS_FROM_DEVICE,
			 .engine = PINFS_ENGINE_CLIENT },
	};
	int err = pinning_begin(fs, &opt, &dev.p);

	if (!err)
		err = pinning_admit(dev.p, dev.ip, 0, op->len);
	if (!err)
		err = fs_dma_prepare(fs, dev.ip, 0, op->len);
	if (!err)
		err = layout_pin(pinning_set(dev.p), dev.ip, 0,
				 div_round_up(op->len, BLOCK), &dev.run,
				 &dev.runs);
	record_note(record_of(fs), EVENT_PINNED);
	return err;
}

/* place_of - where in the pool a byte of the file has been pinned */
static size_t place_of(uint64_t off)
{
	for (size_t i = 0; i < dev.runs; i++) {
		uint64_t first = dev.run[i].lblk * BLOCK;

		if (off >= first && off < first + dev.run[i].count * BLOCK)
			return dev.run[i].pblk * BLOCK + (off - first);
	}
	die("nothing is pinned at %llu", (unsigned long long)off);
}

/* do_store - the device's, a part of each block that it has pinned */
static int do_store(struct fs *fs, const struct work_op *op)
{
	uint8_t bytes[150];

	memset(bytes, (int)(0xf0 + op->arg), sizeof(bytes));
	for (uint64_t at = op->off; at < dev.len; at += BLOCK)
		record_device(record_of(fs), place_of(at), bytes, op->len);
	return 0;
}

static void change_over(struct fs_change *ch, int err)
{
	(void)ch;
	dev.err = err;
	sem_post(&dev.over);
}

/* do_ask - for a change that has to wait for the pins */
static int do_ask(struct fs *fs, const struct work_op *op)
{
	int err;

	dev.change = (struct fs_change){
		.kind = (enum pinfs_change)op->arg,
		.offset = op->off,
		.length = op->len,
		.flags = op->to ? FS_CHANGE_KEEP_SIZE : 0,
		.done = change_over,
	};
	err = fs_change_init(fs, dev.node, &dev.change);
	if (err)
		return err;
	sem_init(&dev.over, 0, 0);
	dev.asked = true;
	fs_change_start(&dev.change);
	/* That it waits is L3. */
	return layout_has_break(dev.ip) || omission_asked("L1") ? 0 : -EIO;
}

/* do_arrive - all that the device is to store, up to len, is there */
static int do_arrive(struct fs *fs, const struct work_op *op)
{
	dev.end = min_u64(op->len, dev.len);
	return fs_dma_finish(fs, dev.ip, 0, dev.len, dev.end);
}

static int do_unpin(struct fs *fs, const struct work_op *op)
{
	int err = 0;

	(void)op;
	record_note(record_of(fs), EVENT_UNPINNED);
	pin_set_unpin(pinning_set(dev.p));
	if (dev.asked) {
		while (sem_wait(&dev.over))
			;
		sem_destroy(&dev.over);
		err = dev.err;
	}
	pinning_end(dev.p);
	inode_put(dev.ip);
	return err;
}

static const struct work_op ahead = { "ahead", do_ahead, PATH, NULL,
				      0,       LEN,	 0,    0 };
static const struct work_op pin = { "pin", do_pin, PATH, NULL,
				    0,	   LEN,	   0,	 WORK_PINS };
static const struct work_op store[] = {
	{ "store", do_store, NULL, NULL, 0, 64, 1, WORK_QUIET },
	{ "store", do_store, NULL, NULL, 60, 20, 2, WORK_QUIET },
	{ "store", do_store, NULL, NULL, 900, 100, 3, WORK_QUIET },
};
static const struct work_op creat_c = { "creat", do_create, "d1/c", NULL,
					0,	 0,	    0,	    0 };
static const struct work_op write_c = WRITE("write", "d1/c", 0, 3 * BLOCK, 9);
static const struct work_op grow_c =
	WRITE("write", "d1/c", 3 * BLOCK, 2 * BLOCK, 30);
static const struct work_op sync_c = { "fsync", do_fsync, "d1/c", NULL,
				       0,	0,	  0,	  WORK_SYNCS };
static const struct work_op arrive = {
	"arrive", do_arrive, NULL, NULL, 0, LEN, 0, WORK_ARRIVES
};
static const struct work_op arrive_short = {
	"arrive", do_arrive, NULL, NULL, 0, 2 * BLOCK + 70, 0, WORK_ARRIVES
};
static const struct work_op unpin = {
	"unpin", do_unpin, NULL, NULL, 0, 0, 0, 0
};

#define ASK(what, keep, o, n, kind)                                  \
	{                                                            \
		what, do_ask, PATH, keep, o, n, PINFS_CHANGE_##kind, \
			WORK_QUIET                                   \
	}

static const struct work_op asked[] = {
	ASK("truncate-down", NULL, 5000, 0, TRUNCATE),
	ASK("truncate-0", NULL, 0, 0, TRUNCATE),
	ASK("truncate-up", NULL, 20000, 0, TRUNCATE),
	ASK("allocate", NULL, 0, 5 * BLOCK, ALLOCATE),
	ASK("allocate-keep", "", 4 * BLOCK, 2 * BLOCK, ALLOCATE),
	ASK("punch", NULL, 1000, 2 * BLOCK, PUNCH_HOLE),
	ASK("zero", NULL, 3000, 6000, ZERO_RANGE),
	ASK("collapse", NULL, 0, BLOCK, COLLAPSE_RANGE),
	ASK("insert", NULL, BLOCK, BLOCK, INSERT_RANGE),
	{ "unlink", do_unlink, PATH, NULL, 0, 0, 0, 0 },
	{ "rename-over", do_rename, "f", PATH, 0, 0, 0, 0 },
};

#define PINNED(i, arrival)                  \
	{                                   \
		.name = "pinned", .step = { \
			&ahead,             \
			&pin,               \
			&store[0],          \
			&asked[i],          \
			&creat_c,           \
			&write_c,           \
			&store[1],          \
			&sync_c,            \
			&grow_c,            \
			&store[2],          \
			arrival,            \
			&unpin,             \
		}                           \
	}

static const struct script pinned[] = {
	PINNED(0, &arrive),	  PINNED(1, &arrive),
	PINNED(2, &arrive),	  PINNED(3, &arrive),
	PINNED(4, &arrive),	  PINNED(5, &arrive),
	PINNED(6, &arrive),	  PINNED(7, &arrive),
	PINNED(8, &arrive),	  PINNED(9, &arrive),
	PINNED(10, &arrive),	  PINNED(1, &arrive_short),
	PINNED(2, &arrive_short), PINNED(9, &arrive_short),
};
const struct script_list scripts_pinned = {
	"changes of a file that a device has pinned",
	pinned,
	sizeof(pinned) / sizeof(pinned[0]),
};

/* --- scope range: what changes beside the pinned block does not wait -------------- */

static const struct work_op ahead_1 = { "ahead", do_ahead, PATH, NULL,
					0,	 BLOCK,	   0,	 0 };
static const struct work_op pin_1 = { "pin", do_pin, PATH, NULL,
				      0,     BLOCK,  0,	   WORK_PINS };
static const struct work_op beside[] = {
	CHANGE("truncate-down", PATH, 5000, 0, TRUNCATE),
	CHANGE("truncate-up", PATH, 20000, 0, TRUNCATE),
	CHANGE("allocate", PATH, 0, 5 * BLOCK, ALLOCATE),
	CHANGE("punch", PATH, 5000, 2 * BLOCK, PUNCH_HOLE),
	CHANGE("zero", PATH, 5000, 6000, ZERO_RANGE),
	CHANGE("collapse", PATH, BLOCK, BLOCK, COLLAPSE_RANGE),
	CHANGE("insert", PATH, BLOCK, BLOCK, INSERT_RANGE),
};

#define BESIDE(i)                                         \
	{                                                 \
		.name = "range", .range = true, .step = { \
			&ahead_1,                         \
			&pin_1,                           \
			&store[0],                        \
			&beside[i],                       \
			&creat_c,                         \
			&write_c,                         \
			&store[1],                        \
			&sync_c,                          \
			&grow_c,                          \
			&store[2],                        \
			&arrive,                          \
			&unpin,                           \
		}                                         \
	}

static const struct script range[] = { BESIDE(0), BESIDE(1), BESIDE(2),
				       BESIDE(3), BESIDE(4), BESIDE(5),
				       BESIDE(6) };
const struct script_list scripts_range = {
	"changes beside what a device has pinned",
	range,
	sizeof(range) / sizeof(range[0]),
};
