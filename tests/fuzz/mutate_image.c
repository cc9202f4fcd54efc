// SPDX-License-Identifier: BSD-3-Clause
/* Inputs that become images: half of the time by libFuzzer, half by item. */
#include <string.h>

#include "base/util.h"
#include "fuzz.h"
#include "image.h"
#include "mutate.h"

/* any_place - fields are at multiples of their size, most near the start */
static unsigned int any_place(uint64_t *random, unsigned int size)
{
	static const unsigned int reach[] = { 64, 128, 256, 512, 4096 };
	unsigned int at = draw(random, reach[draw(random, ARRAY_SIZE(reach))]);

	return size ? at - at % size : at;
}

static struct item any_item(uint64_t *random)
{
	static const uint8_t sizes[] = { 1, 2, 4, 4, 8, 8 };
	uint8_t size = sizes[draw(random, ARRAY_SIZE(sizes))];
	struct item it = {
		.target = (uint8_t)draw(random, TARGETS),
		.change = (uint8_t)draw(random, CHANGES),
		.size = size,
		.ref = (uint8_t)draw(random, TARGET_ENTRY),
		.index = cpu_to_le16(
			(uint16_t)draw(random, draw(random, 2) ? 4 : 65536)),
		.value = cpu_to_le64(any_value(random)),
	};

	if (draw(random, 20) == 0)
		it.target |= TARGET_RAW;
	if (draw(random, 4) == 0)
		it.change |= CHANGE_COUNT;
	it.at = cpu_to_le16((uint16_t)any_place(random, size));
	return it;
}

/* One field of one item becomes something else. */
static void change_item(struct item *it, uint64_t *random)
{
	struct item other = any_item(random);

	switch (draw(random, 5)) {
	case 0:
		it->value = other.value;
		break;
	case 1:
		it->at = other.at;
		it->size = other.size;
		break;
	case 2:
		it->index = other.index;
		break;
	case 3:
		it->change = other.change;
		it->ref = other.ref;
		break;
	default:
		*it = other;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	struct item item[ITEMS_MAX + 1];
	uint64_t random = seed;
	size_t n, room;

	if (draw(&random, 4) == 0 || size < sizeof(struct input) ||
	    max < sizeof(struct input) + sizeof(*item))
		return LLVMFuzzerMutate(data, size, max);
	room = min_u64((max - sizeof(struct input)) / sizeof(*item), ITEMS_MAX);
	n = min_u64((size - sizeof(struct input)) / sizeof(*item), room);
	memcpy(item, data + sizeof(struct input), n * sizeof(*item));
	if (draw(&random, 8) == 0)
		data[draw(&random, 2)] = (uint8_t)draw(&random, 256);
	if (n < room && (n == 0 || draw(&random, 3) == 0))
		item[n++] = any_item(&random);
	else if (n > 1 && draw(&random, 4) == 0)
		item[draw(&random, (unsigned int)n)] = item[n - 1], n--;
	else
		change_item(&item[draw(&random, (unsigned int)n)], &random);
	memcpy(data + sizeof(struct input), item, n * sizeof(*item));
	return sizeof(struct input) + n * sizeof(*item);
}
