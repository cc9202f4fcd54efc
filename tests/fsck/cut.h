/* SPDX-License-Identifier: BSD-3-Clause */
/* Repairs that are cut while they are written to the pool. */
#ifndef PINFS_TEST_CUT_H
#define PINFS_TEST_CUT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * cut_repair - repair all in the pool at path, but lose power at a store
 * @after: stores that take place; UINT64_MAX: all of them
 * @seed: chooses which of those since the last sync have reached the medium;
 *        0: all, as after a kill
 *
 * In this process, and silently. Returns how many stores there were.
 */
uint64_t cut_repair(const char *path, uint64_t after, uint64_t seed);

/* cut_repair_says - what a repair that is not cut returns */
int cut_repair_says(const char *path);

#endif
