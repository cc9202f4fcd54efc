// SPDX-License-Identifier: BSD-3-Clause
/*
 * The verdict on an image. fsck is fsck.pinfs's own passes, on the pool as the
 * mount that recovered has left it; what they find they print, to memory.
 */
#include "verdict.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/fs_rig.h"
#include "base/util.h"
#include "format/csum.h"
#include "fsck/fsck.h"

static char why[1024];

/* --- fsck --------------------------------------------------------------------- */

/* fsck - false, and why, if there is anything to say */
static bool fsck(struct pool *pool)
{
	static char text[700];
	struct fsck f = { .pool = pool };
	FILE *out = stdout, *mem = fmemopen(text, sizeof(text), "w");
	uint64_t count;
	int err;

	f.findings = findings_new("image", false, false);
	if (!mem || !f.findings)
		die("out of memory");
	text[0] = '\0';
	stdout = mem;
	err = fsck_check(&f);
	count = findings_count(f.findings);
	findings_end(f.findings, !err);
	fclose(mem);
	stdout = out;
	fsck_release(&f);
	if (!err && !count)
		return true;
	text[sizeof(text) - 1] = '\0';
	snprintf(why, sizeof(why), "fsck: error %d, %d findings: %.600s", err,
		 (int)count, text);
	return false;
}

/* --- the image ------------------------------------------------------------------ */

void verdict_reboot(struct record *r)
{
	const struct pinfs_super *sb = (const void *)r->pool->base;
	uint64_t at = le64_to_cpu(sb->journal_start);
	uint64_t seed = le64_to_cpu(sb->csum_seed);
	const char *ignored;

	for (uint64_t i = at; i < at + 2; i++) {
		struct pinfs_jstate *s =
			(void *)(r->pool->base + i * PINFS_BLOCK_SIZE);

		if (format_block_verify(&s->hdr, PINFS_MAGIC_JSTATE, i, seed,
					&ignored))
			continue;
		record_touch(r, i * PINFS_BLOCK_SIZE, sizeof(*s));
		memset(s->boot_id, 0x5a, sizeof(s->boot_id));
		format_block_seal(&s->hdr, i, seed);
	}
}

static int open_fs(struct record *r, struct fs **fs)
{
	struct fs_options opt = { .workers = 1 };

	return fs_open(r->pool, &opt, fs);
}

int verdict_recover(struct record *r)
{
	struct fs *fs;
	int err = open_fs(r, &fs);

	if (err)
		return err;
	fs_drain(fs);
	return fs_close(fs);
}

static bool is_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && !memcmp(p, p + 1, n - 1));
}

/* grown_is_zero - does a file show nothing behind the end that it had? (S4) */
static bool grown_is_zero(struct fs *fs, const struct state *was)
{
	static struct state now;

	for (unsigned int i = 0; i < was->files; i++)
		if (change_file(fs, was->file[i].node, PINFS_CHANGE_TRUNCATE,
				was->file[i].size + 6000, 0, 0))
			return false;
	if (state_take(&now, fs) || now.files != was->files)
		return false;
	for (unsigned int i = 0; i < was->files; i++) {
		const struct state_file *f = &was->file[i];
		const struct state_file *g = &now.file[i];

		if (memcmp(now.data + g->at, was->data + f->at, f->size) ||
		    !is_zero(now.data + g->at + f->size, g->size - f->size))
			return false;
	}
	return true;
}

static bool look(struct fs *fs, const struct expect *ex, bool probe)
{
	static struct state s;
	int err = state_take(&s, fs);

	if (err) {
		snprintf(why, sizeof(why), "cannot be read: %s",
			 strerror(-err));
		return false;
	}
	if (!state_matches(&s, ex, why, sizeof(why)))
		return false;
	if (!probe || grown_is_zero(fs, &s))
		return true;
	snprintf(why, sizeof(why), "stale bytes behind the end of a file");
	return false;
}

const char *verdict(struct record *r, const struct expect *ex, bool probe)
{
	struct fs *fs;
	int err = open_fs(r, &fs);
	bool good;

	if (err) {
		snprintf(why, sizeof(why), "does not open: %s", strerror(-err));
		return why;
	}
	good = look(fs, ex, probe);
	fs_drain(fs);
	err = fs_close(fs);
	if (good && err) {
		snprintf(why, sizeof(why), "does not close: %s",
			 strerror(-err));
		good = false;
	}
	if (good)
		good = fsck(r->pool);
	return good ? NULL : why;
}
