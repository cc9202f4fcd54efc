#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Rows 12 to 14 of what the kernel's own DAX file systems do: new DMA and page
# faults while a layout change waits.  A run says what it has measured, in
# milliseconds.  The other rows are in test_kernel_rows.sh.
# e2e: once timeout=150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scene.sh"

# The second DMA of rows 13 and 14 takes that long.
DMA_MS=2000

say() {
	echo "$*"
}

# took NAME - milliseconds of an operation
took() {
	echo $(($(op_said "$1" 2) - $(op_said "$1" 1)))
}

# --- row 12: a stream of DMA -----------------------------------------------------

# stream N - DMA after DMA into a part of f of its own, until told to stop
stream() {
	while [ ! -e "$WORK/stop" ]; do
		pinfs dma --engine "$engine" --offset $(($1 * 65536)) \
			--length 64K from-device "$SLOWDEV" "$MNT/f"
		echo done >>"$WORK/streamed"
	done
}

# through_stream OPERATION ARG... - waits for those that run, 100 ms at most, and
# not for those that come later
through_stream() {
	start_op op "$1" "$MNT/f" "${@:2}"
	wait_op op
	op_was_prompt op
	took op >>"$WORK/took"
}

row_12_streams() {
	local threads=$1 i n before

	rm -f "$WORK/stop" "$WORK/took"
	: >"$WORK/streamed"
	file_of "$MNT/f" 1M
	slowdev_ctl delay 100
	for ((i = 0; i < threads; i++)); do
		run_bg "stream$i" stream $i
	done
	n=$(slowdev_stat answered)
	slowdev_ctl await answered $((n + threads))
	before=$(json .breaks_waited pinfs stats --json "$MNT")
	for ((i = 0; i < 8; i++)); do
		n=$(wc -l <"$WORK/streamed")
		through_stream truncate 4K
		through_stream punch 0 64K
		# The stream goes on as well.
		await_line done "$WORK/streamed" $((n + threads))
	done
	for ((i = 0; i < threads; i++)); do
		is_running "stream$i" || fail "stream $i is over"
	done
	: >"$WORK/stop"
	for ((i = 0; i < threads; i++)); do
		wait_bg "stream$i"
	done
	before=$(($(json .breaks_waited pinfs stats --json "$MNT") - before))
	# On a busy machine one stream leaves gaps; without any wait nothing is shown.
	[ "$before" -ge 1 ] || fail "none of 16 changes had to wait"
	say "row 12, $engine, streams $threads: $before of 16 waited;" \
		"median $(sort -n "$WORK/took" | sed -n 8p)," \
		"longest $(sort -n "$WORK/took" | tail -n 1)"
	slowdev_ctl delay 0
	rm "$MNT/f"
	nothing_held
}

# --- rows 13 and 14: one more, while the truncate waits -----------------------------

# first_dma - into f's first 64 KiB; it hangs, and whatever comes later does not
first_dma() {
	hung_dma first "$MNT/f" --engine "$engine"
	slowdev_ctl delay $DMA_MS
	slowdev_ctl stop-hang
}

# first_ends ROW - and the truncate with it, which has waited for nothing else
first_ends() {
	release_dma
	first_end=$(slowdev_stat last_answer_ms)
	wait_bg first
	wait_op trunc
	op_waited trunc "$first_end"
	say "row $1, $engine: the truncate took $(took trunc), and ended" \
		"$(($(op_said trunc 2) - first_end)) after the DMA"
}

row_13_a_second_pin() {
	file_of "$MNT/f" 1M
	first_dma
	start_op trunc truncate "$MNT/f" 4K
	await_break trunc
	waiting_dma second --engine "$engine" --offset 512K --length 64K \
		--device-offset 1M from-device "$SLOWDEV" "$MNT/f"
	expect_equal 1 "$(slowdev_stat held)" "requests that the device has"
	first_ends 13
	wait_bg second
	[ "$(slowdev_stat last_answer_ms)" -ge $((first_end + DMA_MS)) ] ||
		fail "the second DMA began before the first had ended"
	say "row 13, $engine: the second DMA ended" \
		"$(($(ended second) - $(op_said trunc 2))) after the truncate"
	expect_equal 589824 "$(stat -c %s "$MNT/f")" "the size"
	has_pattern "$MNT/f" 512K 64K 1M
	slowdev_ctl delay 0
	rm "$MNT/f"
	nothing_held
}

row_14_faults_and_pins() {
	file_of "$MNT/f" 1M
	ready_op fault fault "$MNT/f"
	ready_op again fault "$MNT/f"
	first_dma
	go_op fault
	wait_op fault
	op_was_prompt fault
	start_op trunc truncate "$MNT/f" 4K
	await_break trunc
	go_op again
	wait_op again
	op_was_prompt again
	# On the pages that are pinned.
	waiting_dma second --engine "$engine" --length 64K \
		from-device "$SLOWDEV" "$MNT/f"
	is_running trunc || fail "the truncate is over: nothing is shown"
	first_ends 14
	wait_bg second
	expect_equal 65536 "$(stat -c %s "$MNT/f")" "the size"
	slowdev_ctl delay 0
	rm "$MNT/f"
	nothing_held
}

# --- run -----------------------------------------------------------------------------

pool_new 32M
mount_pool $SCENE_OPTS
slowdev_start --size 4M
for engine in io_uring aio; do
	row_12_streams 4
	row_12_streams 1
	row_13_a_second_pin
	row_14_faults_and_pins
done
umount_pool
fsck_clean
