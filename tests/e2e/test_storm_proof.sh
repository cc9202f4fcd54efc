#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# e2e: label=storm-proof omissions once timeout=170
#
# The proof of the storm: a daemon that leaves out one check of the protocol
# (PINFS_OMIT) does not get through it. Says which check noticed, and when; one
# that leaves out nothing gets through.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scene.sh"
. "$(dirname "$0")/../storm/lib_storm.sh"

most=60 # seconds until it must have been noticed

# without CHECK SCOPE [NAME] - run the storm on a daemon that leaves out CHECK
#
# NAME: only that may notice, storm or conform; otherwise, who comes first.
without() {
	local omitted=$1 only=${3:-} began name pid status=0

	export PINFS_OMIT=$omitted
	storm_pool
	storm_mount "$2"
	unset PINFS_OMIT
	began=$(now_ms)
	storm_start "$most" "${STORM_SEED:-$RANDOM}"
	if [ "$only" = storm ]; then
		wait "${e2e_pid[storm]}" || status=$?
		pid=${e2e_pid[storm]}
	else
		wait -n -p pid "${e2e_pid[storm]}" "${e2e_pid[conform]}" ||
			status=$?
	fi
	name=conform
	[ "$pid" = "${e2e_pid[conform]}" ] || name=storm
	[ "$status" != 0 ] || fail "without $omitted all was well"
	echo "without $omitted, scope $2: noticed by $name after" \
		"$(($(now_ms) - began)) ms: $(reason "$name")"
	drop_mount
}

# reason NAME - what it said
reason() {
	grep -m 1 -E '^(storm|conform): ' "$WORK/$1.log" || true
}

# drop_mount - the daemon, whatever has become of it, and who used it
drop_mount() {
	local name

	kill -KILL "$(daemon_pid)" 2>/dev/null || true
	for name in storm conform trace; do
		wait "${e2e_pid[$name]}" || true
	done
	wait "$(daemon_pid)" || true
	unset "e2e_daemon[$MNT]"
	expect fusermount3 -u -z "$MNT"
}

with_all() {
	storm_pool
	storm_mount file
	storm_start 3 "${STORM_SEED:-$RANDOM}"
	wait_bg storm
	storm_umount
}

slowdev_start --size 32M --delay 40
with_all
without L1 file
without L1 file storm
without L2 file
without L4 file
without L5 range
without L11 file
