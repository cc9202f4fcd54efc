// SPDX-License-Identifier: BSD-3-Clause
/*
 * scale - what must not grow with the file system's size, measured below FUSE
 *
 *   scale [-r ROUNDS] [-m MAX] DIR [PART...]
 *
 * Makes its pools, all sparse, in DIR, which is best in memory: nothing that a
 * pool holds only as numbers is backed by memory, so 3 GiB are enough. MAX is
 * the largest number of names and extents, a million if it is not given.
 *
 * Prints lines of tab-separated fields: series, size, figure, unit; and a line
 * "#chart, name, title, what the sizes are" before the series NAME/... . A figure
 * is the median of the rounds, by the thread's own processor time unless its
 * unit says "by the clock". tests/bench/scale.sh makes tables and plots of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "scale.h"

unsigned int max_things = MILLION;

static const struct {
	const char *name;
	void (*fn)(void);
} parts[] = {
	{ "mounts", scale_mounts },   { "space", scale_space },
	{ "extents", scale_extents }, { "names", scale_names },
	{ "memory", scale_memory },   { "parallel", scale_parallel },
};

static bool is_wanted(const char *name, char **wanted, int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(name, wanted[i]))
			return true;
	return n == 0;
}

static bool is_part(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!strcmp(name, parts[i].name))
			return true;
	fprintf(stderr, "scale: %s: no such part\n", name);
	return false;
}

static int usage(void)
{
	fprintf(stderr, "usage: scale [-r ROUNDS] [-m MAX] DIR [PART...]\n");
	fprintf(stderr, "parts:");
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		fprintf(stderr, " %s", parts[i].name);
	fprintf(stderr, "\n");
	return 2;
}

static bool number(const char *s, unsigned int max, unsigned int *out)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	*out = (unsigned int)v;
	return *s && !*end && v > 0 && v <= max;
}

int main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "r:m:")) != -1) {
		if (c == 'r' && number(optarg, MAX_ROUNDS, &rounds))
			continue;
		if (c == 'm' && number(optarg, MILLION, &max_things))
			continue;
		return usage();
	}
	if (optind == argc)
		return usage();
	for (int i = optind + 1; i < argc; i++)
		if (!is_part(argv[i]))
			return usage();
	log_init("scale");
	log_set_level(LOG_LEVEL_ERROR);
	rig_init(argv[optind]);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (is_wanted(parts[i].name, argv + optind + 1,
			      argc - optind - 1))
			parts[i].fn();
	return 0;
}
