// SPDX-License-Identifier: BSD-3-Clause
/*
 * Defects on purpose: each must be noticed. Some are lies in what is noted of
 * the library's stores; some are left out of the library itself, in a build with
 * PINFS_OMISSIONS (lib/base/omit.h).
 */
#include "defects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/omit.h"
#include "base/util.h"
#include "scene.h"

struct seeded {
	enum defect lie;
	const char *omitted; /* or NULL */
	bool file;
	const char *op[4]; /* names of work_ops, or NULL and a script: */
	const struct script_list *list;
	unsigned int script;
	unsigned int from; /* the operation to cut from on */
	const char *what; /* NULL: there is none */
};

/* do_noatime - chattr +A */
static int do_noatime(struct fs *fs, const struct work_op *op)
{
	uint64_t node;
	int err = work_find(fs, op->path, &node);

	return err ? err : fs_set_flags(fs, node, PINFS_IFLAG_NOATIME);
}

/*
 * Looking at the state sets access times, in transactions whose fences would do
 * for one that an operation has left out.
 */
static const struct work_op noatime = { "noatime", do_noatime, "f", NULL,
					0,	   0,	       0,   0 };
static const struct work_op chmod_f = { "chmod", do_chmod, "f",	 NULL,
					0,	 0,	   0600, 0 };
static const struct script unread_script = { .before = 1,
					     .step = { &noatime, &chmod_f } };
static const struct script_list unread = { "", &unread_script, 1 };

static const struct seeded seeded[] = {
	{ .op = { "mkdir" } },
	{ DEFECT_NO_FLUSH, .op = { "creat" }, .what = "nothing is flushed" },
	{ DEFECT_NO_FLUSH_LANES, .op = { "mkdir" },
	  .what = "records are not flushed" },
	{ DEFECT_NO_FLUSH_PAYLOAD, .op = { "write-extend" },
	  .what = "new data is not flushed" },
	{ DEFECT_NO_FLUSH_HOME, .op = { "creat" },
	  .what = "home locations are not flushed" },
	{ DEFECT_NO_FENCE, .op = { "creat" }, .what = "no fences" },
	{ DEFECT_NO_FENCE_PAYLOAD, .op = { "write-new" },
	  .what = "no fence between payload and record" },
	{ DEFECT_NO_FENCE_COMMIT, .op = { "mkdir" },
	  .what = "no fence between record and home" },
	{ DEFECT_NO_FENCE_HOME, .list = &unread,
	  .what = "no fence between home and the record's end" },
	{ .file = true, .op = { "mkdir" } },
	{ DEFECT_NO_SYNC, .file = true, .op = { "creat" },
	  .what = "syncs do nothing" },
	{ DEFECT_NO_FIRST_SYNC, .file = true, .op = { "write-extend" },
	  .what = "no sync before the seal" },
	{ DEFECT_EARLY_SYNC, .file = true, .op = { "creat" },
	  .what = "no sync behind the seal" },

#define OMIT_OP(name, is_file, text, ...)                                    \
	{                                                                    \
		.omitted = (name), .file = (is_file), .op = { __VA_ARGS__ }, \
		.what = (text),                                              \
	}
#define OMIT_SCRIPT(name, is_file, text, of, number)                 \
	{                                                            \
		.omitted = (name), .file = (is_file), .list = &(of), \
		.script = (number), .what = (text),                  \
	}
	OMIT_OP("S-payload", false, "the record commits before its payload",
		"symlink-long"),
	OMIT_OP("S-csum", false, "the checksum covers a record's head only",
		"creat"),
	OMIT_OP("S-dirent", false, "the name before the inode", "creat"),
	OMIT_OP("S-size", false, "the size before the data", "write-extend"),
	OMIT_OP("S-orphan", false, "an orphan is on no list", "unlink-open"),
	OMIT_OP("S-turn", false, "the journal's state has one block, not two",
		"creat"),
	OMIT_OP("S-dirty", false, "a mounted pool is marked clean", "creat"),
	OMIT_OP("S-finish", false,
		"recovery forgets records before they are home", "creat",
		"mkdir"),
	OMIT_OP("S-replay", false, "records are replayed in the wrong order",
		"creat", "mkdir"),
	OMIT_OP("S-count", false, "recovery trusts a bitmap's count",
		"write-new"),
	{ .omitted = "S-revoke",
	  .list = &scripts_reuse,
	  .from = 7, /* the first write */
	  .what = "freed blocks get their old lines back" },
	OMIT_SCRIPT("S-intent", false, "recovery does not finish an intent",
		    scripts_large, 0),
	OMIT_SCRIPT("S-room", false, "a record's room is used again too early",
		    scripts_lanes, 2),
	OMIT_SCRIPT("S-zero", false, "what a device is to fill is not zeroed",
		    scripts_pinned, 0),
	{ .omitted = "S-arrive",
	  .list = &scripts_pinned,
	  .from = 7, /* the arrival */
	  .what = "the size before what a device has stored" },
	OMIT_SCRIPT("L1", false, "a change does not wait for pins",
		    scripts_pinned, 1),
	OMIT_SCRIPT("L10", false, "unlink frees what is pinned", scripts_pinned,
		    9),
	OMIT_SCRIPT("S-reuse", true,
		    "a block is used before its free is sealed", scripts_reuse,
		    2),
	OMIT_OP("S-home", true, "changes go home before they are sealed",
		"creat"),
	OMIT_OP("S-orphan", true, "an orphan is on no list", "unlink-open"),
	OMIT_OP("S-dirent", true, "the name before the inode", "creat"),
	OMIT_SCRIPT("S-intent", true, "recovery does not finish an intent",
		    scripts_large, 0),
	OMIT_SCRIPT("L1", true, "a change does not wait for pins",
		    scripts_pinned, 1),
};

static void make_script(struct script *sc, const struct seeded *d)
{
	if (d->list) {
		*sc = d->list->script[d->script];
		sc->from = d->from;
		return;
	}
	*sc = (struct script){ 0 };
	for (unsigned int i = 0; i < ARRAY_SIZE(d->op) && d->op[i]; i++)
		sc->step[i] = work_op_named(d->op[i]);
}

/*
 * try_defect - true if it is as it should be: noticed, if there is one
 *
 * Records of the same operations lie differently in a lane from one recording to
 * the next: how many lines a change takes depends on what the clock says. A defect
 * may show only where a record's end meets another, so each clock has its turn.
 */
static bool try_defect(struct scene *s, const struct seeded *d)
{
	bool noticed = false;
	struct script sc;

	memset(&s->x.tally, 0, sizeof(s->x.tally));
	s->x.first[0] = '\0';
	s->recordings = 0;
	if (d->omitted)
		setenv("PINFS_OMIT", d->omitted, 1);
	for (unsigned int i = 0; i < (d->what ? SCENE_CLOCKS : 1) && !noticed;
	     i++) {
		make_script(&sc, d);
		scene_explore(s, &sc, d->lie);
		noticed = s->x.tally.violations != 0;
	}
	unsetenv("PINFS_OMIT");
	printf("%s: %s%s%s: %s after %llu images\n  %s\n",
	       s->file ? "file" : "persistent memory",
	       d->omitted ? d->omitted : "", d->omitted ? ": " : "",
	       d->what ? d->what : "no defect",
	       noticed ? "NOTICED" : "nothing noticed",
	       (unsigned long long)s->x.tally.distinct, s->x.first);
	fflush(stdout);
	return noticed == (d->what != NULL);
}

int defects(void)
{
	const struct picks picks = { 256, 0, 85, 0, 85, 16 };
	const struct picks inner = { 64, 0, 20, 0, 20, 4 };
	unsigned int bad = 0, tried = 0;
	struct scene s;

	for (int file = 0; file < 2; file++) {
		scene_open(&s, file, false);
		scene_picks(&s, &picks, &inner, 50, 0);
		s.x.quiet = true;
		s.x.stop = true;
		for (size_t i = 0; i < ARRAY_SIZE(seeded); i++) {
			const struct seeded *d = &seeded[i];

			if (d->file != file ||
			    (d->omitted && !omissions_built()))
				continue;
			bad += !try_defect(&s, d);
			tried++;
		}
		scene_close(&s);
	}
	printf("%u of %u are not as they should be\n", bad, tried);
	if (!omissions_built())
		printf("those in the library itself take a build with "
		       "PINFS_OMISSIONS\n");
	return bad ? 1 : 0;
}
