/* SPDX-License-Identifier: BSD-3-Clause */
/* Plain numbers that people type; those with units are in common/tool.h. */
#ifndef PINFS_VALUE_H
#define PINFS_VALUE_H

#include <stdint.h>

/* value_number - decimal digits, nothing else, at most max; 0 or -E... */
int value_number(const char *s, uint64_t max, uint64_t *out);

#endif
