#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The two transports side by side: pinfs, and the ceiling (tests/bench/ceiling.c),
# each mounted twice at once, and each workload measured on all four in turn,
# ROUNDS times. Prints medians, with the least and the most of pinfs, and io_uring's
# ratio to the classic transport.
#
#   bench.sh BUILD_DIR          ROUNDS=5 SECONDS_EACH=2 SIZE=512M
#
# Where FUSE over io_uring can be had: tests/uring/lane.sh bench.
set -euo pipefail

build=$(realpath "${1:?the binary directory}")
rounds=${ROUNDS:-5}
each=${SECONDS_EACH:-2}
size=${SIZE:-512M}
bytes=$(numfmt --from=iec "$size")
dir=$(mktemp -d /dev/shm/pinfs-bench-XXXXXX)
targets=(pin_classic pin_uring top_classic top_uring)

cleanup() {
	local t

	cd /
	for t in "${targets[@]}"; do
		! mountpoint -q "$dir/$t" || fusermount3 -u "$dir/$t"
	done
	wait
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 143' TERM INT HUP

# start_pin NAME OPTIONS
start_pin() {
	"$build/mkfs.pinfs" -s $((bytes * 2)) "$dir/$1.pool" >/dev/null
	"$build/pinfsd" -f ${2:+-o "$2"} "$dir/$1.pool" "$dir/$1" \
		2>"$dir/$1.log" &
	"$build/await" 10000 mount "$dir/$1" $!
	fallocate -l "$bytes" "$dir/$1/f"
	dd if=/dev/zero of="$dir/$1/f" bs=1M count=$((bytes >> 20)) \
		conv=notrunc status=none
}

# start_top NAME ENABLE - libfuse has a switch for it in the environment
start_top() {
	dd if=/dev/zero of="$dir/$1.img" bs=1M count=$((bytes >> 20)) status=none
	FUSE_URING_ENABLE=$2 "$build/ceiling" "$dir/$1.img" "$dir/$1" &
	"$build/await" 10000 mount "$dir/$1" $!
}

mkdir "${targets[@]/#/$dir/}"
start_pin pin_classic ''
start_pin pin_uring io_uring
start_top top_classic 0
start_top top_uring 1
if ! grep -q ': over io_uring' "$dir/pin_uring.log"; then
	cat "$dir/pin_uring.log" >&2
	exit 1
fi

# fio_figure DIR RW BS FIELD [JOBS] - operations a second or bytes a second
fio_figure() {
	fio --name=b --filename="$1/f" --rw="$2" --bs="$3" --size="$bytes" \
		--direct=1 --ioengine=psync --numjobs="${5:-1}" \
		--group_reporting --time_based --runtime="$each" \
		--output-format=json 2>/dev/null |
		jq ".jobs[0].read.$4 + .jobs[0].write.$4 | floor"
}

# names_figure DIR OPERATION - a second
names_figure() {
	"$build/names" tree "$1" 1000 1 "$each" |
		awk -v op="$2" '$1 == op { print $2 }'
}

# nth FILE WHICH - the least, median or most
nth() {
	sort -n "$1" | awk -v which="$2" '{ v[NR] = $1 } END {
		at = int((NR + 1) / 2)
		if (which == "least")
			at = 1
		if (which == "most")
			at = NR
		print v[at] }'
}

# in_units FIGURE UNIT
in_units() {
	awk -v n="$1" -v u="$2" \
		'BEGIN { printf((u > 1000 ? "%.0f" : "%.1f"), n / u) }'
}

# spread NAME UNIT
spread() {
	local f=$dir/figures.$1

	printf '%s (%s to %s)' "$(in_units "$(nth "$f" median)" "$2")" \
		"$(in_units "$(nth "$f" least)" "$2")" \
		"$(in_units "$(nth "$f" most)" "$2")"
}

# ratio NAME NAME
ratio() {
	awk -v a="$(nth "$dir/figures.$1" median)" \
		-v b="$(nth "$dir/figures.$2" median)" \
		'BEGIN { printf "%.2f", a / b }'
}

# measure TITLE UNIT COMMAND ARG... - the command gets a directory first
measure() {
	local title=$1 unit=$2 t i

	shift 2
	for t in "${targets[@]}"; do
		: >"$dir/figures.$t"
	done
	for ((i = 0; i < rounds; i++)); do
		for t in "${targets[@]}"; do
			"$1" "$dir/$t" "${@:2}" >>"$dir/figures.$t"
		done
	done
	printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$title" \
		"$(spread pin_classic "$unit")" "$(spread pin_uring "$unit")" \
		"$(ratio pin_uring pin_classic)" \
		"$(in_units "$(nth "$dir/figures.top_classic" median)" "$unit")" \
		"$(in_units "$(nth "$dir/figures.top_uring" median)" "$unit")" \
		"$(ratio top_uring top_classic)"
}

kops=1000
mib=1048576
echo "load before: $(cut -d ' ' -f 1-3 /proc/loadavg), $rounds rounds of $each s"
echo
echo "| workload | pinfs, classic | pinfs, io_uring | ratio | ceiling, classic | ceiling, io_uring | ratio |"
echo "|---|---|---|---|---|---|---|"
for jobs in 1 4; do
	measure "4 KiB random read, jobs: $jobs, 1000/s" $kops \
		fio_figure randread 4k iops "$jobs"
	measure "4 KiB random write, jobs: $jobs, 1000/s" $kops \
		fio_figure randwrite 4k iops "$jobs"
done
for bs in 128k 1m; do
	measure "$bs sequential read, MiB/s" $mib fio_figure read $bs bw_bytes
	measure "$bs sequential write, MiB/s" $mib fio_figure write $bs bw_bytes
done
measure "create and close, 1000/s" $kops names_figure create
measure "unlink, 1000/s" $kops names_figure unlink
echo
echo "load after: $(cut -d ' ' -f 1-3 /proc/loadavg)"
