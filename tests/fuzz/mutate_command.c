// SPDX-License-Identifier: BSD-3-Clause
/* Inputs that become commands: most of the time by command. */
#include <string.h>

#include "base/util.h"
#include "command.h"
#include "fuzz.h"
#include "image.h"
#include "mutate.h"

/* any_number - offsets and lengths are whole blocks more often than not */
static uint64_t any_number(uint64_t *random)
{
	if (draw(random, 2))
		return (uint64_t)draw(random, 64) * PINFS_BLOCK_SIZE;
	return any_value(random);
}

static struct command any_command(uint64_t *random)
{
	struct command c = {
		.verb = (uint8_t)draw(random, VERBS),
		.which = (uint8_t)draw(random, 32),
		.file = (uint8_t)draw(random, 6),
		.size = cpu_to_le32((uint32_t)any_value(random)),
	};

	if (draw(random, 2))
		c.verb = draw(random, 3) ? VERB_IOCTL : VERB_DMA;
	for (size_t i = 0; i < ARRAY_SIZE(c.number); i++)
		if (draw(random, 3))
			c.number[i] = cpu_to_le64(any_number(random));
	for (size_t i = 0; i < sizeof(c.text); i++)
		if (draw(random, 4) == 0)
			c.text[i] = (uint8_t)draw(random, 256);
	if (draw(random, 2))
		c.flags |= COMMAND_IDS;
	if (draw(random, 20) == 0)
		c.flags |= COMMAND_RAW;
	/* Most messages have the flags of none, or one, of the four. */
	if (c.verb == VERB_DMA && draw(random, 4))
		c.size = cpu_to_le32(draw(random, 2) << (24 + draw(random, 4)));
	return c;
}

/* right_ioctl - one that may well be granted */
static struct command right_ioctl(uint64_t *random, uint8_t which)
{
	struct command c = {
		.verb = VERB_IOCTL,
		.which = which,
		.file = (uint8_t)(1 + draw(random, 4)),
		.flags = COMMAND_IDS,
	};

	switch (which) {
	case IOCTL_DMA:
	case IOCTL_PIN_BEGIN:
		c.flags = 0;
		c.number[0] = cpu_to_le64(draw(random, 2)); /* direction */
		break;
	case IOCTL_PIN_EXTEND:
		c.number[2] = cpu_to_le64(draw(random, 8) * PINFS_BLOCK_SIZE);
		c.number[3] =
			cpu_to_le64((1 + draw(random, 8)) * PINFS_BLOCK_SIZE);
		break;
	case IOCTL_PIN_END:
		c.number[2] = cpu_to_le64(UINT64_MAX);
		break;
	}
	return c;
}

/* right_command - of those that only do something when most of it is right */
static struct command right_command(uint64_t *random)
{
	static const uint8_t some[] = {
		IOCTL_PIN_BEGIN,   IOCTL_PIN_EXTEND, IOCTL_PIN_EXTEND,
		IOCTL_PIN_EXTENTS, IOCTL_PIN_END,    IOCTL_DMA,
		IOCTL_TRACE,
	};
	struct command c = {
		.verb = draw(random, 2) ? VERB_DMA : VERB_TRUNCATE,
		.which = (uint8_t)draw(random, 8),
		.file = (uint8_t)(1 + draw(random, 4)),
	};

	if (draw(random, 3))
		return right_ioctl(random,
				   some[draw(random, ARRAY_SIZE(some))]);
	c.number[0] = cpu_to_le64(draw(random, 8) * PINFS_BLOCK_SIZE);
	c.number[1] = cpu_to_le64((1 + draw(random, 40)) * PINFS_BLOCK_SIZE);
	c.text[1] = (uint8_t)draw(random, 2); /* engine */
	return c;
}

static void change_command(struct command *c, uint64_t *random)
{
	struct command other = any_command(random);
	size_t i = draw(random, ARRAY_SIZE(c->number));

	switch (draw(random, 6)) {
	case 0:
		c->which = other.which;
		break;
	case 1:
		c->file = other.file;
		break;
	case 2:
		c->flags = other.flags;
		c->size = other.size;
		break;
	case 3:
		c->number[i] = other.number[i];
		break;
	case 4:
		LLVMFuzzerMutate(c->text, sizeof(c->text), sizeof(c->text));
		break;
	default:
		*c = other;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	struct command cmd[COMMANDS_MAX + 1];
	uint64_t random = seed;
	size_t n, room;

	if (draw(&random, 8) == 0 || size < sizeof(struct input) ||
	    max < sizeof(struct input) + sizeof(*cmd))
		return LLVMFuzzerMutate(data, size, max);
	room = min_u64((max - sizeof(struct input)) / sizeof(*cmd),
		       COMMANDS_MAX);
	n = min_u64((size - sizeof(struct input)) / sizeof(*cmd), room);
	memcpy(cmd, data + sizeof(struct input), n * sizeof(*cmd));
	if (draw(&random, 8) == 0)
		data[0] = (uint8_t)draw(&random, 256);
	if (n < room && (n == 0 || draw(&random, 2) == 0))
		cmd[n++] = draw(&random, 2) ? any_command(&random) :
					      right_command(&random);
	else if (n > 1 && draw(&random, 4) == 0)
		cmd[draw(&random, (unsigned int)n)] = cmd[n - 1], n--;
	else
		change_command(&cmd[draw(&random, (unsigned int)n)], &random);
	memcpy(data + sizeof(struct input), cmd, n * sizeof(*cmd));
	return sizeof(struct input) + n * sizeof(*cmd);
}
