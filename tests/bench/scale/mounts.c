// SPDX-License-Identifier: BSD-3-Clause
/* Pools from 1 GiB to 1 TiB, sparse: mkfs, mounts, memory; each in a process. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scale.h"

/* Changes that fill the journal of the largest pool more than once. */
#define CHANGES 100000u

static const double size[] = { 1, 16, 128, 1024 }; /* GiB */

#define SIZES ARRAY_SIZE(size)

/* struct cost - of one mount; lies in memory shared with the child */
struct cost {
	double open, mount, unmount; /* ms */
	double anon, all; /* KiB that it added */
};

struct scene {
	struct rig rig;
	struct cost cost;
};

static void mount_once(void *arg)
{
	double anon = resident_kib(true), all = resident_kib(false);
	struct scene *sc = arg;
	struct cost *c = &sc->cost;
	uint64_t start = now_ns();

	rig_mount(&sc->rig);
	c->mount = ms_since(start);
	c->anon = resident_kib(true) - anon;
	c->all = resident_kib(false) - all;
	start = now_ns();
	rig_unmount(&sc->rig);
	c->unmount = ms_since(start);
}

/* leave_dirty - as many transactions as the journal holds, and no unmounting */
static void leave_dirty(void *arg)
{
	struct stat attr = { .st_mode = 0755 };
	struct scene *sc = arg;

	rig_mount(&sc->rig);
	for (unsigned int i = 0; i < CHANGES; i++)
		must(fs_setattr(sc->rig.fs, 1, &attr, FS_SET_MODE, NULL),
		     "chmod");
}

/* fill - and tell what the mount of a pool takes that is all in use */
static void fill(void *arg)
{
	double anon = resident_kib(true);
	struct scene *sc = arg;

	rig_mount(&sc->rig);
	rig_take_all(&sc->rig);
	sc->cost.anon = resident_kib(true) - anon;
	rig_unmount(&sc->rig);
}

static struct samples mkfs, clean, cut, gone, anon, all, full_anon, full_mount;

static void measure(struct scene *sc, unsigned int i, unsigned int k)
{
	uint64_t start = now_ns();

	rig_make(&sc->rig, i, (uint64_t)size[i] * GIB);
	mkfs.v[i][k] = ms_since(start);
	in_child(mount_once, sc);
	clean.v[i][k] = sc->cost.mount;
	gone.v[i][k] = sc->cost.unmount;
	anon.v[i][k] = sc->cost.anon;
	all.v[i][k] = sc->cost.all;
	in_child(leave_dirty, sc);
	in_child(mount_once, sc);
	cut.v[i][k] = sc->cost.mount;
	in_child(fill, sc);
	full_anon.v[i][k] = sc->cost.anon;
	in_child(mount_once, sc);
	full_mount.v[i][k] = sc->cost.mount;
	rig_remove(&sc->rig);
}

void scale_mounts(void)
{
	struct scene *sc = mmap(NULL, sizeof(*sc), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(sc == MAP_FAILED ? -errno : 0, "memory");
	for (unsigned int k = 0; k < rounds; k++)
		for (unsigned int i = 0; i < SIZES; i++)
			measure(sc, i, k);
	munmap(sc, sizeof(*sc));
	put_chart("mounts", "mkfs and mounts by the clock, pools sparse",
		  "GiB of the pool");
	put_samples("mounts/mkfs", size, SIZES, &mkfs, "ms");
	put_samples("mounts/mount", size, SIZES, &clean, "ms");
	put_samples("mounts/mount, all of it in use", size, SIZES, &full_mount,
		    "ms");
	put_samples("mounts/mount, full journal to recover", size, SIZES, &cut,
		    "ms");
	put_samples("mounts/unmount", size, SIZES, &gone, "ms");
	put_chart("memory", "Memory of a mount", "GiB of the pool");
	put_samples("memory/its own, just mounted", size, SIZES, &anon, "KiB");
	put_samples("memory/with the pages of the pool that it has read", size,
		    SIZES, &all, "KiB");
	put_samples("memory/its own, all of the pool handed out", size, SIZES,
		    &full_anon, "KiB");
}
