#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# e2e: label=storm timeout=180
#
# The storm: many processes do anything at all with a few files of a full pool,
# DMA above all, and read what is there. No byte gets into a file that it was not
# meant for (L1, C3); no truncate starves (L4), nothing hangs (L5, L8); what the
# daemon says that it does keeps to the protocol (conform); and in between the
# pool is clean. Half of the time in each scope.
#
# STORM_SECONDS, all in all, for one kind of pool; STORM_SEED.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scene.sh"
. "$(dirname "$0")/../storm/lib_storm.sh"

: "${STORM_SECONDS:=$([ -n "${PINFS_SANITIZE:-}" ] && echo 15 || echo 30)}"
: "${STORM_SEED:=$RANDOM}"
rounds=4

# sum_of FIELD PATTERN FILE - of that field in all lines that match
sum_of() {
	awk -v f="$1" -v re="$2" '$0 ~ re { n += $f } END { print n + 0 }' "$3"
}

round() {
	storm_mount "$1"
	storm_start $((STORM_SECONDS / rounds)) "$2"
	wait_bg storm
	storm_umount
	fsck_clean
	cat "$WORK/storm.log" "$WORK/conform.log" >>"$WORK/all"
}

# It has blown: of everything there was something, and some of it waited.
check_strength() {
	local op

	for op in dma-in dma-out dma-slow client truncate fallocate shift \
		renew rename write read map private; do
		[ "$(sum_of 2 "^$op " "$WORK/all")" -gt 0 ] ||
			fail "no $op was done"
	done
	[ "$(sum_of 12 'events: ' "$WORK/all")" -gt 0 ] ||
		fail "no layout change has waited"
}

storm_pool
slowdev_start --size 32M --delay 5
for ((i = 0; i < rounds; i += 2)); do
	round file $((STORM_SEED + i))
	round range $((STORM_SEED + i + 1))
done
cat "$WORK/all"
check_strength
