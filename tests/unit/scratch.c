// SPDX-License-Identifier: BSD-3-Clause
/* A folder of a test's own. */
#include "scratch.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch_dir[SCRATCH_KINDS][64];

void scratch_setup(void)
{
	static const char *const base[SCRATCH_KINDS] = {
		[SCRATCH_MEMORY] = "/dev/shm",
		[SCRATCH_DISK] = "/var/tmp",
	};
	int kind;

	for (kind = 0; kind < SCRATCH_KINDS; kind++) {
		snprintf(scratch_dir[kind], sizeof(scratch_dir[kind]),
			 "%s/pinfs-test-XXXXXX", base[kind]);
		if (!mkdtemp(scratch_dir[kind])) {
			perror(base[kind]);
			exit(1);
		}
	}
}

static void remove_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *de;

	if (!dir)
		return;
	while ((de = readdir(dir)) != NULL)
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			unlinkat(dirfd(dir), de->d_name, 0);
	closedir(dir);
	rmdir(path);
}

void scratch_teardown(void)
{
	int kind;

	for (kind = 0; kind < SCRATCH_KINDS; kind++)
		remove_dir(scratch_dir[kind]);
}

const char *scratch_path(enum scratch_kind kind, const char *name)
{
	static char path[SCRATCH_KINDS][320];

	snprintf(path[kind], sizeof(path[kind]), "%s/%s", scratch_dir[kind],
		 name);
	return path[kind];
}

int scratch_run(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
