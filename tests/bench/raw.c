// SPDX-License-Identifier: BSD-3-Clause
/*
 * Copies from and to a mapping with libpmem, with no file system in between: what
 * memory itself takes. Prints what a second had.
 *
 *   raw FILE read|write random|stream BLOCK_BYTES THREADS SECONDS
 *
 * Reads are memcpy(3) into a buffer, writes pmem_memcpy_persist(3). THREADS share
 * FILE, each with its own random order, or its own part of the stream.
 */
#include <err.h>
#include <libpmem.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define THREADS_MAX 64

static char *map;
static size_t length, block;
static int is_pmem, writes, streams;
static unsigned int threads;
static atomic_bool stop;

struct copier {
	pthread_t thread;
	unsigned int number;
	uint64_t blocks; /* copied */
};

static void store(void *to, const void *from, size_t n)
{
	if (is_pmem)
		pmem_memcpy_persist(to, from, n);
	else
		pmem_memcpy_nodrain(to, from, n);
}

/* next_block - x is the generator's state (xorshift64), or a counter */
static size_t next_block(uint64_t *x)
{
	if (streams)
		return (size_t)(*x)++ % (length / block);
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return (size_t)(*x % (length / block));
}

static void *copy(void *arg)
{
	struct copier *c = arg;
	uint64_t x = c->number + 1;
	char *buf = aligned_alloc(4096, block);

	if (!buf)
		err(1, "buffer");
	memset(buf, 'r', block);
	if (streams)
		x = length / block / threads * c->number;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		char *at = map + next_block(&x) * block;

		if (writes)
			store(at, buf, block);
		else
			memcpy(buf, at, block);
		__asm__ volatile("" ::"r"(buf) : "memory");
		c->blocks++;
	}
	free(buf);
	return NULL;
}

static double blocks_a_second(double seconds)
{
	struct timespec ts = { .tv_sec = (time_t)seconds };
	struct copier c[THREADS_MAX] = { 0 };
	double start = now(), total = 0;

	ts.tv_nsec = (long)((seconds - (double)ts.tv_sec) * 1e9);
	for (unsigned int i = 0; i < threads; i++) {
		c[i].number = i;
		if (pthread_create(&c[i].thread, NULL, copy, &c[i]))
			errx(1, "no thread %u", i);
	}
	nanosleep(&ts, NULL);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(c[i].thread, NULL);
		total += (double)c[i].blocks;
	}
	return total / (now() - start);
}

int main(int argc, char **argv)
{
	double rate;

	if (argc == 7) {
		writes = !strcmp(argv[2], "write");
		streams = !strcmp(argv[3], "stream");
		block = strtoull(argv[4], NULL, 10);
		threads = (unsigned int)atoi(argv[5]);
	}
	if (argc != 7 || block == 0 || threads - 1 >= THREADS_MAX) {
		fprintf(stderr, "usage: raw FILE read|write random|stream "
				"BLOCK_BYTES THREADS SECONDS\n");
		return 2;
	}
	map = pmem_map_file(argv[1], 0, 0, 0, &length, &is_pmem);
	if (!map)
		errx(1, "%s: %s", argv[1], pmem_errormsg());
	if (length < block)
		errx(1, "%s: shorter than a block", argv[1]);
	rate = blocks_a_second(atof(argv[6]));
	printf("%.0f\n", streams ? rate * (double)block : rate);
	pmem_unmap(map, length);
	return 0;
}
