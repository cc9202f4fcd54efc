// SPDX-License-Identifier: BSD-3-Clause
/* What an open file takes, of the library's memory. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "scale.h"

static const unsigned int all_sizes[] = { 10000, 100000 };

#define MOST 100000u

/* open_files - KiB for n of them */
static double open_files(struct rig *r, uint64_t dir, unsigned int n,
			 struct fs_file **file)
{
	double before = resident_kib(true), kib;

	for (unsigned int i = 0; i < n; i++) {
		struct fs_entry e;
		char name[32];

		snprintf(name, sizeof(name), "name-%u", i);
		must(fs_lookup(r->fs, dir, name, &e), "lookup");
		must(fs_file_open(r->fs, e.node, O_RDWR, &file[i]), "open");
	}
	kib = resident_kib(true) - before;
	for (unsigned int i = 0; i < n; i++)
		fs_file_release(r->fs, file[i]);
	return kib;
}

/* struct scene - lies in memory shared with the child */
struct scene {
	struct rig rig;
	unsigned int n;
	double bytes;
};

/* measure - in a process that has had no other files open */
static void measure(void *arg)
{
	struct fs_file **file = calloc(MOST, sizeof(*file));
	struct scene *sc = arg;
	struct rig *r = &sc->rig;
	struct fs_entry e;

	must(file ? 0 : -ENOMEM, "files");
	for (unsigned int i = 0; i < MOST; i++)
		*(struct fs_file *volatile *)&file[i] = NULL; /* is there */
	rig_mount(r);
	malloc_trim(0); /* what earlier parts left would be used first */
	must(fs_lookup(r->fs, 1, "d", &e), "lookup");
	sc->bytes = open_files(r, e.node, sc->n, file) * 1024 / sc->n;
	free(file);
	rig_unmount(r);
}

void scale_memory(void)
{
	static double size[ARRAY_SIZE(all_sizes)];
	static struct samples bytes;
	struct scene *sc = mmap(NULL, sizeof(*sc), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t dir;

	must(sc == MAP_FAILED ? -errno : 0, "memory");
	rig_make(&sc->rig, 0, 4 * GIB);
	rig_mount(&sc->rig);
	dir = rig_dir(&sc->rig, "d");
	for (unsigned int i = 0; i < MOST; i++)
		rig_name(&sc->rig, dir, i);
	rig_unmount(&sc->rig);
	for (unsigned int k = 0; k < rounds; k++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(all_sizes); i++) {
			size[i] = sc->n = all_sizes[i];
			in_child(measure, sc);
			bytes.v[i][k] = sc->bytes;
		}
	}
	rig_remove(&sc->rig);
	munmap(sc, sizeof(*sc));
	put_chart("files", "Memory of each open file", "files open");
	put_samples("files/each open file", size, ARRAY_SIZE(all_sizes), &bytes,
		    "bytes");
}
