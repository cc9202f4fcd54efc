// SPDX-License-Identifier: BSD-3-Clause
#include "notify.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

void notify_invalidate(void *daemon, uint64_t node, int64_t off, int64_t len)
{
	struct daemon *d = daemon;
	int err = fuse_lowlevel_notify_inval_inode(d->se, node, off, len);

	/* Not known to the kernel, or there is no kernel to tell any more. */
	if (!err || err == -ENOENT || err == -ENODEV || err == -ENOTCONN ||
	    err == -EBADF)
		return;
	log_warn("node %#llx: the kernel keeps cached pages: %s",
		 (unsigned long long)node, strerror(-err));
}
