/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpinfs: I/O of your own, straight into and out of the blocks of pinfs files.
 *
 * A file of a mounted pinfs lives in blocks of a pool, a file or device that
 * you map.  A pin set has the file system keep some blocks where they are, so
 * that a device may transfer into or out of that memory; a truncate or hole
 * punch of the file waits meanwhile.
 *
 *	pinfs_pool_map()	once
 *	pinfs_pin_begin()	a set, of an open file
 *	pinfs_pin_extend()	... and the ranges, of this file and others
 *	pinfs_pin_iovec()	where they are in memory
 *	(your I/O, with an io_uring that has pinfs_ring_files() registered)
 *	pinfs_pin_end()		when it is over, and not before
 *
 * Who ends the pins (L11).  You do, when the I/O is over; or, if you do not
 * live that long, the kernel, by releasing the open file that the set began
 * on.  It must not do that while the I/O runs: so register what
 * pinfs_ring_files() gives with the ring (IORING_REGISTER_FILES) before you
 * submit.  A ring holds its files until its last I/O is over, also when its
 * process has been killed.  With libaio there is nothing to be done: at the end
 * of a process the kernel drains its AIO contexts before it closes its files.
 * I/O by read(2), write(2) and the like is over when they return.  Do not close
 * the file that the set began on while the set lives.
 *
 * What you need.  To fill files, a descriptor open for writing; to read their
 * blocks, one open for reading; and the right to open the pool itself, which is
 * a right to all of the file system: pins are for programs that it is given to.
 * Write only where your own extents are.
 *
 * Errors are negative errno values; 0 is success.  What is handed out through a
 * pointer belongs to you, until you give it to the function that says that it
 * frees it.  A set is for one thread at a time; other objects are for any
 * number of threads.  After fork(2) only the parent may go on with a set.
 */
#ifndef PINFS_H
#define PINFS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PINFS_API __attribute__((visibility("default")))

#define PINFS_LIB_VERSION "0.1.0"

/* pinfs_version - of the library that runs, as PINFS_LIB_VERSION */
PINFS_API const char *pinfs_version(void);

/* --- the mount -------------------------------------------------------------- */

#define PINFS_MOUNT_READ_ONLY	1u
#define PINFS_MOUNT_PERSISTENT	2u /* durable when an operation returns */
#define PINFS_MOUNT_SCOPE_RANGE 4u /* else changes wait for the whole file */

struct pinfs_mount_info {
	uint32_t flags; /* PINFS_MOUNT_* */
	uint32_t daemon_pid;
	uint8_t uuid[16];
	char label[64]; /* terminated */
	uint64_t block_size;
	uint64_t total_blocks;
	uint64_t free_blocks;
	char pool[1024]; /* path, terminated */
	uint64_t reserved[8];
};

/*
 * pinfs_mount_info - of the mount that path, or the open file fd, is on
 *
 * -ENOTTY: that is no pinfs; -EPROTO: one of another version; -ENOTCONN: its
 * daemon has ended; what open(2) said.
 */
PINFS_API int pinfs_mount_info(const char *path, struct pinfs_mount_info *info);
PINFS_API int pinfs_mount_info_fd(int fd, struct pinfs_mount_info *info);

/* --- the pool ----------------------------------------------------------------- */

typedef struct pinfs_pool pinfs_pool;

/*
 * pinfs_pool_map - map the pool of the mount that the open file fd is on
 * @prot: PROT_READ, for I/O to devices, or PROT_READ | PROT_WRITE
 *
 * Opens the pool's path with your own rights, and sees that what is there is
 * the pool that is mounted.  Map before you begin sets.  While it is mapped,
 * nobody can mount the pool anew: your I/O might be under way after the daemon
 * has been killed.
 *
 * -ESTALE: what is at the path is not that pool (another mount namespace, say);
 * what open(2), mmap(2) or pinfs_mount_info_fd() say.
 */
PINFS_API int pinfs_pool_map(int fd, int prot, pinfs_pool **pool);

/* pinfs_pool_unmap - all I/O on it is over; frees it; NULL is fine */
PINFS_API void pinfs_pool_unmap(pinfs_pool *pool);

/* pinfs_pool_fd - the pool's descriptor; it stays the library's */
PINFS_API int pinfs_pool_fd(const pinfs_pool *pool);

/* --- pin sets --------------------------------------------------------------------- */

typedef struct pinfs_pin pinfs_pin;

enum {
	PINFS_PIN_TO_DEVICE = 0, /* the device reads the file's blocks */
	PINFS_PIN_FROM_DEVICE = 1, /* it writes into them */
};

#define PINFS_BEGIN_NOWAIT   1u /* -EAGAIN rather than waiting behind a change */
#define PINFS_BEGIN_LONGTERM 2u /* refused with -EOPNOTSUPP */

/*
 * pinfs_pin_begin - a set without any pins yet
 * @fd: open file of the mount; must stay open, and be open for reading (to a
 *      device) or for writing (from one)
 *
 * -EBADF: fd is not open for that; -EINVAL; -EISDIR; -EOPNOTSUPP; -EMFILE: too
 * many sets (1,024) of one open file; -ESHUTDOWN: the mount is about to end.
 */
PINFS_API int pinfs_pin_begin(int fd, int direction, unsigned int flags,
			      pinfs_pin **pin);

/*
 * pinfs_pin_extend - pin bytes [off, off + len) of a file too: all, or none
 * @fd: open file of the same mount, the one the set began on or another
 *
 * From a device: holes are allocated; the file may become longer, when the set
 * ends.  To one: no further than the end of file.  Everything written to the
 * file before is in its blocks then; with a shared mapping of a file, store
 * nothing more into the range until the set has ended.
 *
 * May wait for truncates and the like that were asked for before the set began,
 * never for later ones.  After an error the set has what it had before.
 *
 * -EINTR: a signal handler has run; -ECANCELED: somebody cancelled the set: it
 * can only be ended; -EAGAIN: would wait; -EDEADLK: the set has pins, and the
 * file's dirty pages are not written for longer than a second, it may be since
 * a truncate of it waits for those: end the set, and begin anew; -ENXIO: past
 * the end of file; -E2BIG: more than 65,536 ranges; -EBADF; -EFBIG; -EINVAL;
 * -ENOSPC; -EROFS; -ENOMEM.
 */
PINFS_API int pinfs_pin_extend(pinfs_pin *pin, int fd, uint64_t off,
			       uint64_t len);

/* struct pinfs_extent - bytes of a range that lie side by side in the pool */
struct pinfs_extent {
	uint64_t logical; /* in the file */
	uint64_t physical; /* in the pool */
	uint64_t length;
};

/*
 * pinfs_pin_extents - all that the set has pinned, in the order of the extends
 *
 * The set's; until the next pinfs_pin_extend() or the set's end.  To a device,
 * holes are left out: there is nothing to be read.  -ENOMEM.
 */
PINFS_API int pinfs_pin_extents(pinfs_pin *pin,
				const struct pinfs_extent **extents,
				size_t *count);

/* pinfs_extent_addr - where an extent is in memory; NULL if not in the pool */
PINFS_API void *pinfs_extent_addr(const pinfs_pool *pool,
				  const struct pinfs_extent *extent);

/*
 * pinfs_pin_iovec - memory of the range that was pinned by the last extend
 * @iov: room for count; NULL to ask how many are needed
 *
 * Returns how many there are, or would be: no more than count are filled in.
 * Holes, which only a set to a device has, are zeroes that must not be written.
 * -ENOMEM; -ESTALE: it is not the set's pool.
 */
PINFS_API ssize_t pinfs_pin_iovec(pinfs_pin *pin, const pinfs_pool *pool,
				  struct iovec *iov, size_t count);

/* pinfs_pin_id - as `pinfs pins` shows it */
PINFS_API uint64_t pinfs_pin_id(const pinfs_pin *pin);

/* pinfs_pin_fd - the descriptor that keeps the set alive; yours, as it was */
PINFS_API int pinfs_pin_fd(const pinfs_pin *pin);

/*
 * pinfs_ring_files - what a ring has to hold as long as its I/O lasts
 *
 *	int files[PINFS_RING_FILES];
 *	pinfs_ring_files(pin, pool, files);
 *	io_uring_register_files(&ring, files, PINFS_RING_FILES);
 *
 * Once a ring and open file: it serves all sets of it.
 */
#define PINFS_RING_FILES 2
PINFS_API void pinfs_ring_files(const pinfs_pin *pin, const pinfs_pool *pool,
				int files[PINFS_RING_FILES]);

#define PINFS_ALL UINT64_MAX

/*
 * pinfs_pin_end - the I/O is over: end the pins, and free the set
 * @end: from a device: offset in the file behind the last byte that has
 *       arrived, PINFS_ALL: all of all ranges.  Ignored to a device.
 *
 * The file ends there, if it ended before; pinned bytes behind that read as
 * zeroes.  Reads that begin after the return see what the device wrote.  The
 * set is gone whatever is returned: -EINTR: a signal came when the pins had
 * ended, but some cached pages had not gone yet; -EDEADLK: nor have they in ten
 * seconds, it may be since a truncate waits for another set of yours; -ENOENT: it had ended before;
 * -ENOTCONN: the daemon has; -EIO and its like: what arrived may not be durable.
 */
PINFS_API int pinfs_pin_end(pinfs_pin *pin, uint64_t end);

#ifdef __cplusplus
}
#endif

#endif
