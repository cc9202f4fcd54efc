// SPDX-License-Identifier: BSD-3-Clause
/* Opening the file and the device of a DMA. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "dma.h"
#include "ioc.h"

/* Regular files: what every file system's direct I/O is content with. */
#define FILE_ALIGN 4096

static bool from_device(const struct dma_args *a)
{
	return a->direction == PINFS_FROM_DEVICE;
}

static int open_file(const struct dma_args *a)
{
	/* O_NONBLOCK: not to hang if it is a pipe, which is refused below */
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct stat st;
	int fd;

	flags |= from_device(a) ? O_RDWR : O_RDONLY;
	if (from_device(a) && a->create)
		flags |= O_CREAT;
	fd = open(a->file, flags, 0666);
	if (fd < 0) {
		fd = -errno;
		if (fd == -ENOENT && from_device(a))
			log_error("%s: %s; --create makes it", a->file,
				  strerror(ENOENT));
		else
			ioc_complain(a->file, fd);
		return fd;
	}
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		return fd;
	log_error("%s: not a regular file", a->file);
	close(fd);
	return -EINVAL;
}

static int connect_device(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int open_device(const struct dma_args *a)
{
	int flags = O_CLOEXEC | O_NOCTTY;
	struct stat st;
	int fd;

	flags |= from_device(a) ? O_RDONLY : O_WRONLY;
	if (!strcmp(a->device, "-")) {
		fd = from_device(a) ? STDIN_FILENO : STDOUT_FILENO;
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	} else if (!stat(a->device, &st) && S_ISSOCK(st.st_mode)) {
		return connect_device(a->device);
	} else {
		if (!from_device(a) && a->create)
			flags |= O_CREAT;
		fd = open(a->device, flags, 0666);
	}
	return fd < 0 ? -errno : fd;
}

/* Bytes that a device or file holds; -ESPIPE where that has no meaning. */
static int size_of(int fd, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISREG(st.st_mode)) {
		*size = (uint64_t)st.st_size;
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return -ESPIPE;
	return ioctl(fd, BLKGETSIZE64, size) ? -errno : 0;
}

/* The length, if none was given: what the source holds past its offset. */
static int settle_length(struct dma_args *a, const struct dma_ends *ends)
{
	bool in = from_device(a);
	uint64_t from = in ? a->start.device_offset : a->start.offset;
	const char *name = in ? a->device : a->file;
	uint64_t size;
	int err;

	if (a->length_given)
		return 0;
	err = size_of(in ? ends->device : ends->file, &size);
	if (err == -ESPIPE) {
		a->start.flags |= PINFS_DMA_ALL;
		return 0;
	}
	if (!err && from > size)
		err = -EINVAL;
	if (err == -EINVAL)
		log_error("%s: ends before the offset asked for", name);
	else if (err)
		log_error("%s: %s", name, strerror(-err));
	else
		a->start.length = size - from;
	return err;
}

/* An offset on something that cannot seek would be ignored. */
static int check_device(const struct dma_args *a, int device)
{
	uint64_t size;
	int err = size_of(device, &size);

	if (err && err != -ESPIPE) {
		log_error("%s: %s", a->device, strerror(-err));
		return err;
	}
	if (!err || !a->start.device_offset || lseek(device, 0, SEEK_CUR) >= 0)
		return 0;
	log_error("%s: cannot seek, so --device-offset makes no sense",
		  a->device);
	return -ESPIPE;
}

static uint64_t direct_align(int device)
{
	struct stat st;
	int sector;

	if (fstat(device, &st))
		return 0;
	if (S_ISREG(st.st_mode))
		return FILE_ALIGN;
	if (S_ISBLK(st.st_mode) && !ioctl(device, BLKSSZGET, &sector) &&
	    sector > 0)
		return (uint64_t)sector;
	return 0;
}

/*
 * Past the page cache the kernel takes the pool's own pages for the transfer,
 * as a device does; but not for odd lengths.  Standard input and output are
 * left as they are: others may have them open, too.
 */
static void try_direct(const struct dma_args *a, int device)
{
	uint64_t align = direct_align(device);
	int flags = fcntl(device, F_GETFL);

	if (a->no_direct || !align || flags < 0 || !strcmp(a->device, "-"))
		return;
	if ((a->start.offset | a->start.device_offset | a->start.length |
	     a->start.chunk) %
	    align)
		return;
	/* EINVAL: this file system has no direct I/O; go on without. */
	(void)fcntl(device, F_SETFL, flags | O_DIRECT);
}

int dma_open_ends(struct dma_args *args, struct dma_ends *ends)
{
	int err;

	ends->file = open_file(args);
	if (ends->file < 0)
		return ends->file;
	ends->device = open_device(args);
	if (ends->device < 0) {
		err = ends->device;
		log_error("%s: %s", args->device, strerror(-err));
		goto err_file;
	}
	err = check_device(args, ends->device);
	if (!err)
		err = settle_length(args, ends);
	if (err)
		goto err_device;
	try_direct(args, ends->device);
	return 0;

err_device:
	close(ends->device);
err_file:
	close(ends->file);
	return err;
}

void dma_close_ends(struct dma_ends *ends)
{
	close(ends->device);
	close(ends->file);
}
