// SPDX-License-Identifier: BSD-3-Clause
/* The format's names are not those of pinfs.h: so here, and without that. */
#include <string.h>

#include "format/pinfs_format.h"
#include "super.h"

bool pinfs__super_is(const void *block, const uint8_t uuid[16])
{
	const struct pinfs_super *super = block;

	return memcmp(super->magic, PINFS_SUPER_MAGIC, sizeof(super->magic)) ==
		       0 &&
	       memcmp(super->uuid, uuid, sizeof(super->uuid)) == 0;
}
