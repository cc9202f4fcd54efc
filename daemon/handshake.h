/* SPDX-License-Identifier: BSD-3-Clause */
/* What is agreed on with the kernel beyond what an older libfuse knows of. */
#ifndef PINFSD_HANDSHAKE_H
#define PINFSD_HANDSHAKE_H

#include "daemon.h"

/* handshake_join - after the mount, before the first request; -ENOMEM */
int handshake_join(struct fuse_session *se);

#endif
