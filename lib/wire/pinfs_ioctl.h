/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a mounted pinfs answers through ioctl(2) on an open descriptor.
 *
 * A descriptor is the right to do what it was opened for: DMA from a device
 * needs it open for writing, DMA to a device open for reading, a map or the
 * file's own pins and breaks open at all.  Listings of the whole mount (asked
 * for on its root directory) are for root and the mount's owner.
 *
 * Listings are paged: cursor is 0 at first, then what the last call left
 * there; count is 0 when there is no more.  Each structure is below 16 KiB,
 * the most that the kernel's FUSE client passes on.  Host byte order; every
 * reserved field is zero and refused otherwise.
 */
#ifndef PINFS_IOCTL_H
#define PINFS_IOCTL_H

#include <stdint.h>
#include <sys/ioctl.h>

#define PINFS_IOC_TYPE	   0xB7
#define PINFS_WIRE_VERSION 1u
#define PINFS_COMM_LEN	   16
#define PINFS_NAME_LEN	   256

enum pinfs_direction {
	PINFS_TO_DEVICE = 0, /* the device reads the file's blocks */
	PINFS_FROM_DEVICE = 1, /* the device writes into them */
};

enum pinfs_engine {
	PINFS_ENGINE_IO_URING = 0,
	PINFS_ENGINE_AIO = 1,
	PINFS_ENGINE_CLIENT = 2, /* I/O of the client's own */
};

/* A layout change, as breaks report it. */
enum pinfs_change {
	PINFS_CHANGE_TRUNCATE = 0,
	PINFS_CHANGE_ALLOCATE = 1,
	PINFS_CHANGE_PUNCH_HOLE = 2,
	PINFS_CHANGE_ZERO_RANGE = 3,
	PINFS_CHANGE_COLLAPSE_RANGE = 4,
	PINFS_CHANGE_INSERT_RANGE = 5,
};

enum pinfs_break_state {
	PINFS_BREAK_WAITING = 0,
	PINFS_BREAK_RUNNING = 1,
};

/* --- PINFS_IOC_INFO: the mount --------------------------------------------- */

#define PINFS_INFO_READ_ONLY   1u
#define PINFS_INFO_PERSISTENT  2u /* durable when an operation returns (S2) */
#define PINFS_INFO_SCOPE_RANGE 4u

struct pinfs_ioc_info {
	uint32_t wire_version;
	uint32_t flags; /* PINFS_INFO_* */
	uint32_t daemon_pid;
	uint32_t dax; /* 0 inode, 1 always, 2 never */
	uint8_t uuid[16];
	char label[64];
	uint64_t block_size;
	uint64_t total_blocks;
	uint64_t free_blocks;
	uint64_t used_inodes;
	uint64_t ino; /* of the descriptor's file */
	uint64_t break_timeout_ns; /* 0: for ever */
	uint64_t break_warn_ns;
	char socket[64]; /* name of the abstract socket, no leading NUL */
	char pool[1024]; /* path of the pool */
	uint64_t reserved[8];
};

/* --- PINFS_IOC_MAP: a file's extents --------------------------------------- */

#define PINFS_MAP_UNWRITTEN 1u
#define PINFS_MAP_PER_CALL  256

struct pinfs_ioc_extent {
	uint64_t logical; /* bytes */
	uint64_t physical; /* bytes from the pool's start */
	uint64_t length; /* bytes */
	uint32_t flags; /* PINFS_MAP_* */
	uint32_t reserved;
	uint64_t pinned_blocks; /* of the extent, that have a pin */
	uint64_t pins; /* sum of the blocks' pin counts */
};

struct pinfs_ioc_map {
	uint64_t cursor; /* file offset in bytes */
	uint32_t count;
	uint32_t reserved;
	struct pinfs_ioc_extent extent[PINFS_MAP_PER_CALL];
};

/* --- PINFS_IOC_PINS: live pin sets ----------------------------------------- */

#define PINFS_SCOPE_MOUNT   0u /* needs root or the mount's owner */
#define PINFS_SCOPE_FILE    1u /* of the descriptor's file */
#define PINFS_PINS_PER_CALL 32

/* One range of one pin set; a set of several ranges has several in a row. */
struct pinfs_ioc_pin {
	uint64_t id; /* of the pin set */
	uint64_t begin; /* its number in the global order */
	uint64_t ino;
	uint64_t offset; /* bytes */
	uint64_t length;
	uint64_t blocks;
	uint64_t age_ns;
	uint64_t done; /* bytes that the DMA has transferred */
	uint32_t pid;
	uint32_t uid;
	uint8_t direction; /* enum pinfs_direction */
	uint8_t engine; /* enum pinfs_engine */
	uint8_t cancelled; /* waits for the kernel to finish the I/O */
	uint8_t waiting; /* not granted yet: waits behind a break */
	uint32_t reserved;
	char comm[PINFS_COMM_LEN];
	char name[PINFS_NAME_LEN]; /* last known name of the file, or empty */
};

struct pinfs_ioc_pins {
	uint64_t cursor;
	uint32_t scope; /* PINFS_SCOPE_* */
	uint32_t count;
	struct pinfs_ioc_pin pin[PINFS_PINS_PER_CALL];
};

/* --- PINFS_IOC_BREAKS: deferred layout changes ------------------------------ */

#define PINFS_BREAKS_PER_CALL 32

struct pinfs_ioc_break {
	uint64_t id; /* its number in the global order */
	uint64_t ino;
	uint64_t offset; /* bytes; TRUNCATE: the new size */
	uint64_t length;
	uint64_t age_ns;
	uint64_t waits_for; /* id of a pin set or break that it waits for */
	uint32_t waits_for_pins; /* pin sets that hold it up */
	uint32_t ahead; /* breaks of the file that come first */
	uint32_t pid;
	uint32_t uid;
	uint8_t change; /* enum pinfs_change */
	uint8_t state; /* enum pinfs_break_state */
	uint16_t reserved0;
	uint32_t reserved1;
	char comm[PINFS_COMM_LEN];
	char name[PINFS_NAME_LEN];
};

struct pinfs_ioc_breaks {
	uint64_t cursor;
	uint32_t scope; /* PINFS_SCOPE_* */
	uint32_t count;
	struct pinfs_ioc_break brk[PINFS_BREAKS_PER_CALL];
};

/* --- PINFS_IOC_STATS: counters since the mount ------------------------------ */

struct pinfs_ioc_stats {
	uint64_t pins; /* blocks pinned */
	uint64_t unpins;
	uint64_t pin_sets; /* begun */
	uint64_t pin_sets_live;
	uint64_t pin_waits; /* pin sets that waited behind a break */
	uint64_t breaks;
	uint64_t breaks_waited;
	uint64_t breaks_waiting; /* now */
	uint64_t wait_total_ns;
	uint64_t wait_longest_ns;
	uint64_t idle_events; /* last pins of a block */
	uint64_t interrupted;
	uint64_t timed_out;
	uint64_t refused; /* long-term, or would have waited */
	uint64_t retries; /* pins taken anew, as the layout had changed */
	uint64_t dma_bytes_in;
	uint64_t dma_bytes_out;
	uint64_t dma_errors;
	uint64_t transactions;
	uint64_t checkpoints;
	uint64_t invalidations; /* page-cache ranges dropped */
	uint64_t orphans; /* unlinked files that keep their blocks, now */
	uint64_t reserved[16];
};

/* --- PINFS_IOC_COLLAPSE, PINFS_IOC_INSERT ----------------------------------- */

struct pinfs_ioc_range {
	uint64_t offset; /* bytes, multiples of the block size */
	uint64_t length;
};

/* --- PINFS_IOC_DMA: a ticket for one DMA ------------------------------------ */

/*
 * Says what the descriptor may be used for, and gives the ticket that the
 * socket takes together with the device's descriptor (pinfs_dma.h).  A ticket
 * serves once, and ends with the open file description.
 */
struct pinfs_ioc_dma {
	uint32_t direction; /* in: enum pinfs_direction */
	uint32_t reserved;
	uint8_t ticket[16]; /* out */
	char socket[64]; /* out: name of the abstract socket */
};

/* --- PINFS_IOC_TRACE: the event stream ---------------------------------------- */

enum pinfs_event {
	PINFS_EVENT_PIN_BEGIN = 1, /* a pin set has its place in the order */
	PINFS_EVENT_PIN_WAIT = 2, /* it waits behind a break of ino */
	PINFS_EVENT_PIN_ADMIT = 3, /* it may pin blocks of ino */
	PINFS_EVENT_PIN = 4, /* it has pinned an extent of ino */
	PINFS_EVENT_UNPIN = 5, /* all its pins of ino have ended */
	PINFS_EVENT_PIN_END = 6,
	PINFS_EVENT_PIN_CANCEL = 7, /* somebody asked for its end */
	PINFS_EVENT_BREAK_ASKED = 8,
	PINFS_EVENT_BREAK_WAITING = 9,
	PINFS_EVENT_BREAK_RUNNING = 10,
	PINFS_EVENT_BREAK_DONE = 11, /* err: how the change ended */
	PINFS_EVENT_BREAK_FAILED = 12, /* without having run: EINTR, EBUSY */
	PINFS_EVENT_BREAK_WARN = 13, /* it has waited long */
	PINFS_EVENT_FREED = 14, /* blocks may be given to another file */
};

struct pinfs_ioc_event {
	uint64_t number; /* of the event; a gap: events that were lost */
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t id; /* of the pin set or break */
	uint64_t ino;
	uint64_t offset; /* bytes; of a truncate: the new size */
	uint64_t length; /* bytes */
	uint64_t physical; /* bytes from the pool's start: PIN, FREED */
	uint32_t pid;
	uint32_t uid;
	int32_t err; /* 0 or negative errno */
	uint8_t kind; /* enum pinfs_event */
	uint8_t change; /* enum pinfs_change, of breaks */
	uint8_t direction; /* of pin sets, as in their listing */
	uint8_t engine;
	char comm[PINFS_COMM_LEN];
};

#define PINFS_TRACE_PER_CALL 160

/*
 * The first call of an open file begins the recording, which its release ends,
 * and returns at once with the cursor. Others return when there are events; they
 * can be interrupted, and fail with ESHUTDOWN when the mount has ended.
 * For root and the mount's owner.
 */
struct pinfs_ioc_trace {
	uint64_t cursor;
	uint64_t lost; /* out: events before the first one here */
	uint32_t count;
	uint32_t reserved;
	struct pinfs_ioc_event event[PINFS_TRACE_PER_CALL];
};

/* --- PINFS_IOC_CANCEL -------------------------------------------------------- */

struct pinfs_ioc_cancel {
	uint64_t id; /* of the pin set; root, the mount's owner or its owner */
};

/* --- a client's own pin set ---------------------------------------------------- */

/*
 * The client does the I/O itself, on memory of the pool that it has mapped with
 * its own rights; what is here pins the blocks for it.  libpinfs (pinfs.h) is
 * the convenient way.
 *
 * The set belongs to the open file description that it began on: it ends with
 * PINFS_IOC_PIN_END, or when that description is released, which the I/O must
 * not outlive (L11): so the client registers the descriptor with its ring.
 * All but the first take the set's id and key, on any descriptor of the mount;
 * -ENOENT: there is no such set, -EACCES: it is not of that key, -EBUSY: some
 * other call about it has not returned yet.
 */

/*
 * Byte of the pool on which a client holds an OFD read lock (fcntl(2)) while it
 * has the pool mapped for such I/O, with a descriptor that it registers with
 * its ring as well.  Should the daemon be killed, or cut off, the lock tells
 * that the I/O is not over: until then nobody else may write to the pool (L12).
 */
#define PINFS_GUEST_BYTE 2

#define PINFS_PIN_NOWAIT   1u /* EAGAIN rather than waiting behind a break */
#define PINFS_PIN_LONGTERM 2u /* refused with EOPNOTSUPP (L13) */

struct pinfs_ioc_pin_begin {
	uint32_t direction; /* enum pinfs_direction */
	uint32_t flags; /* PINFS_PIN_* */
	uint64_t id; /* out; 0 */
	uint64_t key; /* out; 0 */
	uint64_t reserved[2];
};

#define PINFS_PINNED_PER_CALL 256

/* Bytes of a range that lie side by side in the pool. */
struct pinfs_ioc_pinned {
	uint64_t logical; /* in the file */
	uint64_t physical; /* from the pool's start */
	uint64_t length;
};

/*
 * PIN_EXTEND pins [offset, offset + length) of the descriptor's file, which
 * must be open for what the set does: all or nothing.  It may wait, and be
 * interrupted (EINTR).  PIN_EXTENTS goes on from cursor, 0: from the set's
 * first; of a set that goes to a device, holes are left out.
 */
struct pinfs_ioc_pin_extend {
	uint64_t id;
	uint64_t key;
	uint64_t offset; /* EXTENTS: 0 */
	uint64_t length; /* EXTENTS: 0 */
	uint64_t cursor; /* EXTEND: 0; out: of the extent after the last here */
	uint32_t count; /* out */
	uint32_t more; /* out: there are more than fit here */
	uint64_t reserved[2];
	struct pinfs_ioc_pinned extent[PINFS_PINNED_PER_CALL]; /* out */
};

#define PINFS_PIN_END_ALL UINT64_MAX

/*
 * The I/O is over.  EINTR, or EDEADLK after ten seconds: the pins have ended,
 * but not all cached pages of the ranges have gone.
 */
struct pinfs_ioc_pin_end {
	uint64_t id;
	uint64_t key;
	/*
	 * From a device: the offset, in the files, behind the last byte that
	 * has arrived, or PINFS_PIN_END_ALL.  Bytes behind the end of file that
	 * have not read as zeroes.
	 */
	uint64_t end;
	uint64_t reserved[2];
};

#define PINFS_IOC_INFO	   _IOR(PINFS_IOC_TYPE, 1, struct pinfs_ioc_info)
#define PINFS_IOC_MAP	   _IOWR(PINFS_IOC_TYPE, 2, struct pinfs_ioc_map)
#define PINFS_IOC_PINS	   _IOWR(PINFS_IOC_TYPE, 3, struct pinfs_ioc_pins)
#define PINFS_IOC_BREAKS   _IOWR(PINFS_IOC_TYPE, 4, struct pinfs_ioc_breaks)
#define PINFS_IOC_STATS	   _IOR(PINFS_IOC_TYPE, 5, struct pinfs_ioc_stats)
#define PINFS_IOC_COLLAPSE _IOW(PINFS_IOC_TYPE, 6, struct pinfs_ioc_range)
#define PINFS_IOC_INSERT   _IOW(PINFS_IOC_TYPE, 7, struct pinfs_ioc_range)
#define PINFS_IOC_DMA	   _IOWR(PINFS_IOC_TYPE, 8, struct pinfs_ioc_dma)
#define PINFS_IOC_CANCEL   _IOW(PINFS_IOC_TYPE, 9, struct pinfs_ioc_cancel)
#define PINFS_IOC_TRACE	   _IOWR(PINFS_IOC_TYPE, 10, struct pinfs_ioc_trace)
#define PINFS_IOC_PIN_BEGIN \
	_IOWR(PINFS_IOC_TYPE, 11, struct pinfs_ioc_pin_begin)
#define PINFS_IOC_PIN_EXTEND \
	_IOWR(PINFS_IOC_TYPE, 12, struct pinfs_ioc_pin_extend)
#define PINFS_IOC_PIN_EXTENTS \
	_IOWR(PINFS_IOC_TYPE, 13, struct pinfs_ioc_pin_extend)
#define PINFS_IOC_PIN_END _IOW(PINFS_IOC_TYPE, 14, struct pinfs_ioc_pin_end)

_Static_assert(sizeof(struct pinfs_ioc_pin_extend) < 16384, "FUSE ioctl limit");
_Static_assert(sizeof(struct pinfs_ioc_trace) < 16384, "FUSE ioctl limit");
_Static_assert(sizeof(struct pinfs_ioc_map) < 16384, "FUSE ioctl limit");
_Static_assert(sizeof(struct pinfs_ioc_pins) < 16384, "FUSE ioctl limit");
_Static_assert(sizeof(struct pinfs_ioc_breaks) < 16384, "FUSE ioctl limit");

#endif
