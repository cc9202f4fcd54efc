/* SPDX-License-Identifier: BSD-3-Clause */
/* A scene: two pools alike, one to record on and one to judge images in. */
#ifndef PINFS_CRASH_SCENE_H
#define PINFS_CRASH_SCENE_H

#include "explore.h"
#include "work.h"

#define SCENE_CLOCKS 4u /* that recordings are made with in turn */

struct scene {
	bool file;
	bool full; /* there is no block that is free */
	bool lenient; /* operations may fail, and then have changed nothing */
	bool verbose;
	const char *only; /* workloads with this in their names; NULL: all */
	struct record rec;
	struct record work;
	uint8_t *clean; /* the tree, unmounted */
	struct explorer x;
	unsigned int recordings; /* so far; each has a clock of its own */
	char name[200]; /* of the workload */
	struct state state[STATE_MAX];
};

void scene_open(struct scene *s, bool file, bool full);
void scene_close(struct scene *s);

/*
 * scene_explore - record the script's operations, and explore what they stored
 *
 * A violation can be seen here, too: bytes of others in a file that is read.
 */
void scene_explore(struct scene *s, const struct script *sc,
		   enum defect defect);

/* scene_picks - from here on; recut_in: one in so many images is, of a recovery */
void scene_picks(struct scene *s, const struct picks *picks,
		 const struct picks *inner, unsigned int recut_in,
		 unsigned int again_in);

#endif
