#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# pinfs dma: every kind of device, both ways, both engines; what goes wrong.
# e2e: asan timeout=120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scene.sh"

ENGINES="io_uring aio"

# --- every kind of device ---------------------------------------------------------

# with_sock HOW FILE COMMAND ARG... - with the other end of $WORK/sock doing that
with_sock() {
	local end line how=$1 file=$2

	shift 2
	rm -f "$WORK/sock"
	exec {end}< <(exec sock "$how" "$WORK/sock" "$file")
	read -r -t 30 -u "$end" line
	"$@"
	# It has done its work when it has ended.
	! read -r -t 30 -u "$end" line || fail "sock: $line"
	exec {end}<&-
}

from() {
	local kind=$1 dma=(pinfs dma --create --engine "$2" from-device)

	case $kind in
	buffered) expect "${dma[@]}" --no-direct "$SRC" "$MNT/f" ;;
	direct) expect "${dma[@]}" "$SRC" "$MNT/f" ;;
	loop) expect "${dma[@]}" "$LOOP" "$MNT/f" ;;
	slow) expect "${dma[@]}" --length "$(stat -c %s "$SRC")" "$SLOWDEV" \
		"$MNT/f" ;;
	fifo)
		run_bg feed cp "$SRC" "$WORK/fifo"
		expect "${dma[@]}" "$WORK/fifo" "$MNT/f"
		wait_bg feed
		;;
	pipe) cat "$SRC" | expect "${dma[@]}" - "$MNT/f" ;;
	redirected) expect "${dma[@]}" - "$MNT/f" <"$SRC" ;;
	socket) with_sock send "$SRC" expect "${dma[@]}" "$WORK/sock" \
		"$MNT/f" ;;
	esac
	expect_same "$SRC" "$MNT/f"
}

to() {
	local kind=$1 dma=(pinfs dma --engine "$2" to-device "$MNT/f")

	rm -f "$WORK/got"
	: >"$WORK/got"
	case $kind in
	buffered) expect "${dma[@]}" --no-direct "$WORK/got" ;;
	direct) expect "${dma[@]}" "$WORK/got" ;;
	loop | slow)
		if [ "$kind" = loop ]; then
			expect "${dma[@]}" "$LOOP"
			blockdev --flushbufs "$LOOP"
			head -c "$(stat -c %s "$SRC")" "$LOOP" >"$WORK/got"
		else
			expect "${dma[@]}" "$SLOWDEV"
			head -c "$(stat -c %s "$SRC")" "$SLOWDEV" >"$WORK/got"
		fi
		;;
	fifo)
		run_bg drain dd if="$WORK/fifo" of="$WORK/got" bs=64K
		expect "${dma[@]}" "$WORK/fifo"
		wait_bg drain
		;;
	pipe) "${dma[@]}" - | cat >"$WORK/got" ;;
	redirected) "${dma[@]}" - >"$WORK/got" ;;
	socket) with_sock recv "$WORK/got" expect "${dma[@]}" "$WORK/sock" ;;
	esac
	expect_same "$SRC" "$WORK/got"
}

# What can be had past the page cache has whole blocks; the rest an odd end.
every_kind() {
	local engine kind kinds="direct slow fifo pipe redirected socket buffered"

	if LOOP=$(losetup --show -f "$WORK/disk" 2>"$WORK/.loop"); then
		at_exit losetup -d "$LOOP"
		kinds="loop $kinds"
	else
		e2e_say "left out: loop device: $(cat "$WORK/.loop")"
	fi
	for engine in $ENGINES; do
		for kind in $kinds; do
			case $kind in
			direct | slow | loop) SRC=$WORK/even ;;
			*) SRC=$WORK/odd ;;
			esac
			rm -f "$MNT/f"
			from $kind "$engine"
			: >"$MNT/f"
			cp "$SRC" "$MNT/f"
			to $kind "$engine"
		done
	done
	rm "$MNT/f"
	nothing_held
}

# --- ranges --------------------------------------------------------------------------

# Neither the file's blocks nor the device's: every byte around stays as it was.
odd_places() {
	local engine off len at

	for engine in $ENGINES; do
		while read -r off len at; do
			file_of "$MNT/f" 64K
			expect pinfs dma --engine "$engine" --offset "$off" \
				--length "$len" --device-offset "$at" \
				from-device "$WORK/odd" "$MNT/f"
			file_of "$WORK/want" 64K
			part "$WORK/odd" "$at" "$len" |
				dd of="$WORK/want" bs=64K seek="$off" \
					oflag=seek_bytes conv=notrunc status=none
			expect_same "$WORK/want" "$MNT/f"
			head -c 100K /dev/zero >"$WORK/got"
			cp "$WORK/got" "$WORK/want"
			expect pinfs dma --engine "$engine" --offset "$off" \
				--length "$len" --device-offset "$at" \
				to-device "$MNT/f" "$WORK/got"
			part "$MNT/f" "$off" "$len" |
				dd of="$WORK/want" bs=64K seek="$at" \
					oflag=seek_bytes conv=notrunc status=none
			expect_same "$WORK/want" "$WORK/got"
		done <<-END
			1234 5678 77
			1 1 0
			4095 2 4096
			4096 4096 1
			100 65000 4095
			65535 4097 12288
			0 512 512
		END
	done
	nothing_held
}

# A device reads zeroes from holes and unwritten blocks, and makes none of them.
holes() {
	local blocks

	rm -f "$MNT/f"
	truncate -s 1M "$MNT/f"
	fallocate -n -l 256K "$MNT/f"
	printf x | dd of="$MNT/f" bs=1 seek=500000 conv=notrunc status=none
	cp --sparse=never "$MNT/f" "$WORK/want"
	blocks=$(stat -c %b "$MNT/f")
	rm -f "$WORK/got"
	expect pinfs dma --create to-device "$MNT/f" "$WORK/got"
	expect_same "$WORK/want" "$WORK/got"
	expect_equal "$blocks" "$(stat -c %b "$MNT/f")" "the file's blocks"
	nothing_held
}

past_the_end() {
	local free

	printf 'ten bytes.' >"$MNT/f"
	expect_error 'No such device or address' pinfs dma --length 11 \
		to-device "$MNT/f" "$WORK/sink"
	expect_error 'No such device or address' pinfs dma --offset 1M \
		--length 1 to-device "$MNT/f" "$WORK/sink"
	expect_error 'ends before' pinfs dma --offset 11 to-device "$MNT/f" \
		"$WORK/sink"
	expect_error 'ends before' pinfs dma --device-offset 1T from-device \
		"$WORK/odd" "$MNT/f"
	# From a device the file grows, with a hole before.
	expect pinfs dma --offset 10M --length 4K from-device "$WORK/even" \
		"$MNT/f"
	expect_equal 10489856 "$(stat -c %s "$MNT/f")" "the size"
	expect_equal 16 "$(stat -c %b "$MNT/f")" "sectors of two blocks"
	# More than there is room for: nothing has happened (S6).
	free=$(free_bytes)
	expect_error 'No space left' pinfs dma --length 1G from-device \
		"$SLOWDEV" "$MNT/f"
	expect_error 'File too large' pinfs dma --offset 9223372036854775807 \
		--length 2 from-device "$SLOWDEV" "$MNT/f"
	expect_equal "$free" "$(free_bytes)" "free space"
	expect_equal 10489856 "$(stat -c %s "$MNT/f")" "the size"
	expect_equal 'ten bytes.' "$(head -c 10 "$MNT/f")" "the beginning"
	nothing_held
}

# --- devices that end, or fail ----------------------------------------------------------

# A pipe gives what it has: pieces are put together, and its end is the end.
in_pieces() {
	local i

	for ((i = 0; i < 20; i++)); do
		part "$WORK/odd" $((i * 999)) 999
	done
}

short_reads() {
	local engine

	for engine in $ENGINES; do
		: >"$MNT/f"
		in_pieces | json_dma 0 null 19980 --engine "$engine" \
			from-device - "$MNT/f"
		has_same_start 19980
		# Who writes may see the pipe closed.
		{ in_pieces || true; } | json_dma 0 null 10000 \
			--engine "$engine" --length 10000 from-device - \
			"$MNT/f"
		: >"$MNT/f"
		in_pieces | json_dma 0 null 19980 --engine "$engine" \
			--length 64K from-device - "$MNT/f"
		has_same_start 19980
		# The end of a file, asked for more.
		json_dma 0 null 1048576 --engine "$engine" --length 4M \
			from-device "$WORK/even" "$MNT/f"
		has_same_start 1048576
		# Nothing at all.
		: >"$MNT/f"
		json_dma 0 null 0 --engine "$engine" from-device - "$MNT/f" \
			</dev/null
		expect_equal 0 "$(stat -c %s "$MNT/f")" "the size"
	done
	nothing_held
}

# json_dma STATUS ERROR BYTES ARG... - what it says; BYTES may be a jq condition
json_dma() {
	local want=$1 error=$2 bytes=$3 status=0

	shift 3
	pinfs dma --json "$@" >"$WORK/.json" 2>"$WORK/.out" || status=$?
	[[ $bytes == *[!0-9]* ]] || bytes="== $bytes"
	[ "$error" = null ] || error="\"$error\""
	if [ "$status" != "$want" ] ||
		! jq -e ".error == $error and (.bytes $bytes)" "$WORK/.json" \
			>/dev/null; then
		cat "$WORK/.json" "$WORK/.out" >&2
		fail "status $status, want $want, $error, $bytes bytes: $*"
	fi
}

# has_same_start BYTES - so many of odd (which even is the start of) are in f,
# and no more
has_same_start() {
	expect_equal "$1" "$(stat -c %s "$MNT/f")" "the size"
	part "$WORK/odd" 0 "$1" | cmp - "$MNT/f" >&2 || fail "other bytes"
}

device_fails() {
	local engine bytes

	slowdev_ctl fail 700000
	for engine in $ENGINES; do
		: >"$MNT/f"
		json_dma 1 EIO '<= 700000' --engine "$engine" --chunk 64K \
			--length 1M from-device "$SLOWDEV" "$MNT/f"
		bytes=$(jq .bytes "$WORK/.json")
		[ "$bytes" -ge 524288 ] || fail "only $bytes bytes have arrived"
		expect_equal "$bytes" "$(stat -c %s "$MNT/f")" "the size"
		has_pattern "$MNT/f" 0 "$bytes" 0
		cp "$WORK/even" "$MNT/f"
		json_dma 1 EIO '<= 700000' --engine "$engine" --chunk 64K \
			to-device "$MNT/f" "$SLOWDEV"
		: >"$MNT/f"
		json_dma 1 EIO '== 300000' --engine "$engine" \
			--fail-after 300000 from-device "$WORK/odd" "$MNT/f"
		has_same_start 300000
		json_dma 1 EIO '== 0' --engine "$engine" --fail-after 0 \
			from-device "$WORK/odd" "$MNT/f"
		# A pipe that nobody reads any more.
		cp "$WORK/odd" "$MNT/f"
		{
			status=0
			pinfs dma --engine "$engine" to-device "$MNT/f" - \
				2>"$WORK/.out" || status=$?
			echo $status >"$WORK/status"
		} | true
		expect_equal 1 "$(cat "$WORK/status")" "exit status"
	done
	slowdev_ctl stop-fail
	expect_json '.dma_errors >= 8' pinfs stats --json "$MNT"
	nothing_held
}

# --- the emulated device's own ways -----------------------------------------------------------

# took_ms COMMAND ARG... - of --json, how long the pins were held
took_ms() {
	pinfs dma --json "$@" | jq '.elapsed_ns / 1000000 | floor'
}

timing() {
	local engine ms

	for engine in $ENGINES; do
		ms=$(took_ms --engine "$engine" --latency 300ms from-device \
			"$WORK/even" "$MNT/f")
		[ "$ms" -ge 300 ] || fail "held for $ms of 300 ms"
		# Chunk after chunk: 1 MiB at 2 MiB a second.
		ms=$(took_ms --engine "$engine" --bandwidth 2M --chunk 64K \
			from-device "$WORK/even" "$MNT/f")
		if [ "$ms" -lt 450 ] || [ "$ms" -gt $((500 + E2E_SLACK_MS)) ]
		then
			fail "1 MiB took $ms ms, at 2 MiB a second"
		fi
		# One after the other: 4 * 100 ms, and side by side: once.
		ms=$(took_ms --engine "$engine" --latency 100ms --chunk 256K \
			--depth 1 to-device "$MNT/f" /dev/null)
		[ "$ms" -ge 400 ] || fail "4 chunks took $ms ms"
		ms=$(took_ms --engine "$engine" --latency 1s --chunk 64K \
			--depth 16 to-device "$MNT/f" "$WORK/sink")
		[ "$ms" -lt 9000 ] || fail "side by side: $ms ms"
	done
	nothing_held
}

detached() {
	local engine id free

	for engine in $ENGINES; do
		rm -f "$MNT/f"
		: >"$MNT/f"
		slowdev_ctl hang 0
		id=$(pinfs dma --detach --engine "$engine" --length 64K \
			from-device "$SLOWDEV" "$MNT/f")
		expect_json "length == 1 and .[0].id == $id and
			.[0].engine == \"$engine\"" pinfs pins --json "$MNT/f"
		slowdev_ctl await hung 1
		# It is on its way without anybody; who wants to, waits so:
		start_op after truncate "$MNT/f" 64K
		await_break after
		release_dma
		wait_op after
		op_waited after
		has_pattern "$MNT/f" 0 64K 0
	done
	expect_json '.error == null and .detached and .pinset > 0' pinfs dma \
		--json --detach --length 4K from-device "$WORK/even" "$MNT/f"
	expect truncate -s 0 "$MNT/f"
}

# A client that is killed: its DMA is cancelled, and the pins end with the I/O.
killed_client() {
	local engine

	for engine in $ENGINES; do
		file_of "$MNT/f" 1M
		hung_dma dma "$MNT/f" --engine "$engine"
		kill -KILL "$(pid_of dma)"
		wait_bg dma 137
		start_op trunc truncate "$MNT/f" 0
		await_break trunc
		expect_json 'length == 1 and .[0].blocks == 16' \
			pinfs pins --json "$MNT/f"
		release_dma
		wait_op trunc
		op_waited trunc
	done
}

# --- rights ----------------------------------------------------------------------------------------

as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

rights() {
	if [ "$(id -u)" != 0 ] || ! as_nobody pinfs --version >/dev/null 2>&1
	then
		e2e_say "left out: another user's rights: not root, or" \
			"nobody else gets at $PINFS_BUILD"
		return
	fi
	file_of "$MNT/f" 64K
	chmod 644 "$MNT/f"
	: >"$MNT/nobody"
	chown 65534 "$MNT/nobody"
	cp "$WORK/even" "$WORK/private"
	chmod 600 "$WORK/private"
	# The device, with the caller's rights.
	expect_error 'Permission denied' as_nobody pinfs dma from-device \
		"$WORK/private" "$MNT/nobody"
	expect_error 'Permission denied' as_nobody pinfs dma to-device \
		"$MNT/f" "$WORK/private"
	# The file, as it can be opened.
	expect_error 'Permission denied' as_nobody pinfs dma --length 4K \
		from-device /dev/zero "$MNT/f"
	expect as_nobody pinfs dma --length 4K to-device "$MNT/f" /dev/null
	expect as_nobody pinfs dma --length 4K from-device /dev/zero \
		"$MNT/nobody"
	chmod 600 "$MNT/f"
	expect_error 'Permission denied' as_nobody pinfs dma to-device \
		"$MNT/f" /dev/null
	# Listings, and what concerns others.
	hung_dma dma "$MNT/f"
	expect_error 'only root' as_nobody pinfs pins "$MNT"
	expect_error 'only root' as_nobody pinfs breaks "$MNT"
	expect_error 'Permission denied' as_nobody pinfs pins "$MNT/f"
	expect_json 'length == 0' as_nobody pinfs pins --json "$MNT/nobody"
	expect_error 'is for its owner' as_nobody pinfs cancel "$MNT" \
		"$(json '.[0].id' pinfs pins --json "$MNT")"
	expect_json '.[0].cancelled == false' pinfs pins --json "$MNT"
	release_dma dma
	has_pattern "$MNT/f" 0 64K 0
	nothing_held
}

# --- run ----------------------------------------------------------------------------------------------

open_files() {
	find "/proc/$(daemon_pid)/fd" -mindepth 1 2>/dev/null | wc -l
}

pattern 1M >"$WORK/even"
pattern 1049577 >"$WORK/odd"
cp "$WORK/even" "$WORK/disk"
: >"$WORK/sink"
mkfifo "$WORK/fifo"
slowdev_start --size 1G
pool_new 64M
# For what another user may; whoever is not root may not let others in.
others=
[ "$UID" != 0 ] || others=allow_other,
mount_pool "$others$SCENE_OPTS"
: >"$MNT/f"
free=$(free_bytes)
files=$(open_files)
every_kind
odd_places
holes
past_the_end
short_reads
device_fails
timing
detached
killed_client
rights
rm -f "$MNT/f" "$MNT/nobody"
: >"$MNT/f"
expect_equal "$free" "$(free_bytes)" "free space in the end"
# The last connections may be about to be closed.
[ "$(open_files)" -le $((files + 4)) ] ||
	fail "open files of the daemon: $files, now $(open_files)"
umount_pool
fsck_clean
