#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The main scene: a DMA runs into a file, and a layout change waits for it.
# e2e: timeout=120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scene.sh"

ENGINES="io_uring aio"
LATENCY_MS=$((E2E_SLACK_MS * 3 / 4))
# How soon after the DMA a change that waited has to be done.
AT_ONCE_MS=$((E2E_SLACK_MS / 4))

# --- truncate while a DMA runs (L1, L3, L6, L8, L9) -----------------------------

# make_and_read DIR - 200 files; milliseconds that it takes
make_and_read() {
	local i got start

	start=$(now_ms)
	mkdir "$1"
	for ((i = 0; i < 200; i++)); do
		echo "file $i" >"$1/$i"
		read -r got <"$1/$i"
		[ "$got" = "file $i" ] || fail "$1/$i holds '$got'"
	done
	echo $(($(now_ms) - start))
}

# start_dma HOW ENGINE - 2 MiB into f's second and third; pinned on return
#
# hang: the kernel holds the pages until the device is told to answer; latency:
# the device answers at once, and the pins are held for LATENCY_MS after that.
start_dma() {
	local args=(--offset 1M --device-offset 1M --length 2M --engine "$2"
		from-device "$SLOWDEV" "$MNT/f") n

	if [ "$1" = hang ]; then
		slowdev_ctl hang 0
		run_bg dma pinfs dma "${args[@]}"
		slowdev_ctl await hung 1
	else
		n=$(slowdev_stat answered)
		run_bg dma pinfs dma --latency ${LATENCY_MS}ms "${args[@]}"
		slowdev_ctl await answered $((n + 1))
	fi
}

# See what the listings say of the DMA and the truncate behind it.
listings() {
	local set

	expect_json "length == 1 and (.[0] | .direction == \"from-device\" and
		.engine == \"$1\" and .pid == $(pid_of dma) and .uid == $UID and
		.comm == \"pinfs\" and .offset == 1048576 and
		.length == 2097152 and .blocks == 512 and .name == \"/f\" and
		.waiting == false and .cancelled == false and .age_ns > 0)" \
		pinfs pins --json "$MNT"
	set=$(jq '.[0].id' "$WORK/.json")
	expect_json "length == 1 and .[0].id == $set" \
		pinfs pins --json "$MNT/f"
	expect_json 'length == 0' pinfs pins --json "$MNT/other"
	expect_json "length == 1 and (.[0] | .change == \"truncate\" and
		.state == \"waiting\" and .offset == 0 and .uid == $UID and
		.pid == $(pid_of trunc) and .comm == \"op\" and
		.waits_for == $set and .waits_for_pins == 1 and .ahead == 0 and
		.age_ns >= 100000000 and .name == \"/f\")" \
		pinfs breaks --json "$MNT"
	expect_json 'length == 0' pinfs breaks --json "$MNT/other"
	# Pins are on blocks 256 to 767, and on no other.
	expect_json '(map(.pinned_blocks) | add) == 512 and
		(map(.pins) | add) == 512 and
		all(.[]; .pinned_blocks == 0 or (.logical < 3145728 and
			.logical + .length > 1048576))' \
		pinfs map --json "$MNT/f"
}

# meanwhile - what goes on as ever: f is read, other files are made
meanwhile() {
	local took try

	has_pattern "$MNT/f" 0 1M 1G
	has_pattern "$MNT/f" 3M 1M 1027M
	part "$MNT/f" 1M 2M >"$WORK/part"
	expect_equal 2097152 "$(stat -c %s "$WORK/part")" "bytes read"
	# The processors may be others' for a while.
	for try in 1 2 3; do
		took=$(make_and_read "$MNT/during")
		rm -r "$MNT/during"
		is_running trunc || fail "the truncate is over: nothing is shown"
		[ "$took" -gt $((3 * usual + 500)) ] || return 0
	done
	fail "200 files took $took ms at try $try, and without a DMA $usual ms"
}

truncate_waits() {
	local how=$1 engine=$2 end free

	file_of "$MNT/f" 4M
	start_dma "$how" "$engine"
	free=$(free_bytes)
	start_op trunc truncate "$MNT/f" 0
	if [ "$how" = hang ]; then
		await_break trunc
		listings "$engine"
		meanwhile
		free=$(free_bytes)
		release_dma dma
		end=$(slowdev_stat last_answer_ms)
	else
		wait_bg dma
		end=$(($(slowdev_stat last_answer_ms) + LATENCY_MS))
	fi
	wait_op trunc
	op_waited trunc "$end"
	[ $(($(op_said trunc 2) - end)) -le $AT_ONCE_MS ] ||
		fail "done only $(($(op_said trunc 2) - end)) ms after the DMA"
	expect_equal 0 "$(stat -c %s "$MNT/f")" "the size"
	expect_json 'length == 0' pinfs map --json "$MNT/f"
	free=$((free + 4194304))
	expect_equal "$free" "$(free_bytes)" "free space of pinfs info"
	expect_equal "$free" "$(statfs_free)" "free space of statfs"
	nothing_held
}

truncate_waits_for_all_kinds() {
	local engine usual

	: >"$MNT/f"
	: >"$MNT/other"
	usual=$(make_and_read "$MNT/before")
	rm -r "$MNT/before"
	for engine in $ENGINES; do
		truncate_waits hang "$engine"
		truncate_waits latency "$engine"
	done
}

# --- fallocate, collapse, insert (L3) ---------------------------------------------

# want FILE CHANGE - by other means, what the change makes of file_of FILE 256K
want() {
	local out=$WORK/want.$1

	file_of "$out" 256K
	pattern 64K | dd of="$out" conv=notrunc bs=64K status=none
	case $1 in
	allocate) truncate -s 512K "$out" ;;
	keep-size) ;;
	punch | zero)
		dd if=/dev/zero of="$out" bs=4K seek=16 count=8 conv=notrunc \
			status=none
		;;
	collapse)
		{
			part "$out" 0 64K
			part "$out" 96K 160K
		} >"$out.new"
		mv "$out.new" "$out"
		;;
	insert)
		{
			part "$out" 0 64K
			head -c 32K /dev/zero
			part "$out" 64K 192K
		} >"$out.new"
		mv "$out.new" "$out"
		;;
	esac
}

start_change() {
	local f=$MNT/$1

	case $1 in
	allocate | keep-size) start_op "$1" "$1" "$f" 256K 256K ;;
	punch | zero) start_op "$1" "$1" "$f" 64K 32K ;;
	collapse | insert) run_bg "$1" pinfs "$1" "$f" 64K 32K ;;
	esac
}

# All at the same time: nobody holds up anybody else, and none takes a thread.
all_changes_wait() {
	local engine=$1 change changes end
	local -A reported=([allocate]=allocate [keep-size]=allocate
		[punch]=punch-hole [zero]=zero-range
		[collapse]=collapse-range [insert]=insert-range)

	changes="${!reported[*]}"
	for change in $changes; do
		file_of "$MNT/$change" 256K
		hung_dma "dma-$change" "$MNT/$change" --engine "$engine"
	done
	for change in $changes; do
		start_change "$change"
	done
	# shellcheck disable=SC2086
	await_break $changes
	for change in $changes; do
		expect_json "length == 1 and .[0].pid == $(pid_of "$change") and
			.[0].change == \"${reported[$change]}\" and
			.[0].waits_for_pins == 1" \
			pinfs breaks --json "$MNT/$change"
	done
	expect_json 'length == 6' pinfs breaks --json "$MNT"
	# shellcheck disable=SC2046
	release_dma $(printf 'dma-%s ' $changes)
	end=$(slowdev_stat last_answer_ms)
	for change in $changes; do
		wait_bg "$change"
		assert_waited "$(started "$change")" "$(ended "$change")" "$end"
		want "$change"
		expect_same "$WORK/want.$change" "$MNT/$change"
	done
	for change in allocate keep-size; do
		expect_equal 1024 "$(stat -c %b "$MNT/$change")" \
			"sectors of $change"
	done
	nothing_held
}

# --- the end of waiting without the change (L7) -------------------------------------

unchanged() {
	has_pattern "$MNT/$1" 0 256K 1G
	expect_equal 262144 "$(stat -c %s "$MNT/$1")" "the size of $1"
	# With those past the end that the DMA fills.
	expect_equal 640 "$(stat -c %b "$MNT/$1")" "the sectors of $1"
	expect_json 'length == 0' pinfs breaks --json "$MNT/$1"
}

# The DMA holds another part of the file, so that its bytes stay what they were.
hung_elsewhere() {
	file_of "$MNT/$1" 256K
	hung_dma "dma-$1" "$MNT/$1" --offset 1M "${@:2}"
}

interrupted() {
	local name at

	for name in sigint handler restart killed punch; do
		hung_elsewhere $name
	done
	run_bg sigint env --default-signal=INT truncate -s 0 "$MNT/sigint"
	start_op handler -i ftruncate "$MNT/handler" 0
	start_op restart -r ftruncate "$MNT/restart" 0
	start_op killed truncate "$MNT/killed" 0
	start_op punch -i punch "$MNT/punch" 0 64K
	await_break sigint handler restart killed punch
	at=$(now_ms)
	kill -INT "$(pid_of sigint)"
	kill -USR1 "$(pid_of handler)" "$(pid_of restart)" "$(pid_of punch)"
	kill -KILL "$(pid_of killed)"
	wait_bg sigint 130
	wait_op handler EINTR
	wait_op punch EINTR
	wait_bg killed 137
	# The kernel's FUSE client hands EINTR on and starts no call anew.
	wait_op restart EINTR
	for name in sigint handler killed restart punch; do
		assert_prompt "$at" "$(ended $name)"
		unchanged $name
	done
	for name in handler restart punch; do
		expect_equal 1 "$(op_said $name 4)" "signals that $name got"
	done
	# Done a second time it waits as ever, and is done.
	start_op again truncate "$MNT/handler" 4096
	await_break again
	release_dma dma-{sigint,handler,restart,killed,punch}
	wait_op again
	op_waited again
	expect_equal 4096 "$(stat -c %s "$MNT/handler")" "the size"
	expect_json '.interrupted == 5' pinfs stats --json "$MNT"
	nothing_held
}

out_of_time() {
	umount_pool
	mount_pool break_timeout=500ms,$SCENE_OPTS
	hung_elsewhere late
	start_op late truncate "$MNT/late" 0
	wait_op late EBUSY
	[ $(($(op_said late 2) - $(op_said late 1))) -ge 500 ] ||
		fail "EBUSY before the time was over"
	op_was_prompt late
	unchanged late
	await_log "truncate of inode [0-9]+ \(/late\) by pid $(pid_of late) .*\
EBUSY after (0\.[5-9]|[1-9][0-9.]*) s; held by pin set [0-9]+ of pid $(pid_of dma-late) \(pinfs\)"
	expect_json '.timed_out == 1' pinfs stats --json "$MNT"
	release_dma dma-late
	now_op 0 truncate "$MNT/late" 0
	nothing_held
	umount_pool
	mount_pool $SCENE_OPTS
}

# --- names that go (L10) -------------------------------------------------------------

names_go_at_once() {
	local engine=$1 free left

	: >"$MNT/gone"
	: >"$MNT/over"
	free=$(free_bytes)
	file_of "$MNT/gone" 1M
	file_of "$MNT/over" 1M
	hung_dma dma-gone "$MNT/gone" --engine "$engine"
	hung_dma dma-over "$MNT/over" --engine "$engine"
	left=$(free_bytes)
	: >"$MNT/new"
	now_op 0 unlink "$MNT/gone"
	now_op 0 rename "$MNT/new" "$MNT/over"
	[ ! -e "$MNT/gone" ] || fail "the name is still there"
	expect_equal 0 "$(stat -c %s "$MNT/over")" "the size of what came over"
	[ "$(free_bytes)" -le "$left" ] || fail "space came back too early"
	expect_json '.orphans == 2 and .pin_sets_live == 2' \
		pinfs stats --json "$MNT"
	release_dma dma-gone dma-over
	now_op 0 unlink "$MNT/over"
	nothing_held
	: >"$MNT/gone"
	: >"$MNT/over"
	expect_equal "$free" "$(free_bytes)" "free space after the DMA"
	expect_equal "$free" "$(statfs_free)" "free space of statfs"
	expect_json '.orphans == 0' pinfs stats --json "$MNT"
}

# --- asking not to wait, or for ever (L4, L13) ----------------------------------------

refused_dma() {
	file_of "$MNT/busy" 256K
	hung_dma dma "$MNT/busy"
	expect_error 'without an end' pinfs dma --longterm --length 4K \
		from-device "$SLOWDEV" "$MNT/busy"
	expect_json '.error == "EOPNOTSUPP"' \
		bash -c 'pinfs dma --json --longterm --length 4K "$@" || true' \
		- from-device "$SLOWDEV" "$MNT/other"
	# Without a break, two DMA run side by side.
	expect pinfs dma --nowait to-device --length 4K "$MNT/busy" /dev/null
	start_op trunc truncate "$MNT/busy" 0
	await_break trunc
	expect_error 'pinfs breaks' pinfs dma --nowait --length 4K \
		from-device /dev/zero "$MNT/busy"
	waiting_dma behind --json --length 4K from-device /dev/zero \
		"$MNT/busy"
	expect pinfs dma --nowait --length 4K from-device /dev/zero \
		"$MNT/other"
	release_dma dma
	wait_op trunc
	wait_bg behind
	assert_waited "$(started behind)" "$(ended behind)" \
		"$(slowdev_stat last_answer_ms)"
	expect_equal 4096 "$(stat -c %s "$MNT/busy")" \
		"the size after the truncate, then the DMA"
	nothing_held
}

# --- cancel (L11) ------------------------------------------------------------------------

cancelled() {
	local engine=$1 id at

	# A chunk that has arrived, and is held for its latency.
	file_of "$MNT/c" 1M
	at=$(slowdev_stat answered)
	run_bg dma pinfs dma --latency 60s --length 64K --engine "$engine" \
		from-device "$SLOWDEV" "$MNT/c"
	slowdev_ctl await answered $((at + 1))
	id=$(json '.[0].id' pinfs pins --json "$MNT/c")
	start_op trunc truncate "$MNT/c" 0
	await_break trunc
	at=$(now_ms)
	expect pinfs cancel "$MNT" "$id"
	wait_op trunc
	assert_prompt "$at" "$(op_said trunc 2)"
	wait_bg dma 1
	expect_error "no pin set $id" pinfs cancel "$MNT" "$id"

	# What the kernel does not let go of stays pinned, cancelled or not.
	hung_dma dma "$MNT/c" --engine "$engine"
	id=$(json '.[0].id' pinfs pins --json "$MNT/c")
	expect pinfs cancel "$MNT" "$id"
	expect_json '.[0].cancelled and .[0].blocks == 16' \
		pinfs pins --json "$MNT/c"
	start_op trunc truncate "$MNT/c" 0
	await_break trunc
	is_running dma || fail "ended with its I/O in flight"
	release_dma
	wait_bg dma 1
	grep -q cancelled "$WORK/dma.log" || fail "$(cat "$WORK/dma.log")"
	wait_op trunc
	op_waited trunc

	# Ctrl-C on the client is the same.
	hung_dma dma "$MNT/c" --engine "$engine"
	trace_start trace --json
	kill -INT "$(pid_of dma)"
	await_event trace '.kind == "pin-cancel"'
	trace_stop trace
	expect_json '.[0].cancelled' pinfs pins --json "$MNT/c"
	start_op trunc truncate "$MNT/c" 0
	await_break trunc
	is_running dma || fail "ended with its I/O in flight"
	release_dma
	wait_bg dma 1
	wait_op trunc
	op_waited trunc
	nothing_held
}

# --- a stuck DMA is visible (L14) ----------------------------------------------------------

warned() {
	file_of "$MNT/stuck" 1M
	hung_dma dma "$MNT/stuck" --offset 128K
	start_op trunc truncate "$MNT/stuck" 12345
	# After 100, 200 and 400 ms.
	await_log "pool: truncate of inode [0-9]+ \(/stuck\) by pid \
$(pid_of trunc) \(op\) has waited [0-9.]+ s; held by pin set [0-9]+ of pid \
$(pid_of dma) \(pinfs\): bytes 131072 to 196608 from a device, since [0-9.]+ s" 3
	[ $(($(now_ms) - $(started trunc))) -ge 400 ] || fail "warned too often"
	release_dma dma
	wait_op trunc
}

# --- the daemon's end ------------------------------------------------------------------------

# SIGKILL with a DMA in flight into a file that has no name any more: its blocks
# are nobody's to give away before the DMA has landed (L12).
killed_daemon() {
	local engine=$1 old

	file_of "$MNT/kept" 1M
	file_of "$MNT/f" 1M
	hung dma --engine "$engine" --length 1M from-device "$SLOWDEV" "$MNT/f"
	run_bg trunc truncate -s 0 "$MNT/kept"
	wait_bg trunc
	file_of "$MNT/kept" 1M
	now_op 0 unlink "$MNT/f"
	sync -f "$MNT"
	old=$MNT
	kill -KILL "$(daemon_pid)"
	umount -l "$old"
	MNT=$WORK/mnt2
	mkdir -p "$MNT"
	expect_error 'in use by' pinfsd -f "$POOL" "$MNT"
	release_dma
	mount_when_free "$SCENE_OPTS"
	wait_bg dma 1
	wait "${e2e_daemon[$old]}" || true
	unset "e2e_daemon[$old]"
	has_pattern "$MNT/kept" 0 1M 1G
	[ ! -e "$MNT/f" ] || fail "the unlinked file is back"
	fill_with_signatures 512K
	signatures_hold
	rm -r "$MNT/sig"
	nothing_held
	umount_pool
	fsck_clean
	MNT=$old
	mount_pool $SCENE_OPTS
}

# While a mount drains nobody else gets the pool, and the pool is clean then
# (L15; row 20: a file system that is unmounted under DMA).
drains() {
	local how=$1 engine=$2 pid

	: >"$MNT/d"
	slowdev_ctl hang 0
	pinfs dma --detach --engine "$engine" --length 64K from-device \
		"$SLOWDEV" "$MNT/d" >"$WORK/id"
	slowdev_ctl await hung 1
	pid=$(daemon_pid)
	if [ "$how" = unmount ]; then
		expect fusermount3 -u "$MNT"
	else
		kill -TERM "$pid"
	fi
	await_log 'stays in use until 1 DMA'
	expect_error 'in use by' pinfsd -f "$POOL" "$WORK/mnt2"
	if [ "$how" != unmount ]; then
		expect_error 'unmounted' pinfs dma --length 4K from-device \
			/dev/zero "$MNT/d"
		has_pattern "$MNT/kept" 0 1M 1G
	fi
	! await 0 exit "$pid" 2>/dev/null || fail "ended under the DMA"
	release_dma
	wait_daemon
	assert_prompt "$(slowdev_stat last_answer_ms)" "$(now_ms)"
	expect_json '.state == "clean"' pinfs info --json "$POOL"
	fsck_clean
	mount_pool $SCENE_OPTS
	has_pattern "$MNT/d" 0 64K 0
}

# --- run -----------------------------------------------------------------------------------------

pool_new 64M
mount_pool $SCENE_OPTS
slowdev_start --size 8M
truncate_waits_for_all_kinds
for engine in $ENGINES; do
	all_changes_wait "$engine"
done
interrupted
out_of_time
for engine in $ENGINES; do
	names_go_at_once "$engine"
	cancelled "$engine"
done
refused_dma
warned
for engine in $ENGINES; do
	killed_daemon "$engine"
	drains unmount "$engine"
	drains SIGTERM "$engine"
done
umount_pool
fsck_clean
