#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# e2e: label=uring timeout=120
#
# Over io_uring: a signal ends a waiting operation (L7), and whatever is deferred,
# the mount goes on: of each CPU as many wait as the ring has room for, and what
# would wait beyond that fails with EBUSY at once, the file as it was.
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/../e2e/scene.sh"

need taskset

# over_uring OPT,... - mount so; skip where it cannot be had
over_uring() {
	mount_pool "$SCENE_OPTS,io_uring,$1"
	await_log ': (not )?over io_uring'
	if ! grep -q ': over io_uring' "$(daemon_log)"; then
		skip "$(grep 'not over io_uring' "$(daemon_log)")"
	fi
	# A request has to come through the ring, and none otherwise.
	ls "$MNT" >"$WORK/.out"
	grep -qx fuse-ring-0 "/proc/$(daemon_pid)"/task/*/comm ||
		fail "says that it is over io_uring, and is not"
}

# goes_on - operations of every kind, on every CPU, are prompt
goes_on() {
	local cpu start

	for cpu in $(awk '/^processor/ { print $3 }' /proc/cpuinfo); do
		start=$(now_ms)
		expect timeout 20 taskset -c "$cpu" sh -c '
			cd "$1" && stat . >/dev/null && echo x >new &&
			cat new >/dev/null && truncate -s 0 new &&
			mv new newer && rm newer && ls' - "$MNT"
		assert_prompt "$start" "$(now_ms)"
	done
}

# pin_many N - as many files, each with a DMA that hangs
pin_many() {
	local i

	for ((i = 1; i <= $1; i++)); do
		file_of "$MNT/f$i" 64K
		hung_dma "dma$i" "$MNT/f$i"
	done
}

# truncate_many N WAIT - of each of them, all from one CPU: WAIT wait, the others
# fail at once
truncate_many() {
	local i

	for ((i = 1; i <= $1; i++)); do
		run_bg "cut$i" taskset -c 0 op truncate "$MNT/f$i" 0
		if [ "$i" -le "$2" ]; then
			await_break "cut$i"
			continue
		fi
		wait_op "cut$i" EBUSY
		op_was_prompt "cut$i"
		expect_equal 65536 "$(stat -c %s "$MNT/f$i")" \
			"size of f$i, whose truncate failed"
	done
}

# finish N WAIT - the DMA ends, and with it all that wait
finish() {
	local i

	release_dma
	for ((i = 1; i <= $1; i++)); do
		wait_bg "dma$i"
		[ "$i" -le "$2" ] || continue
		wait_op "cut$i"
		# shellcheck disable=SC2154 # of scene.sh
		op_waited "cut$i" "$released"
		expect_equal 0 "$(stat -c %s "$MNT/f$i")" "size of f$i"
	done
	rm "$MNT"/f*
	nothing_held
}

interrupted() {
	over_uring threads=2
	file_of "$MNT/file" 64K
	hung_dma dma "$MNT/file"
	start_op cut -i truncate "$MNT/file" 0
	await_break cut
	kill -USR1 "$(pid_of cut)"
	wait_op cut EINTR
	! is_running dma && fail "the DMA has ended"
	expect_equal 65536 "$(stat -c %s "$MNT/file")" "size, interrupted"
	# A signal that comes to somebody else is none of this one's.
	start_op cut -i truncate "$MNT/file" 0
	await_break cut
	file_of "$MNT/other" 64K
	hung_dma another "$MNT/other"
	start_op other -i truncate "$MNT/other" 0
	await_break other
	kill -USR1 "$(pid_of other)"
	wait_op other EINTR
	is_running cut || fail "interrupted by another's signal"
	release_dma dma another
	wait_op cut
	op_waited cut
	rm "$MNT/file" "$MNT/other"
	nothing_held
	umount_pool
	fsck_clean
}

# A truncate waits when the daemon is told to end.
terminated() {
	local i

	over_uring threads=2
	pin_many 4
	truncate_many 4 4
	kill -TERM "$(daemon_pid)"
	await_log 'stays in use until 4 DMA'
	release_dma dma1 dma2 dma3 dma4
	for i in 1 2 3 4; do
		wait_op "cut$i"
	done
	wait_daemon
	fsck_clean
}

beyond() {
	over_uring io_uring_q_depth=16
	pin_many 50
	truncate_many 50 12
	goes_on
	finish 50 12
	umount_pool
	fsck_clean
}

within() {
	over_uring threads=2
	pin_many 44
	truncate_many 44 44
	goes_on
	finish 44 44
	umount_pool
	fsck_clean
}

pool_new 256M
slowdev_start --size 64M
interrupted
beyond
within
terminated
