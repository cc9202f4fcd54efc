// SPDX-License-Identifier: BSD-3-Clause
#include "inode/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "format/csum.h"
#include "inode/inode_i.h"
#include "inode/itable.h"

/* boot_id - of the running kernel, as 16 bytes; zeroes where it has none */
static void boot_id(uint8_t id[16])
{
	char text[64] = "";
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	unsigned int n = 0, digit;

	memset(id, 0, 16);
	if (!f)
		return;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	for (const char *c = text; *c && n < 32; c++) {
		if (sscanf((char[]){ *c, 0 }, "%1x", &digit) != 1)
			continue;
		id[n / 2] = (uint8_t)((unsigned int)id[n / 2] << 4 | digit);
		n++;
	}
}

static int explain(const struct volume *vol, int err, const char *why)
{
	const char *path = vol->pool->path;

	switch (err) {
	case -EMEDIUMTYPE:
		log_error("%s: not a pinfs pool: %s; mkfs.pinfs makes one",
			  path, why);
		break;
	case -EOPNOTSUPP:
		log_error("%s: made by a newer pinfs: %s; use that version",
			  path, why);
		break;
	case -ENOSPC:
		log_error("%s: the pool is cut short: %s; restore its size",
			  path, why);
		break;
	default:
		log_error("%s: superblock: %s; run fsck.pinfs", path, why);
	}
	return err;
}

/* read_super - the first of the two that is whole */
static int read_super(struct volume *vol)
{
	uint64_t blocks = vol->pool->size >> PINFS_BLOCK_SHIFT;
	const struct pinfs_super *sb = volume_block(vol, 0);
	const char *why, *ignored;
	int err = format_super_verify(sb, 0, blocks, &why);

	if (err == -EUCLEAN || err == -EMEDIUMTYPE) {
		const struct pinfs_super *copy =
			blocks ? volume_block(vol, blocks - 1) : sb;

		if (blocks && format_super_verify(copy, blocks - 1, blocks,
						  &ignored) == 0) {
			log_warn("%s: superblock: %s; using its copy in block "
				 "%llu: unmount and run fsck.pinfs",
				 vol->pool->path, why,
				 (unsigned long long)(blocks - 1));
			sb = copy;
			err = 0;
		}
	}
	if (err)
		return explain(vol, err, why);
	if (!vol->read_only &&
	    le64_to_cpu(sb->ro_compat) & ~PINFS_RO_COMPAT_KNOWN)
		return explain(vol, -EOPNOTSUPP,
			       "it may only be mounted read-only (-o ro)");
	vol->super = *sb;
	vol->total_blocks = le64_to_cpu(sb->total_blocks);
	vol->seed = le64_to_cpu(sb->csum_seed);
	return 0;
}

static int map_verified(struct volume *vol)
{
	size_t bytes = div_round_up(vol->total_blocks, 64) * 8;
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	vol->verified = p;
	return 0;
}

static void volume_free(struct volume *vol)
{
	orphan_close(vol);
	itable_close(vol);
	icache_close(vol);
	space_close(vol->space);
	if (vol->verified)
		munmap(vol->verified, div_round_up(vol->total_blocks, 64) * 8);
	free(vol);
}

/* back_fixed - so that a full disk cannot strike what is stored to without asking */
static int back_fixed(struct volume *vol)
{
	int err = 0;

	if (!vol->read_only)
		err = pool_back(vol->pool, 0,
				le64_to_cpu(vol->super.first_free)
					<< PINFS_BLOCK_SHIFT);
	if (err)
		log_error("%s: the disk has no room for the pool's metadata: "
			  "%s; make some and try again",
			  vol->pool->path, strerror(-err));
	return err;
}

static int open_journal(struct volume *vol)
{
	struct journal_recovery rec;
	uint8_t id[16];
	int err;

	boot_id(id);
	err = journal_open(vol->pool, &vol->super, id,
			   vol->read_only ? JOURNAL_READ_ONLY : 0,
			   &vol->journal, &rec);
	if (err == -EUCLEAN && vol->read_only) {
		log_error("%s: not unmounted cleanly: mount it writable once, "
			  "so that its journal is replayed",
			  vol->pool->path);
		return -EROFS;
	}
	if (err)
		return err;
	if (!rec.was_clean && !vol->read_only)
		log_info("%s: was not unmounted cleanly: %llu transactions "
			 "replayed, %llu that power loss left unfinished "
			 "dropped",
			 vol->pool->path, (unsigned long long)rec.replayed,
			 (unsigned long long)rec.dropped);
	return 0;
}

static int open_parts(struct volume *vol)
{
	int err = map_verified(vol);

	if (!err)
		err = space_open(vol->journal, &vol->space);
	if (!err)
		err = icache_open(vol);
	if (!err)
		err = itable_open(vol);
	if (!err)
		err = orphan_open(vol);
	if (!err && !vol->read_only)
		err = orphan_recover(vol);
	return err;
}

int volume_open(struct pool *pool, unsigned int flags, struct volume **out)
{
	struct volume *vol = calloc(1, sizeof(*vol));
	int err;

	if (!vol)
		return -ENOMEM;
	vol->pool = pool;
	vol->read_only = flags & VOLUME_READ_ONLY;
	err = read_super(vol);
	if (err)
		goto err_volume;
	err = back_fixed(vol);
	if (!err)
		err = open_journal(vol);
	if (err)
		goto err_volume;
	err = open_parts(vol);
	if (err)
		goto err_journal;
	*out = vol;
	return 0;

err_journal:
	journal_abandon(vol->journal);
err_volume:
	volume_free(vol);
	return err;
}

/*
 * The journal goes first: what waits for records to be home, freed blocks,
 * still belongs to the space.
 */
int volume_close(struct volume *vol)
{
	int err;

	if (!vol)
		return 0;
	err = journal_close(vol->journal);
	volume_free(vol);
	return err;
}

void volume_abandon(struct volume *vol)
{
	journal_abandon(vol->journal);
	volume_free(vol);
}
