#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# DMA of a large file from the ordinary disk, read past the page cache, into a
# file's own blocks and back out, compared by checksum, with both engines.
# A pool in memory gets 1 GiB; one on the disk, which would be written to as
# well, 256 MiB.
# e2e: timeout=180
. "$(dirname "$0")/lib.sh"

need fincore cksum

mib=1024
if [ "$PINFS_POOL_KIND" = disk ]; then
	mib=256
fi

# has_room DIR MIB
has_room() {
	[ "$(df --output=avail -B1M "$1" | tail -n 1)" -ge "$2" ]
}

disk=$(PINFS_POOL_KIND=disk e2e_base) || exit
while ! has_room "$WORK" $((mib + 128)) || ! has_room "$disk" $((2 * mib + 64))
do
	[ "$mib" -gt 64 ] || skip "no room for 64 MiB in $WORK and twice in $disk"
	mib=$((mib / 2))
	e2e_say "note: only $mib MiB, for lack of room"
done
disk=$(mktemp -d "$disk/pinfs-dma.XXXXXX")
at_exit rm -rf "$disk"

sum() {
	cksum <"$1"
}

# drop FILE - none of it is in the page cache
drop() {
	dd if="$1" iflag=nocache count=0 status=none
}

# resident FILE - pages of it in the page cache
resident() {
	fincore -n -b -o PAGES "$1" | tr -d ' '
}

# The first block of every MiB differs, and the rest is not all zeroes.
pattern "${mib}M" >"$disk/source"
sync "$disk/source"
want=$(sum "$disk/source")
drop "$disk/source"
expect_equal 0 "$(resident "$disk/source")" \
	"pages of the source in the page cache before"

# from_disk ENGINE FILE - and nothing of it goes through the page cache
from_disk() {
	expect pinfs dma --engine="$1" --create --json \
		from-device "$disk/source" "$2"
	expect_equal "$((mib * 1048576)) null" \
		"$(jq -r '"\(.bytes) \(.error)"' "$WORK/.out")" "$1: result"
	expect_equal 0 "$(resident "$disk/source")" \
		"$1: pages of the source in the page cache"
	expect_equal "$want" "$(sum "$2")" "$1: checksum"
}

to_disk() {
	expect pinfs dma --engine="$1" --create to-device "$2" "$disk/back"
	expect_equal "$want" "$(sum "$disk/back")" "$1: checksum on the disk"
	rm "$disk/back"
}

need jq
pool_new "$((mib + 64))M"
for engine in io_uring aio; do
	mount_pool
	from_disk "$engine" "$MNT/file"
	to_disk "$engine" "$MNT/file"
	expect_equal 0 "$(pinfs pins --json "$MNT" | jq length)" "pins left"
	umount_pool
	fsck_clean
	mount_pool
	expect_equal "$want" "$(sum "$MNT/file")" "$engine: after a remount"
	rm "$MNT/file"
	umount_pool
	fsck_clean
done
