/* SPDX-License-Identifier: BSD-3-Clause */
/* The damaged images, and what is expected of each. */
#ifndef PINFS_TEST_IMAGES_H
#define PINFS_TEST_IMAGES_H

#include <stdbool.h>

#include "damage.h"

enum cure {
	PREENED, /* by -p and by -y */
	REPAIRED, /* by -y */
	LEFT, /* by none */
};

/* struct image - one damage, to the small file system or to the larger one */
struct image {
	const char *name;
	void (*forged)(struct forge *fg);
	void (*tree)(struct pool *pool);
	const char *found; /* codes of a check, in the table's order */
	enum cure cure;
	/* What then differs from the undamaged one, as manifest_diff() says. */
	const char *differs;
};

extern const struct image images[];
extern const unsigned int image_count;

/* image_make_at - damaged unless im is NULL */
void image_make_at(const struct image *im, bool tree, const char *path);

/* image_make - in memory, at a path that it returns */
const char *image_make(const struct image *im, bool tree);

#endif
