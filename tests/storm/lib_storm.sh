# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# What the storm's tests share; sourced after lib.sh and scene.sh.

# How long a storm's truncate under a stream, or any of its operations, may take.
STORM_TRUNCATE_MS=4000
STORM_LIMIT_S=30
if [ -n "${PINFS_SANITIZE:-}" ]; then
	STORM_TRUNCATE_MS=8000
	STORM_LIMIT_S=60
fi

# storm_pool - a new pool, in which there is not enough room for all of the
# storm's files: a freed block has a new owner at once
storm_pool() {
	local free

	pool_new 32M
	mount_pool
	free=$(stat -f -c '%a * %S' "$MNT")
	fallocate -l $((free - (4 << 20))) "$MNT/ballast"
	umount_pool
}

# storm_mount SCOPE - with an event stream that conform reads from its beginning;
# it is in trace.json as well, even if conform ends
storm_mount() {
	mount_pool "layout_scope=$1,break_warn=20"
	rm -f "$WORK/events"
	mkfifo "$WORK/events"
	run_bg conform conform --complete --scope "$1" "$WORK/events"
	: >"$WORK/trace.log"
	pinfs trace --json "$MNT" 2>"$WORK/trace.log" \
		> >(tee -p "$WORK/trace.json" >"$WORK/events") &
	e2e_pid[trace]=$!
	await_line 'recording' "$WORK/trace.log"
}

# await_quiet - until the reader of events knows of a change that is made now,
# and of an end of all pin sets and breaks
#
# At its end the daemon waits for those, but not for who reads of them.
await_quiet() {
	truncate -s +1 "$MNT/ballast"
	timeout 30 jq -en --argjson last "$(stat -c %i "$MNT/ballast")" '
		{ "pin-begin": 1, "pin-end": -1, "break-asked": 1,
		  "break-done": -1, "break-failed": -1 } as $step |
		first(foreach inputs as $e ({ open: 0 };
			.open += ($step[$e.kind] // 0) |
			.last |= (. or ($e.kind == "break-done" and
				$e.ino == $last));
			select(.last and .open == 0)))' \
		< <(exec tail -n +1 -f "$WORK/trace.json") >/dev/null ||
		fail "the reader of events has not been told of all ends"
}

# storm_umount - by a signal: the reader of events uses the mount till its end
storm_umount() {
	await_quiet
	kill -TERM "$(daemon_pid)"
	wait_daemon
	wait_bg conform
	wait "${e2e_pid[trace]}" || fail "pinfs trace: $(cat "$WORK/trace.log")"
}

# storm_start SECONDS SEED [ARG...]
storm_start() {
	run_bg storm storm --seconds "$1" --seed "$2" --limit $STORM_LIMIT_S \
		--truncate-ms $STORM_TRUNCATE_MS "${@:3}" "$MNT" "$SLOWDEV"
}
