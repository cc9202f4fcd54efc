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

static void check_backup(struct fsck *f, const struct pinfs_super *sb)
{
	uint64_t at = le64_to_cpu(sb->total_blocks) - 1;
	const struct pinfs_super *backup = raw_block(f, at);
	const char *why = "";

	if (format_super_verify(backup, at, at + 1, &why))
		found(f->findings, SUPER_BACKUP_DAMAGED, NOWHERE, at, "%s",
		      why);
	else if (!same_super(sb, backup))
		found(f->findings, SUPER_BACKUP_DIFFERS, NOWHERE, at,
		      "label, UUID or geometry");
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
			found(f->findings, SUPER_DAMAGED, NOWHERE, 0, "%s",
			      why);
			f->sb = sb;
			return 0;
		}
	}
	log_error("%s: %s%s", f->pool->path, why,
		  err == -EUCLEAN ? ", nor is there a backup" : "");
	return err;
}

static int read_boot_id(uint8_t id[16])
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

/* replay - into the private mapping, as the next mount would into the pool */
static int replay(struct fsck *f)
{
	struct journal_recovery rec = { 0 };
	uint8_t boot_id[16];
	int err;

	f->state = pick_state(f);
	if (!f->state) {
		found(f->findings, JOURNAL_STATE, NOWHERE,
		      le64_to_cpu(f->sb->journal_start), "%s", "");
		return 0;
	}
	f->was_clean = le32_to_cpu(f->state->flags) & PINFS_JSTATE_CLEAN;
	if (f->was_clean)
		return 0;
	err = read_boot_id(boot_id);
	if (err)
		return err;
	err = journal_replay_private(f->pool, f->sb, boot_id, &rec);
	if (err == -EUCLEAN) {
		found(f->findings, JOURNAL_REPLAY, NOWHERE, NOWHERE, "%s", "");
		err = 0;
	}
	f->replayed = rec.replayed;
	f->state = pick_state(f);
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
	if (err)
		return err;
	bits_add(&f->used, 0, le64_to_cpu(f->sb->first_free), &clash);
	bits_add(&f->used, f->total - 1, 1, &clash);
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
	if (unknown)
		found(f->findings, SUPER_RO_COMPAT, NOWHERE, 0,
		      "unknown ro-compat bits %#llx",
		      (unsigned long long)unknown);
	err = claim_fixed(f);
	if (err)
		return err;
	return replay(f);
}

bool claim_blocks(struct fsck *f, uint64_t ino, uint64_t blkno, uint64_t len)
{
	uint64_t clash = 0, n;

	if (!blkno || len >= f->total || blkno >= f->total - len) {
		found(f->findings, BLOCK_SHARED, ino, blkno,
		      "%" PRIu64 " blocks out of the pool", len);
		return false;
	}
	n = bits_add(&f->used, blkno, len, &clash);
	if (n)
		found(f->findings, BLOCK_SHARED, ino, clash,
		      "%" PRIu64 " of %" PRIu64 " blocks from %" PRIu64
		      " on are somebody's already",
		      n, len, blkno);
	return !n;
}
