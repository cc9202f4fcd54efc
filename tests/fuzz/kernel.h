/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A kernel's end of a FUSE connection: requests in, answers noted, no mount.
 *
 * It asks for what Linux would ask for, whatever a user does; the daemon above
 * libfuse is the real one.
 */
#ifndef PINFS_FUZZ_KERNEL_H
#define PINFS_FUZZ_KERNEL_H

#include <linux/fuse.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon.h"

#define KERNEL_ANSWER 256u /* bytes of an answer that are kept */

/* kernel_connect - from here on the session of d is ours; greets it */
void kernel_connect(struct daemon *d);

/* struct kernel_answer - of a request; the first bytes of what came with it */
struct kernel_answer {
	uint64_t unique;
	int err; /* 0 or negative errno */
	size_t size;
	uint8_t bytes[KERNEL_ANSWER];
};

/*
 * kernel_ask - send a request; body has two parts
 *
 * Returns its number. It may have been answered when this returns, or later.
 */
uint64_t kernel_ask(uint32_t opcode, uint64_t node, const void *head,
		    size_t head_size, const void *body, size_t body_size);

/* kernel_answer - what was said to a request; false if nothing yet */
bool kernel_answer(uint64_t unique, struct kernel_answer *out);

/* kernel_interrupt - a request, if it has not been answered */
void kernel_interrupt(uint64_t unique);

/* kernel_interrupt_all - and wait for the answers */
void kernel_interrupt_all(void);

/* kernel_disconnect - all was answered */
void kernel_disconnect(void);

#endif
