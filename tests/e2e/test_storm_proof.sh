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
	local omitted=$1 scope=$2 only=${3:-} began who pid status=0

	PINFS_OMIT=$omitted storm_mount_new "$scope"
	began=$(now_ms)
	storm_start "$most" "${STORM_SEED:-$RANDOM}"
	if [ -n "$only" ]; then
		wait "${e2e_pid[$only]}" || status=$?
		who=$only
	else
		wait -n -p pid "${e2e_pid[storm]}" "${e2e_pid[conform]}" ||
			status=$?
		who=storm
		[ "$pid" = "${e2e_pid[storm]}" ] || who=conform
	fi
	[ "$status" != 0 ] || fail "without $omitted all was well"
	# A daemon that has stopped itself came before those that miss it.
	if await 0 exit "$(daemon_pid)" 2>/dev/null; then
		who=pinfsd.$e2e_mounts
	fi
	echo "without $omitted, scope $scope: noticed by ${who%%.*} after" \
		"$(($(now_ms) - began)) ms: $(reason "$who")"
	drop_mount
}

storm_mount_new() {
	storm_pool
	storm_mount "$1"
}

# reason NAME - what it said
reason() {
	grep -m 1 -E '^(storm|conform|pinfs): ' "$WORK/$1.log" || true
}

# end_of PID - without what the shell has to say of how it ended
end_of() {
	wait "$1" 2>/dev/null || true
}

# drop_mount - the daemon, whatever has become of it, and who used it
drop_mount() {
	local name

	kill -KILL "$(daemon_pid)" 2>/dev/null || true
	{
		for name in storm conform trace; do
			end_of "${e2e_pid[$name]}"
		done
		end_of "$(daemon_pid)"
	} 2>/dev/null
	unset "e2e_daemon[$MNT]"
	expect fusermount3 -u -z "$MNT"
}

with_all() {
	storm_mount_new file
	storm_start 3 "${STORM_SEED:-$RANDOM}"
	wait_bg storm
	storm_umount
	cat "$WORK/conform.log"
}

slowdev_start --size 32M --delay 40
with_all
without L1 file
without L1 file storm
without L2 file
without L4 file
without L5 range
without L11 file
