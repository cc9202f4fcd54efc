// SPDX-License-Identifier: BSD-3-Clause
#include "base/work.h"

#include <stdlib.h>

struct work_queue {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct list_head queue; /* lock */
	bool stop; /* lock */
	unsigned int threads;
	pthread_t thread[];
};

static void *worker(void *arg)
{
	struct work_queue *wq = arg;

	pthread_mutex_lock(&wq->lock);
	for (;;) {
		struct work *w;

		while (list_empty(&wq->queue) && !wq->stop)
			pthread_cond_wait(&wq->wake, &wq->lock);
		if (list_empty(&wq->queue))
			break;
		w = list_first_entry(&wq->queue, struct work, node);
		list_del(&w->node);
		pthread_mutex_unlock(&wq->lock);
		w->fn(w);
		pthread_mutex_lock(&wq->lock);
	}
	pthread_mutex_unlock(&wq->lock);
	return NULL;
}

struct work_queue *work_queue_new(unsigned int threads)
{
	struct work_queue *wq =
		calloc(1, sizeof(*wq) + threads * sizeof(wq->thread[0]));

	if (!wq)
		return NULL;
	pthread_mutex_init(&wq->lock, NULL);
	pthread_cond_init(&wq->wake, NULL);
	list_init(&wq->queue);
	for (; wq->threads < threads; wq->threads++)
		if (pthread_create(&wq->thread[wq->threads], NULL, worker, wq))
			break;
	if (wq->threads == 0) {
		work_queue_free(wq);
		return NULL;
	}
	return wq;
}

void work_queue_free(struct work_queue *wq)
{
	if (!wq)
		return;
	pthread_mutex_lock(&wq->lock);
	wq->stop = true;
	pthread_cond_broadcast(&wq->wake);
	pthread_mutex_unlock(&wq->lock);
	for (unsigned int i = 0; i < wq->threads; i++)
		pthread_join(wq->thread[i], NULL);
	pthread_cond_destroy(&wq->wake);
	pthread_mutex_destroy(&wq->lock);
	free(wq);
}

void work_post(struct work_queue *wq, struct work *w)
{
	pthread_mutex_lock(&wq->lock);
	list_add_tail(&w->node, &wq->queue);
	pthread_cond_signal(&wq->wake);
	pthread_mutex_unlock(&wq->lock);
}
