#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A compiler build: pinfs's own source is configured, built and run on the mount,
# and a second build finds nothing to do.
# tests/e2e/test_source.sh builds a package with configure and make.
# e2e: label=programs timeout=300
. "$(dirname "$0")/lib.sh"

need cmake ninja cc

root=$(cd "$(dirname "$0")/../.." && pwd)

build() {
	mkdir "$DIR/source"
	tar -C "$root" -c --exclude=./build --exclude=./.git . |
		tar -C "$DIR/source" -x
	cmake -S "$DIR/source" -B "$DIR/build" -G Ninja \
		-DCMAKE_BUILD_TYPE=Release
	ninja -C "$DIR/build" -j 2 mkfs.pinfs fsck.pinfs
	"$DIR/build/mkfs.pinfs" -s 64M "$DIR/pool"
	"$DIR/build/fsck.pinfs" -n "$DIR/pool"
	ninja -C "$DIR/build" mkfs.pinfs fsck.pinfs | grep 'no work to do'
}

# ar says it without a reason, as a short write has none.
NO_SPACE="$NO_SPACE|unable to copy file"

scene_new 384M
program build
scene_end "$(sed -nE '/Linking C executable|no work to do/p' "$LOG" |
	paste -s -d ';')"
