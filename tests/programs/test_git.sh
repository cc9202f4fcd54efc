#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# git: a tree of headers committed in parts, branches, gc, fsck, a clone.
# tests/e2e/test_git.sh has the same with remounts in between.
# e2e: label=programs timeout=180
. "$(dirname "$0")/lib.sh"

need git
# Nobody's own configuration plays a part.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null HOME=$WORK
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@example.invalid
export GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@example.invalid

repository() {
	local part

	git init -q -b trunk "$DIR/repo"
	cd "$DIR/repo" || exit
	for part in linux asm-generic rdma sound scsi; do
		[ -d "/usr/include/$part" ] || continue
		cp -r "/usr/include/$part" .
		git add -A
		git commit -q -m "$part"
	done
	git checkout -q -b side HEAD~1
	git mv linux moved
	git commit -q -m moved
	git checkout -q trunk
	git merge -q -m merged side
	git gc -q --prune=now
	git clone -q --no-local "$DIR/repo" "$DIR/clone"
	diff -r -x .git "$DIR/repo" "$DIR/clone"
	git -C "$DIR/clone" fsck --full --strict
	git count-objects -v
}

scene_new 512M
program repository
scene_end "$(sed -nE '/^(in-pack|size-pack|garbage):/p' "$LOG" | paste -s -d ' ')"
