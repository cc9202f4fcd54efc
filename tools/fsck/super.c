// SPDX-License-Identifier: BSD-3-Clause
/* The pass super: superblock, backup, and the journal's replay. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "base/log.h"
#include "fsck.h"
#include "journal/journal.h"
#include "pool/persist.h"
#include "repair.h"

static const void *raw_block(const struct fsck *f, uint64_t blkno)
{
	return f->pool->base + (blkno << PINFS_BLOCK_SHIFT);
}

/* same_super - but for the address and the checksum over it */
static bool same_super(const struct pinfs_super *a, const struct pinfs_super *b)
{
	size_t skip = sizeof(a->hdr);

	return !memcmp((const uint8_t *)a + skip, (const uint8_t *)b + skip,
		       sizeof(*a) - skip);
}

/* write_super - that which is believed, at block at */
static void write_super(struct fsck *f, const struct pinfs_super *sb,
			uint64_t at)
{
	struct pinfs_super *to = edit_at(f, at);

	*to = *sb;
	format_super_seal(to, at);
}

static void check_backup(struct fsck *f, const struct pinfs_super *sb)
{
	uint64_t at = le64_to_cpu(sb->total_blocks) - 1;
	const struct pinfs_super *backup = raw_block(f, at);
	const char *why = "";
	bool write = false;

	if (format_super_verify(backup, at, at + 1, &why))
		write = found(f->findings, SUPER_BACKUP_DAMAGED, NOWHERE, at,
			      "%s", why);
	else if (!same_super(sb, backup))
		write = found(f->findings, SUPER_BACKUP_DIFFERS, NOWHERE, at,
			      "label, UUID or geometry");
	if (write)
		write_super(f, sb, at);
}

/*
 * choose_super - the first, else the backup in the last block
 *
 * The features and the size of a superblock that is whole are what counts: the
 * backup cannot help with those.
 */
static int choose_super(struct fsck *f)
{
	uint64_t blocks = f->pool->size >> PINFS_BLOCK_SHIFT;
	const struct pinfs_super *sb = raw_block(f, 0);
	const char *why = "", *backup_why = "";
	int err;

	err = format_super_verify(sb, 0, blocks, &why);
	if (!err) {
		f->sb = sb;
		check_backup(f, sb);
		return 0;
	}
	if (err == -EUCLEAN || err == -EMEDIUMTYPE) {
		sb = raw_block(f, blocks - 1);
		if (!format_super_verify(sb, blocks - 1, blocks, &backup_why)) {
			f->sb = sb;
			if (found(f->findings, SUPER_DAMAGED, NOWHERE, 0, "%s",
				  why))
				write_super(f, sb, 0);
			return 0;
		}
	}
	log_error("%s: %s%s", f->pool->path, why,
		  err == -EUCLEAN ? ", nor is there a backup" : "");
	return err;
}

int read_boot_id(uint8_t id[16])
{
	char text[37] = "";
	ssize_t n;
	int fd;

	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, 36);
	close(fd);
	return n == 36 && !uuid_parse(text, id) ? 0 : -EIO;
}

static const struct pinfs_jstate *pick_state(const struct fsck *f)
{
	uint64_t at = le64_to_cpu(f->sb->journal_start);

	return format_jstate_pick(raw_block(f, at), raw_block(f, at + 1), at,
				  f->seed);
}

/*
 * empty_journal - nothing to replay; the counts follow when they are known
 *
 * Nothing says any more which of the records in the lanes are home: they go.
 */
void empty_journal(struct fsck *f)
{
	uint64_t at = le64_to_cpu(f->sb->journal_start), i;
	uint64_t lanes = (uint64_t)le32_to_cpu(f->sb->lanes) *
			 le32_to_cpu(f->sb->lane_blocks);
	struct pinfs_jstate *s = edit_at(f, at);

	memset(s, 0, sizeof(*s));
	s->hdr.magic = cpu_to_le32(PINFS_MAGIC_JSTATE);
	s->flags = cpu_to_le32(PINFS_JSTATE_CLEAN);
	format_block_seal(&s->hdr, at, f->seed);
	for (i = 0; i <= lanes; i++)
		memset(edit_at(f, at + 1 + i), 0, PINFS_BLOCK_SIZE);
	f->rep->emptied = true;
	f->state = s;
}

/* is_cut - has a repair been cut, while it wrote, with an empty journal? */
static bool is_cut(const struct fsck *f)
{
	uint64_t at = le64_to_cpu(f->sb->journal_start), i;
	const struct pinfs_jstate *s;
	const char *why;

	for (i = at; i < at + 2; i++) {
		s = raw_block(f, i);
		if (!format_block_verify(&s->hdr, PINFS_MAGIC_JSTATE, i,
					 f->seed, &why) &&
		    le32_to_cpu(s->flags) & PINFS_JSTATE_REPAIR)
			return true;
	}
	return false;
}

static void no_state(struct fsck *f)
{
	uint64_t at = le64_to_cpu(f->sb->journal_start);

	if (found(f->findings, is_cut(f) ? REPAIR_CUT : JOURNAL_STATE, NOWHERE,
		  at, "%s", ""))
		empty_journal(f);
}

static int replay_privately(struct fsck *f, struct journal_recovery *rec)
{
	const struct persist_ops *noted = f->pool->persist;
	uint8_t boot_id[16];
	int err;

	err = read_boot_id(boot_id);
	if (err)
		return err;
	/* fsck_write() has the journal do that in the pool itself. */
	f->pool->persist = &persist_private;
	err = journal_replay_private(f->pool, f->sb, boot_id, rec);
	f->pool->persist = noted;
	return err;
}

/* replay - into the private mapping, as the next mount would into the pool */
static int replay(struct fsck *f)
{
	struct journal_recovery rec = { 0 };
	int err;

	f->state = pick_state(f);
	if (!f->state) {
		no_state(f);
		return 0;
	}
	if (f->replayed_once)
		return 0;
	f->was_clean = le32_to_cpu(f->state->flags) & PINFS_JSTATE_CLEAN;
	err = replay_privately(f, &rec);
	f->replayed = rec.replayed;
	f->replayed_once = true;
	f->state = pick_state(f);
	if (err == -EUCLEAN) {
		err = 0;
		if (found(f->findings, JOURNAL_REPLAY, NOWHERE, NOWHERE, "%s",
			  ""))
			empty_journal(f);
	}
	return err;
}

/* claim_fixed - what mkfs put in place belongs to the file system itself */
static int claim_fixed(struct fsck *f)
{
	uint64_t clash;
	int err;

	err = bits_open(&f->used, f->total);
	if (!err)
		err = bits_open(&f->walked, f->total);
	if (!err)
		err = bits_open(&f->meta, f->total);
	if (!err)
		err = bits_open(&f->shared, f->total);
	if (err)
		return err;
	bits_add(&f->used, 0, le64_to_cpu(f->sb->first_free), &clash);
	bits_add(&f->used, f->total - 1, 1, &clash);
	bits_add(&f->meta, 0, le64_to_cpu(f->sb->first_free), &clash);
	bits_add(&f->meta, f->total - 1, 1, &clash);
	return 0;
}

int pass_super(struct fsck *f)
{
	uint64_t unknown;
	int err;

	err = choose_super(f);
	if (err)
		return err;
	f->total = le64_to_cpu(f->sb->total_blocks);
	f->seed = le64_to_cpu(f->sb->csum_seed);
	unknown = le64_to_cpu(f->sb->ro_compat) & ~PINFS_RO_COMPAT_KNOWN;
	if (unknown) {
		found(f->findings, SUPER_RO_COMPAT, NOWHERE, 0,
		      "unknown ro-compat bits %#llx",
		      (unsigned long long)unknown);
		/* Who does not know them must not write. */
		findings_set_mode(f->findings, FSCK_CHECK);
	}
	err = claim_fixed(f);
	if (err)
		return err;
	return replay(f);
}

/* note_shared - those of [blkno, blkno + len) that somebody has already */
static void note_shared(struct fsck *f, uint64_t blkno, uint64_t len)
{
	uint64_t at = blkno, end = blkno + len, clash;

	for (;;) {
		at = bits_next(&f->used, at, end);
		if (at == end)
			return;
		bits_add(&f->shared, at++, 1, &clash);
	}
}

bool claim_blocks(struct fsck *f, uint64_t ino, uint64_t blkno, uint64_t len)
{
	uint64_t clash = 0, n;

	if (!blkno || len >= f->total || blkno >= f->total - len) {
		found(f->findings, BLOCK_SHARED, ino, blkno,
		      "%" PRIu64 " blocks out of the pool", len);
		return false;
	}
	if (f->rep)
		note_shared(f, blkno, len);
	n = bits_add(&f->used, blkno, len, &clash);
	if (n)
		found(f->findings, BLOCK_SHARED, ino, clash,
		      "%" PRIu64 " of %" PRIu64 " blocks from %" PRIu64
		      " on are somebody's already",
		      n, len, blkno);
	f->clashes += n != 0;
	return !n;
}

bool claim_meta(struct fsck *f, uint64_t ino, uint64_t blkno)
{
	bool first = claim_blocks(f, ino, blkno, 1);
	uint64_t clash;

	if (!first && !(is_repairing(f) && block_at(f, blkno)))
		return false;
	return !bits_add(&f->meta, blkno, 1, &clash);
}
