/* SPDX-License-Identifier: BSD-3-Clause */
/* Signals: one thread takes them all, so that none is missed. */
#ifndef PINFSD_SIGNALS_H
#define PINFSD_SIGNALS_H

#include "pool/pool.h"

/*
 * signals_start - before any other thread
 * @stop: SIGTERM, SIGINT or SIGHUP has come, again for each; on their thread
 */
int signals_start(void (*stop)(void *arg, int sig), void *arg);

/* signals_watch - say so if the pool's memory fails; NULL: no more */
void signals_watch(const struct pool *pool);

/* signals_end - no stop() runs any more, nor will */
void signals_end(void);

#endif
