// SPDX-License-Identifier: BSD-3-Clause
/*
 * The journal's state blocks A and B, written in turn: whatever becomes of a
 * write, the other one is whole.
 */
#include "journal/journal_i.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

static bool tails_are_sane(const struct journal *j)
{
	uint32_t size = le32_to_cpu(j->sb->lane_blocks) << PINFS_BLOCK_SHIFT;

	for (uint32_t i = 0; i < j->lanes; i++) {
		uint32_t tail = le32_to_cpu(j->state.tail[i]);

		if (tail >= size || tail % PINFS_LINE_SIZE != 0)
			return false;
	}
	return true;
}

static bool numbers_are_sane(const struct journal *j)
{
	const struct pinfs_jstate *s = &j->state;

	return le64_to_cpu(s->update) <= JOURNAL_MAX_SEQ &&
	       le64_to_cpu(s->checkpoint_seq) <= JOURNAL_MAX_SEQ &&
	       le64_to_cpu(s->sealed_seq) <= JOURNAL_MAX_SEQ;
}

/* jstate_load - read the state in force; -EUCLEAN if neither block is whole */
int jstate_load(struct journal *j)
{
	uint64_t at = le64_to_cpu(j->sb->journal_start);
	const struct pinfs_jstate *s = format_jstate_pick(
		journal_home(j, at), journal_home(j, at + 1), at, j->seed);

	if (!s) {
		log_error("%s: journal: both state blocks are damaged; "
			  "run fsck.pinfs",
			  j->pool->path);
		return -EUCLEAN;
	}
	j->state = *s;
	if (!tails_are_sane(j)) {
		log_error("%s: journal: a lane's tail lies outside of it",
			  j->pool->path);
		return -EUCLEAN;
	}
	if (!numbers_are_sane(j)) {
		log_error("%s: journal: the state's numbers are not ones that "
			  "pinfs wrote; run fsck.pinfs",
			  j->pool->path);
		return -EUCLEAN;
	}
	return 0;
}

/* jstate_write - put j->state on the medium; with state_lock or alone */
int jstate_write(struct journal *j)
{
	struct pinfs_jstate *s = &j->state;
	uint64_t update = le64_to_cpu(s->update) + 1;
	uint64_t at = le64_to_cpu(j->sb->journal_start) +
		      (OMITTED("S-turn") ? 0 : update % 2);

	s->hdr.magic = cpu_to_le32(PINFS_MAGIC_JSTATE);
	s->update = cpu_to_le64(update);
	s->change_time = cpu_to_le64((uint64_t)time(NULL));
	format_block_seal(&s->hdr, at, j->seed);
	persist_copy_flush(j->pool, journal_home(j, at), s, sizeof(*s));
	persist_fence(j->pool);
	return 0;
}
