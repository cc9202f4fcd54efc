#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A git repository: commits, branches, gc, fsck, clones.
. "$(dirname "$0")/lib.sh"

need git
# Nobody's own configuration plays a part.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null HOME=$WORK
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@example.invalid
export GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@example.invalid

repo=$MNT/repo
in_repo() {
	expect git -C "$repo" "$@"
}

head_of() {
	git -C "$1" rev-parse HEAD
}

remount() {
	umount_pool
	fsck_clean
	mount_pool
}

# commit N - ten files change, one comes, one moves
commit() {
	local i

	for i in 0 1 2 3 4 5 6 7 8 9; do
		echo "commit $1 line $i" >>"$repo/dir$i/file"
	done
	seq "$1" $(($1 + 500)) >"$repo/new$1"
	[ "$1" = 1 ] || in_repo mv "new$(($1 - 1))" "dir1/old$1"
	in_repo add -A
	in_repo commit -q -m "commit $1"
}

pool_new 128M
mount_pool
expect git init -q -b trunk "$repo"
mkdir "$repo"/dir{0..9}
for n in $(seq 1 15); do
	commit "$n"
done
in_repo checkout -q -b side HEAD~5
echo side >"$repo/side"
in_repo add side
in_repo commit -q -m side
in_repo checkout -q trunk
in_repo merge -q -m merged side
want=$(head_of "$repo")

remount
expect_equal "$want" "$(head_of "$repo")" "HEAD after a remount"
expect_equal '' "$(git -C "$repo" status --porcelain)" "git status"
in_repo fsck --full --strict
in_repo gc -q --aggressive --prune=now
in_repo fsck --full --strict
expect git clone -q "$repo" "$MNT/linked"
expect git clone -q --no-local "$repo" "$MNT/copied"
# The first shares objects by hard links.
links=$(find "$MNT/linked/.git/objects" -name '*.pack' -links 2 | wc -l)
[ "$links" -ge 1 ] || fail "the clone has no hard links"

remount
rm -rf "$repo"
for clone in linked copied; do
	expect_equal "$want" "$(head_of "$MNT/$clone")" "HEAD of $clone"
	expect git -C "$MNT/$clone" fsck --full --strict
	expect_equal '' "$(git -C "$MNT/$clone" status --porcelain)" \
		"git status of $clone"
done
expect_equal 17 "$(git -C "$MNT/copied" rev-list --count HEAD)" commits
expect diff -r -x .git "$MNT/linked" "$MNT/copied"
umount_pool
fsck_clean
