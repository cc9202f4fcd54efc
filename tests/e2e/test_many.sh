#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# e2e: once timeout=120
#
# Ten thousand deferred operations at once, on a daemon with two workers, leave
# other files' operations as fast as before (L9), and complete in order when the
# DMA ends (L4, L8); so do a thousand of one file.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scene.sh"

need_root # for so many open files

case ,${PINFS_OPTIONS:-}, in
*,io_uring,*)
	skip "over io_uring not so many can wait: uring/test_ring.sh is about that"
	;;
esac

# By the daemon's processor time, which other load leaves as it is but for what
# it does to the caches: with a look at all that wait it would be tens.
as_fast() {
	jq -e '.ratio < 4' "$WORK/said" >/dev/null ||
		fail "operations on other files cost more: $(cat "$WORK/said")"
	cat "$WORK/said"
}

# many_of SCOPE WHAT COUNT
many_of() {
	mount_pool "threads=2,break_warn=0,layout_scope=$1"
	mkdir "$MNT/$2"
	many "$2" "$3" "$MNT/$2" >"$WORK/said"
	as_fast
	nothing_held
	umount_pool
	fsck_clean
}

pool_new 512M
many_of file files 10000
many_of range breaks 1000
