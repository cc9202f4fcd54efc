// SPDX-License-Identifier: BSD-3-Clause
/* Directories: look up, create, unlink, by the number of names. */
#include <stdio.h>

#include "scale.h"

#define OPS   10000u
#define BATCH 100u

static const unsigned int all_sizes[] = { 1000, 10000, 100000, MILLION };

struct directory {
	uint64_t node;
	unsigned int names;
};

static double lookups(struct rig *r, const struct directory *d)
{
	uint64_t start = cpu_ns();

	for (unsigned int i = 0; i < OPS; i++) {
		struct fs_entry e;
		char name[32];

		snprintf(name, sizeof(name), "name-%u",
			 (unsigned int)below(d->names));
		must(fs_lookup(r->fs, d->node, name, &e), "lookup");
	}
	return (double)(cpu_ns() - start) / OPS;
}

/* change - a batch at a time comes and goes, so that a small one stays small */
static void change(struct rig *r, const struct directory *d, double *create,
		   double *unlink)
{
	uint64_t ns[2] = { 0, 0 };

	for (unsigned int k = 0; k < OPS / BATCH; k++) {
		uint64_t start = cpu_ns(), between;

		for (unsigned int i = 0; i < BATCH; i++)
			rig_name(r, d->node, d->names + i);
		between = cpu_ns();
		for (unsigned int i = 0; i < BATCH; i++)
			rig_unname(r, d->node, d->names + i);
		ns[0] += between - start;
		ns[1] += cpu_ns() - between;
	}
	*create = (double)ns[0] / OPS;
	*unlink = (double)ns[1] / OPS;
}

static unsigned int make(struct rig *r, struct directory *d, double *size)
{
	unsigned int n = 0;

	while (n < ARRAY_SIZE(all_sizes) && all_sizes[n] <= max_things) {
		char name[32];

		snprintf(name, sizeof(name), "d%u", n);
		d[n] = (struct directory){ rig_dir(r, name), all_sizes[n] };
		size[n] = all_sizes[n];
		for (unsigned int i = 0; i < all_sizes[n]; i++)
			rig_name(r, d[n].node, i);
		n++;
	}
	return n;
}

void scale_names(void)
{
	static struct samples lookup, create, unlink;
	struct directory d[ARRAY_SIZE(all_sizes)];
	double size[ARRAY_SIZE(all_sizes)];
	unsigned int n;
	struct rig r;

	rig_make(&r, 0, 16 * GIB);
	rig_mount(&r);
	n = make(&r, d, size);
	for (unsigned int k = 0; k < rounds; k++) {
		for (unsigned int i = 0; i < n; i++) {
			lookup.v[i][k] = lookups(&r, &d[i]);
			change(&r, &d[i], &create.v[i][k], &unlink.v[i][k]);
		}
	}
	rig_unmount(&r);
	rig_remove(&r);
	put_chart("names", "One operation in a directory",
		  "names in the directory");
	put_samples("names/look up", size, n, &lookup, "ns");
	put_samples("names/create", size, n, &create, "ns");
	put_samples("names/unlink", size, n, &unlink, "ns");
}
