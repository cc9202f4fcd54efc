// SPDX-License-Identifier: BSD-3-Clause
#include "base/omit.h"

#include <stdlib.h>
#include <string.h>

bool omissions_built(void)
{
#ifdef PINFS_OMISSIONS
	return true;
#else
	return false;
#endif
}

bool omission_asked(const char *what)
{
	const char *asked = getenv("PINFS_OMIT");

	return asked && !strcmp(asked, what);
}
