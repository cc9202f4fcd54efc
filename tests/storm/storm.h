/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The storm: many processes that do anything at all with a few files, DMA above
 * all. Each file has an id of its own, and whatever is written to it, by whom
 * and how ever, says so in every 32 bytes. So whoever reads sees at once if
 * bytes have got into a file that were meant for another (C3, L1).
 */
#ifndef STORM_H
#define STORM_H

#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SECTOR	  512u
#define BLOCK	  4096u
#define FILE_MOST (3u << 20) /* bytes that a file may be large */
#define BUF_SIZE  (1u << 20)
#define PROCS_MAX 64
#define XATTR	  "user.storm"

/* Bytes of the slow device that a process's DMA has; its clients' come behind. */
#define STORM_PLACE (64u << 10)

/* An id's lowest bit: the file is collapsed and inserted into. */
#define ID_SHIFTS 1u

enum outcome {
	DONE, /* it succeeded */
	REFUSED, /* it failed as it may: no space, interrupted, cancelled */
};

/* struct slot - what a process is doing; shared with the one that watches */
struct slot {
	_Atomic uint64_t since_ns; /* 0: nothing */
	const char *_Atomic what;
};

#define OPS_MAX 24

/* struct shared - what all processes see */
struct shared {
	_Atomic int stop;
	struct slot slot[PROCS_MAX];
	_Atomic uint64_t done[OPS_MAX], refused[OPS_MAX];
	sem_t stream; /* of starve(): a DMA is done, or who did it has ended */
};

struct storm {
	uint64_t seed;
	unsigned int seconds;
	unsigned int procs;
	unsigned int files;
	unsigned int limit_s; /* that one operation may take */
	unsigned int truncate_ms; /* that a truncate may take under a stream */
	const char *mnt;
	const char *slowdev; /* or NULL */
	uint64_t epoch; /* makes ids of one run different from another's */
	int dir; /* of the files */
	struct shared *shared;
};

struct proc {
	struct storm *st;
	unsigned int index;
	uint64_t random;
	uint64_t made; /* files */
	uint64_t made_guests;
	uint64_t sequence;
	uint8_t *buf; /* BUF_SIZE, aligned to blocks */
};

/* --- storm.c --- */

/* broken - a guarantee is: say what, and end this process */
__attribute__((format(printf, 2, 3), noreturn)) void
broken(const struct proc *p, const char *fmt, ...);

uint64_t draw(struct proc *p, uint64_t below);
bool chance(struct proc *p, unsigned int percent);
/* draw_sectors - bytes, a multiple of SECTOR, from one to most */
uint64_t draw_sectors(struct proc *p, uint64_t most);
uint64_t now_us(void);

struct proc *proc_new(struct storm *st, unsigned int index);
/* proc_run - fn in a process of its own; 0 if it could not be made */
pid_t proc_run(struct storm *st, unsigned int index, void (*fn)(struct proc *));

/* --- sector.c: signatures --- */

void sector_fill(struct proc *p, uint64_t id, uint64_t off, void *buf,
		 size_t len);

/* sector_check - bytes read from offset off of the file: zero or its own */
void sector_check(const struct proc *p, const char *how, uint64_t id,
		  uint64_t off, const void *buf, size_t len);

/* --- files.c --- */

struct target {
	int fd;
	uint64_t id;
	uint64_t size;
	unsigned int number; /* of its name, when it was opened */
};

/* target_open - one of the files, made if it is not there; false: no space */
bool target_open(struct proc *p, int flags, struct target *t);
void target_close(struct target *t);
/* target_make - a new file takes the name; false: no space */
bool target_make(struct proc *p, unsigned int number);
void name_of(unsigned int number, char name[16]);

/* allowed - is err (positive) one of the list, which ends with 0? */
bool allowed(int err, const int *list);

/* --- dma.c --- */

enum outcome dma_in(struct proc *p);
enum outcome dma_out(struct proc *p);
enum outcome dma_slow(struct proc *p);
/*
 * dma_hold - from a device that keeps the blocks for so long
 * @piecewise: not all of the range is pinned at first, and the rest after that
 */
enum outcome dma_hold(struct proc *p, struct target *t, uint64_t len,
		      unsigned int hold_ms, bool piecewise);
/* dma_exactly - all of [off, off + len) from or to buf; false: no space */
bool dma_exactly(struct proc *p, struct target *t, bool in, uint64_t off,
		 uint8_t *buf, uint64_t len);

/* --- guest.c --- */

enum outcome guest(struct proc *p);

/* --- ops.c --- */

/* ops_write_around - into some files, so that free blocks find an owner */
void ops_write_around(struct proc *p);

void ops_catch_signals(void);
/* ops_one - one operation, drawn at random */
void ops_one(struct proc *p);
void ops_report(const struct storm *st);
/* ops_check_all - read every file there is; nobody else does anything */
void ops_check_all(struct proc *p);

/* --- starve.c --- */

/* starve - L4, L5: truncates in the midst of a stream of DMA; 0 or 1 */
int starve(struct storm *st);

#endif
