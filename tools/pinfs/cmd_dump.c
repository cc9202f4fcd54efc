// SPDX-License-Identifier: BSD-3-Clause
/* pinfs dump: the raw structures of a pool, however damaged it is. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cmd.h"
#include "common/tool.h"
#include "dump.h"
#include "value.h"

enum { OPT_HEX = 1 };

static const struct cmd_option options[] = {
	CMD_JSON,
	{ "hex", NULL, OPT_HEX, "show a block's bytes in any case" },
	CMD_OPTIONS_END,
};

enum what {
	WHAT_SUPERBLOCK,
	WHAT_JOURNAL,
	WHAT_INODE,
	WHAT_DIR,
	WHAT_BLOCK,
};

static const struct {
	const char *name;
	bool number; /* of what it shows follows */
	uint64_t max;
} whats[] = {
	[WHAT_SUPERBLOCK] = { "superblock", false, 0 },
	[WHAT_JOURNAL] = { "journal", false, 0 },
	[WHAT_INODE] = { "inode", true, (1ull << PINFS_INO_BITS) - 1 },
	[WHAT_DIR] = { "dir", true, (1ull << PINFS_INO_BITS) - 1 },
	[WHAT_BLOCK] = { "block", true, PINFS_MAX_BLOCKS - 1 },
};

struct args {
	const char *path;
	enum what what;
	uint64_t number;
	bool hex;
};

void dump_verdict(struct out *o, const char *why)
{
	out_text(o, "damage", "verdict", why || o->json ? why : "sound");
}

static int dump_supers(struct out *o, const struct image *img)
{
	const struct image_super *s;
	size_t i;

	for (i = 0; i < 2; i++) {
		s = &img->super[i];
		out_item(o, "superblocks",
			 i ? "superblock, backup" : "superblock");
		out_number(o, "block", "block", s->blkno);
		dump_verdict(o, s->why);
		if (s->err != -EMEDIUMTYPE) {
			out_fields(o, media_blkhdr, &s->sb.hdr);
			out_fields(o, media_super, &s->sb);
		}
		out_end(o);
	}
	return 0;
}

static int dump(const struct args *a, struct out *o, const struct image *img,
		const char **why)
{
	switch (a->what) {
	case WHAT_JOURNAL:
		return dump_journal(o, img, why);
	case WHAT_INODE:
		return dump_inode(o, img, a->number, why);
	case WHAT_DIR:
		return dump_dir(o, img, a->number, why);
	case WHAT_BLOCK:
		return dump_block(o, img, a->number, a->hex, why);
	default:
		return dump_supers(o, img);
	}
}

static enum cmd_exit take_operands(struct cmd_line *line, struct args *a)
{
	const char *name = line->operand[1];
	size_t i;

	a->path = line->operand[0];
	for (i = 0; i < sizeof(whats) / sizeof(whats[0]); i++)
		if (!strcmp(whats[i].name, name))
			break;
	if (i == sizeof(whats) / sizeof(whats[0]))
		return cmd_usage(line->cmd,
				 "%s: none of superblock, journal, inode, dir "
				 "and block",
				 name);
	a->what = (enum what)i;
	if (!whats[i].number && line->operands == 3)
		return cmd_usage(line->cmd, "%s: one operand too many",
				 line->operand[2]);
	if (!whats[i].number)
		return CMD_DONE;
	if (line->operands < 3)
		return cmd_usage(line->cmd, "%s: its number is missing", name);
	if (value_number(line->operand[2], whats[i].max, &a->number))
		return cmd_usage(line->cmd, "%s: not the number of any %s",
				 line->operand[2], name);
	return CMD_DONE;
}

static void complain(const struct args *a, int err, const char *why)
{
	if (!why)
		why = strerror(-err);
	if (whats[a->what].number)
		log_error("%s: %s %" PRIu64 ": %s", a->path,
			  whats[a->what].name, a->number, why);
	else
		log_error("%s: %s: %s", a->path, whats[a->what].name, why);
}

static enum cmd_exit run(struct cmd_line *line)
{
	struct args a = { .hex = false };
	const char *why = NULL;
	enum cmd_exit rc;
	struct image img;
	struct out o;
	int opt, err;

	while ((opt = cmd_next_option(line)) > 0)
		a.hex |= opt == OPT_HEX;
	rc = opt == CMD_OPT_BAD ? CMD_USAGE : take_operands(line, &a);
	if (rc != CMD_DONE)
		return rc;
	if (image_open(a.path, &img))
		return CMD_FAILED;
	out_start(&o, line->json);
	err = dump(&a, &o, &img, &why);
	if (!err)
		err = out_finish(&o);
	else
		out_drop(&o);
	if (err)
		complain(&a, err, why);
	image_close(&img);
	return err ? CMD_FAILED : CMD_DONE;
}

const struct command cmd_dump = {
	.name = "dump",
	.operands = "POOL superblock|journal|inode N|dir N|block N",
	.summary = "Shows a pool's raw structures, offline and read-only",
	.details = "Damage is shown, not repaired. Of a pool that is mounted "
		   "it shows what is in its\nhome location by now.\n",
	.options = options,
	.min_operands = 2,
	.max_operands = 3,
	.run = run,
};
