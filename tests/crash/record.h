/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The recorder: a table of stores that notes every store, flush, fence and
 * sync with its bytes, in order, and which pages of the mapping have changed.
 *
 * A defect is a lie in what is noted, so that the explorer can be tested: the
 * library does what it always does.
 */
#ifndef PINFS_CRASH_RECORD_H
#define PINFS_CRASH_RECORD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/pinfs_format.h"
#include "pool/persist.h"

enum event_kind {
	EVENT_STORE,
	EVENT_FLUSH,
	EVENT_FENCE,
	EVENT_SYNC,
	EVENT_BEGIN, /* of an operation */
	EVENT_END, /* it has returned */
	EVENT_SYNCED, /* it has returned, and it was a sync */
	EVENT_DEVICE, /* a store by a device: never flushed */
	EVENT_PINNED, /* from here on a device may store */
	EVENT_UNPINNED,
	EVENT_LOOK, /* nothing: the power may fail here, too */
};

struct event {
	enum event_kind kind;
	uint32_t off;
	uint32_t len;
	size_t bytes; /* where a store's are, in struct record */
};

enum defect {
	DEFECT_NONE,
	DEFECT_NO_FLUSH, /* nothing is ever flushed */
	DEFECT_NO_FLUSH_LANES, /* records are not */
	DEFECT_NO_FLUSH_PAYLOAD, /* what is stored before the record is not */
	DEFECT_NO_FLUSH_HOME, /* what is stored after the record is not */
	DEFECT_NO_FENCE, /* none is ever fenced */
	DEFECT_NO_FENCE_PAYLOAD, /* the record may be there before the payload */
	DEFECT_NO_FENCE_COMMIT, /* changes may be home before the record */
	DEFECT_NO_FENCE_HOME, /* the record may go before changes are home */
	DEFECT_NO_SYNC, /* of a file: a disk that lies */
	DEFECT_NO_FIRST_SYNC, /* records may be sealed before they are there */
	DEFECT_EARLY_SYNC, /* the second sync does nothing */
	DEFECTS,
};

struct record {
	struct pool *pool;
	pthread_mutex_t lock;
	bool on; /* notes events */
	enum defect defect;
	bool in_op;
	unsigned int fences; /* of this operation */
	unsigned int syncs; /* since record_start() */
	unsigned int all_syncs;
	uint32_t lanes_from, lanes_to; /* bytes of the pool */
	uint32_t lane_size;
	uint32_t lane_end; /* where the last store to a lane ended */
	struct event *event;
	size_t events, event_room;
	uint8_t *bytes;
	size_t nbytes, byte_room;
	uint8_t *is_dirty; /* a page each */
	uint32_t *dirty;
	size_t ndirty;
};

void record_attach(struct record *r, struct pool *pool);
void record_free(struct record *r);

/* record_start - forget what was noted, and note from here on */
void record_start(struct record *r, enum defect defect);
void record_stop(struct record *r);

/* record_mark - an operation begins, or has ended */
void record_mark(struct record *r, enum event_kind kind);

/* record_syncs - how often the pool was synced, also while nothing was noted */
unsigned int record_syncs(struct record *r);

/* record_note - what is no operation: EVENT_PINNED, _UNPINNED, _LOOK */
void record_note(struct record *r, enum event_kind kind);

/* record_device - what a device stores at off */
void record_device(struct record *r, size_t off, const void *bytes, size_t n);

/* record_touch - [off, off + len) of the mapping is about to change */
void record_touch(struct record *r, size_t off, size_t len);

/* record_restore - the pages that have changed are again as in image */
void record_restore(struct record *r, const uint8_t *image);

/* grow - room for one more of an array; ends the program without memory */
void *grow(void *p, size_t n, size_t *room, size_t size);

void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
