// SPDX-License-Identifier: BSD-3-Clause
/* All passes, one after the other. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/util.h"
#include "fsck.h"
#include "progress.h"
#include "repair.h"

static const struct {
	const char *name;
	int (*fn)(struct fsck *f);
} passes[] = {
	{ "super", pass_super },   { "itable", pass_itable },
	{ "inodes", pass_inodes }, { "dirs", pass_dirs },
	{ "links", pass_links },   { "orphans", pass_orphans },
	{ "space", pass_space },
};

static volatile sig_atomic_t cancelled;

void fsck_cancel(void)
{
	cancelled = 1;
}

bool fsck_is_cancelled(void)
{
	return cancelled;
}

static void note_summary(const struct fsck *f)
{
	findings_note(f->findings, "files", f->files);
	findings_note(f->findings, "directories", f->dirs);
	findings_note(f->findings, "others", f->others);
	findings_note(f->findings, "clean", f->was_clean);
	findings_note(f->findings, "replayed", f->replayed);
}

int fsck_check(struct fsck *f)
{
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(passes); i++) {
		progress_begin(passes[i].name);
		err = passes[i].fn(f);
		progress_end();
		if (!err && cancelled)
			err = -ECANCELED;
		if (err)
			return err;
		if (repair_is_due(f, passes[i].fn))
			return 0;
	}
	note_summary(f);
	return 0;
}

void fsck_forget(struct fsck *f)
{
	if (f->info)
		munmap(f->info, f->info_bytes);
	free(f->itable);
	bits_close(&f->used);
	bits_close(&f->walked);
	bits_close(&f->meta);
	bits_close(&f->shared);
	*f = (struct fsck){
		.pool = f->pool,
		.rep = f->rep,
		.findings = f->findings,
		.was_clean = f->was_clean,
		.replayed = f->replayed,
		.replayed_once = f->replayed_once,
	};
}

void fsck_release(struct fsck *f)
{
	fsck_forget(f);
	repair_close(f);
}
