// SPDX-License-Identifier: BSD-3-Clause
/*
 * tamper - change a field of a pool's superblocks, with right checksums
 *
 *   tamper POOL version|compat|ro_compat|incompat VALUE
 *
 * Makes what a newer format would have made.  Exit code 0: done; 1: could not;
 * 2: bad usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "format/pinfs_format.h"

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "tamper: %s: %s\n", what, why);
	return 1;
}

/* As docs/FORMAT.md says, and not as the library does it. */
static void seal(struct pinfs_super *sb)
{
	sb->hdr.csum = cpu_to_le64(0);
	sb->hdr.csum = cpu_to_le64(XXH3_64bits_withSeed(sb, sizeof(*sb), 0));
}

static bool change(struct pinfs_super *sb, const char *field, uint64_t value)
{
	if (!strcmp(field, "version"))
		sb->version = cpu_to_le32((uint32_t)value);
	else if (!strcmp(field, "compat"))
		sb->compat = cpu_to_le64(value);
	else if (!strcmp(field, "ro_compat"))
		sb->ro_compat = cpu_to_le64(value);
	else if (!strcmp(field, "incompat"))
		sb->incompat = cpu_to_le64(value);
	else
		return false;
	return true;
}

static bool is_super(const struct pinfs_super *sb)
{
	return !memcmp(sb->magic, PINFS_SUPER_MAGIC, sizeof(sb->magic));
}

static int tamper(int fd, const char *pool, const char *field, uint64_t value)
{
	struct pinfs_super sb;
	off_t at[2] = { 0, 0 };
	int i;

	for (i = 0; i < 2; i++) {
		if (pread(fd, &sb, sizeof(sb), at[i]) != sizeof(sb))
			return fail(pool, "cannot read a superblock");
		if (!is_super(&sb))
			return fail(pool, "not a superblock");
		if (!change(&sb, field, value)) {
			fail(field, "no such field");
			return 2;
		}
		seal(&sb);
		if (pwrite(fd, &sb, sizeof(sb), at[i]) != sizeof(sb))
			return fail(pool, strerror(errno));
		at[1] = (off_t)((le64_to_cpu(sb.total_blocks) - 1) *
				PINFS_BLOCK_SIZE);
	}
	return 0;
}

int main(int argc, char **argv)
{
	int fd, rc;

	if (argc != 4) {
		fprintf(stderr, "usage: tamper POOL FIELD VALUE\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail(argv[1], strerror(errno));
	rc = tamper(fd, argv[1], argv[2], strtoull(argv[3], NULL, 0));
	close(fd);
	return rc;
}
