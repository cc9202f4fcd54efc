// SPDX-License-Identifier: BSD-3-Clause
/* Pin sets. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct pinfs_pin {
	int fd;
	int direction;
	uint64_t id;
	uint64_t key;
	struct pinfs_extent *ext;
	size_t count, room;
	bool more; /* there are more, from cursor on */
	uint64_t cursor;
	/* The last extend's. */
	size_t first;
	uint64_t off, len;
};

/* What a device reads where a file has a hole; aligned for direct I/O. */
#define ZEROES 65536
static const _Alignas(4096) uint8_t zeroes[ZEROES];

int pinfs_pin_begin(int fd, int direction, unsigned int flags, pinfs_pin **pin)
{
	struct pinfs_ioc_pin_begin io = { .direction = (uint32_t)direction,
					  .flags = flags };
	struct pinfs_pin *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	if (ioctl(fd, PINFS_IOC_PIN_BEGIN, &io)) {
		err = errno == ENOSYS ? -ENOTTY : -errno;
		free(p);
		return err;
	}
	p->fd = fd;
	p->direction = direction;
	p->id = io.id;
	p->key = io.key;
	*pin = p;
	return 0;
}

/* --- extents --------------------------------------------------------------- */

static int make_room(struct pinfs_pin *p, size_t count)
{
	size_t room = p->room ? p->room : 16;
	struct pinfs_extent *ext;

	while (room < p->count + count)
		room *= 2;
	if (room == p->room)
		return 0;
	ext = reallocarray(p->ext, room, sizeof(*ext));
	if (!ext)
		return -ENOMEM;
	p->ext = ext;
	p->room = room;
	return 0;
}

/* add_page - there is room for it */
static int add_page(struct pinfs_pin *p, const struct pinfs_ioc_pin_extend *io)
{
	if (io->count > PINFS_PINNED_PER_CALL || (io->more && !io->count))
		return -EPROTO;
	for (uint32_t i = 0; i < io->count; i++)
		p->ext[p->count++] = (struct pinfs_extent){
			.logical = io->extent[i].logical,
			.physical = io->extent[i].physical,
			.length = io->extent[i].length,
		};
	p->more = io->more;
	p->cursor = io->cursor;
	return 0;
}

/*
 * load - what did not fit into the answer to the extend
 *
 * When it is asked for, so that an extend has either failed or pinned.
 */
static int load(struct pinfs_pin *p)
{
	struct pinfs_ioc_pin_extend io;
	int err = 0;

	while (p->more && !err) {
		memset(&io, 0, sizeof(io));
		io.id = p->id;
		io.key = p->key;
		io.cursor = p->cursor;
		err = make_room(p, PINFS_PINNED_PER_CALL);
		if (!err && ioctl(p->fd, PINFS_IOC_PIN_EXTENTS, &io))
			err = -errno;
		if (!err)
			err = add_page(p, &io);
	}
	return err;
}

int pinfs_pin_extend(pinfs_pin *pin, int fd, uint64_t off, uint64_t len)
{
	struct pinfs_ioc_pin_extend io = {
		.id = pin->id, .key = pin->key, .offset = off, .length = len
	};
	size_t first;
	int err;

	err = load(pin); /* of the one before */
	if (!err)
		err = make_room(pin, PINFS_PINNED_PER_CALL);
	if (err)
		return err;
	first = pin->count;
	if (ioctl(fd, PINFS_IOC_PIN_EXTEND, &io))
		return errno == ENOSYS ? -ENOTTY : -errno;
	pin->first = first;
	pin->off = off;
	pin->len = len;
	return add_page(pin, &io);
}

int pinfs_pin_extents(pinfs_pin *pin, const struct pinfs_extent **extents,
		      size_t *count)
{
	int err = load(pin);

	if (err)
		return err;
	*extents = pin->ext;
	*count = pin->count;
	return 0;
}

/* struct filler - iovecs, as many as there is room for; all are counted */
struct filler {
	struct iovec *iov;
	size_t room;
	size_t count;
};

static void add_iovec(struct filler *f, void *base, uint64_t len)
{
	if (f->iov && f->count < f->room)
		f->iov[f->count] = (struct iovec){ base, (size_t)len };
	f->count++;
}

static void add_hole(struct filler *f, uint64_t len)
{
	while (len > 0) {
		uint64_t n = len < ZEROES ? len : ZEROES;

		add_iovec(f, (void *)(uintptr_t)zeroes, n);
		len -= n;
	}
}

ssize_t pinfs_pin_iovec(pinfs_pin *pin, const pinfs_pool *pool,
			struct iovec *iov, size_t count)
{
	struct filler f = { .iov = iov, .room = count };
	uint64_t at = pin->off;
	int err = load(pin);

	if (err)
		return err;
	for (size_t i = pin->first; i < pin->count; i++) {
		const struct pinfs_extent *e = &pin->ext[i];

		if (!pinfs_extent_addr(pool, e))
			return -ESTALE; /* another mount's pool */
		add_hole(&f, e->logical - at);
		add_iovec(&f, pinfs_extent_addr(pool, e), e->length);
		at = e->logical + e->length;
	}
	add_hole(&f, pin->off + pin->len - at);
	return (ssize_t)f.count;
}

/* --- the rest -------------------------------------------------------------- */

uint64_t pinfs_pin_id(const pinfs_pin *pin)
{
	return pin->id;
}

int pinfs_pin_fd(const pinfs_pin *pin)
{
	return pin->fd;
}

void pinfs_ring_files(const pinfs_pin *pin, const pinfs_pool *pool,
		      int files[PINFS_RING_FILES])
{
	files[0] = pin->fd;
	files[1] = pool->fd;
}

int pinfs_pin_end(pinfs_pin *pin, uint64_t end)
{
	const struct pinfs_ioc_pin_end io = { .id = pin->id,
					      .key = pin->key,
					      .end = end };
	int err = 0;

	if (ioctl(pin->fd, PINFS_IOC_PIN_END, &io))
		err = -errno;
	free(pin->ext);
	free(pin);
	return err;
}

_Static_assert((int)PINFS_PIN_TO_DEVICE == (int)PINFS_TO_DEVICE &&
		       (int)PINFS_PIN_FROM_DEVICE == (int)PINFS_FROM_DEVICE &&
		       PINFS_BEGIN_NOWAIT == PINFS_PIN_NOWAIT &&
		       PINFS_BEGIN_LONGTERM == PINFS_PIN_LONGTERM &&
		       PINFS_ALL == PINFS_PIN_END_ALL,
	       "values are the wire's");
