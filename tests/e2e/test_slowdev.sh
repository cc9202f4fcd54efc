#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The slow device that other tests build upon: delay, failure, hang, release.
# e2e: once asan timeout=90
. "$(dirname "$0")/lib.sh"

read_dev() {
	dd if="$SLOWDEV" iflag=direct,skip_bytes,count_bytes status=none \
		bs=4K skip="$1" count="$2" of="${3:-/dev/null}"
}

# io_uring_read JOB SIZE DEPTH [ARG...] - random blocks, many in flight
io_uring_read() {
	fio --name="$1" --filename="$SLOWDEV" --thread --direct=1 \
		--ioengine=io_uring --rw=read --bs=4k --size="$2" \
		--iodepth="$3" --output-format=terse --terse-version=3 "${@:4}"
}

delays_each_request() {
	local start end

	slowdev_start --size 1M --delay 300
	start=$(now_ms)
	read_dev 8K 8K "$WORK/got"
	end=$(now_ms)
	[ $((end - start)) -ge 600 ] ||
		fail "two reads took $((end - start)) ms, not 2 * 300"
	pattern 8K 8K >"$WORK/want"
	expect_same "$WORK/want" "$WORK/got"
	expect_equal 2 "$(slowdev_stat reads)" reads
}

# 64 requests in flight are delayed side by side, not one after the other.
delays_independently() {
	local start end

	need fio
	slowdev_ctl delay 500
	start=$(now_ms)
	expect io_uring_read depth 256K 64
	end=$(now_ms)
	[ $((end - start)) -ge 500 ] || fail "took $((end - start)) ms"
	[ $((end - start)) -lt 8000 ] ||
		fail "64 reads took $((end - start)) ms: one after the other"
	expect_equal 66 "$(slowdev_stat answered)" answered
}

# All that io_uring asks for is held at the same time, until the release.
hangs_until_released() {
	slowdev_ctl delay 0
	slowdev_ctl hang 128K
	expect read_dev 0 128K
	run_bg hung io_uring_read hung 128K 32 --offset=128K
	slowdev_ctl await hung 32
	is_running hung || fail "read from a device that hangs"
	slowdev_ctl release 3
	expect_equal 29 "$(slowdev_stat hung)" "hung after release 3"
	is_running hung || fail "ended with reads unanswered"
	slowdev_ctl release
	wait_bg hung
	assert_waited "$(started hung)" "$(ended hung)" \
		"$(slowdev_stat last_answer_ms)"
	expect_equal 0 "$(slowdev_stat held)" held
}

fails_at_its_offset() {
	slowdev_ctl fail 5000
	expect read_dev 0 4K
	expect_error 'Input/output error' read_dev 4K 4K
	expect read_dev 8K 4K
	slowdev_ctl stop-fail
	expect read_dev 4K 4K
}

keeps_what_is_written() {
	{
		pattern 4K
		echo written
		pattern 8K 4104
	} >"$WORK/want"
	echo written | dd of="$SLOWDEV" seek=4K oflag=seek_bytes \
		conv=notrunc status=none
	read_dev 0 12K "$WORK/got"
	head -c 12K "$WORK/want" >"$WORK/want.12K"
	expect_same "$WORK/want.12K" "$WORK/got"
}

# The kernel holds the pages of a dead reader until the device answers.
outlives_its_clients() {
	slowdev_ctl hang 0
	run_bg killed dd if="$SLOWDEV" iflag=direct bs=64K count=1 of=/dev/null
	slowdev_ctl await hung 1
	kill -KILL "$(pid_of killed)"
	expect_equal 1 "$(slowdev_stat hung)" "hung after its client's death"
	slowdev_ctl release
	wait_bg killed 137
	expect read_dev 0 4K
}

refuses_nonsense() {
	local command

	for command in bogus 'delay x' 'delay' 'stop-fail 1' 'await moon 1' \
		'fail -1' 'release 1 2'; do
		expect_error 'Invalid argument' \
			bash -c "echo '$command' >'$SLOW/ctl'"
	done
	expect_status 2 slowdev --size 1M
	expect_status 2 slowdev --size 0 "$SLOW"
}

# What waits when it is told to end fails, and the mount is gone.
ends_on_sigterm() {
	slowdev_ctl hang 0
	run_bg last dd if="$SLOWDEV" iflag=direct bs=4K count=1 of=/dev/null
	run_bg waiter slowdev_ctl await hung 2
	slowdev_ctl await hung 1
	slowdev_ctl await awaiting 2 # itself and the waiter
	slowdev_stop
	wait_bg last 1
	grep -q 'Input/output error' "$WORK/last.log" ||
		fail "cut off rather than answered"
	wait_bg waiter 1
	[ ! -e "$SLOW/ctl" ] || fail "still mounted"
}

delays_each_request
delays_independently
hangs_until_released
fails_at_its_offset
keeps_what_is_written
outlives_its_clients
refuses_nonsense
ends_on_sigterm
