// SPDX-License-Identifier: BSD-3-Clause
/* Checksums and the name hash. */
#include "format/format_i.h"

#include <errno.h>
#include <string.h>

#include "format/hash.h"

#define BLOCK_CSUM_OFF offsetof(struct pinfs_blkhdr, csum)

uint64_t format_csum(const void *buf, size_t n, size_t csum_off, uint64_t seed)
{
#ifdef HAVE_AVX2
	if (__builtin_cpu_supports("avx2"))
		return hash_with_hole_avx2(buf, n, csum_off, seed);
#endif
	return hash_with_hole(buf, n, csum_off, seed);
}

static uint64_t block_csum(const struct pinfs_blkhdr *hdr, uint64_t seed)
{
	return format_csum(hdr, PINFS_BLOCK_SIZE, BLOCK_CSUM_OFF, seed);
}

void format_block_seal(struct pinfs_blkhdr *hdr, uint64_t blkno, uint64_t seed)
{
	hdr->blkno = cpu_to_le64(blkno);
	hdr->csum = cpu_to_le64(block_csum(hdr, seed));
}

int format_block_verify(const struct pinfs_blkhdr *hdr, uint32_t magic,
			uint64_t blkno, uint64_t seed, const char **why)
{
	if (le32_to_cpu(hdr->magic) != magic)
		*why = "wrong magic number";
	else if (le64_to_cpu(hdr->csum) != block_csum(hdr, seed))
		*why = "wrong checksum";
	else if (le64_to_cpu(hdr->blkno) != blkno)
		*why = "a block from another place";
	else
		return 0;
	return -EUCLEAN;
}

void format_super_seal(struct pinfs_super *sb, uint64_t blkno)
{
	sb->hdr.magic = cpu_to_le32(PINFS_MAGIC_SUPER);
	format_block_seal(&sb->hdr, blkno, 0);
}

static uint64_t inode_csum(const struct pinfs_inode *di, uint64_t seed)
{
	return format_csum(di, PINFS_INODE_CSUM_BYTES,
			   offsetof(struct pinfs_inode, csum), seed);
}

void format_inode_seal(struct pinfs_inode *di, uint64_t seed)
{
	di->magic = cpu_to_le32(PINFS_MAGIC_INODE);
	di->csum = cpu_to_le64(inode_csum(di, seed));
}

int format_inode_csum_verify(const struct pinfs_inode *di, uint64_t seed)
{
	return le64_to_cpu(di->csum) == inode_csum(di, seed) ? 0 : -EUCLEAN;
}

static uint64_t orphan_csum(const struct pinfs_orphan *o, uint64_t seed)
{
	return format_csum(o, sizeof(*o), offsetof(struct pinfs_orphan, csum),
			   seed);
}

void format_orphan_seal(struct pinfs_orphan *o, uint64_t seed)
{
	o->csum = cpu_to_le64(orphan_csum(o, seed));
}

int format_orphan_verify(const struct pinfs_orphan *o, uint64_t seed,
			 const char **why)
{
	static const struct pinfs_orphan empty;

	if (!memcmp(o, &empty, sizeof(empty)))
		return 0;
	if (le64_to_cpu(o->csum) != orphan_csum(o, seed))
		*why = "orphan line: wrong checksum";
	else if (le64_to_cpu(o->on_list) > 1)
		*why = "orphan line: neither on nor off its list";
	else if (le64_to_cpu(o->next) >> PINFS_INO_BITS ||
		 le64_to_cpu(o->prev) >> PINFS_INO_BITS)
		*why = "orphan line: no such inode";
	else
		return 0;
	return -EUCLEAN;
}

uint64_t format_name_hash(const char *name, size_t len, uint64_t hash_seed)
{
	const uint64_t low = (1ull << PINFS_DIR_KEY_BITS) - 1;
	uint64_t key = XXH3_64bits_withSeed(name, len, hash_seed) >> 1 & ~low;

	return key < PINFS_DIR_FIRST_KEY ? PINFS_DIR_FIRST_KEY : key;
}
