#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A real tree of files, and a small one of all that such a tree seldom has, are
# copied, compared before and after a remount, and removed; with them goes the
# space that they took.
# e2e: timeout=120
. "$(dirname "$0")/lib.sh"

need diff

tree=/usr/include
odd=$WORK/odd
[ -d "$tree" ] || skip "no $tree to copy"

# What a tree of headers has none of.
make_odd() {
	mkdir -p "$odd"/{empty,sticky,group,deep/a/b/c/d/e/f}
	chmod 1777 "$odd/sticky"
	chmod 2775 "$odd/group"
	seq 1000 >"$odd/many-names"
	ln "$odd/many-names" "$odd/deep/second"
	ln "$odd/many-names" "$odd/deep/a/b/third"
	ln -s nowhere "$odd/dangling"
	ln -s "$(printf '%02000d' 0)" "$odd/long-target"
	ln "$odd/dangling" "$odd/deep/dangling-too"
	mkfifo -m 640 "$odd/fifo"
	touch "$odd/$(printf '%0255d' 0)"
	cp -p /bin/true "$odd/setuid"
	chmod 6755 "$odd/setuid"
	truncate -s 32M "$odd/sparse"
	echo end >>"$odd/sparse"
	touch -d @-1.25 "$odd/old"
	if [ "$(id -u)" = 0 ]; then
		chown -h 12345:54321 "$odd/dangling" "$odd/fifo"
		mknod "$odd/null" c 1 3
	fi
}

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
	diff -r --no-dereference -x fifo -x null "$odd" "$MNT/odd" >&2 ||
		fail "the odd copy differs $1"
	listing "$MNT/copy" >"$WORK/got"
	listing "$MNT/odd" >>"$WORK/got"
	diff "$WORK/want" "$WORK/got" >&2 || fail "the listing differs $1"
}

space() {
	stat -f -c 'free blocks %f of %b, free inodes %d of %c' "$MNT"
}

remount() {
	umount_pool
	fsck_clean
	mount_pool
}

make_odd
pool_new "$(($(du -sm "$tree" | cut -f 1) * 2 + 64))M"
mount_pool
# The inode file grows with the most files that there ever were, and keeps the
# blocks for the next ones: let it grow.
expect cp -a --attributes-only "$tree" "$MNT/copy"
expect cp -a --attributes-only "$odd" "$MNT/odd"
expect rm -rf "$MNT/copy" "$MNT/odd"
before=$(space)

listing "$tree" >"$WORK/want"
listing "$odd" >>"$WORK/want"
expect cp -a "$tree" "$MNT/copy"
expect cp -a --sparse=always "$odd" "$MNT/odd"
[ "$(space)" != "$before" ] || fail "the copy takes no space"
compare "at once"
remount
compare "after a remount"
[ "$(stat -c %b "$MNT/odd/sparse")" -lt 100 ] || fail "a hole was filled"

expect rm -rf "$MNT/copy" "$MNT/odd"
expect_equal '' "$(ls -A "$MNT")" "what is left after rm -rf"
expect_equal "$before" "$(space)" "space after rm -rf"
remount
expect_equal "$before" "$(space)" "space after rm -rf and a remount"
umount_pool
fsck_clean
