/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel says, and is told, beyond what an older libfuse knows of. */
#ifndef PINFSD_HANDSHAKE_H
#define PINFSD_HANDSHAKE_H

#include "daemon.h"

/* handshake_join - after the mount, before the first request; -ENOMEM */
int handshake_join(struct fuse_session *se);

/*
 * handshake_maps_direct - may a file that the kernel keeps no pages of be mapped
 * shared? From the greeting on.
 */
bool handshake_maps_direct(const struct fuse_conn_info *conn);

/* handshake_is_tmpfile - is a request to create that name one for O_TMPFILE? */
bool handshake_is_tmpfile(const char *name);

/*
 * handshake_reply_open - fuse_reply_open(), and for a file that the kernel keeps no
 * pages of with leave to write from several threads at once
 */
int handshake_reply_open(fuse_req_t req, struct fuse_file_info *fi);

/* handshake_is_statx - is a request for attributes with that fi one of statx(2)? */
bool handshake_is_statx(const struct fuse_file_info *fi);

/* handshake_reply_statx - the answer to it; timeout in seconds */
void handshake_reply_statx(fuse_req_t req, const struct stat *st,
			   const struct timespec *birth, double timeout);

#endif
