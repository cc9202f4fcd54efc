// SPDX-License-Identifier: BSD-3-Clause
/* The checker's bookkeeping: who has pinned what. */
#include "conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char over;

void *get_memory(size_t size)
{
	void *p = calloc(1, size);

	if (p)
		return p;
	fprintf(stderr, "conform: out of memory\n");
	exit(3);
}

/* --- tables ---------------------------------------------------------------- */

static size_t place_of(const struct table *t, uint64_t key)
{
	size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 20);

	while (t->value[i % t->room] && t->key[i % t->room] != key)
		i++;
	return i % t->room;
}

void *table_get(const struct table *t, uint64_t key)
{
	return t->room ? t->value[place_of(t, key)] : NULL;
}

static void grow(struct table *t)
{
	struct table old = *t;

	t->room = old.room ? 2 * old.room : 1024;
	t->key = get_memory(t->room * sizeof(*t->key));
	t->value = get_memory(t->room * sizeof(*t->value));
	t->count = 0;
	for (size_t i = 0; i < old.room; i++)
		if (old.value[i])
			table_put(t, old.key[i], old.value[i]);
	free(old.key);
	free(old.value);
}

void table_put(struct table *t, uint64_t key, void *value)
{
	size_t i;

	if (2 * t->count >= t->room)
		grow(t);
	i = place_of(t, key);
	t->count += !t->value[i];
	t->key[i] = key;
	t->value[i] = value;
}

/* --- files and holds ------------------------------------------------------- */

struct file *book_file(struct book *b, uint64_t ino)
{
	struct file *f = table_get(&b->files, ino);

	if (f)
		return f;
	f = get_memory(sizeof(*f));
	f->ino = ino;
	table_put(&b->files, ino, f);
	return f;
}

struct hold *book_hold(struct set *s, struct file *f)
{
	struct hold *h;

	for (h = s->holds; h; h = h->next_of_set)
		if (h->file == f)
			return h;
	h = get_memory(sizeof(*h));
	h->set = s;
	h->file = f;
	h->next_of_set = s->holds;
	s->holds = h;
	h->next_of_file = f->holds;
	f->holds = h;
	return h;
}

void book_hold_free(struct hold *h)
{
	struct hold **at;

	for (at = &h->set->holds; *at != h;)
		at = &(*at)->next_of_set;
	*at = h->next_of_set;
	for (at = &h->file->holds; *at != h;)
		at = &(*at)->next_of_file;
	*at = h->next_of_file;
	free(h);
}

/* --- pins of physical blocks ----------------------------------------------- */

static void make_room(struct book *b, uint64_t blocks)
{
	uint64_t room = b->blocks ? b->blocks : 4096;
	uint32_t *pins;

	if (blocks <= b->blocks)
		return;
	while (room < blocks)
		room *= 2;
	pins = get_memory(room * sizeof(*pins));
	if (b->blocks)
		memcpy(pins, b->pins, b->blocks * sizeof(*pins));
	free(b->pins);
	b->pins = pins;
	b->blocks = room;
}

void book_pin(struct book *b, struct hold *h, const struct event *ev)
{
	struct pin *p = get_memory(sizeof(*p));

	p->first = ev->offset / BLOCK;
	p->count = ev->length / BLOCK;
	p->physical = ev->physical / BLOCK;
	p->next = h->pins;
	h->pins = p;
	make_room(b, p->physical + p->count);
	for (uint64_t i = 0; i < p->count; i++)
		b->pins[p->physical + i]++;
	b->count.pins += p->count;
}

void book_unpin(struct book *b, struct hold *h)
{
	struct pin *p;

	while ((p = h->pins)) {
		for (uint64_t i = 0; i < p->count; i++)
			b->pins[p->physical + i]--;
		h->pins = p->next;
		free(p);
	}
}

uint64_t book_pinned(const struct book *b, uint64_t first, uint64_t count)
{
	for (uint64_t i = first; i < first + count && i < b->blocks; i++)
		if (b->pins[i])
			return i;
	return NO_LIMIT;
}
