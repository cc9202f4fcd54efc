#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A mount with layout_scope=range: a layout change waits for DMA on the blocks
# that it unmaps or moves (L3), and for nothing else.
# e2e: asan timeout=150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scene.sh"

# The device has answered, and the pins are held for that much longer.
LATENCY_MS=500

# Files have 256 KiB, and a device is about to fill the second 64 of them:
# blocks 16 to 31.
pinned_file() {
	file_of "$MNT/$1" 256K
	hung "dma-$1" --offset 64K --length 64K --latency ${LATENCY_MS}ms \
		--engine "$engine" from-device "$SLOWDEV" "$MNT/$1"
}

# begin_change NAME OPERATION ARG... - on the file NAME
begin_change() {
	case $2 in
	collapse | insert) run_bg "$1" pinfs "$2" "$MNT/$1" "${@:3}" ;;
	*) start_op "$1" "$2" "$MNT/$1" "${@:3}" ;;
	esac
}

# end_change NAME - it must have waited for the latency, too
end_change() {
	local end=$((released + LATENCY_MS))

	wait_bg "$1"
	if [ "$(wc -w <"$WORK/$1.log")" = 4 ]; then
		op_waited "$1" $end
	else
		assert_waited "$(started "$1")" "$(ended "$1")" $end
	fi
}

# --- what waits -----------------------------------------------------------------

# Each on a file of its own, side by side.
changes_that_wait() {
	local line names=''
	local -a changes=(
		't1 truncate 0' 't2 ftruncate 64K' 't3 truncate 65537'
		't4 truncate 124K' 't5 truncate 131071' 't6 open-trunc'
		't7 creat'
		'p1 punch 64K 64K' 'p2 punch 124K 4K' 'p3 punch 131071 1'
		'p4 punch 0 65537' 'p5 punch 65536 1' 'p6 punch 0 256K'
		'p7 madv-remove 64K 4K'
		'z1 zero 64K 4K' 'z2 zero 131071 2' 'z3 zero-keep 0 256K'
		'c1 collapse 64K 64K' 'c2 collapse 0 4K' 'c3 collapse 124K 8K'
		'i1 insert 64K 4K' 'i2 insert 0 4K' 'i3 insert 124K 64K'
	)

	for line in "${changes[@]}"; do
		pinned_file "${line%% *}"
		names+=" ${line%% *}"
	done
	for line in "${changes[@]}"; do
		# shellcheck disable=SC2086
		begin_change $line
	done
	# shellcheck disable=SC2086
	await_break $names
	expect_json "length == ${#changes[@]} and
		all(.[]; .waits_for_pins == 1)" pinfs breaks --json "$MNT"
	# shellcheck disable=SC2046,SC2086
	release_dma $(printf 'dma-%s ' $names)
	for line in $names; do
		end_change "$line"
	done
	expect_equal 0 "$(stat -c %s "$MNT/t1")" "the size"
	expect_equal 131071 "$(stat -c %s "$MNT/t5")" "the size"
	# With what the device has brought, where it has been moved to.
	has_pattern "$MNT/t5" 64K 65535 0
	has_pattern "$MNT/c2" 60K 64K 0
	has_pattern "$MNT/i2" 68K 64K 0
	has_pattern "$MNT/p2" 64K 60K 0
	for line in $names; do
		rm "$MNT/$line"
	done
	nothing_held
}

# --- what does not ---------------------------------------------------------------

# now_change OPERATION ARG... - on f, and promptly
now_change() {
	local start

	case $1 in
	collapse | insert)
		start=$(now_ms)
		expect pinfs "$1" "$MNT/f" "${@:2}"
		assert_prompt "$start" "$(now_ms)"
		;;
	*) now_op 0 "$1" "$MNT/f" "${@:2}" ;;
	esac
	is_running dma-f || fail "the DMA is over: $* shows nothing"
}

# One after the other, on the same file, under the same DMA.
changes_that_do_not_wait() {
	local line

	pinned_file f
	for line in 'punch 60K 4K' 'punch 65036 500' 'punch 128K 4K' \
		'punch 131072 1' 'punch 1M 64K' \
		'zero 60K 4K' 'zero 128K 4K' 'zero 0 64K' 'zero 512K 64K' \
		'zero-keep 600K 64K' 'allocate 0 256K' 'allocate 64K 64K' \
		'allocate 1M 64K' 'keep-size 2M 64K' \
		'insert 128K 4K' 'collapse 128K 8K' \
		'truncate 2M' 'ftruncate 2097153' 'ftruncate 2M' \
		'write 128K 4K' 'write 3M 4K' 'truncate 192K' 'truncate 192K' \
		'truncate 131073' 'truncate 128K' 'truncate 128K'; do
		# shellcheck disable=SC2086
		now_change $line
	done
	expect_json '.[0].waiting == false and .[0].blocks == 16' \
		pinfs pins --json "$MNT/f"
	expect_json 'length == 0' pinfs breaks --json "$MNT"
	release_dma dma-f
	expect_equal 131072 "$(stat -c %s "$MNT/f")" "the size"
	has_pattern "$MNT/f" 64K 64K 0
	cmp -n 65536 "$MNT/f" /dev/zero >&2 || fail "what was zeroed is not"
	rm "$MNT/f"
	nothing_held
}

# --- a device that reads -----------------------------------------------------------

# Holes that it has been given zeroes for are not pinned.
holes_are_nobodys() {
	file_of "$MNT/h" 256K
	expect fallocate -p -o 16K -l 16K "$MNT/h"
	expect fallocate -p -o 96K -l 16K "$MNT/h"
	hung dma --length 128K --latency ${LATENCY_MS}ms --engine "$engine" \
		--device-offset 2M \
		to-device "$MNT/h" "$SLOWDEV"
	now_op 0 punch "$MNT/h" 16K 16K
	now_op 0 zero "$MNT/h" 96K 16K
	now_op 0 punch "$MNT/h" 128K 4K
	is_running dma || fail "the DMA is over: nothing is shown"
	start_op edge punch "$MNT/h" 28K 8K
	await_break edge
	release_dma dma
	wait_op edge
	op_waited edge $((released + LATENCY_MS))
	rm "$MNT/h"
	nothing_held
}

# --- the order ------------------------------------------------------------------------

# L4: who comes later waits behind a change that waits, wherever it wants to go.
order_is_kept() {
	pinned_file o
	start_op first punch "$MNT/o" 64K 4K
	await_break first
	waiting_dma later --length 4K --engine "$engine" \
		from-device /dev/zero "$MNT/o"
	expect_status 1 pinfs dma --nowait --length 4K from-device /dev/zero \
		"$MNT/o"
	# That is an ioctl, which the kernel's lock on the inode does not hold up;
	# nothing is in its way but the first (L4).
	run_bg second pinfs collapse "$MNT/o" 192K 4K
	await_break second
	expect_json 'length == 2 and .[0].waits_for_pins == 1 and
		.[1].waits_for_pins == 0 and .[1].ahead == 1 and
		.[1].waits_for == .[0].id' pinfs breaks --json "$MNT/o"
	is_running later || fail "it has not waited"
	release_dma dma-o
	wait_op first
	op_waited first $((released + LATENCY_MS))
	wait_bg second
	wait_bg later
	expect_equal 258048 "$(stat -c %s "$MNT/o")" "the size"
	rm "$MNT/o"
	nothing_held
}

# feed - the pipe's only writer; when told to
feed() {
	{
		read -r _ <"$WORK/go"
		pattern 1M
	} >"$WORK/pipe"
}

# L5: a DMA from a pipe, whose length nobody knows, pins piece by piece; it may
# go on to the next while a change waits for what it has.
extension_goes_on() {
	file_of "$MNT/x" 256K
	trace_start trace --json
	mkfifo "$WORK/pipe" "$WORK/go"
	run_bg feed feed
	run_bg dma pinfs dma --engine "$engine" from-device "$WORK/pipe" \
		"$MNT/x"
	await_event trace '.kind == "pin"'
	trace_stop trace
	start_op trunc truncate "$MNT/x" 4K
	await_break trunc
	is_running dma || fail "the DMA is over: nothing is shown"
	released=$(now_ms)
	echo >"$WORK/go"
	wait_bg feed
	wait_bg dma
	wait_op trunc
	op_waited trunc "$released"
	has_pattern "$MNT/x" 0 4K 0
	expect_json 'length == 1 and .[0].length == 4096' \
		pinfs map --json "$MNT/x"
	rm "$MNT/x" "$WORK/pipe" "$WORK/go"
	nothing_held
}

# --- L1 -----------------------------------------------------------------------------------

# The neighbours of pinned blocks go and are given to others; the device writes
# into its own.
neighbours_are_given_away() {
	file_of "$MNT/n" 8M
	hung dma --offset 3M --length 1M --chunk 128K --depth 8 \
		--engine "$engine" from-device "$SLOWDEV" "$MNT/n"
	now_op 0 truncate "$MNT/n" 4M
	now_op 0 punch "$MNT/n" 0 3M
	start_op trunc truncate "$MNT/n" 0
	await_break trunc
	fill_with_signatures 512K
	is_running trunc || fail "the truncate is over: nothing is shown"
	release_dma dma
	wait_op trunc
	op_waited trunc
	signatures_hold
	rm -r "$MNT/n" "$MNT/sig"
	nothing_held
}

# L10 holds as ever.
names_go_at_once() {
	pinned_file gone
	pinned_file over
	: >"$MNT/new"
	now_op 0 unlink "$MNT/gone"
	now_op 0 rename "$MNT/new" "$MNT/over"
	expect_json '.orphans == 2' pinfs stats --json "$MNT"
	release_dma dma-gone dma-over
	rm "$MNT/over"
	nothing_held
}

# --- run ----------------------------------------------------------------------------------

pool_new 32M
slowdev_start --size 4M
for engine in io_uring aio; do
	mount_pool layout_scope=range,$SCENE_OPTS
	changes_that_wait
	changes_that_do_not_wait
	holes_are_nobodys
	order_is_kept
	extension_goes_on
	neighbours_are_given_away
	names_go_at_once
	umount_pool
	fsck_clean
done
