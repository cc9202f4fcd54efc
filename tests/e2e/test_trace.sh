#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# e2e: asan
#
# The event stream: what happens to pin sets and breaks is told, in order, by
# `pinfs trace`, to several readers at once, and until the mount ends.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scene.sh"

# kinds_of ID - the events of a pin set or break so far, in order
kinds_of() {
	grep '^{' "$WORK/json.log" | jq -r "select(.id == $1) | .kind" |
		paste -sd ' '
}

# number_of ID KIND - of that event
number_of() {
	grep '^{' "$WORK/json.log" |
		jq "select(.id == $1 and .kind == \"$2\") | .number"
}

# await_kind ID KIND - until it has that event
await_kind() {
	await_event json ".id == $1 and .kind == \"$2\""
}

life_of_both() {
	local engine=$1 f=$MNT/busy-$1 set brk running

	file_of "$f" 1M
	hung_dma "dma-busy-$engine" "$f" --engine "$engine"
	set=$(json '.[0].id' pinfs pins --json "$f")
	start_op "cut-$engine" truncate "$f" 4096
	await_break "cut-$engine"
	brk=$(json '.[0].id' pinfs breaks --json "$f")
	await_kind "$brk" break-warn
	release_dma "dma-busy-$engine"
	wait_op "cut-$engine"
	op_waited "cut-$engine"
	await_kind "$set" pin-end
	await_kind "$brk" break-done
	expect_equal "pin-begin pin-admit pin unpin pin-end" \
		"$(kinds_of "$set")" "what the pin set did"
	expect_equal "break-asked break-waiting break-running break-done" \
		"$(kinds_of "$brk" | sed 's/ break-warn//g')" \
		"what the break did"
	# L1, L3: the pins ended before the break ran, and then blocks are free.
	running=$(number_of "$brk" break-running)
	[ "$(number_of "$set" unpin)" -lt "$running" ] ||
		fail "the break ran before the pins' end"
	await_event json ".kind == \"freed\" and .number > $running"
}

cancelled_and_interrupted() {
	local engine=$1 f=$MNT/held-$1 set

	file_of "$f" 1M
	hung_dma "dma-held-$engine" "$f" --engine "$engine"
	set=$(json '.[0].id' pinfs pins --json "$f")
	start_op "cut-$engine" -i ftruncate "$f" 0
	await_break "cut-$engine"
	kill -USR1 "$(pid_of "cut-$engine")"
	wait_op "cut-$engine" EINTR
	await_event json \
		".kind == \"break-failed\" and .err == -4 and .id > $set"
	expect pinfs cancel "$MNT" "$set"
	await_kind "$set" pin-cancel
	# Cancelled or not: the pins end when the kernel has let go (L11).
	start_op "again-$engine" truncate "$f" 0
	await_break "again-$engine"
	expect_equal "pin-begin pin-admit pin pin-cancel" "$(kinds_of "$set")" \
		"what the pin set did so far"
	release_dma
	wait_bg "dma-held-$engine" 1
	wait_op "again-$engine"
	op_waited "again-$engine"
	await_kind "$set" pin-end
}

# A break that runs out of time says so (L14).
out_of_time() {
	mount_pool "break_timeout=300ms,$SCENE_OPTS"
	trace_start late --json
	file_of "$MNT/late" 1M
	hung_dma dma-late "$MNT/late"
	start_op late-cut truncate "$MNT/late" 0
	wait_op late-cut EBUSY
	await_event late '.kind == "break-failed" and .err == -16'
	release_dma dma-late
	kill -TERM "$(daemon_pid)"
	wait_daemon
	wait_bg late
}

# A reader that is not root, nor the mount's owner, is told nothing.
for_owners_only() {
	chmod 755 "$MNT"
	[ "$(id -u)" != 0 ] || expect_error 'Operation not permitted|not allowed' \
		setpriv --reuid 65534 --clear-groups \
		"$(command -v pinfs)" trace "$MNT"
}

SCENE_OPTS=break_warn=100ms,allow_other
pool_new 256M
mount_pool $SCENE_OPTS
slowdev_start --size 8M
trace_start json --json
trace_start text
for engine in io_uring aio; do
	life_of_both $engine
	cancelled_and_interrupted $engine
done
for_owners_only
n=$(grep -c '^{' "$WORK/json.log")
event='^[0-9:.]+ [a-z-]+ +(set|break|physical) '
await_line "$event" "$WORK/text.log" "$n"
expect_equal "$n" "$(grep -cE "$event" "$WORK/text.log")" \
	"events that both readers saw"
# The mount ends, and so do they: it is what they wait for that makes it busy.
kill -TERM "$(daemon_pid)"
wait_daemon
wait_bg json
wait_bg text
out_of_time
