#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the kernel's own DAX file systems do about DMA and layout changes was
# measured in a table of situations; here each of its rows is done with pinfs.
# Rows 12 to 14, streams of DMA, are in test_kernel_streams.sh.
# e2e: timeout=120 lock=page-cache
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scene.sh"

POOL_SIZE=48M

# --- what waits -----------------------------------------------------------------

# begin_change NAME OPERATION ARG... - on the file NAME
begin_change() {
	case $2 in
	collapse | insert) run_bg "$1" pinfs "$2" "$MNT/$1" "${@:3}" ;;
	*) start_op "$1" "$2" "$MNT/$1" "${@:3}" ;;
	esac
}

# end_change NAME - it must have waited
end_change() {
	wait_bg "$1"
	if [ "$(wc -w <"$WORK/$1.log")" = 4 ]; then
		op_waited "$1"
	else
		assert_waited "$(started "$1")" "$(ended "$1")" \
			"$(slowdev_stat last_answer_ms)"
		figure waited $(($(ended "$1") - $(slowdev_stat last_answer_ms)))
	fi
}

# all_wait DIRECTION - for each line "NAME OPERATION ARG..." a file of 256 KiB,
# a DMA on its first 64, and the operation, which must wait; all side by side
all_wait() {
	local line names='' args

	while read -ra line; do
		names+=" ${line[0]}"
		file_of "$MNT/${line[0]}" 256K
		if [ "$1" = from ]; then
			args=(from-device "$SLOWDEV" "$MNT/${line[0]}")
		else
			args=(to-device "$MNT/${line[0]}" "$SLOWDEV")
		fi
		hung "dma-${line[0]}" --length 64K "${args[@]}"
	done <"$WORK/changes"
	while read -ra line; do
		begin_change "${line[@]}"
	done <"$WORK/changes"
	# shellcheck disable=SC2086
	await_break $names
	# shellcheck disable=SC2046,SC2086
	release_dma $(printf 'dma-%s ' $names)
	for line in $names; do
		end_change "$line"
		rm "$MNT/$line"
	done
	nothing_held
}

row_1_truncate_to_nothing() {
	cat >"$WORK/changes" <<-'END'
		1a ftruncate 0
		1b truncate 0
		1c open-trunc
		1d creat
	END
	all_wait from
}

row_2_truncate_elsewhere() {
	cat >"$WORK/changes" <<-'END'
		2a truncate 128K
		2b truncate 256K
		2c truncate 262044
	END
	all_wait from
}

row_3_truncate_up() {
	cat >"$WORK/changes" <<-'END'
		3a truncate 512K
		3b ftruncate 262145
	END
	all_wait from
}

row_4_punch_hole() {
	cat >"$WORK/changes" <<-'END'
		4a punch 0 64K
		4b punch 128K 64K
		4c punch 64K 4K
		4d punch 512K 64K
		4e punch 100 200
	END
	all_wait from
}

# The last is MADV_REMOVE, whose mapping is made before the DMA.
row_5_other_changes() {
	file_of "$MNT/5g" 256K
	ready_op 5g madv-remove "$MNT/5g" 128K 4K
	hung_dma dma-5g "$MNT/5g"
	go_op 5g
	await_break 5g
	cat >"$WORK/changes" <<-'END'
		5a collapse 0 4K
		5b collapse 128K 64K
		5c insert 0 4K
		5d insert 128K 64K
		5e zero 0 64K
		5f zero-keep 512K 64K
	END
	all_wait from
	wait_bg dma-5g
	end_change 5g
}

row_6_allocate() {
	cat >"$WORK/changes" <<-'END'
		6a allocate 0 64K
		6b allocate 256K 64K
		6c keep-size 256K 64K
	END
	all_wait from
}

row_8_device_reads_the_file() {
	cat >"$WORK/changes" <<-'END'
		8a truncate 0
		8b punch 0 64K
		8c collapse 0 4K
		8d allocate 256K 64K
	END
	all_wait to
	# What it read, before the truncate: all of it is on the device now.
	[ "$(dd if="$SLOWDEV" iflag=direct bs=64K count=1 status=none |
		cmp - <(pattern 64K 1G) && echo same)" = same ] ||
		fail "the device has not got the file's bytes"
}

# --- what does not wait ------------------------------------------------------------

row_7_what_is_no_change() {
	local name

	file_of "$MNT/7" 256K
	ready_op msync msync "$MNT/7"
	hung_dma dma "$MNT/7"
	go_op msync
	wait_op msync
	op_was_prompt msync
	now_op 0 write "$MNT/7" 256K 64K
	now_op 0 write "$MNT/7" 0 4K
	now_op 0 write "$MNT/7" 128K 4K
	now_op 0 write "$MNT/7" 1M 4K
	for name in fsync fchmod dontneed; do
		now_op 0 $name "$MNT/7"
	done
	is_running dma || fail "the DMA is over: nothing is shown"
	expect_json 'length == 0' pinfs breaks --json "$MNT"
	release_dma dma
	expect_equal 1052672 "$(stat -c %s "$MNT/7")" "the size"
	rm "$MNT/7"
	nothing_held
}

# --- rows 9 to 11: the late DMA must not hit another file (L1) -----------------------

# f's blocks are 4 MiB, and the device is about to write into all of them;
# nobody but the pins keeps them, as no process has f open.
big_dma() {
	slowdev_ctl hang 0
	expect pinfs dma --detach --chunk 128K --depth 32 from-device \
		"$SLOWDEV" "$MNT/f"
	slowdev_ctl await hung 32
}

# lands_nowhere - give all space that is free to others; then the DMA lands
lands_nowhere() {
	local left

	fill_with_signatures 512K
	left=$(free_bytes)
	[ "$left" -lt 1048576 ] || fail "$left bytes are free in a full pool"
	expect_json 'length == 1' pinfs pins --json "$MNT"
	release_dma
	echo "$left" >"$WORK/left"
}

# space_is_back BYTES - no less; and the signatures hold with that used again
space_is_back() {
	local back

	# Which is when the DMA has ended, in any case.
	umount_pool
	mount_pool $SCENE_OPTS
	signatures_hold
	back=$(($(free_bytes) - $(cat "$WORK/left")))
	[ "$back" -ge "$1" ] || fail "only $back bytes came back, not $1"
	pattern "$1" 5G >"$MNT/again" || fail "they cannot be used"
	signatures_hold
	rm -r "$MNT/again" "$MNT/sig"
	nothing_held
}

row_9_unmapped_first() {
	local change

	for change in 'ftruncate 0' 'punch 0 4M'; do
		file_of "$MNT/f" 4M
		# shellcheck disable=SC2086
		ready_op change munmap-${change%% *} "$MNT/f" ${change#* }
		big_dma
		go_op change
		await_break change
		lands_nowhere
		wait_op change
		op_waited change
		space_is_back 4194304
		rm "$MNT/f"
	done
}

row_10_no_name_any_more() {
	local change

	for change in unlink unlink-close rename; do
		file_of "$MNT/f" 4M
		: >"$MNT/new"
		big_dma
		if [ $change = rename ]; then
			now_op 0 rename "$MNT/new" "$MNT/f"
		else
			now_op 0 $change "$MNT/f"
		fi
		lands_nowhere
		space_is_back 4194304
		rm -f "$MNT/f" "$MNT/new"
	done
}

row_11_caches_dropped() {
	file_of "$MNT/f" 4M
	big_dma
	# What the kernel knows of the file goes.
	echo 3 >/proc/sys/vm/drop_caches
	start_op change ftruncate "$MNT/f" 0
	await_break change
	lands_nowhere
	wait_op change
	op_waited change
	space_is_back 4194304
	rm "$MNT/f"
}

# --- meanwhile -----------------------------------------------------------------------------

# busy NAME FILE - a DMA on it, and a truncate that waits for that
busy() {
	hung_dma "dma-$1" "$2"
	start_op "trunc-$1" truncate "$2" 4096
	await_break "trunc-$1"
}

row_15_meanwhile_others() {
	local name

	file_of "$MNT/15" 256K
	: >"$MNT/other"
	ready_op fault fault "$MNT/15"
	busy 15 "$MNT/15"
	go_op fault
	wait_op fault
	op_was_prompt fault
	for name in stat open mmap statfs; do
		now_op 0 $name "$MNT/15"
	done
	now_op 0 read "$MNT/15" 0 256K
	now_op 0 readdir "$MNT"
	for name in 'write' 'truncate' 'allocate' 'punch'; do
		case $name in
		truncate) now_op 0 $name "$MNT/other" 64K ;;
		*) now_op 0 $name "$MNT/other" 0 64K ;;
		esac
	done
	for name in fsync syncfs chmod stat unlink; do
		now_op 0 $name "$MNT/other"
	done
	now_op 0 creat "$MNT/made"
	now_op 0 link "$MNT/made" "$MNT/linked"
	now_op 0 rename "$MNT/made" "$MNT/renamed"
	is_running trunc-15 || fail "the truncate is over: nothing is shown"
	release_dma dma-15
	wait_op trunc-15
	op_waited trunc-15
	rm "$MNT/15" "$MNT/linked" "$MNT/renamed"
	nothing_held
}

# The kernel lets most of these wait for the truncate themselves, with the
# directory locked if they change a name, hence one for each.  All end well.
row_16_meanwhile_the_same_file() {
	local op args dir end names='' ops=(
		'write 0 4K' 'truncate 8K' 'allocate 0 64K' 'punch 0 4K'
		'chmod' 'fsync' 'link' 'rename' 'unlink'
	)

	for op in "${ops[@]}"; do
		read -ra args <<<"$op"
		dir=$MNT/${args[0]}
		names+=" ${args[0]}"
		mkdir "$dir"
		file_of "$dir/f" 256K
		busy "${args[0]}" "$dir/f"
		now_op 0 read "$dir/f" 0 256K
		expect dd if="$dir/f" of=/dev/null bs=64K iflag=direct
		case $op in
		link | rename) args+=("$dir/new") ;;
		esac
		start_op "${args[0]}" "${args[0]}" "$dir/f" "${args[@]:1}"
	done
	for op in $names; do
		await_line begun "$WORK/$op.log"
	done
	# shellcheck disable=SC2046,SC2086
	release_dma $(printf 'dma-%s ' $names)
	end=$(slowdev_stat last_answer_ms)
	for op in $names; do
		wait_op "trunc-$op"
		op_waited "trunc-$op"
		wait_op "$op"
		[ "$(op_said "$op" 1)" -le "$released" ] || fail "$op came late"
		assert_prompt "$end" "$(op_said "$op" 2)"
	done
	expect_equal 4096 "$(stat -c %s "$MNT/write/f")" "size with a write"
	[ -e "$MNT/link/f" ] && [ -e "$MNT/link/new" ] ||
		fail "no link was made"
	[ ! -e "$MNT/rename/f" ] && [ -e "$MNT/rename/new" ] ||
		fail "not renamed"
	[ ! -e "$MNT/unlink/f" ] || fail "not unlinked"
	for op in $names; do
		rm -r "${MNT:?}/$op"
	done
	nothing_held
}

# --- the waiter goes ---------------------------------------------------------------------------

unchanged() {
	expect_equal 262144 "$(stat -c %s "$MNT/$1")" "the size of $1"
	has_pattern "$MNT/$1" 64K 192K $((1073741824 + 65536))
	expect_json 'length == 0' pinfs breaks --json "$MNT/$1"
}

rows_17_18_signals() {
	local name at names='17a 17b 17c 17d 18a 18b'

	for name in $names; do
		file_of "$MNT/$name" 256K
		hung_dma "dma-$name" "$MNT/$name"
	done
	start_op 17a -i truncate "$MNT/17a" 0
	start_op 17b -i punch "$MNT/17b" 0 256K
	# With SA_RESTART, too: the FUSE client starts no call anew.
	start_op 17c -r truncate "$MNT/17c" 0
	run_bg 17d env --default-signal=INT pinfs collapse "$MNT/17d" 0 64K
	start_op 18a truncate "$MNT/18a" 0
	run_bg 18b pinfs insert "$MNT/18b" 0 64K
	# shellcheck disable=SC2086
	await_break $names
	at=$(now_ms)
	kill -USR1 "$(pid_of 17a)" "$(pid_of 17b)" "$(pid_of 17c)"
	kill -INT "$(pid_of 17d)"
	kill -KILL "$(pid_of 18a)" "$(pid_of 18b)"
	for name in 17a 17b 17c; do
		wait_op $name EINTR
		expect_equal 1 "$(op_said $name 4)" "signals of $name"
	done
	wait_bg 17d 130
	wait_bg 18a 137
	wait_bg 18b 137
	for name in $names; do
		assert_prompt "$at" "$(ended "$name")"
		figure prompt $(($(ended "$name") - at))
		unchanged "$name"
		is_running "dma-$name" || fail "the DMA has ended"
	done
	# shellcheck disable=SC2046,SC2086
	release_dma $(printf 'dma-%s ' $names)
	for name in $names; do
		unchanged "$name"
		rm "$MNT/$name"
	done
	nothing_held
}

# --- long-term pins, unmount ----------------------------------------------------------------------

# What a program can do itself: fixed buffers of io_uring in a mapping.  We
# differ by the errno: the kernel's DAX file systems say EOPNOTSUPP, while FUSE's
# mappings have their dirty pages tracked, and of such the kernel itself
# refuses long-term pins with EFAULT.  A private mapping gives them, but of
# the process's own copies, so that no block is held.
row_19_registered_buffers() {
	local dax

	if ! op uring "$MNT" >"$WORK/.out"; then
		e2e_say "note: no io_uring here, so no registered buffers:" \
			"$(cat "$WORK/.out")"
		return
	fi
	for dax in +x -x; do
		file_of "$MNT/19" 256K
		expect xfs_io -c "chattr $dax" "$MNT/19"
		now_op EFAULT register "$MNT/19"
		now_op 0 register-private-ftruncate "$MNT/19" 0
		rm "$MNT/19"
	done
	expect_json '.refused == 0' pinfs stats --json "$MNT"
	nothing_held
}

row_19_longterm() {
	: >"$MNT/19"
	pinfs dma --longterm --json --length 4K from-device /dev/zero \
		"$MNT/19" >"$WORK/19" 2>&1 && fail "granted"
	grep -q '"error": "EOPNOTSUPP"' "$WORK/19" || fail "$(cat "$WORK/19")"
	expect_equal 0 "$(stat -c %s "$MNT/19")" "the size"
	expect_json '.refused == 1' pinfs stats --json "$MNT"
	nothing_held
}

row_20_unmount() {
	local pid

	need_root
	slowdev_ctl hang 0
	expect pinfs dma --detach --length 64K --device-offset 1M \
		from-device "$SLOWDEV" "$MNT/19"
	slowdev_ctl await hung 1
	pid=$(daemon_pid)
	expect umount "$MNT"
	await_log 'stays in use until 1 DMA'
	! await 0 exit "$pid" 2>/dev/null || fail "ended under the DMA"
	expect_error 'in use by' mkfs.pinfs -f "$POOL"
	release_dma
	wait_daemon
	assert_prompt "$(slowdev_stat last_answer_ms)" "$(now_ms)"
	figure waited $(($(now_ms) - $(slowdev_stat last_answer_ms)))
	fsck_clean
	mount_pool
	has_pattern "$MNT/19" 0 64K 1M
	umount_pool
}

# row NUMBER FUNCTION - and say what has been measured there
row() {
	: >"$WORK/figures"
	"$2"
	echo "row $1:$(figures)"
}

# --- run --------------------------------------------------------------------------------------------

need_root
need xfs_io
pool_new $POOL_SIZE
mount_pool $SCENE_OPTS
slowdev_start --size 4M
row 1 row_1_truncate_to_nothing
row 2 row_2_truncate_elsewhere
row 3 row_3_truncate_up
row 4 row_4_punch_hole
row 5 row_5_other_changes
row 6 row_6_allocate
row 7 row_7_what_is_no_change
row 8 row_8_device_reads_the_file
row 9 row_9_unmapped_first
row 10 row_10_no_name_any_more
row 11 row_11_caches_dropped
row 15 row_15_meanwhile_others
row 16 row_16_meanwhile_the_same_file
row 17-18 rows_17_18_signals
row 19 row_19_registered_buffers
row 19 row_19_longterm
row 20 row_20_unmount
fsck_clean
