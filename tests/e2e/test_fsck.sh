#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# fsck.pinfs repairs, and what it has kept is there when the pool is mounted;
# what it says by exit status, JSON and signals.
# e2e: asan
. "$(dirname "$0")/lib.sh"

need jq cmp
mkdir -p "$MNT"

image() {
	rm -f "$POOL"
	expect "$PINFS_BUILD/unit/test_fsck_images" "$1" "$POOL"
}

# repair IMAGE - and see that there is nothing left to do
repair() {
	image "$1"
	expect_status 4 fsck.pinfs -n "$POOL"
	expect_status 4 fsck.pinfs -p "$POOL"
	expect_status 1 fsck.pinfs -y "$POOL"
	expect_status 0 fsck.pinfs -n "$POOL"
	expect_status 0 fsck.pinfs -y "$POOL"
}

# --- nothing to do: nothing is done

image nothing
sum=$(sha256sum <"$POOL")
expect fsck.pinfs -y "$POOL"
expect_equal "$sum" "$(sha256sum <"$POOL")" "the pool after -y"

# --- a tree whose index node is gone has all of its names again

repair tree_index
mount_pool
expect_equal 1500 "$(find "$MNT/many" -type f | wc -l)" "names"
expect_equal $((1500 * 4096)) "$(cat "$MNT"/many/* | wc -c)" "bytes"
expect rm -r "$MNT/many"
expect cp /etc/passwd "$MNT/docs"
umount_pool
fsck_clean

# --- names that are lost: the files are in lost+found, and can be moved back

repair tree_dir_leaf
mount_pool
left=$(find "$MNT/many" -type f | wc -l)
found=$(find "$MNT/lost+found" -type f | wc -l)
[ "$found" -gt 0 ] || fail "nothing is in lost+found"
expect_equal 1500 $((left + found)) "files"
for f in "$MNT"/lost+found/*; do
	# The first word says whose block it is.
	ino=$(od -An -j4 -N4 -tu4 "$f" | tr -d ' ')
	expect_equal "#$ino" "${f##*/}" "a lost file's name"
	expect mv "$f" "$MNT/many"
done
umount_pool
fsck_clean

# --- two files with the same blocks: each has them, and only its own

repair shared_files
mount_pool
dd if="$MNT/file" bs=4096 skip=1 count=2 status=none >"$WORK/two"
expect_same "$WORK/two" "$MNT/lost+found/#7"
expect dd if=/dev/zero of="$MNT/lost+found/#7" bs=8192 count=1 conv=notrunc
dd if="$MNT/file" bs=4096 skip=1 count=2 status=none >"$WORK/still"
expect_same "$WORK/two" "$WORK/still"
umount_pool
fsck_clean

# --- a repair that was cut: nothing mounts it, and -p goes on

image repair_cut
expect_error 'run fsck.pinfs' pinfsd "$POOL" "$MNT"
expect_status 1 fsck.pinfs -p "$POOL"
mount_pool
expect_equal file "$(readlink "$MNT/short")" "a link's target"
umount_pool
fsck_clean

# --- what it says

image count_blocks
status=0
fsck.pinfs --json -y "$POOL" >"$WORK/json" || status=$?
expect_equal 1 "$status" "the status of a repair"
expect_equal "true 1 count-blocks" \
	"$(jq -r '.repaired, .found, .findings[0].code' "$WORK/json" | xargs)" \
	"its JSON"
expect_status 16 fsck.pinfs -n -y "$POOL"
mount_pool
expect_status 8 fsck.pinfs -y "$POOL"
umount_pool
fsck_clean
