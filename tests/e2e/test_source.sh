#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A program is unpacked, configured, built and tested on the file system.
# e2e: timeout=240
. "$(dirname "$0")/lib.sh"

need make cc tar
# install-deps.sh gets Debian's source package of hello.
sources=$(cd "$(dirname "$0")/../.." && pwd)/build/sources
archive=$(find "$sources" -name 'hello_*.orig.tar.*' ! -name '*.asc' \
	2>/dev/null | head -n 1)
[ -n "$archive" ] ||
	skip "no Debian source package of hello: run ./install-deps.sh" \
		"where there is a network"

# in_tree COMMAND... - in the unpacked tree, with its output in a log
in_tree() {
	(cd "$tree" && "$@") >>"$WORK/source.log" 2>&1 || fail "$*"
}

remount() {
	umount_pool
	fsck_clean
	mount_pool
}

# objects - all that was compiled, with the time of it
objects() {
	find "$tree" -name '*.o' -printf '%P %T@\n' | sort
}

pool_new 256M
mount_pool
mkdir "$MNT/src"
expect tar -C "$MNT/src" -xf "$archive"
tree=$(echo "$MNT"/src/*)
remount
in_tree ./configure CFLAGS=-O0
# make must see the times that configure left, to the nanosecond.
remount
in_tree make
[ "$("$tree/hello" -g here)" = here ] || fail "what was built does not run"
in_tree make check
built=$(objects)
# Whole seconds would let make take the old for new, and the rest compare equal.
grep -q '\.[0-9]*[1-9]' <<<"$built" || fail "no fractions of seconds: $built"
remount
in_tree make
expect_equal "$built" "$(objects)" "what make builds anew after a remount"
expect_equal here "$("$tree/hello" -g here)" "hello after a remount"
in_tree make distclean
[ ! -e "$tree/Makefile" ] || fail "distclean left the Makefile"
umount_pool
fsck_clean
