#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A real tree of files is copied, compared before and after a remount, and
# removed; with it goes the space that it took.
# e2e: timeout=120
. "$(dirname "$0")/lib.sh"

need diff

tree=/usr/include
[ -d "$tree" ] || skip "no $tree to copy"

# Everything about a tree but what its files hold, and the sizes of its
# directories, which are a file system's own affair.  The files' owners are
# root's to copy.
owner='%U %G'
[ "$UID" = 0 ] || owner=
listing() {
	(cd "$1" && find . -printf "%P %y %m $owner %n %T@ " \
		\( -type d -printf '\n' -o -printf '%s %l\n' \) | sort)
}

compare() {
	diff -r --no-dereference "$tree" "$MNT/copy" >&2 ||
		fail "the copy differs $1"
	listing "$MNT/copy" >"$WORK/got"
	diff "$WORK/want" "$WORK/got" >&2 || fail "its listing differs $1"
}

space() {
	stat -f -c 'free blocks %f of %b, free inodes %d of %c' "$MNT"
}

remount() {
	umount_pool
	fsck_clean
	mount_pool
}

pool_new "$(($(du -sm "$tree" | cut -f 1) * 2 + 64))M"
mount_pool
# The inode file grows with the most files that there ever were, and keeps the
# blocks for the next ones: let it grow.
expect cp -a --attributes-only "$tree" "$MNT/copy"
expect rm -rf "$MNT/copy"
before=$(space)

listing "$tree" >"$WORK/want"
expect cp -a "$tree" "$MNT/copy"
[ "$(space)" != "$before" ] || fail "the copy takes no space"
compare "at once"
remount
compare "after a remount"

expect rm -rf "$MNT/copy"
expect_equal '' "$(ls -A "$MNT")" "what is left after rm -rf"
expect_equal "$before" "$(space)" "space after rm -rf"
remount
expect_equal "$before" "$(space)" "space after rm -rf and a remount"
umount_pool
fsck_clean
