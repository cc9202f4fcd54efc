/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the conformance checker knows of a stream of events. It is its own
 * account of what is pinned and who waits: nothing here comes from the daemon
 * but the events as `pinfs trace --json` prints them.
 */
#ifndef CONFORM_H
#define CONFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK	 4096u
#define NO_LIMIT UINT64_MAX

enum kind {
	KIND_PIN_BEGIN,
	KIND_PIN_WAIT,
	KIND_PIN_ADMIT,
	KIND_PIN,
	KIND_UNPIN,
	KIND_PIN_END,
	KIND_PIN_CANCEL,
	KIND_BREAK_ASKED,
	KIND_BREAK_WAITING,
	KIND_BREAK_RUNNING,
	KIND_BREAK_DONE,
	KIND_BREAK_FAILED,
	KIND_BREAK_WARN,
	KIND_FREED,
	KINDS,
};

enum change {
	CHANGE_TRUNCATE,
	CHANGE_ALLOCATE,
	CHANGE_PUNCH,
	CHANGE_ZERO,
	CHANGE_COLLAPSE,
	CHANGE_INSERT,
	CHANGES,
};

extern const char *const kind_names[KINDS];
extern const char *const change_names[CHANGES];

struct event {
	uint64_t number;
	enum kind kind;
	enum change change;
	uint64_t id;
	uint64_t ino;
	uint64_t offset, length, physical; /* bytes */
	int err;
};

/* struct table - from a number to something; nothing is ever taken out */
struct table {
	uint64_t *key;
	void **value; /* NULL: a free place */
	size_t room, count;
};

void *table_get(const struct table *t, uint64_t key);
void table_put(struct table *t, uint64_t key, void *value);

/* struct pin - an extent that a set has pinned; blocks */
struct pin {
	uint64_t first, count, physical;
	struct pin *next;
};

struct brk {
	uint64_t id;
	struct file *file;
	enum change change;
	uint64_t offset, length; /* bytes */
	bool waits, runs;
	struct brk *next; /* of the file, in the order asked */
};

struct file {
	uint64_t ino;
	unsigned int admitted;
	struct hold *holds;
	struct brk *breaks;
	bool must_go_on; /* L8: its next event is an admission or a break's run */
};

/* struct hold - a set and a file that it has to do with */
struct hold {
	struct set *set;
	struct file *file;
	bool admitted;
	struct pin *pins;
	struct hold *next_of_set, *next_of_file;
};

struct set {
	uint64_t id;
	struct hold *holds;
};

struct book {
	bool range; /* scope */
	bool complete; /* the stream is a mount's from its beginning to its end */
	struct table files, sets, breaks;
	uint32_t *pins; /* of each physical block */
	uint64_t blocks; /* that pins has room for */
	struct {
		uint64_t events, sets, breaks, waited, pins, freed;
		uint64_t live_sets, live_breaks;
	} count;
};

/* What a table has for an id that is over. */
extern char over;
#define OVER ((void *)&over)

void *get_memory(size_t size); /* zeroed; ends the program without */

struct file *book_file(struct book *b, uint64_t ino);
struct hold *book_hold(struct set *s, struct file *f); /* made if need be */
void book_hold_free(struct hold *h);
void book_pin(struct book *b, struct hold *h, const struct event *ev);
void book_unpin(struct book *b, struct hold *h);

/* book_pinned - the first pinned one of physical blocks, or NO_LIMIT */
uint64_t book_pinned(const struct book *b, uint64_t first, uint64_t count);

/* conform_event - take in one event; what violates a rule ends the program */
void conform_event(struct book *b, const struct event *ev);

/* conform_end - the stream is over */
void conform_end(const struct book *b, uint64_t last_number);

#endif
