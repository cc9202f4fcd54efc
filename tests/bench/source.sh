#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A source tree is unpacked, configured, built and removed on pools that are
# ordinary files: pinfs beside fuse2fs, with the image on the same disk, in turn,
# ROUNDS times. Each phase ends with an fsync of the root, which both take for all
# that there is. Prints medians in seconds, their spread, and the ratio of the
# medians and of the shortest: on a machine that has other work the latter says more.
#
#   source.sh [BUILD_DIR [ARCHIVE]]        ROUNDS=3 DIR=/var/tmp
#
# ARCHIVE is a source package with a configure script; Debian's hello if not given
# (install-deps.sh gets it).
set -euo pipefail

build=$(realpath "${1:-build/release}")
archive=${2:-$(find "$(dirname "$0")/../../build/sources" \
	-name 'hello_*.orig.tar.*' ! -name '*.asc' | head -n 1)}
archive=$(realpath "$archive")
rounds=${ROUNDS:-3}
dir=$(mktemp -d "${DIR:-/var/tmp}/pinfs-bench-XXXXXX")
phases=(unpack configure build remove)

for tool in fuse2fs mkfs.ext4 jq; do
	PATH=$PATH:/sbin:/usr/sbin command -v "$tool" >/dev/null ||
		{ echo "source.sh: $tool is missing: install the package fuse2fs" \
			"and e2fsprogs" >&2; exit 1; }
done
PATH=$PATH:/sbin:/usr/sbin
[ "$(stat -f -c %T "$dir")" != tmpfs ] ||
	{ echo "source.sh: $dir is no disk: set DIR to a directory on one" >&2
		exit 1; }

# A server that has gone holds its image no more.
leave() {
	cd /
	fusermount3 -u "$dir/mnt"
	[ ! -s "$dir/pid" ] || "$build/await" 60000 exit "$(cat "$dir/pid")"
}

cleanup() {
	cd /
	! mountpoint -q "$dir/mnt" || leave || true
	rm -rf "$dir"
}
trap cleanup EXIT
mkdir "$dir/mnt"

mount_pinfs() {
	"$build/mkfs.pinfs" -s 1G "$dir/image" >/dev/null
	"$build/pinfsd" -f "$dir/image" "$dir/mnt" &
	echo $! >"$dir/pid"
	"$build/await" 10000 mount "$dir/mnt" "$!"
}

mount_fuse2fs() {
	truncate -s 1G "$dir/image"
	mkfs.ext4 -q "$dir/image"
	fuse2fs -f "$dir/image" "$dir/mnt" 2>/dev/null &
	echo $! >"$dir/pid"
	"$build/await" 10000 mount "$dir/mnt" "$!"
}

do_unpack() { tar -C "$dir/mnt" -xf "$archive"; }
do_configure() { cd "$dir"/mnt/*-*/ && ./configure --quiet; }
do_build() { cd "$dir"/mnt/*-*/ && make -s -j2; }
do_remove() { rm -rf "$dir"/mnt/*-*; }

# timed PHASE FILE - appends the seconds
timed() {
	local from to

	from=$(date +%s%N)
	("do_$1" && sync "$dir/mnt") >"$dir/log" 2>&1 ||
		{ cat "$dir/log" >&2; exit 1; }
	to=$(date +%s%N)
	awk -v ns=$((to - from)) 'BEGIN {printf "%.3f\n", ns / 1e9}' >>"$2"
}

one_round() {
	local fs=$1 phase

	"mount_$fs"
	for phase in "${phases[@]}"; do
		timed "$phase" "$dir/$fs.$phase"
	done
	leave
	rm "$dir/image"
}

spread() { # FILE: median, least, most
	sort -n "$1" | awk '{v[NR] = $1}
		END {printf "%.2f (%.2f to %.2f)", v[int((NR + 1) / 2)], v[1], v[NR]}'
}

for ((i = 0; i < rounds; i++)); do
	one_round pinfs
	one_round fuse2fs
done
least() { sort -n "$1" | head -n 1; }

echo "| $(basename "$archive"), seconds | pinfs | fuse2fs | ratio | of the shortest |"
echo "|---|---|---|---|---|"
for phase in "${phases[@]}"; do
	p=$(spread "$dir/pinfs.$phase") f=$(spread "$dir/fuse2fs.$phase")
	awk -v t="$phase" -v p="$p" -v f="$f" \
		-v pl="$(least "$dir/pinfs.$phase")" \
		-v fl="$(least "$dir/fuse2fs.$phase")" 'BEGIN {
			printf "| %s | %s | %s | %.2f | %.2f |\n",
				t, p, f, p / f, pl / fl
		}'
done
