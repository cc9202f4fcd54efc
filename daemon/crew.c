// SPDX-License-Identifier: BSD-3-Clause
#include "crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define STACK_BYTES (256u << 10)

struct crew {
	pthread_mutex_t lock;
	pthread_cond_t gone;
	unsigned long count; /* lock */
};

struct errand {
	struct crew *crew;
	void (*fn)(void *arg);
	void *arg;
};

struct crew *crew_new(void)
{
	struct crew *crew = calloc(1, sizeof(*crew));

	if (!crew)
		return NULL;
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->gone, NULL);
	return crew;
}

void crew_enter(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->count++;
	pthread_mutex_unlock(&crew->lock);
}

void crew_leave(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	if (--crew->count == 0)
		pthread_cond_broadcast(&crew->gone);
	pthread_mutex_unlock(&crew->lock);
}

static void *run(void *arg)
{
	struct errand e = *(struct errand *)arg;

	free(arg);
	e.fn(e.arg);
	crew_leave(e.crew);
	return NULL;
}

int crew_spawn(struct crew *crew, void (*fn)(void *arg), void *arg)
{
	struct errand *e = malloc(sizeof(*e));
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	if (!e)
		return -EAGAIN;
	*e = (struct errand){ crew, fn, arg };
	crew_enter(crew);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	err = pthread_create(&thread, &attr, run, e);
	pthread_attr_destroy(&attr);
	if (!err)
		return 0;
	crew_leave(crew);
	free(e);
	return -EAGAIN;
}

void crew_wait(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	while (crew->count > 0)
		pthread_cond_wait(&crew->gone, &crew->lock);
	pthread_mutex_unlock(&crew->lock);
}

void crew_free(struct crew *crew)
{
	if (!crew)
		return;
	pthread_cond_destroy(&crew->gone);
	pthread_mutex_destroy(&crew->lock);
	free(crew);
}
