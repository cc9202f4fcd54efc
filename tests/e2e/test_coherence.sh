#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a device sees of a file, and what a file shows of a device (C1 to C4).
# e2e: asan timeout=120 lock=page-cache
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scene.sh"

# shows NAME mem|read OFFSET LENGTH WANT - what it sees is the file WANT's
shows() {
	holder_does "$1" "$2" "$3" "$4" "$WORK/seen"
	part "$5" "$3" "$4" >"$WORK/wanted"
	cmp "$WORK/wanted" "$WORK/seen" >&2 ||
		fail "$1 does not see it ($2, mounted with ${mode:-?})"
}

bytes_of() {
	head -c "$1" /dev/zero | tr '\0' "$2"
}

# --- C1: the device sees what was written before ----------------------------------

holders='cached direct mapped'

hold_all() {
	hold cached "$1"
	hold direct -d "$1"
	hold mapped -m "$1"
}

# Parts of the file written by all means, none of them synced.
write_all_ways() {
	holder_does cached write 0 4096 a
	holder_does cached write 4196 1000 b
	holder_does direct write 12288 8192 c
	holder_does mapped poke 20480 8000 d
	file_of "$WORK/want" 64K
	{
		bytes_of 4096 a
		part "$WORK/want" 4096 100
		bytes_of 1000 b
		part "$WORK/want" 5196 $((12288 - 5196))
		bytes_of 8192 c
		bytes_of 8000 d
		part "$WORK/want" 28480 $((65536 - 28480))
	} >"$WORK/want.new"
	mv "$WORK/want.new" "$WORK/want"
}

device_sees_what_was_written() {
	local engine out

	for engine in io_uring aio; do
		file_of "$MNT/$1" 64K
		hold_all "$MNT/$1"
		write_all_ways
		for out in file socket device; do
			to_"$out" "$engine" "$MNT/$1"
			expect_same "$WORK/want" "$WORK/got"
		done
		# shellcheck disable=SC2086
		say_goodbye $holders
		rm "$MNT/$1"
	done
	nothing_held
}

to_file() {
	rm -f "$WORK/got"
	expect pinfs dma to-device --create --engine "$1" "$2" "$WORK/got"
}

to_socket() {
	pinfs dma to-device --engine "$1" "$2" - >"$WORK/got"
}

to_device() {
	expect pinfs dma to-device --engine "$1" "$2" "$SLOWDEV"
	dd if="$SLOWDEV" iflag=direct bs=64K count=1 of="$WORK/got" status=none
}

# --- C2: when a DMA has ended everybody sees it ---------------------------------------

everybody_sees_what_arrived() {
	local engine at=0

	for engine in io_uring aio; do
		file_of "$MNT/$1" 256K
		hold_all "$MNT/$1"
		# What is cached now, clean and dirty, is old news soon.
		file_of "$WORK/want" 256K
		see_all "$MNT/$1"
		holder_does cached write 70000 5000 x
		holder_does mapped poke 80000 5000 y
		at=$((at + 262144))
		expect pinfs dma --engine "$engine" --device-offset $at \
			--offset 64K --length 128K from-device "$NOISE" \
			"$MNT/$1"
		{
			part "$WORK/want" 0 64K
			part "$NOISE" $at 128K
			part "$WORK/want" 192K 64K
		} >"$WORK/want.new"
		mv "$WORK/want.new" "$WORK/want"
		see_all "$MNT/$1"
		# shellcheck disable=SC2086
		say_goodbye $holders
		# Nothing that was dirty comes after it.
		sync -f "$MNT"
		expect_same "$WORK/want" "$MNT/$1"
		rm "$MNT/$1"
	done
	nothing_held
}

see_all() {
	shows cached read 0 262144 "$WORK/want"
	shows direct read 0 262144 "$WORK/want"
	shows mapped mem 0 262144 "$WORK/want"
	expect_same "$WORK/want" "$1"
	dd if="$1" iflag=direct bs=256K status=none | cmp - "$WORK/want" >&2 ||
		fail "a new direct read does not see it"
}

# A DMA past the end: the size that others know grows with it.
growth_is_seen() {
	bytes_of 100 a >"$MNT/$1"
	hold cached "$MNT/$1"
	holder_does cached read 0 100 "$WORK/seen"
	expect pinfs dma --length 8K --offset 4K from-device "$NOISE" "$MNT/$1"
	expect_equal 12288 "$(stat -c %s "$MNT/$1")" "the size"
	{
		bytes_of 100 a
		head -c $((4096 - 100)) /dev/zero
		part "$NOISE" 0 8K
	} >"$WORK/want"
	expect_same "$WORK/want" "$MNT/$1"
	shows cached read 0 12288 "$WORK/want"
	say_goodbye cached
	rm "$MNT/$1"
}

# --- C3, C4: while a DMA runs ------------------------------------------------------------

# Old bytes or new ones, of this file; and no page of it stays in the cache, so
# that what is read during the DMA is not what is read after it.
during_a_dma() {
	file_of "$MNT/$1" 64K
	hold early -m "$MNT/$1"
	hung dma --length 64K --device-offset 64K from-device "$SLOWDEV" \
		"$MNT/$1"
	hold late "$MNT/$1"
	file_of "$WORK/want" 64K
	shows early read 0 65536 "$WORK/want"
	shows early mem 0 65536 "$WORK/want"
	shows late read 0 65536 "$WORK/want"
	release_dma dma
	part "$NOISE" 64K 64K >"$WORK/want"
	shows early read 0 65536 "$WORK/want"
	shows early mem 0 65536 "$WORK/want"
	shows late read 0 65536 "$WORK/want"
	say_goodbye early late
	rm "$MNT/$1"
}

# A file new to space that another one left shows nothing of that one, neither
# where a device stopped early nor behind it.
no_stale_bytes() {
	# Every block that is free has been its.
	bytes_of 48M s >"$MNT/secret" 2>/dev/null || true
	sync -f "$MNT"
	rm "$MNT/secret"
	truncate -s 24M "$MNT/$1"
	expect_error . pinfs dma --fail-after 66000 --chunk 64K --length 1M \
		from-device "$NOISE" "$MNT/$1"
	fallocate -l 24M "$MNT/$1"
	has_pattern "$MNT/$1" 0 66000 0
	# Behind that chunks may have landed, or not; then it is zero.
	part "$MNT/$1" 0 1M >"$WORK/got"
	cmp -l "$WORK/got" "$NOISE" >"$WORK/differs" || true
	expect_equal 0 "$(awk '$2 != 0' "$WORK/differs" | wc -l)" \
		"bytes that are neither zero nor the device's"
	part "$MNT/$1" 1M 23M | cmp - <(head -c 23M /dev/zero) >&2 ||
		fail "what no device has reached is not zero"
	hung dma --length 16M from-device "$SLOWDEV" "$MNT/$1"
	! grep -aq ssssssssssssssss "$MNT/$1" || fail "stale bytes"
	release_dma
	wait_bg dma
	rm "$MNT/$1"
}

# is_cached FILE - does the kernel keep pages of it? fincore(1) asks.
is_cached() {
	[ "$(fincore -nb -o RES "$1" | tr -d ' ')" != 0 ]
}

# --- run -------------------------------------------------------------------------------------

NOISE=$WORK/noise
pattern 1M >"$NOISE"
slowdev_start --size 16M
pool_new 48M
for mode in dax=inode dax=never dax=always; do
	mount_pool $mode,$SCENE_OPTS
	expect_json ".dax == \"${mode#dax=}\"" pinfs info --json "$MNT"
	slowdev_ctl stop-hang
	device_sees_what_was_written c1
	everybody_sees_what_arrived c2
	growth_is_seen grown
	during_a_dma c3
	no_stale_bytes s4
	file_of "$MNT/c4" 64K
	cat "$MNT/c4" >"$WORK/got"
	if [ $mode = dax=always ]; then
		! is_cached "$MNT/c4" || fail "cached, with $mode"
	else
		is_cached "$MNT/c4" || fail "not cached, with $mode"
		hung_dma dma "$MNT/c4"
		! is_cached "$MNT/c4" || fail "cached during a DMA"
		cat "$MNT/c4" >"$WORK/got"
		! is_cached "$MNT/c4" || fail "cached, opened during a DMA"
		release_dma dma
		cat "$MNT/c4" >"$WORK/got"
		is_cached "$MNT/c4" || fail "not cached any more"
	fi
	# FS_XFLAG_DAX decides, with dax=inode.
	: >"$MNT/flagged"
	xfs_io -c 'chattr +x' "$MNT/flagged"
	file_of "$MNT/flagged" 64K
	cat "$MNT/flagged" >"$WORK/got"
	if [ $mode = dax=never ]; then
		is_cached "$MNT/flagged" || fail "not cached, with $mode"
	else
		! is_cached "$MNT/flagged" || fail "DAX, but cached"
	fi
	rm "$MNT/c4" "$MNT/flagged"
	nothing_held
	umount_pool
	fsck_clean
done
