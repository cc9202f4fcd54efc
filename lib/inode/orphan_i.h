/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PINFS_ORPHAN_I_H
#define PINFS_ORPHAN_I_H

#include <pthread.h>

#include "format/pinfs_format.h"

struct orphans {
	pthread_mutex_t lock[PINFS_ORPHAN_LISTS];
	_Atomic int64_t count; /* inodes put on a list since the mount, less */
};

#endif
