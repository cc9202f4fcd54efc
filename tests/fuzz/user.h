/* SPDX-License-Identifier: BSD-3-Clause */
/* A user of a mounted pool, who tries everything. */
#ifndef PINFS_FUZZ_USER_H
#define PINFS_FUZZ_USER_H

#include "command.h"
#include "daemon.h"

/* user_begin - has some files open */
void user_begin(struct daemon *d);

void user_does(const struct command *c);

/* user_end - all has been answered, and is closed */
void user_end(void);

/* --- the user's DMA: user_dma.c ------------------------------------------------ */

/* user_dma - connect, and say what the command says; ticket may be used */
void user_dma(struct daemon *d, const struct command *c,
	      const uint8_t ticket[16]);
void user_dma_cancel(const struct command *c);
void user_dma_hang_up(const struct command *c);
void user_dma_end(void);

#endif
