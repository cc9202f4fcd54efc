#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# e2e: label=posix-long timeout=1800
#
# The suite of calls with its long cases, a directory of 1,000,000 names among them;
# and the same on ext4, which shows that the cases themselves are right.
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/../e2e/scene.sh"

need_root
need mkfs.ext4
# shellcheck source=tests/posix/lib.sh
. "$(dirname "$0")/lib.sh"

on_ext4() {
	truncate -s 2G "$WORK/ext4"
	expect mkfs.ext4 -q -F -b 4096 -N 1300000 "$WORK/ext4"
	mkdir "$WORK/reference"
	expect mount -o loop "$WORK/ext4" "$WORK/reference"
	reference "$WORK/reference"
	expect umount "$WORK/reference"
	rm "$WORK/ext4"
}

on_ext4
POSIX_SIZE=1G
plain '' --long
