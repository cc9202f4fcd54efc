#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# How long single operations of a mount take, the slowest of them too: while nothing
# else goes on, while 1,000 truncates wait for pins, and while DMA fills other files.
#
#   latency.sh [BUILD_DIR]      COUNT=20000 WAITING=1000 BANDWIDTH=512M ROUNDS=1
#
# Prints a table; needs root, for so many open files.
set -euo pipefail

build=$(realpath "${1:-build/release}")
count=${COUNT:-20000}
waiting=${WAITING:-1000}
bandwidth=${BANDWIDTH:-512M}
rounds=${ROUNDS:-1}
dir=$(mktemp -d /dev/shm/pinfs-latency-XXXXXX)
dma_pid=

cleanup() {
	cd /
	dma_stop
	! mountpoint -q "$dir/mnt" || fusermount3 -u "$dir/mnt"
	rm -rf "$dir"
}

# dma_start ENGINE: a device's bytes into one file after the other, until it is stopped
dma_start() {
	(
		trap 'exit 0' TERM
		while "$build/pinfs" dma from-device --engine="$1" --create \
			--bandwidth="$bandwidth" "$dir/device" "$dir/mnt/dma" \
			2>>"$dir/dma.log" >>"$dir/dma.$1"; do
			echo moved >>"$dir/dma.$1"
		done
	) &
	dma_pid=$!
}

# dma_stop: the one that runs comes to its end first
dma_stop() {
	[ -n "$dma_pid" ] || return 0
	kill "$dma_pid" 2>/dev/null || true
	wait "$dma_pid" || true
	dma_pid=
}

# with_dma ENGINE: it must have run all the while
with_dma() {
	dma_start "$1"
	"$build/latency" -n "$count" "$dir/mnt" "DMA, $1"
	if ! kill -0 "$dma_pid" || { dma_stop && ! grep -q moved "$dir/dma.$1"; }
	then
		echo "latency.sh: no DMA by $1: $(cat "$dir/dma.log")" >&2
		exit 1
	fi
}

trap cleanup EXIT
mkdir "$dir/mnt"
head -c 256M /dev/urandom >"$dir/device"
"$build/mkfs.pinfs" -s 2G "$dir/pool" >/dev/null
"$build/pinfsd" -o break_warn=0 "$dir/pool" "$dir/mnt"

echo "| operation | meanwhile | median, µs | p99 | p99.9 | longest |"
echo "|---|---|---|---|---|---|"
for ((i = 0; i < rounds; i++)); do
	"$build/latency" -n "$count" "$dir/mnt" nothing
	"$build/latency" -n "$count" -w "$waiting" "$dir/mnt" \
		"$waiting truncates wait"
	with_dma io_uring
	with_dma aio
done | sort -s -t '|' -k 2,2
