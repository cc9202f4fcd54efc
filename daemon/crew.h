/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads that nobody joins, counted, so that their end can be waited for.
 *
 * For what may have to wait in the kernel for as long as it likes: a fixed
 * number of threads would let one file's wait hold up another's (L9).
 */
#ifndef PINFSD_CREW_H
#define PINFSD_CREW_H

struct crew;

struct crew *crew_new(void); /* NULL without memory */

/* crew_enter, crew_leave - count something that a crew_wait() waits for */
void crew_enter(struct crew *crew);
void crew_leave(struct crew *crew);

/* crew_spawn - run fn(arg) on a thread; counts it until it ends; -EAGAIN */
int crew_spawn(struct crew *crew, void (*fn)(void *arg), void *arg);

/* crew_wait - until all have left, and those that they spawned */
void crew_wait(struct crew *crew);

void crew_free(struct crew *crew); /* NULL is fine */

#endif
