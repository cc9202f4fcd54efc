/* SPDX-License-Identifier: BSD-3-Clause */
/* What an input of fuzz_daemon is a list of: things that a user does. */
#ifndef PINFS_FUZZ_COMMAND_H
#define PINFS_FUZZ_COMMAND_H

#include "format/le.h"

enum verb {
	VERB_IOCTL, /* which: of a table, or the number itself */
	VERB_OPEN,
	VERB_RELEASE,
	VERB_FALLOCATE,
	VERB_TRUNCATE,
	VERB_LSEEK,
	VERB_COPY,
	VERB_READ,
	VERB_WRITE,
	VERB_READDIR,
	VERB_XATTR,
	VERB_NAME,
	VERB_HANDLE, /* open_by_handle_at(2): a node that may be none */
	VERB_INTERRUPT,
	VERB_DMA, /* a message to the socket, with descriptors */
	VERB_CANCEL, /* a second message */
	VERB_HANG_UP,
	VERBS,
};

/* What which is, of an ioctl. */
enum ioctl_of_user {
	IOCTL_INFO,
	IOCTL_MAP,
	IOCTL_PINS,
	IOCTL_BREAKS,
	IOCTL_STATS,
	IOCTL_COLLAPSE,
	IOCTL_INSERT,
	IOCTL_DMA,
	IOCTL_CANCEL,
	IOCTL_TRACE,
	IOCTL_PIN_BEGIN,
	IOCTL_PIN_EXTEND,
	IOCTL_PIN_EXTENTS,
	IOCTL_PIN_END,
	IOCTL_GETFLAGS,
	IOCTL_SETFLAGS,
	IOCTL_FSGETXATTR,
	IOCTL_FSSETXATTR,
	IOCTLS,
};

#define COMMAND_IDS 1u /* put in the ids and keys that were given out */
#define COMMAND_RAW 2u /* number[5] is an ioctl's whole number */

/* struct command - 80 bytes; what is not used is not looked at */
struct command {
	uint8_t verb;
	uint8_t which; /* of what the verb has */
	uint8_t file; /* which open file, or name */
	uint8_t flags; /* COMMAND_* */
	le32 size; /* of what is asked for, or sent */
	le64 number[6]; /* offsets and lengths; what an ioctl brings */
	uint8_t text[24]; /* names; what an ioctl brings further */
};

#define COMMANDS_MAX 40u

#endif
