#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# e2e: label=posix-long timeout=600
#
# The suite of calls with its long cases, in each mode of the page cache and each
# scope; and on ext4, which shows that the cases themselves are right.
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/../e2e/scene.sh"

need_root
# shellcheck source=tests/posix/lib.sh
. "$(dirname "$0")/lib.sh"

on_ext4() {
	truncate -s 2G "$WORK/ext4"
	expect mkfs.ext4 -q -F -b 4096 -N 1100000 "$WORK/ext4"
	mkdir "$WORK/reference"
	expect mount -o loop "$WORK/ext4" "$WORK/reference"
	reference "$WORK/reference"
	expect umount "$WORK/reference"
	rm "$WORK/ext4"
}

on_ext4
pool_new 1G
plain '' --long
pool_new 256M
plain dax=always
plain dax=never
held ''
held dax=always,layout_scope=range
full ''
full dax=always
