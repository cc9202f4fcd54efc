// SPDX-License-Identifier: BSD-3-Clause
/* Recognising other file systems with libblkid, and pinfs by itself. */
#include "probe.h"

#include <blkid/blkid.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "format/csum.h"

/* safe_label - a label that can be printed; the pool's is not trusted */
static void safe_label(const struct pinfs_super *sb, char *out)
{
	size_t i;

	for (i = 0; i < sizeof(sb->label) && sb->label[i]; i++)
		out[i] = isprint(sb->label[i]) ? (char)sb->label[i] : '?';
	out[i] = '\0';
}

/* probe_pinfs - a damaged or newer one is one as well */
static int probe_pinfs(const struct pool *pool, char *text, size_t size)
{
	const struct pinfs_super *sb = (const void *)pool->base;
	char label[PINFS_LABEL_MAX + 1];
	const char *why;
	int err;

	err = format_super_verify(sb, 0, pool->size >> PINFS_BLOCK_SHIFT, &why);
	if (err == -EMEDIUMTYPE)
		return 0;
	if (err) {
		snprintf(text, size, "a pinfs file system (%s)", why);
		return 1;
	}
	safe_label(sb, label);
	if (label[0])
		snprintf(text, size, "a pinfs file system labelled '%s'",
			 label);
	else
		snprintf(text, size, "a pinfs file system");
	return 1;
}

static int blkid_look(blkid_probe pr, char *text, size_t size)
{
	const char *type = NULL;
	int found;

	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE);
	blkid_probe_enable_partitions(pr, 1);
	found = blkid_do_safeprobe(pr);
	if (found == -2) {
		snprintf(text, size, "several file systems at once");
		return 1;
	}
	if (found < 0)
		return -EIO;
	if (found > 0)
		return 0;
	if (!blkid_probe_lookup_value(pr, "TYPE", &type, NULL))
		snprintf(text, size, "a file system or volume of type %s",
			 type);
	else if (!blkid_probe_lookup_value(pr, "PTTYPE", &type, NULL))
		snprintf(text, size, "a partition table of type %s", type);
	else
		return 0;
	return 1;
}

int probe_content(const struct pool *pool, char *text, size_t size)
{
	blkid_probe pr;
	int err;

	err = probe_pinfs(pool, text, size);
	if (err)
		return err;
	pr = blkid_new_probe();
	if (!pr)
		return -ENOMEM;
	/* libblkid cannot look into a devdax; nothing else lives there. */
	err = 0;
	if (!blkid_probe_set_device(pr, pool->fd, 0, 0))
		err = blkid_look(pr, text, size);
	blkid_free_probe(pr);
	return err;
}
