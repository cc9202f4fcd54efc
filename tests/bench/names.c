// SPDX-License-Identifier: BSD-3-Clause
/*
 * Creates and unlinks N files in DIR, over and over for SECONDS, and prints the
 * nanoseconds of one create (open, close) and of one unlink.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "names: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void create_one(int i)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "n%d", i);
	fd = open(name, O_CREAT | O_WRONLY | O_EXCL, 0644);
	if (fd < 0)
		die("create");
	close(fd);
}

static void unlink_one(int i)
{
	char name[32];

	snprintf(name, sizeof(name), "n%d", i);
	if (unlink(name))
		die("unlink");
}

int main(int argc, char **argv)
{
	double create = 0, remove = 0, start, end, count = 0;
	int n;

	if (argc != 4) {
		fprintf(stderr, "usage: names DIR N SECONDS\n");
		return 2;
	}
	n = atoi(argv[2]);
	if (chdir(argv[1]))
		die(argv[1]);
	end = now() + atof(argv[3]) * 1e9;
	while (now() < end) {
		start = now();
		for (int i = 0; i < n; i++)
			create_one(i);
		create += now() - start;
		start = now();
		for (int i = 0; i < n; i++)
			unlink_one(i);
		remove += now() - start;
		count += n;
	}
	printf("%.0f %.0f\n", create / count, remove / count);
	return 0;
}
