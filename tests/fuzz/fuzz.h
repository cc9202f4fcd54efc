/* SPDX-License-Identifier: BSD-3-Clause */
/* What libFuzzer, or replay.c in its place, calls of each harness. */
#ifndef PINFS_FUZZ_FUZZ_H
#define PINFS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Changes an input to another; mutate.c has that of images. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed);

#endif
