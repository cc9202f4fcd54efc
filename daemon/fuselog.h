/* SPDX-License-Identifier: BSD-3-Clause */
/* What libfuse has to say, in the same form as our own messages. */
#ifndef PINFSD_FUSELOG_H
#define PINFSD_FUSELOG_H

/* fuselog_start - before libfuse is used */
void fuselog_start(void);

#endif
