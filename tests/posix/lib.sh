# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# The suite of calls (`posix`) in the settings that it is run in. Sourced after
# scene.sh; each has a pool of its own.
#
# POSIX_DIR=DIR runs it in DIR, of whatever file system, and nothing else: the
# cases must pass on ext4, too.

POSIX_SIZE=256M
POSIX_OPTS=allow_other,suid,dev,$SCENE_OPTS

# in_dir DIR ARG... - all cases in a new directory of it
in_dir() {
	local dir=$1

	shift
	mkdir "$dir/calls"
	posix "$@" "$dir/calls" >"$WORK/posix.log" 2>&1 ||
		fail "posix $* in $dir"
	sed -n "s|^[0-9].*|${FUNCNAME[1]}: &|p" "$WORK/posix.log"
	rmdir "$dir/calls"
}

reference() {
	in_dir "$1" --long
}

begin_pool() {
	pool_new "$POSIX_SIZE"
	mount_pool "$POSIX_OPTS${1:+,$1}"
}

end_pool() {
	nothing_held
	umount_pool
	fsck_clean
}

# plain OPTION ARG... - and handles of before, after a remount
plain() {
	begin_pool "$1"
	in_dir "$MNT" --pinfs "${@:2}"
	mkdir "$MNT/handles"
	(cd "$MNT/handles" && touch 1 2 3 4 5 && mkdir dir && ln -s x link)
	expect posix handles save "$MNT/handles" "$WORK/handles"
	expect posix handles check "$MNT/handles" "$WORK/handles"
	# Those of names that go now are stale, those of others are not.
	(cd "$MNT/handles" && rm 2 && rm 4 && touch new1 new2 2)
	expect posix handles check "$MNT/handles" "$WORK/handles"
	end_pool
	mount_pool "$POSIX_OPTS${1:+,$1}"
	(cd "$MNT/handles" && rm 3 && touch new3 new4 && mv 5 dir)
	mv "$MNT/handles/dir/5" "$MNT/handles/5"
	expect posix handles check "$MNT/handles" "$WORK/handles"
	end_pool
}

# held OPTION ARG... - with pins on some files, and a truncate that waits
held() {
	begin_pool "$1"
	slowdev_start --size 1M
	file_of "$MNT/pinned" 256K
	file_of "$MNT/waits" 256K
	hung_dma first "$MNT/pinned"
	hung_dma second "$MNT/waits"
	start_op waits truncate "$MNT/waits" 100
	await_break waits
	in_dir "$MNT" --pinfs "${@:2}"
	expect posix held "$MNT/pinned"
	is_running waits || fail "the truncate has not waited"
	release_dma first second
	wait_op waits
	op_waited waits
	has_pattern "$MNT/pinned" 0 64K 0
	slowdev_stop
	end_pool
}

# full OPTION ARG... - 97 % of the pool's blocks are in use
full() {
	local blocks free

	begin_pool "$1"
	read -r blocks free < <(stat -f -c '%b %f' "$MNT")
	fallocate -l $(((free - blocks * 3 / 100) * 4096)) "$MNT/ballast"
	in_dir "$MNT" --pinfs "${@:2}"
	rm "$MNT/ballast"
	end_pool
}

if [ -n "${POSIX_DIR:-}" ]; then
	reference "$POSIX_DIR"
	exit 0
fi
