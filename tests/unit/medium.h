/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of a pool is on its medium: a table of stores that keeps it apart from
 * what the CPU sees, and writes the image that a power cut may leave.
 *
 *   persistent memory  a line is there once it was flushed and fenced, both by
 *                      one thread; before that any 8 bytes of it may be there
 *                      or not;
 *   file               all is there that was stored before a sync; before that
 *                      any 512 bytes may be there or not.
 */
#ifndef PINFS_TEST_MEDIUM_H
#define PINFS_TEST_MEDIUM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pool/persist.h"

struct medium {
	struct pool *pool;
	bool file;
	pthread_mutex_t lock; /* held while on_event is called */
	size_t room; /* bytes mapped for the five that follow */
	uint8_t *image;
	uint8_t *line; /* enum in medium.c */
	uint8_t *thread; /* that has flushed the line */
	uint32_t *changed; /* lines that are not on the medium as they are */
	size_t nchanged;
	uint8_t *page; /* pages that are not all zeroes */
	uint64_t seed;
	_Atomic int sync_error; /* what sync says, and then does nothing */
	_Atomic unsigned int syncs;
	bool ordering; /* the event is a sync or, not of a file, a fence */
	void (*on_event)(struct medium *m, void *arg); /* lock */
	void *arg;
};

/* medium_attach - all goes by it from here on; what is there is settled */
void medium_attach(struct medium *m, struct pool *pool, uint64_t seed);
void medium_detach(struct medium *m);

/*
 * medium_watch - have fn called before every store, flush, fence and sync: the
 *                power may fail there; NULL: no more
 */
void medium_watch(struct medium *m, void (*fn)(struct medium *m, void *arg),
		  void *arg);

/* medium_cut - write what a power cut may leave now; from on_event only */
void medium_cut(struct medium *m, const char *path);

/* medium_kill - write what the kernel has when the process dies now */
void medium_kill(struct medium *m, const char *path);

#endif
