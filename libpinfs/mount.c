// SPDX-License-Identifier: BSD-3-Clause
/* The mount, as it describes itself. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

const char *pinfs_version(void)
{
	return PINFS_RELEASE;
}

int pinfs__ask_info(int fd, struct pinfs_ioc_info *info)
{
	memset(info, 0, sizeof(*info));
	if (ioctl(fd, PINFS_IOC_INFO, info))
		return errno == ENOSYS || errno == EINVAL ? -ENOTTY : -errno;
	if (info->wire_version != PINFS_WIRE_VERSION)
		return -EPROTO;
	info->pool[sizeof(info->pool) - 1] = '\0';
	info->label[sizeof(info->label) - 1] = '\0';
	return 0;
}

int pinfs_mount_info_fd(int fd, struct pinfs_mount_info *info)
{
	struct pinfs_ioc_info in;
	int err = pinfs__ask_info(fd, &in);

	if (err)
		return err;
	memset(info, 0, sizeof(*info));
	info->flags = in.flags;
	info->daemon_pid = in.daemon_pid;
	info->block_size = in.block_size;
	info->total_blocks = in.total_blocks;
	info->free_blocks = in.free_blocks;
	memcpy(info->uuid, in.uuid, sizeof(info->uuid));
	memcpy(info->label, in.label, sizeof(info->label));
	memcpy(info->pool, in.pool, sizeof(info->pool));
	return 0;
}

int pinfs_mount_info(const char *path, struct pinfs_mount_info *info)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int err;

	if (fd < 0)
		return -errno;
	err = pinfs_mount_info_fd(fd, info);
	close(fd);
	return err;
}

_Static_assert(PINFS_MOUNT_READ_ONLY == PINFS_INFO_READ_ONLY &&
		       PINFS_MOUNT_PERSISTENT == PINFS_INFO_PERSISTENT &&
		       PINFS_MOUNT_SCOPE_RANGE == PINFS_INFO_SCOPE_RANGE,
	       "flags are the wire's");
