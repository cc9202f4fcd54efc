#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# e2e: asan
#
# The event stream: what happens to pin sets and breaks is told, in order, by
# `pinfs trace`, to several readers at once, and until the mount ends.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scene.sh"

# trace_start NAME COMMAND... - it records in $WORK/NAME.log on return
trace_start() {
	run_bg "$@"
	await_line 'recording' "$WORK/$1.log"
}

# kinds_of ID FILE - the events of a pin set or break, in order
kinds_of() {
	grep '^{' "$2" | jq -r "select(.id == $1) | .kind" | paste -sd ' '
}

# the_id KIND FILE - of the last event of this kind
the_id() {
	grep '^{' "$2" | jq -r "select(.kind == \"$1\") | .id" | tail -n 1
}

# await_event EXPRESSION FILE - until an event is there that jq says true of;
# the first line is what was said on standard error
await_event() {
	timeout 30 jq -en "first(inputs | select($1))" \
		< <(exec tail -n +2 -f "$2") >/dev/null || fail "no event: $1"
}

life_of_both() {
	local log=$WORK/json.log engine=$1 set brk

	file_of "$MNT/busy-$engine" 1M
	hung_dma "dma-busy-$engine" "$MNT/busy-$engine" --engine "$engine"
	start_op "cut-$engine" truncate "$MNT/busy-$engine" 4096
	await_break "cut-$engine"
	await_event '.kind == "break-warn"' "$log"
	release_dma "dma-busy-$engine"
	wait_op "cut-$engine"
	op_waited "cut-$engine"
	brk=$(the_id break-waiting "$log")
	set=$(the_id pin "$log")
	await_event ".id == $set and .kind == \"pin-end\"" "$log"
	expect_equal "pin-begin pin-admit pin unpin pin-end" \
		"$(kinds_of "$set" "$log")" "what the pin set did"
	expect_equal "break-asked break-waiting break-running break-done" \
		"$(kinds_of "$brk" "$log" | sed 's/ break-warn//g')" \
		"what the break did"
	# L1, L3: the pins ended before the break ran, and then blocks are free.
	grep '^{' "$log" | jq -es "
		(map(select(.id == $set and .kind == \"unpin\"))[0].number) as \$u |
		(map(select(.id == $brk and .kind == \"break-running\"))[0].number)
			as \$r | \$u < \$r and
		any(.[]; .kind == \"freed\" and .number > \$r)" >/dev/null ||
		fail "the order of pins' end, change and free"
}

cancelled_and_interrupted() {
	local log=$WORK/json.log engine=$1 set

	file_of "$MNT/held-$engine" 1M
	hung_dma "dma-held-$engine" "$MNT/held-$engine" --engine "$engine"
	start_op "cut-$engine" -i ftruncate "$MNT/held-$engine" 0
	await_break "cut-$engine"
	kill -USR1 "$(pid_of "cut-$engine")"
	wait_op "cut-$engine" EINTR
	set=$(the_id pin "$log")
	await_event ".kind == \"break-failed\" and .err == -4 and .id > $set" \
		"$log"
	expect pinfs cancel "$MNT" "$set"
	await_event ".kind == \"pin-cancel\" and .id == $set" "$log"
	# Cancelled or not: the pins end when the kernel has let go (L11).
	expect_equal "pin-begin pin-admit pin pin-cancel" \
		"$(kinds_of "$set" "$log")" "what the pin set did so far"
	release_dma
	wait_bg "dma-held-$engine" 1
	await_event ".id == $set and .kind == \"pin-end\"" "$log"
}

# A break that runs out of time says so (L14).
out_of_time() {
	local log=$WORK/late.log

	mount_pool "break_timeout=300ms,$SCENE_OPTS"
	trace_start late pinfs trace --json "$MNT"
	file_of "$MNT/late" 1M
	hung_dma dma-late "$MNT/late"
	start_op late-cut truncate "$MNT/late" 0
	wait_op late-cut EBUSY
	await_event '.kind == "break-failed" and .err == -16' "$log"
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
trace_start json pinfs trace --json "$MNT"
trace_start text pinfs trace "$MNT"
for engine in io_uring aio; do
	life_of_both $engine
	cancelled_and_interrupted $engine
done
for_owners_only
expect_equal "$(grep -c '^{' "$WORK/json.log")" \
	"$(grep -cE '^[0-9:.]+ [a-z-]+ +(set|break|physical) ' "$WORK/text.log")" \
	"events that both readers saw"
# The mount ends, and so do they: it is what they wait for that makes it busy.
kill -TERM "$(daemon_pid)"
wait_daemon
wait_bg json
wait_bg text
out_of_time
