// SPDX-License-Identifier: BSD-3-Clause
/*
 * Threads of the server: one accepts, one a connection runs the DMA, and one,
 * the watcher, hears the clients of all running ones: a cancel message, or the
 * end of the connection, which means the same.
 *
 * Lock: one, for the list of connections and who of them has a transfer. It is
 * held while a transfer is cancelled, so that it cannot go meanwhile; it is
 * never held while a message is sent.
 */
#include "dma_server.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "dma_conn.h"

#define CONNECTIONS 1024u
#define BACKLOG	    128
#define EVENTS	    16
#define NUMBER_STOP 0u /* of the descriptor that ends the watcher */

struct dma_server {
	struct daemon *d;
	char name[DMA_SOCKET_NAME];
	int listener;
	int epoll;
	int stop_fd;
	bool running;
	pthread_t acceptor, watcher;
	pthread_mutex_t lock;
	pthread_cond_t gone;
	struct list_head conns; /* lock: oldest first */
	unsigned int count; /* lock */
	uint64_t last_number; /* lock */
	bool stopping; /* lock */
};

const char *dma_server_name(const struct dma_server *ds)
{
	return ds->name;
}

/* --- connections ---------------------------------------------------------- */

static void conn_free(struct conn *c)
{
	struct dma_server *ds = c->server;

	pthread_mutex_lock(&ds->lock);
	list_del(&c->node);
	close(c->sock);
	free(c);
	ds->count--;
	pthread_cond_signal(&ds->gone);
	pthread_mutex_unlock(&ds->lock);
}

static void conn_thread(void *arg)
{
	struct conn *c = arg;

	conn_run(c);
	conn_free(c);
}

/*
 * Clients say what they want at once, so whoever has said nothing when the
 * places run out is not one; the longest waiting goes.
 */
static bool make_room(struct dma_server *ds)
{
	struct conn *c;

	if (ds->count < CONNECTIONS)
		return true;
	list_for_each_entry(c, &ds->conns, node) {
		if (c->transfer || c->cancelled)
			continue;
		c->cancelled = true;
		shutdown(c->sock, SHUT_RDWR);
		return true;
	}
	return false;
}

static struct conn *conn_new(struct dma_server *ds, int sock)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->d = ds->d;
	c->server = ds;
	c->sock = sock;
	pthread_mutex_lock(&ds->lock);
	if (ds->stopping || !make_room(ds)) {
		pthread_mutex_unlock(&ds->lock);
		free(c);
		return NULL;
	}
	c->number = ++ds->last_number;
	list_add_tail(&c->node, &ds->conns);
	ds->count++;
	pthread_mutex_unlock(&ds->lock);
	return c;
}

/* Its client sees the connection end, and says that there is no daemon. */
static void welcome(struct dma_server *ds, int sock)
{
	struct conn *c = conn_new(ds, sock);

	if (!c)
		close(sock);
	else if (crew_spawn(ds->d->crew, conn_thread, c))
		conn_free(c);
}

static void *accept_all(void *arg)
{
	struct dma_server *ds = arg;
	int sock;

	for (;;) {
		sock = accept4(ds->listener, NULL, NULL, SOCK_CLOEXEC);
		if (sock >= 0)
			welcome(ds, sock);
		else if (errno == EINVAL)
			return NULL; /* dma_server_stop() has shut it down */
		else if (errno != EINTR && errno != ECONNABORTED)
			log_warn("DMA socket: %s", strerror(errno));
	}
}

/* --- the watcher ---------------------------------------------------------- */

static struct conn *find(struct dma_server *ds, uint64_t number)
{
	struct conn *c;

	list_for_each_entry(c, &ds->conns, node)
		if (c->number == number)
			return c;
	return NULL;
}

static void hear(struct dma_server *ds, uint64_t number)
{
	bool hung_up = false;
	struct conn *c;

	pthread_mutex_lock(&ds->lock);
	c = find(ds, number);
	if (c && c->transfer) {
		conn_heard(c, &hung_up);
		if (hung_up)
			epoll_ctl(ds->epoll, EPOLL_CTL_DEL, c->sock, NULL);
	}
	pthread_mutex_unlock(&ds->lock);
}

static void *watch_all(void *arg)
{
	struct epoll_event ev[EVENTS];
	struct dma_server *ds = arg;
	int i, n;

	for (;;) {
		n = epoll_wait(ds->epoll, ev, EVENTS, -1);
		for (i = 0; i < n; i++) {
			if (ev[i].data.u64 == NUMBER_STOP)
				return NULL;
			hear(ds, ev[i].data.u64);
		}
	}
}

int dma_watch(struct conn *c, struct transfer *t)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = c->number };
	struct dma_server *ds = c->server;
	int err = 0;

	pthread_mutex_lock(&ds->lock);
	if (c->cancelled)
		err = -ECANCELED;
	else if (epoll_ctl(ds->epoll, EPOLL_CTL_ADD, c->sock, &ev))
		err = -errno;
	else
		c->transfer = t;
	pthread_mutex_unlock(&ds->lock);
	return err;
}

void dma_unwatch(struct conn *c)
{
	struct dma_server *ds = c->server;

	pthread_mutex_lock(&ds->lock);
	/* Or the watcher has been there, for the client has gone. */
	epoll_ctl(ds->epoll, EPOLL_CTL_DEL, c->sock, NULL);
	c->transfer = NULL;
	c->cancelled = true;
	pthread_mutex_unlock(&ds->lock);
}

void dma_server_cancel(struct dma_server *ds)
{
	struct conn *c;

	pthread_mutex_lock(&ds->lock);
	list_for_each_entry(c, &ds->conns, node)
		if (c->transfer)
			transfer_cancel(c->transfer);
	pthread_mutex_unlock(&ds->lock);
}

/* --- start and end -------------------------------------------------------- */

/* A name of its own for each mount, that nobody can have taken in advance. */
static int listen_here(struct dma_server *ds)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	uint64_t random;
	socklen_t len;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	snprintf(ds->name, sizeof(ds->name), "pinfs/%d-%016" PRIx64,
		 (int)getpid(), random);
	memcpy(at.sun_path + 1, ds->name, strlen(ds->name));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			  strlen(ds->name));
	ds->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (ds->listener < 0 ||
	    bind(ds->listener, (struct sockaddr *)&at, len) ||
	    listen(ds->listener, BACKLOG))
		return -errno;
	return 0;
}

static int open_watch(struct dma_server *ds)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = NUMBER_STOP };

	ds->epoll = epoll_create1(EPOLL_CLOEXEC);
	ds->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (ds->epoll < 0 || ds->stop_fd < 0 ||
	    epoll_ctl(ds->epoll, EPOLL_CTL_ADD, ds->stop_fd, &ev))
		return -errno;
	return 0;
}

static void end_watcher(struct dma_server *ds)
{
	eventfd_write(ds->stop_fd, 1);
	pthread_join(ds->watcher, NULL);
}

struct dma_server *dma_server_new(struct daemon *d)
{
	struct dma_server *ds = calloc(1, sizeof(*ds));

	if (!ds)
		return NULL;
	ds->d = d;
	ds->listener = -1;
	ds->epoll = -1;
	ds->stop_fd = -1;
	pthread_mutex_init(&ds->lock, NULL);
	pthread_cond_init(&ds->gone, NULL);
	list_init(&ds->conns);
	return ds;
}

int dma_server_start(struct dma_server *ds)
{
	int err;

	err = listen_here(ds);
	if (!err)
		err = open_watch(ds);
	if (!err)
		err = -pthread_create(&ds->watcher, NULL, watch_all, ds);
	if (err)
		return err;
	err = -pthread_create(&ds->acceptor, NULL, accept_all, ds);
	if (err)
		end_watcher(ds);
	else
		ds->running = true;
	return err;
}

void dma_server_stop(struct dma_server *ds)
{
	struct conn *c;

	if (!ds->running)
		return;
	shutdown(ds->listener, SHUT_RDWR);
	pthread_join(ds->acceptor, NULL);
	pthread_mutex_lock(&ds->lock);
	ds->stopping = true;
	/* Who has said nothing yet, or does not take what is said to it. */
	list_for_each_entry(c, &ds->conns, node)
		if (!c->transfer)
			shutdown(c->sock, SHUT_RD);
	while (ds->count > 0)
		pthread_cond_wait(&ds->gone, &ds->lock);
	pthread_mutex_unlock(&ds->lock);
	end_watcher(ds);
	ds->running = false;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void dma_server_free(struct dma_server *ds)
{
	if (!ds)
		return;
	close_if_open(ds->listener);
	close_if_open(ds->epoll);
	close_if_open(ds->stop_fd);
	pthread_cond_destroy(&ds->gone);
	pthread_mutex_destroy(&ds->lock);
	free(ds);
}
