// SPDX-License-Identifier: BSD-3-Clause
/*
 * A leaf of a directory: slots grow up from the header, entries down from the
 * block's end. What a removed entry leaves is waste until the leaf is packed.
 */
#include "inode/dir_i.h"

#include <string.h>

#include "base/search.h"
#include "format/csum.h"

#define SLOT_SIZE sizeof(le16)

static size_t leaf_heap(const struct pinfs_dirent_node *n)
{
	return le64_to_cpu(n->hdr.spec[0]);
}

/* leaf_bytes - what the entries alone take */
static size_t leaf_bytes(const struct pinfs_dirent_node *n)
{
	return PINFS_BLOCK_SIZE - leaf_heap(n) - le64_to_cpu(n->hdr.spec[1]);
}

static void set_count(struct pinfs_dirent_node *n, unsigned int count)
{
	n->hdr.count = cpu_to_le16((uint16_t)count);
}

static size_t entry_size(const struct pinfs_dirent *de)
{
	return format_dirent_size(de->name_len);
}

void dir_leaf_init(struct pinfs_dirent_node *n)
{
	set_count(n, 0);
	n->hdr.level = cpu_to_le16(0);
	n->hdr.spec[0] = cpu_to_le64(PINFS_BLOCK_SIZE);
	n->hdr.spec[1] = cpu_to_le64(0);
	memset(n->slot, 0, sizeof(n->slot));
}

/* How far from a guess, in names, the one sought may well be; hashes vary so. */
#define GUESS_OFF 4u

void dir_leaf_fetch(const struct pinfs_dirent_node *n, unsigned int i)
{
	unsigned int end = dir_leaf_count(n);

	if (end - i > GUESS_OFF)
		end = i + GUESS_OFF + 1;
	for (i = i > GUESS_OFF ? i - GUESS_OFF : 0; i < end; i++)
		__builtin_prefetch(dir_leaf_entry(n, i));
}

unsigned int dir_leaf_lower(const struct pinfs_dirent_node *n, uint64_t key,
			    unsigned int guess)
{
	struct search s;

	for (search_begin(&s, dir_leaf_count(n), guess); s.lo < s.hi;)
		search_step(&s, dir_leaf_key(n, s.mid) < key);
	return s.lo;
}

size_t dir_leaf_used(const struct pinfs_dirent_node *n)
{
	return leaf_bytes(n) + dir_leaf_count(n) * SLOT_SIZE;
}

/* open_slot - room for an entry of so many bytes, which are there, at slot i */
static struct pinfs_dirent *open_slot(struct pinfs_dirent_node *n,
				      unsigned int i, size_t size)
{
	size_t heap = leaf_heap(n) - size;
	unsigned int count = dir_leaf_count(n);

	memmove(&n->slot[i + 1], &n->slot[i], (count - i) * SLOT_SIZE);
	n->slot[i] = cpu_to_le16((uint16_t)heap);
	n->hdr.spec[0] = cpu_to_le64(heap);
	set_count(n, count + 1);
	return (void *)((uint8_t *)n + heap);
}

/* append_some - copies of from's entries [i, end) */
static void append_some(struct pinfs_dirent_node *n,
			const struct pinfs_dirent_node *from, unsigned int i,
			unsigned int end)
{
	const struct pinfs_dirent *de;

	for (; i < end; i++) {
		de = dir_leaf_entry(from, i);
		memcpy(open_slot(n, dir_leaf_count(n), entry_size(de)), de,
		       entry_size(de));
	}
}

/* pack - without waste, all room is between the slots and the heap */
static void pack(struct pinfs_dirent_node *n)
{
	struct pinfs_dirent_node old = *n;

	dir_leaf_init(n);
	append_some(n, &old, 0, dir_leaf_count(&old));
}

bool dir_leaf_insert(struct pinfs_dirent_node *n, const struct dir_entry *e)
{
	size_t size = format_dirent_size(e->name_len);
	size_t used = dir_leaf_used(n);
	struct pinfs_dirent *de;

	if (used + size + SLOT_SIZE > PINFS_NODE_BYTES)
		return false;
	used += le64_to_cpu(n->hdr.spec[1]);
	if (used + size + SLOT_SIZE > PINFS_NODE_BYTES)
		pack(n);
	de = open_slot(n, dir_leaf_lower(n, e->key, dir_leaf_count(n) / 2),
		       size);
	memset(de, 0, size);
	de->key = cpu_to_le64(e->key);
	de->ino = cpu_to_le64(e->ino);
	de->type = e->type;
	de->name_len = e->name_len;
	memcpy(de->name, e->name, e->name_len);
	return true;
}

void dir_leaf_drop(struct pinfs_dirent_node *n, unsigned int i)
{
	size_t bytes = leaf_bytes(n) - entry_size(dir_leaf_entry(n, i));
	unsigned int count = dir_leaf_count(n) - 1;
	size_t heap = PINFS_BLOCK_SIZE, off;

	memmove(&n->slot[i], &n->slot[i + 1], (count - i) * SLOT_SIZE);
	set_count(n, count);
	for (i = 0; i < count; i++) {
		off = le16_to_cpu(n->slot[i]);
		heap = off < heap ? off : heap;
	}
	n->hdr.spec[0] = cpu_to_le64(heap);
	n->hdr.spec[1] = cpu_to_le64(PINFS_BLOCK_SIZE - heap - bytes);
}

void dir_leaf_set(struct pinfs_dirent_node *n, unsigned int i, uint64_t ino,
		  uint8_t type)
{
	struct pinfs_dirent *de;

	de = (void *)((uint8_t *)n + le16_to_cpu(n->slot[i]));
	de->ino = cpu_to_le64(ino);
	de->type = type;
}

void dir_leaf_split(struct pinfs_dirent_node *n,
		    struct pinfs_dirent_node *right)
{
	struct pinfs_dirent_node old = *n;
	size_t half = dir_leaf_used(&old) / 2, sum = 0;
	unsigned int i, count = dir_leaf_count(&old);

	for (i = 0; i < count - 1 && sum < half; i++)
		sum += entry_size(dir_leaf_entry(&old, i)) + SLOT_SIZE;
	dir_leaf_init(n);
	append_some(n, &old, 0, i);
	dir_leaf_init(right);
	append_some(right, &old, i, count);
}

void dir_leaf_append(struct pinfs_dirent_node *n,
		     const struct pinfs_dirent_node *right)
{
	pack(n);
	append_some(n, right, 0, dir_leaf_count(right));
}
