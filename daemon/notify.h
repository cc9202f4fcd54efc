/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel has cached, and is to look at anew. */
#ifndef PINFSD_NOTIFY_H
#define PINFSD_NOTIFY_H

#include "daemon.h"

/*
 * notify_invalidate - struct fs_kernel's
 *
 * Never on a thread that serves requests (C5): the kernel writes dirty pages
 * back meanwhile, and waits for pages that are being read; both need requests
 * of this mount to be served.
 */
void notify_invalidate(void *daemon, uint64_t node, int64_t off, int64_t len);

#endif
