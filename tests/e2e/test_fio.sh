#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# fio writes and verifies by checksum: each engine, buffered and direct,
# sequential and random; once more after a remount.
# e2e: timeout=120
. "$(dirname "$0")/lib.sh"

need fio

# job NAME ARG... - one more of those that run at the same time
jobs=()
job() {
	jobs+=(--name="$1" "${@:2}")
}

# run_jobs [ARG...] - each writes its file, then verifies it
run_jobs() {
	expect fio --directory="$MNT" --thread --size=2M --randseed=42 \
		--verify=crc32c --verify_fatal=1 --verify_state_save=0 \
		--group_reporting --output-format=terse "$@" "${jobs[@]}"
	jobs=()
}

# every_way ENGINE... - 4 ways each, but that a mapping cannot be direct
every_way() {
	local engine rw direct

	for engine; do
		for rw in write randwrite; do
			for direct in 0 1; do
				[ "$engine$direct" != mmap1 ] || continue
				job "$engine-$rw-$direct" --rw="$rw" \
					--ioengine="$engine" --bs=4k \
					--iodepth=16 --direct="$direct"
			done
		done
	done
	# Blocks of all sizes that begin anywhere, and large ones.
	job odd --rw=randwrite --ioengine=psync --bsrange=512-60k \
		--bs_unaligned --direct=0
	job large --rw=write --ioengine=io_uring --bs=1M --iodepth=4 \
		--direct=1 --size=8M
	# Several writers of one file, each with its own part.
	job shared --filename=shared --numjobs=4 --offset_increment=2M \
		--rw=randwrite --ioengine=libaio --bs=8k --iodepth=8 --direct=1
}

# Those that verify what they wrote while they go on writing.
mixed() {
	local direct

	for direct in 0 1; do
		job "mixed-$direct" --rw=randrw --ioengine=libaio --bs=4k \
			--iodepth=8 --direct="$direct" --verify_backlog=64
	done
}

# all DAX - with that mount option; then what is there after a remount
all() {
	local engines=(sync libaio io_uring)

	mount_pool "dax=$1"
	if syscalls can-mmap "$MNT/probe" 2>/dev/null; then
		engines+=(mmap)
	else
		[ "$1" = always ] || fail "no shared mappings with dax=$1"
		e2e_say "note: no shared mappings with dax=$1 here"
	fi
	every_way "${engines[@]}"
	mixed
	run_jobs
	umount_pool
	fsck_clean
	mount_pool "dax=$1"
	every_way "${engines[@]}"
	run_jobs --verify_only
	rm "$MNT"/*
	umount_pool
	fsck_clean
}

pool_new 192M
all inode
all always
