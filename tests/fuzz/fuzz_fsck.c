// SPDX-License-Identifier: BSD-3-Clause
/* fsck.pinfs's passes, over a damaged image. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../crash/record.h"
#include "base/util.h"
#include "fsck/fsck.h"
#include "fuzz.h"
#include "image.h"

static FILE *nowhere;

/* check - as fsck.pinfs does; how many findings, or a negative errno */
static int64_t check(struct pool *pool)
{
	static int (*const passes[])(struct fsck * f) = {
		pass_super, pass_itable,  pass_inodes, pass_dirs,
		pass_links, pass_orphans, pass_space,
	};
	struct fsck f = { .pool = pool };
	FILE *out = stdout;
	int64_t count;
	int err = 0;

	f.findings = findings_new("image", false, false);
	if (!f.findings)
		die("out of memory");
	stdout = nowhere;
	for (size_t i = 0; i < ARRAY_SIZE(passes) && !err; i++)
		err = passes[i](&f);
	count = err ? err : (int64_t)findings_count(f.findings);
	findings_end(f.findings, !err);
	stdout = out;
	if (f.info)
		munmap(f.info, f.info_bytes);
	free(f.itable);
	bits_close(&f.used);
	bits_close(&f.walked);
	return count;
}

/* has_findings - of an input without items */
static bool has_findings(uint8_t flags)
{
	const struct input in = { .flags = flags };
	struct input got;
	struct pool *pool = image_take((const uint8_t *)&in, sizeof(in), &got);
	int64_t count = check(pool);

	image_drop();
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
	struct input in;
	struct pool *pool = image_take(data, size, &in);

	if (!pool)
		return -1;
	(void)check(pool);
	image_drop();
	return 0;
}
