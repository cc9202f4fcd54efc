#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# fio with every engine that works on files: each writes at random, then verifies
# by checksum; those that only make, enlarge or remove files do that.
# tests/e2e/test_fio.sh has more ways for some of them.
# e2e: label=programs timeout=240
. "$(dirname "$0")/lib.sh"

need fio

jobs=()
for engine in sync psync vsync pvsync pvsync2 libaio io_uring posixaio mmap splice
do
	for direct in 0 1; do
		# Mappings and pipes have no direct I/O.
		case $engine$direct in mmap1 | splice1) continue ;; esac
		jobs+=(--name="$engine-$direct" --ioengine="$engine"
			--direct="$direct" --rw=randwrite --bs=4k --size=2M
			--verify=crc32c --verify_fatal=1)
		case $engine in
		libaio | io_uring | posixaio) jobs+=(--iodepth=8) ;;
		esac
	done
done
for engine in filecreate filestat filedelete; do
	jobs+=(--name="$engine" --ioengine="$engine" --rw=randread
		--nrfiles=64 --filesize=4k --openfiles=1 --fallocate=none)
done
jobs+=(--name=falloc --ioengine=falloc --rw=randwrite --bs=64k --size=2M)
jobs+=(--name=ftruncate --ioengine=ftruncate --rw=write --bs=64k --size=2M)

# figures_of - from fio's own account, which notes may come before
figures_of() {
	sed -n '/^{/,$p' "$WORK/fio.json" | jq -r '.jobs | "\(length) jobs, \(
		map(select(.error != 0)) | length) with errors, \(
		map(.write.io_kbytes) | add) KiB written, \(
		map(.read.io_kbytes) | add) KiB read and verified"'
}

scene_new 512M
program fio --directory="$DIR" --thread --randseed=42 --verify_state_save=0 \
	--output-format=json --output="$WORK/fio.json" "${jobs[@]}"
scene_end "$(figures_of)"
