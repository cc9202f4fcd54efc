// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a block costs in a file of many extents, past the page cache:
 *
 *   blocks fill FILE EXTENTS     makes FILE: so many extents of a block with a hole
 *                                of a block behind each; or, for 1, one extent of
 *                                TOUCHED blocks
 *   blocks in FILE EXTENTS SECONDS
 *                                reads, then overwrites, TOUCHED blocks all over it
 *                                in random order, over and over; operations a
 *                                second, a line each: OPERATION FIGURE
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define BLOCK	4096u
#define TOUCHED 25000u

static _Alignas(BLOCK) char block[BLOCK];
static unsigned long long blocks; /* of the file that are not holes */
static unsigned int apart; /* blocks from one of them to the next */

static void write_block(int fd, unsigned long long i)
{
	if (pwrite(fd, block, BLOCK, (off_t)(i * apart * BLOCK)) != BLOCK)
		err(1, "write");
}

static void read_block(int fd, unsigned long long i)
{
	if (pread(fd, block, BLOCK, (off_t)(i * apart * BLOCK)) != BLOCK)
		err(1, "read");
}

static void fill(int fd)
{
	memset(block, 1, sizeof(block));
	for (unsigned long long i = 0; i < blocks; i++)
		write_block(fd, i);
}

/* timed - the step is a prime above all sizes, so no block comes twice */
static double timed(int fd, void (*fn)(int fd, unsigned long long i))
{
	double start = now();

	for (unsigned long long i = 0; i < TOUCHED; i++)
		fn(fd, i * 2654435761ull % blocks);
	return now() - start;
}

static void measure(int fd, double seconds)
{
	double took[2] = { 0 }, end = now() + seconds;
	unsigned int laps = 0;

	for (; laps == 0 || now() < end; laps++) {
		took[0] += timed(fd, read_block);
		took[1] += timed(fd, write_block);
	}
	printf("read %.0f\noverwrite %.0f\n", laps * (double)TOUCHED / took[0],
	       laps * (double)TOUCHED / took[1]);
}

int main(int argc, char **argv)
{
	int is_fill = argc == 4 && !strcmp(argv[1], "fill");
	int fd, extents;

	if (!is_fill && (argc != 5 || strcmp(argv[1], "in")))
		goto usage;
	extents = atoi(argv[3]);
	if (extents <= 0)
		goto usage;
	blocks = extents == 1 ? TOUCHED : (unsigned long long)extents;
	apart = extents == 1 ? 1 : 2;
	fd = open(argv[2], is_fill ? O_CREAT | O_RDWR : O_RDWR | O_DIRECT,
		  0644);
	if (fd < 0)
		err(1, "%s", argv[2]);
	if (is_fill)
		fill(fd);
	else
		measure(fd, atof(argv[4]));
	close(fd);
	return 0;

usage:
	fprintf(stderr, "usage: blocks fill FILE EXTENTS\n"
			"       blocks in FILE EXTENTS SECONDS\n");
	return 2;
}
