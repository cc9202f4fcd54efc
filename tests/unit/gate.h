/* SPDX-License-Identifier: BSD-3-Clause */
/* A counter that threads pass and others wait at: no sleeps, no polling. */
#ifndef PINFS_TEST_GATE_H
#define PINFS_TEST_GATE_H

#include <pthread.h>

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	unsigned int count; /* lock */
};

static inline void gate_init(struct gate *g)
{
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->wake, NULL);
	g->count = 0;
}

static inline void gate_pass(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->count++;
	pthread_cond_broadcast(&g->wake);
	pthread_mutex_unlock(&g->lock);
}

/* gate_await - until n have passed */
static inline void gate_await(struct gate *g, unsigned int n)
{
	pthread_mutex_lock(&g->lock);
	while (g->count < n)
		pthread_cond_wait(&g->wake, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static inline unsigned int gate_count(struct gate *g)
{
	unsigned int n;

	pthread_mutex_lock(&g->lock);
	n = g->count;
	pthread_mutex_unlock(&g->lock);
	return n;
}

#endif
