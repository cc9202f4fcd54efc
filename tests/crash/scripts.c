// SPDX-License-Identifier: BSD-3-Clause
/* Workloads of more than a pair of operations, that begin with a state apart. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "record.h"
#include "work.h"

#define BLOCK PINFS_BLOCK_SIZE
#define LIST(what, list)                                                   \
	{                                                                  \
		what, list, (unsigned int)(sizeof(list) / sizeof(list[0])) \
	}

/* --- changes in several transactions ------------------------------------------ */

#define MANY 140u /* extents; a transaction takes 128 */

static int do_many(struct fs *fs, const struct work_op *op)
{
	int err = do_create(fs, op);

	for (unsigned int i = 0; i < MANY && !err; i++)
		work_fill(fs, op->path, 2 * i * BLOCK, BLOCK, 0);
	return err;
}

static const struct work_op many = { "many", do_many, "d3/many", NULL,
				     0,	     0,	      0,	 0 };
static const struct work_op fill =
	CHANGE("fill", "d3/many", 0, 2 * MANY * BLOCK, ALLOCATE);
static const struct work_op large_op[] = {
	CHANGE("truncate", "d3/many", 100, 0, TRUNCATE),
	CHANGE("punch", "d3/many", 100, 2 * (MANY - 1) * BLOCK, PUNCH_HOLE),
	CHANGE("zero", "d3/many", 100, 2 * (MANY - 1) * BLOCK, ZERO_RANGE),
	CHANGE("collapse", "d3/many", BLOCK, 2 * BLOCK, COLLAPSE_RANGE),
	CHANGE("insert", "d3/many", BLOCK, BLOCK, INSERT_RANGE),
	{ "unlink", do_unlink, "d3/many", NULL, 0, 0, 0, 0 },
};

static const struct work_op fill_op[] = {
	CHANGE("allocate", "d3/many", 0, (2 * MANY + 2) * BLOCK, ALLOCATE),
	CHANGE("zero-holes", "d3/many", 100, 2 * MANY * BLOCK, ZERO_RANGE),
};

#define HOLES(i)                                                    \
	{                                                           \
		.name = "holes", .before = 1, .slack = 2, .step = { \
			&many,                                      \
			&fill_op[i],                                \
		}                                                   \
	}
#define LARGE(i)                                        \
	{                                               \
		.name = "large", .before = 2, .step = { \
			&many,                          \
			&fill,                          \
			&large_op[i],                   \
		}                                       \
	}

static const struct script large[] = {
	LARGE(0), LARGE(1), LARGE(2), LARGE(3),
	LARGE(4), LARGE(5), HOLES(0), HOLES(1),
};
const struct script_list scripts_large = LIST("changes with an intent", large);

/* --- two descriptors of one file ------------------------------------------------ */

static struct fs_file *file[2];

static int do_open(struct fs *fs, const struct work_op *op)
{
	uint64_t node;
	int err = work_find(fs, op->path, &node);

	return err ? err : fs_file_open(fs, node, O_RDWR, &file[op->arg]);
}

static int do_close(struct fs *fs, const struct work_op *op)
{
	fs_file_release(fs, file[op->arg]);
	return 0;
}

/* do_write_to - by the descriptor that to names, "" or "1" */
static int do_write_to(struct fs *fs, const struct work_op *op)
{
	return write_pattern(fs, file[op->to != NULL], op);
}

static int do_sync_of(struct fs *fs, const struct work_op *op)
{
	return fs_fsync(fs, file[op->arg]);
}

#define OPEN(p, i)                                            \
	{                                                     \
		"open", do_open, p, NULL, 0, 0, i, WORK_QUIET \
	}
#define WRITE_TO(second, o, n, pattern)                                        \
	{                                                                      \
		"write", do_write_to, NULL, second, o, n, pattern, WORK_WRITES \
	}

static const struct work_op open_a = OPEN("d1/a", 0), open_h = OPEN("d1/h", 1);
static const struct work_op open_b = OPEN("d1/b", 0), open_b2 = OPEN("d1/b", 1);
static const struct work_op close_1 = { "close", do_close, NULL, NULL,
					0,	 0,	   0,	 0 };
static const struct work_op close_2 = { "close", do_close, NULL, NULL,
					0,	 0,	   1,	 0 };
static const struct work_op sync_2 = { "fsync", do_sync_of, NULL, NULL,
				       0,	0,	    1,	  WORK_SYNCS };
static const struct work_op write_1 = WRITE_TO(NULL, 3 * BLOCK, 3000, 1);
static const struct work_op write_2 = WRITE_TO("", 2 * BLOCK + 9, 6000, 40);
static const struct work_op over_1 = WRITE_TO(NULL, 100, 900, 20);
static const struct work_op down_a =
	CHANGE("truncate", "d1/a", BLOCK + 9, 0, TRUNCATE);
static const struct work_op down_b =
	CHANGE("truncate", "d1/b", 2 * BLOCK + 9, 0, TRUNCATE);
static const struct work_op punch_a =
	CHANGE("punch", "d1/a", 0, 2 * BLOCK, PUNCH_HOLE);
static const struct work_op drop_b = { "unlink", do_unlink, "d1/b", NULL,
				       0,	 0,	    0,	    0 };
static const struct work_op over_b = {
	"rename-over", do_rename, "f", "d1/b", 0, 0, 0, 0
};
static const struct work_op away_b = { "rename", do_rename, "d1/b", "d2/b",
				       0,	 0,	    0,	    0 };

static const struct script files[] = {
	{ .name = "write, truncate by the other",
	  .step = { &open_a, &open_h, &write_1, &down_a, &write_2, &sync_2,
		    &over_1, &close_1, &close_2 } },
	{ .name = "write, punch by the other",
	  .step = { &open_a, &open_h, &over_1, &punch_a, &write_2, &sync_2,
		    &write_1, &close_2, &close_1 } },
	{ .name = "write to what was unlinked",
	  .step = { &open_b, &open_b2, &write_1, &drop_b, &write_2, &sync_2,
		    &over_1, &close_1, &close_2 } },
	{ .name = "write to what was renamed over",
	  .step = { &open_b, &open_b2, &write_2, &over_b, &write_1, &sync_2,
		    &over_1, &close_2, &close_1 } },
	{ .name = "write, rename, fsync by the other",
	  .step = { &open_b, &open_b2, &write_1, &away_b, &over_1, &sync_2,
		    &write_2, &close_1, &close_2 } },
	{ .name = "write, truncate, unlink",
	  .step = { &open_b, &open_b2, &write_1, &down_b, &write_2, &drop_b,
		    &over_1, &close_2, &close_1 } },
};
const struct script_list scripts_files =
	LIST("two descriptors of one file", files);

/* --- blocks that change hands ------------------------------------------------------ */

static const struct work_op in_d2 = { "creat", do_create, "d2/v", NULL,
				      0,       0,	  0,	  0 };
static const struct work_op in_d2_too = { "creat", do_create, "d2/w", NULL,
					  0,	   0,	      0,      0 };
static const struct work_op out_of_d2 = { "unlink", do_unlink, "d2/v", NULL,
					  0,	    0,	       0,      0 };
static const struct work_op out_of_d2_too = { "unlink", do_unlink, "d2/w", NULL,
					      0,	0,	   0,	   0 };
static const struct work_op no_d2 = {
	"rmdir", do_rmdir, "d2", NULL, 0, 0, 0, 0
};
static const struct work_op no_many = { "unlink", do_unlink, "d3/many", NULL,
					0,	  0,	     0,		0 };
static const struct work_op taker = { "creat", do_create, "d1/t", NULL,
				      0,       0,	  0,	  0 };
static const struct work_op take_1 = WRITE("write", "d1/t", 0, BLOCK, 3);
static const struct work_op take_2 = WRITE("write", "d1/t", BLOCK, BLOCK, 33);
static const struct work_op take_8 =
	WRITE("write", "d1/t", 2 * BLOCK, 6 * BLOCK, 50);
static const struct work_op cut_a = CHANGE("truncate", "d1/a", 0, 0, TRUNCATE);
static const struct work_op sync_t = { "fsync", do_fsync, "d1/t", NULL,
				       0,	0,	  0,	  WORK_SYNCS };

static const struct script reuse[] = {
	{ .name = "a directory's to a file",
	  .before = 1,
	  .step = { &in_d2, &in_d2_too, &out_of_d2, &out_of_d2_too, &no_d2,
		    &taker, &sync_t, &take_1, &take_2, &take_8 } },
	{ .name = "of a tree of extents to a file",
	  .before = 2,
	  .step = { &many, &in_d2, &no_many, &taker, &sync_t, &take_1, &take_8,
		    &sync_t, &take_2 } },
	{ .name = "what was cut off a file to another",
	  .step = { &cut_a, &taker, &take_1, &take_2, &sync_t, &take_8 } },
};
const struct script_list scripts_reuse =
	LIST("blocks that change hands", reuse);

/* --- the journal's rings ---------------------------------------------------------- */

#define FILL_WRAP 0u /* until the ring's end is near */
#define FILL_FULL 1u /* until all of the ring has been written */

/* is_filled - to less than a record or two; a record of chmod is that small */
static bool is_filled(const struct record *r, uint64_t bytes, unsigned int how)
{
	uint32_t at = (r->lane_end - r->lanes_from) % r->lane_size;

	if (how == FILL_WRAP)
		return at > r->lane_size - 1200;
	return bytes > r->lane_size - 1600;
}

static int do_fill_lane(struct fs *fs, const struct work_op *op)
{
	const struct record *r = fs_volume(fs)->pool->persist_arg;
	uint64_t bytes = 0;

	for (unsigned int i = 0; !is_filled(r, bytes, op->arg); i++) {
		struct work_op chmod = *op;
		uint32_t was = r->lane_end;
		int err;

		chmod.arg = 0600 + i % 2;
		err = do_chmod(fs, &chmod);
		if (err)
			return err;
		bytes += (r->lane_end + r->lane_size - was) % r->lane_size;
	}
	return 0;
}

static const struct work_op fill_wrap = { "wrap", do_fill_lane, "f", NULL, 0,
					  0,	  FILL_WRAP,	0 };
static const struct work_op fill_full = { "full", do_fill_lane, "f", NULL, 0,
					  0,	  FILL_FULL,	0 };
static const struct work_op chmod_1 = { "chmod", do_chmod, "f",	 NULL,
					0,	 0,	   0640, 0 };
static const struct work_op chmod_2 = { "chmod", do_chmod, "f",	 NULL,
					0,	 0,	   0644, 0 };
static const struct work_op creat_1 = { "creat", do_create, "d2/w", NULL,
					0,	 0,	    0,	    0 };
static const struct work_op drop_a = { "unlink", do_unlink, "d1/b", NULL,
				       0,	 0,	    0,	    0 };

#define LANE(fill_it, not_sealed)                                      \
	{                                                              \
		.name = "lane", .before = 1, .unsynced = (not_sealed), \
		.step = {                                              \
			(fill_it),                                     \
			&chmod_1,                                      \
			&creat_1,                                      \
			&chmod_2,                                      \
			&drop_a,                                       \
			&chmod_1,                                      \
			&chmod_2,                                      \
			&chmod_1,                                      \
			&chmod_2,                                      \
		}                                                      \
	}

static const struct script lanes[] = {
	LANE(&fill_wrap, false),
	LANE(&fill_wrap, true),
	LANE(&fill_full, true),
};
const struct script_list scripts_lanes =
	LIST("a lane that wraps, or is full", lanes);
