#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# pinfs beside the ceiling, a FUSE server that does nothing, in one run: both are
# mounted at once and each workload is measured on them in turn, ROUNDS times.
# Prints the median of each and the ratio.
#
#   bench.sh [BUILD_DIR]        ROUNDS=5 SECONDS_EACH=3 SIZE=1G
#
# What the size of a pool, directory or file costs: scale DIR, below FUSE.
set -euo pipefail

build=$(realpath "${1:-build/release}")
rounds=${ROUNDS:-5}
each=${SECONDS_EACH:-3}
size=${SIZE:-1G}
bytes=$(numfmt --from=iec "$size")
dir=$(mktemp -d /dev/shm/pinfs-bench-XXXXXX)
null_pid=

cleanup() {
	cd /
	mountpoint -q "$dir/pin" && fusermount3 -u "$dir/pin"
	mountpoint -q "$dir/null" && fusermount3 -u "$dir/null"
	[ -z "$null_pid" ] || wait "$null_pid" || true
	rm -rf "$dir"
}
trap cleanup EXIT

mkdir "$dir/pin" "$dir/null"
"$build/mkfs.pinfs" -s $((bytes * 2)) "$dir/pool" >/dev/null
"$build/pinfsd" "$dir/pool" "$dir/pin"
"$build/nullfs" "$bytes" "$dir/null" &
null_pid=$!
"$build/await" 10000 mount "$dir/null" "$null_pid"
fallocate -l "$bytes" "$dir/pin/f"
dd if=/dev/zero of="$dir/pin/f" bs=1M count=$((bytes >> 20)) conv=notrunc status=none

# fio_figure DIR RW BS UNIT: operations a second or bytes a second
fio_figure() {
	fio --name=b --filename="$1/f" --rw="$2" --bs="$3" --size="$bytes" \
		--direct=1 --ioengine=psync --numjobs="${5:-1}" --group_reporting \
		--time_based --runtime="$each" --output-format=json 2>/dev/null |
		jq ".jobs[0].read.$4 + .jobs[0].write.$4 | floor"
}

names_figure() { # DIR FIELD: operations a second
	"$build/names" "$1" 1000 "$each" | awk -v f="$2" '{printf "%d\n", 1e9 / $f}'
}

median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

measure() { # TITLE COMMAND...: the command with a directory as its second word
	local title=$1 i
	shift
	: >"$dir/p" >"$dir/n"
	for ((i = 0; i < rounds; i++)); do
		"$1" "$dir/pin" "${@:2}" >>"$dir/p"
		"$1" "$dir/null" "${@:2}" >>"$dir/n"
	done
	awk -v t="$title" -v p="$(median <"$dir/p")" -v n="$(median <"$dir/n")" \
		'BEGIN {printf "| %s | %.0f | %.0f | %.2f |\n", t, p, n, p / n}'
}

echo "| workload | pinfs | ceiling | ratio |"
echo "|---|---|---|---|"
measure "4 KiB random read, operations/s" fio_figure randread 4k iops
measure "4 KiB random write, operations/s" fio_figure randwrite 4k iops
measure "4 KiB random read, 4 jobs, operations/s" fio_figure randread 4k iops 4
measure "4 KiB random write, 4 jobs, operations/s" fio_figure randwrite 4k iops 4
measure "1 MiB sequential read, bytes/s" fio_figure read 1m bw_bytes
measure "1 MiB sequential write, bytes/s" fio_figure write 1m bw_bytes
measure "create and close, operations/s" names_figure 1
measure "unlink, operations/s" names_figure 2
