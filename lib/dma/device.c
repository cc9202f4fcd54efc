// SPDX-License-Identifier: BSD-3-Clause
/* Find out what kind of device a descriptor is. */
#include "dma/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_ALIGN 512u

static bool is_disk(unsigned int mode)
{
	return S_ISREG(mode) || S_ISBLK(mode);
}

static int check_access(int flags, enum pinfs_direction direction)
{
	int mode = flags & O_ACCMODE;

	if (flags & O_PATH)
		return -EBADF;
	if (direction == PINFS_TO_DEVICE)
		return mode == O_RDONLY ? -EBADF : 0;
	return mode == O_WRONLY ? -EBADF : 0;
}

static int check_socket(int fd)
{
	socklen_t len = sizeof(int);
	int type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -errno;
	return type == SOCK_STREAM ? 0 : -ESOCKTNOSUPPORT;
}

static uint32_t direct_align(int fd, const struct statx *stx)
{
	int sector;

	if (stx->stx_mask & STATX_DIOALIGN && stx->stx_dio_offset_align)
		return stx->stx_dio_offset_align;
	if (S_ISBLK(stx->stx_mode) && !ioctl(fd, BLKSSZGET, &sector) &&
	    sector > 0)
		return (uint32_t)sector;
	return DEFAULT_ALIGN;
}

int dma_device_probe(int fd, enum pinfs_direction direction,
		     struct dma_device *dev)
{
	struct statx stx;
	int flags, err;

	flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -EBADF;
	err = check_access(flags, direction);
	if (err)
		return err;
	/* What the kernel knows by itself will do; a device may be stuck. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		  STATX_TYPE | STATX_DIOALIGN, &stx) < 0)
		return -errno;
	if (S_ISSOCK(stx.stx_mode)) {
		err = check_socket(fd);
		if (err)
			return err;
	}
	dev->fd = fd;
	dev->writes = direction == PINFS_TO_DEVICE;
	dev->stream = lseek(fd, 0, SEEK_CUR) < 0;
	dev->pipe = S_ISFIFO(stx.stx_mode);
	dev->serial = dev->stream || (dev->writes && flags & O_APPEND);
	/*
	 * Writers of a regular file take turns.  The kernel has one thread for
	 * them, unless they are asynchronous from the start: those spin.
	 */
	dev->async = is_disk(stx.stx_mode) && !(flags & O_DIRECT) &&
		     !(dev->writes && S_ISREG(stx.stx_mode));
	dev->align = 1;
	if (is_disk(stx.stx_mode) && flags & O_DIRECT)
		dev->align = direct_align(fd, &stx);
	return 0;
}
