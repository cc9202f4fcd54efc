#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Pools that are none, are damaged, newer or somebody else's, disks and pools
# that are full, requests that cannot be met: each has its exit code and one
# line that says why, and nothing is lost (S5, S6, S7, L12).
# test_cli_bad_input.sh has the command lines.
# e2e: asan timeout=120
. "$(dirname "$0")/lib.sh"

need mkfs.ext4 mkfs.xfs jq

# says STATUS PATTERN PROGRAM ARG... - one line, "PROGRAM: ...", has PATTERN;
# mount.fuse.pinfs becomes the daemon, and fsck.pinfs has its findings to add
says() {
	local want=$1 pattern=$2 program=$3 status=0 lines=1

	shift 2
	timeout 30 "$@" >"$WORK/.stdout" 2>"$WORK/.stderr" </dev/null ||
		status=$?
	[ "$1" != fsck.pinfs ] || lines=2
	[ "$1" != setpriv ] || program=pinfs
	if [ "$status" != "$want" ] || [ -s "$WORK/.stdout" ] ||
		[ "$(wc -l <"$WORK/.stderr")" -gt "$lines" ] ||
		! grep -qE -e "^(pinfsd|$program): .*($pattern)" "$WORK/.stderr"; then
		cat "$WORK/.stdout" "$WORK/.stderr" >&2
		fail "status $status, want $want and '$pattern', of: $*"
	fi
}

# not_mountable PATTERN FILE - and fsck.pinfs says so, too, with 8: unchecked;
# nothing of it changes
not_mountable() {
	local before

	before=$(cksum "$2" 2>/dev/null || true)
	says 1 "$1" pinfsd -f "$2" "$MNT"
	says 1 "$1" pinfsd "$2" "$MNT"
	says 1 "$1" pinfsd -f -o ro "$2" "$MNT"
	says 1 "$1" mount.fuse.pinfs "$2" "$MNT"
	says 8 "$1" fsck.pinfs -n "$2"
	expect_equal "$before" "$(cksum "$2" 2>/dev/null || true)" \
		"$2 afterwards"
}

# overwrite FILE BLOCK - with noise
overwrite() {
	head -c 4096 /dev/urandom |
		dd of="$1" bs=4096 seek="$2" conv=notrunc status=none
}

# superblock FIELD - of $POOL
superblock() {
	pinfs info --json "$POOL" | jq ".superblock.$1"
}

# copy_pool NAME - sets $copy
copy_pool() {
	copy=$WORK/$1
	cp --sparse=always "$POOL" "$copy"
}

# found CODE FILE - fsck.pinfs -n has that finding, and status 4
found() {
	expect_status 4 timeout 30 fsck.pinfs -n "$2"
	grep -q "$1" "$WORK/.out" || {
		cat "$WORK/.out" >&2
		fail "fsck.pinfs does not find $1"
	}
}

# --- nothing there, or something else ----------------------------------------

foreign() {
	local image

	not_mountable 'No such file' "$WORK/missing"
	not_mountable 'No such file' "$WORK/no/such/directory"
	not_mountable 'neither a file|directory' "$WORK"
	not_mountable 'neither a file' /dev/null
	head -c 16M /dev/urandom >"$WORK/noise"
	truncate -s 16M "$WORK/ext4"
	truncate -s 320M "$WORK/xfs"
	expect mkfs.ext4 -q "$WORK/ext4"
	expect mkfs.xfs -q "$WORK/xfs"
	for image in noise ext4 xfs; do
		not_mountable 'not? a? ?pinfs' "$WORK/$image"
	done
	for image in ext4 xfs; do
		says 1 "$image.*-f overwrites" mkfs.pinfs "$WORK/$image"
		expect blkid -p -O 0 "$WORK/$image"
		grep -q "TYPE=\"$image\"" "$WORK/.out" ||
			fail "mkfs.pinfs has harmed $image"
		rm "$WORK/$image"
	done
	rm "$WORK/noise"
}

too_small() {
	says 1 'too small' mkfs.pinfs -s 15M "$WORK/small"
	says 1 'too small' mkfs.pinfs -s 16773120 "$WORK/small"
	says 1 'too small' mkfs.pinfs -s 1 "$WORK/small"
	[ ! -e "$WORK/small" ] || fail "a refused mkfs.pinfs left a file"
	truncate -s 1M "$WORK/small"
	says 1 'too small' mkfs.pinfs "$WORK/small"
	says 2 'not a size' mkfs.pinfs -s -1 "$WORK/small"
	rm "$WORK/small"
}

# --- a pool that was one -----------------------------------------------------

make_pool() {
	pool_new 32M -L victim
	mount_pool
	expect mkdir "$MNT/dir"
	pattern 1M >"$MNT/dir/file"
	umount_pool
	fsck_clean
}

check_content() {
	pattern 1M | cmp - "$MNT/dir/file" >&2 || fail "the file is damaged"
}

truncated() {
	copy_pool truncated
	truncate -s 24M "$copy"
	not_mountable 'shorter' "$copy"
	truncate -s 4096 "$copy"
	not_mountable 'shorter' "$copy"
	truncate -s 100 "$copy"
	not_mountable 'not? a? ?pinfs|smaller than a block' "$copy"
	# What was cut off and is there again as zeroes is damage.
	copy_pool truncated
	truncate -s 24M "$copy"
	truncate -s 32M "$copy"
	found super-backup-damaged "$copy"
	rm "$copy"
}

newer() {
	copy_pool newer
	tamper "$copy" version 1
	fsck_clean "$copy"
	tamper "$copy" version 2
	not_mountable 'version' "$copy"
	tamper "$copy" version 1
	tamper "$copy" incompat 0x20
	not_mountable 'feature.*\b5\b' "$copy"
	tamper "$copy" incompat 0
	# Can be read, but not written.
	tamper "$copy" ro_compat 0x4
	says 1 'ro' pinfsd -f "$copy" "$MNT"
	POOL=$copy mount_pool ro
	check_content
	expect_error 'Read-only' touch "$MNT/new"
	umount_pool
	tamper "$copy" ro_compat 0
	# Of no concern.
	tamper "$copy" compat 0x8
	POOL=$copy mount_pool
	check_content
	umount_pool
	rm "$copy"
}

# The backup stands in for the superblock; the data is there.
damaged_superblock() {
	copy_pool damaged
	overwrite "$copy" 0
	found super-damaged "$copy"
	POOL=$copy mount_pool
	check_content
	umount_pool
	grep -q 'using its copy' "$WORK/pinfsd.$e2e_mounts.log" ||
		fail "mounted with the backup superblock, and does not say so"
	copy_pool damaged
	overwrite "$copy" $((32 * 256 - 1))
	found super-backup-damaged "$copy"
	POOL=$copy mount_pool
	check_content
	umount_pool
	copy_pool damaged
	overwrite "$copy" 0
	overwrite "$copy" $((32 * 256 - 1))
	not_mountable 'not? a? ?pinfs|damaged|no backup' "$copy"
	rm "$copy"
}

# damaged_block WHAT BLOCK CODE - the daemon refuses to mount or reports errors
# where the damage is; it does not crash, and what it did not touch is as it was
damaged_block() {
	local status=0 pid

	copy_pool damaged
	overwrite "$copy" "$2"
	found "$3" "$copy"
	timeout 30 pinfsd -f "$copy" "$MNT" 2>"$WORK/damaged.log" &
	pid=$!
	if await 30000 mount "$MNT" "$pid" 2>"$WORK/.out"; then
		ls -lR "$MNT" >"$WORK/.out" 2>&1 || true
		cat "$MNT/dir/file" >"$WORK/.out" 2>&1 || true
		touch "$MNT/dir/new" "$MNT/new" >"$WORK/.out" 2>&1 || true
		expect fusermount3 -u "$MNT"
	fi
	wait "$pid" || status=$?
	[ "$status" -le 1 ] || fail "$1 damaged: pinfsd ended with $status"
	[ "$status" = 0 ] || grep -q '^pinfsd: ' "$WORK/damaged.log" ||
		fail "$1 damaged: pinfsd does not say why it ended"
	rm "$copy"
}

damaged_metadata() {
	local journal root groups dir

	journal=$(superblock journal_start)
	root=$(superblock root_block)
	groups=$(superblock groups_start)
	dir=$(pinfs dump --json "$POOL" inode 1 |
		jq '[.. | .child? // empty] | first')
	damaged_block 'the root block' "$root" itable-inode
	damaged_block 'a bitmap' "$groups" group-damaged
	damaged_block 'a directory' "$dir" node-damaged
	copy_pool damaged
	overwrite "$copy" "$journal"
	overwrite "$copy" $((journal + 1))
	found journal-state "$copy"
	says 1 . pinfsd -f "$copy" "$MNT"
	rm "$copy"
}

# --- a pool that is somebody's -----------------------------------------------

claimed() {
	local says pid second=$WORK/second

	mkdir "$second"
	# Where it is mounted is in a note, for which users have a directory
	# only as long as they are logged in.
	if [ "$UID" != 0 ] && [ -z "${XDG_RUNTIME_DIR:-}" ]; then
		mkdir -m 700 "$WORK/run"
		export XDG_RUNTIME_DIR=$WORK/run
	fi
	mount_pool
	pid=$(daemon_pid)
	says="pid $pid.*$MNT"
	ln -s "$POOL" "$WORK/link"
	ln "$POOL" "$WORK/hardlink"
	for name in "$POOL" "$WORK/link" "$WORK/hardlink"; do
		says 1 "$says" pinfsd -f "$name" "$second"
		says 1 "$says" pinfsd -f -o ro "$name" "$second"
		says 1 "$says" mkfs.pinfs -f "$name"
		says 1 "$says" mkfs.pinfs -f -s 64M "$name"
		says 8 "$says" fsck.pinfs -n "$name"
	done
	expect_equal "$pid" "$(pinfs info --json "$POOL" | jq .claim.pid)" \
		"whose it is, as pinfs info says"
	check_content
	umount_pool
	rm "$WORK/link" "$WORK/hardlink"
	rmdir "$second"
	fsck_clean
}

mountpoints() {
	says 1 'No such file' pinfsd -f "$POOL" "$WORK/no-mountpoint"
	says 1 'No such file' mount.fuse.pinfs "$POOL" "$WORK/no-mountpoint"
	: >"$WORK/file"
	says 1 'not a directory' pinfsd -f "$POOL" "$WORK/file"
	says 2 'frobnicate' pinfsd -f -o frobnicate "$POOL" "$MNT"
	says 2 'frobnicate' mount.fuse.pinfs "$POOL" "$MNT" -o frobnicate=1
	says 2 'dax=sometimes' pinfsd -f -o dax=sometimes "$POOL" "$MNT"
	says 2 'layout_scope=none' pinfsd -f -o layout_scope=none "$POOL" "$MNT"
	says 2 'threads=0' pinfsd -f -o threads=0 "$POOL" "$MNT"
	says 2 'break_timeout=soon' \
		pinfsd -f -o break_timeout=soon "$POOL" "$MNT"
	! mountpoint -q "$MNT" || fail "mounted in spite of all"
	fsck_clean
}

# --- no space ----------------------------------------------------------------

# fill NAME - a file that takes what is left; the write must say ENOSPC
fill() {
	expect_error 'No space left' dd if=/dev/zero of="$MNT/$1" bs=64K
}

full_pool() {
	local before

	pool_new 16M
	mount_pool
	pattern 256K >"$MNT/keep"
	before=$(stat -f -c %f "$MNT")
	fill big
	expect_error 'No space left' dd if=/dev/zero of="$MNT/more" bs=1M count=1
	expect_error 'No space left' fallocate -l 4M "$MNT/more"
	expect_error 'No space left' \
		pinfs dma --create from-device "$WORK/file.4M" "$MNT/dma"
	# Names are made until there is no space for them either.
	mkdir "$MNT/dir" 2>"$WORK/.out" || true
	pattern 256K | cmp - "$MNT/keep" >&2 || fail "damaged by a full pool"
	# In place, no space is needed.
	pattern 256K 8 | dd of="$MNT/keep" conv=notrunc status=none
	rm -rf "$MNT/big" "$MNT/more" "$MNT/dma" "$MNT/dir"
	expect_equal "$before" "$(stat -f -c %f "$MNT")" "free blocks after rm"
	pattern 8M >"$MNT/again"
	umount_pool
	fsck_clean
	mount_pool
	pattern 8M | cmp - "$MNT/again" >&2 || fail "lost after a full pool"
	pattern 256K 8 | cmp - "$MNT/keep" >&2 || fail "lost in a full pool"
	# Full to the last block, and of names as well; delete works.
	fill big
	for i in $(seq 1 2000); do
		ln -s "$(printf '%0999d' "$i")" "$MNT/l$i" 2>"$WORK/.out" ||
			break
	done
	grep -q 'No space left' "$WORK/.out" || fail "no end of symlinks"
	umount_pool
	fsck_clean
	mount_pool
	rm "$MNT"/*
	expect_equal '' "$(ls -A "$MNT")" "what is left"
	pattern 8M >"$MNT/again"
	umount_pool
	fsck_clean
}

# A disk of its own for the pool: memory or ext4, as the kind of test is.
mount_small_disk() {
	small=$WORK/small
	mkdir "$small"
	if [ "$PINFS_POOL_KIND" = shm ]; then
		expect mount -t tmpfs -o size=48M tmpfs "$small"
		return
	fi
	truncate -s 48M "$WORK/small.img"
	expect mkfs.ext4 -q -m 0 "$WORK/small.img"
	expect mount -o loop "$WORK/small.img" "$small"
}

# The disk below a sparse pool is full: ENOSPC, not a SIGBUS.
full_disk() {
	local POOL

	if [ "$(id -u)" != 0 ]; then
		e2e_say "note: not root, so no full disk below the pool"
		return
	fi
	mount_small_disk
	POOL=$small/pool
	pool_new 128M
	fallocate -l 16M "$small/ballast"
	mount_pool
	pattern 1M >"$MNT/keep"
	fill big
	expect_error 'No space left' dd if=/dev/zero of="$MNT/more" bs=1M \
		count=4
	expect_error 'No space left' \
		pinfs dma --create from-device "$WORK/file.4M" "$MNT/dma"
	pattern 1M | cmp - "$MNT/keep" >&2 || fail "damaged by a full disk"
	expect ls -l "$MNT"
	kill -0 "$(daemon_pid)" || fail "pinfsd has ended"
	rm "$small/ballast"
	pattern 6M >"$MNT/again"
	umount_pool
	fsck_clean
	mount_pool
	pattern 1M | cmp - "$MNT/keep" >&2 || fail "lost after a full disk"
	pattern 6M | cmp - "$MNT/again" >&2 || fail "lost after a full disk"
	umount_pool
	fsck_clean
	expect umount "$small"
}

# --- requests that cannot be met ---------------------------------------------

long_names() {
	local name255 name256

	name255=$(printf '%0255d' 0)
	name256=$(printf '%0256d' 0)
	expect touch "$MNT/$name255"
	expect_error 'File name too long' touch "$MNT/$name256"
	expect_error 'File name too long' mkdir "$MNT/$name256"
	expect_error 'File name too long' mv "$MNT/$name255" "$MNT/$name256"
	expect_error 'File name too long' ln "$MNT/$name255" "$MNT/$name256"
	expect_error 'File name too long' ln -s x "$MNT/$name256"
	expect_error 'File name too long' ln -s "$(printf '%04096d' 0)" \
		"$MNT/link"
	expect rm "$MNT/$name255"
}

dma_bad() {
	local dma='pinfs dma' dev=$WORK/file.4M file=$MNT/file

	pattern 64K >"$file"
	# The range is past the end of what is read.
	# shellcheck disable=SC2086
	{
		says 1 'No such device|past the end|end' $dma to-device \
			"$file" /dev/null --offset=32K --length=64K
		says 1 'ends before' $dma to-device "$file" /dev/null \
			--offset=128K
		says 1 'ends before' $dma from-device "$dev" "$file" \
			--device-offset=8M
		# And past the end of what any file can hold.
		says 1 'too large|out of range' $dma from-device "$dev" \
			"$file" --offset=9223372036854771712 --length=8K
		says 1 'long|refused' $dma --longterm from-device "$dev" \
			"$file"
		says 1 'No such file' $dma from-device "$WORK/missing" "$file"
		says 1 'directory' $dma from-device "$WORK" "$file"
	}
	pattern 64K | cmp - "$file" >&2 || fail "changed by a refused DMA"
	expect_equal 65536 "$(stat -c %s "$file")" "size after a refused DMA"
	expect_equal 0 "$(pinfs pins --json "$MNT" | jq length)" "pins left"
}

# A device that says EIO in the middle: what came before is there, the pins
# end, and the mount goes on.
dma_unreadable() {
	slowdev_start --size 1M
	slowdev_ctl fail 512K
	says 1 'Input/output error' pinfs dma --chunk=64K --depth=1 \
		from-device "$SLOWDEV" "$MNT/file" --engine="$1"
	expect_equal 0 "$(pinfs pins --json "$MNT" | jq length)" "pins left"
	pattern 512K | cmp -n 512K - "$MNT/file" >&2 ||
		fail "what came before the error is missing"
	expect truncate -s 0 "$MNT/file"
	slowdev_ctl stop-fail
	expect pinfs dma --engine="$1" from-device "$SLOWDEV" "$MNT/file"
	pattern 1M | cmp - "$MNT/file" >&2 || fail "after the error"
	slowdev_stop
}

# The device is opened with the caller's rights, not with the daemon's.
dma_forbidden() {
	if [ "$(id -u)" != 0 ]; then
		return
	fi
	chmod 600 "$WORK/file.4M"
	chmod 666 "$MNT/file"
	says 1 'Permission denied' setpriv --reuid=65534 --regid=65534 \
		--clear-groups pinfs dma from-device "$WORK/file.4M" \
		"$MNT/file"
	chmod 644 "$WORK/file.4M"
	chmod 600 "$MNT/file"
	says 1 'Permission denied' setpriv --reuid=65534 --regid=65534 \
		--clear-groups pinfs dma from-device "$WORK/file.4M" \
		"$MNT/file"
}

bad_requests() {
	pool_new 32M
	# For another user's requests, which only root can make.
	if [ "$UID" = 0 ]; then
		mount_pool allow_other
	else
		mount_pool
	fi
	long_names
	dma_bad
	dma_unreadable io_uring
	dma_unreadable aio
	dma_forbidden
	umount_pool
	fsck_clean
}

mkdir "$MNT"
pattern 4M >"$WORK/file.4M"
foreign
too_small
make_pool
truncated
newer
damaged_superblock
damaged_metadata
claimed
mountpoints
full_pool
full_disk
bad_requests
