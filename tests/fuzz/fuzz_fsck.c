// SPDX-License-Identifier: BSD-3-Clause
/* fsck.pinfs, checking and repairing a damaged image. */
#include <stdio.h>

#include "../crash/record.h"
#include "base/util.h"
#include "fsck/fsck.h"
#include "fsck/repair.h"
#include "fuzz.h"
#include "image.h"

static FILE *nowhere;

/* check - as fsck.pinfs does; how many findings, or a negative errno */
static int64_t check(struct fsck *f, enum fsck_mode mode, struct pool *to)
{
	FILE *out = stdout;
	int64_t count;
	int err;

	f->findings = findings_new("image", false, false);
	if (!f->findings)
		die("out of memory");
	stdout = nowhere;
	if (mode == FSCK_CHECK) {
		err = fsck_check(f);
	} else {
		findings_set_mode(f->findings, mode);
		err = repair_open(f);
		if (!err)
			err = fsck_repair(f);
		if (!err && !findings_left(f->findings))
			err = fsck_write(f, to);
	}
	count = err ? err : (int64_t)findings_count(f->findings);
	findings_end(f->findings, !err);
	stdout = out;
	fsck_release(f);
	return count;
}

/* has_findings - of an input without items */
static bool has_findings(uint8_t flags)
{
	const struct input in = { .flags = flags };
	struct input got;
	struct pool *pool = image_take((const uint8_t *)&in, sizeof(in), &got);
	struct fsck f = { .pool = pool };
	int64_t count = check(&f, FSCK_CHECK, NULL);

	if (count < 0)
		die("the image cannot be checked");
	return count > 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	nowhere = fopen("/dev/null", "we");
	if (!nowhere)
		die("/dev/null cannot be opened");
	image_init();
	if (has_findings(0) || has_findings(INPUT_CLEAN))
		die("the image is damaged as it is");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum fsck_mode modes[] = { FSCK_CHECK, FSCK_REPAIR,
						FSCK_PREEN, FSCK_REPAIR };
	struct input in;
	struct fsck f = { .pool = image_take(data, size, &in) };
	enum fsck_mode mode;

	if (!f.pool)
		return -1;
	mode = modes[in.seed % ARRAY_SIZE(modes)];
	/* fsck.pinfs would have been told: no pool to write to, no repair. */
	f.pool->writable = true;
	(void)check(&f, mode, image_twin(data, size));
	return 0;
}
