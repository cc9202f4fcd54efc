# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# What the tests with programs of others share.  Each runs its program in one of
# three scenes, which PROGRAMS_SCENE names:
#
#   plain   the mount is the program's own
#   pinned  all the while some files are pinned by DMA that hangs, deferred
#           operations wait for it, and DMA after DMA reads the files that the
#           program works with, so that its own truncates find them pinned
#   full    97 % of the pool are taken, and what is left is in small pieces: the
#           program passes, or says that there is no space
#
# A test looks like this:
#
#   . "$(dirname "$0")/lib.sh"
#   need dbench
#   scene_new 512M
#   program dbench -D "$DIR" -t 5 2
#   scene_end "$(grep ^Throughput "$LOG")"

. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/scene.sh"

: "${PROGRAMS_SCENE:=plain}"
case $PROGRAMS_SCENE in
plain | pinned | full) ;;
*) fail "PROGRAMS_SCENE is $PROGRAMS_SCENE, not plain, pinned or full" ;;
esac

# Where the program works, and what it said.
DIR=$MNT/dir
LOG=$WORK/program.log
# The same on the file system below, to see whether a failure is pinfs's.
BELOW=$WORK/below
# Files that stay pinned, with an operation that waits for each.
HELD=$MNT/held
held=(truncate-0 truncate-1 punch-0 punch-1 zero-0 zero-1)
# Others than root cannot let others in, and need not.
PROGRAMS_OPTS=$SCENE_OPTS
[ "$UID" != 0 ] || PROGRAMS_OPTS+=,allow_other

# How programs say that space ran out (grep -iE); a test may know of another way.
NO_SPACE='no space left|ENOSPC|disk (is )?full'

out_of_space=
# DMA out of the program's files, and operations of its own that waited for it.
streamed=0
deferred=0

# --- pins: files of their own, and the program's ----------------------------------

# held_op NAME - the operation that waits for the DMA into the file of that name
held_op() {
	case $1 in
	truncate-*) start_op "op-$1" truncate "$HELD/$1" 4096 ;;
	punch-*) start_op "op-$1" punch "$HELD/$1" 0 64K ;;
	zero-*) start_op "op-$1" zero "$HELD/$1" 4096 128K ;;
	esac
}

hold_pins() {
	local name

	mkdir -p "$HELD"
	slowdev_start --size 1M
	for name in "${held[@]}"; do
		file_of "$HELD/$name" 256K
		hung_dma "dma-$name" "$HELD/$name"
		held_op "$name"
	done
	await_break "${held[@]/#/op-}"
}

# held_bytes NAME - what the file is, now that its DMA and then its change are over
held_bytes() {
	case $1 in
	truncate-*) pattern 4096 0 ;;
	punch-*) head -c 64K /dev/zero && pattern 192K $((1 << 30 | 64 << 10)) ;;
	zero-*)
		pattern 4096 0
		head -c 128K /dev/zero
		pattern 124K $((1 << 30 | 132 << 10))
		;;
	esac
}

# release_pins - they were pinned all the while, and then each change was made
release_pins() {
	local name

	for name in "${held[@]}"; do
		is_running "op-$name" || fail "op-$name has not waited"
	done
	release_dma "${held[@]/#/dma-}"
	for name in "${held[@]}"; do
		wait_op "op-$name"
		held_bytes "$name" | cmp - "$HELD/$name" >&2 ||
			fail "$name is not what its DMA and its change make"
	done
	slowdev_stop
}

# stream - DMA out of the files below $DIR, one after the other, each of which
# keeps its pins 20 ms longer, with a pause as long; says how many there were
stream() {
	local file count=0

	trap - ERR
	set +eE
	while [ -e "$WORK/streaming" ]; do
		file=$(find "$DIR" -type f -size +0 -size -16M 2>/dev/null |
			head -n 3000 | shuf -n 1)
		[ -z "$file" ] || ! pinfs dma --latency 20ms to-device \
			"$file" "$WORK/sink" >/dev/null 2>&1 ||
			count=$((count + 1))
		sleep 0.02
	done
	echo "$count" >"$WORK/streamed"
}

stream_start() {
	: >"$WORK/sink"
	: >"$WORK/streaming"
	run_bg stream stream
}

stream_stop() {
	rm "$WORK/streaming"
	wait_bg stream
	streamed=$((streamed + $(cat "$WORK/streamed")))
}

# --- a nearly full pool --------------------------------------------------------------

# free_kib - of the file system at $MNT
free_kib() {
	stat -f -c '%f * %S / 1024' "$MNT" | { read -r sum && echo $((sum)); }
}

# fill_pool - all of it, then a hole of 64 KiB in every 2 MiB of what fills it
fill_pool() {
	local kib size=0 at

	for kib in 65536 4096 256 16 4; do
		while fallocate -o "${size}KiB" -l "${kib}KiB" "$MNT/filler" \
			2>/dev/null
		do
			size=$((size + kib))
		done
	done
	for ((at = 0; at < size; at += 2048)); do
		echo "fpunch ${at}k 64k"
	done | expect xfs_io "$MNT/filler"
	expect_equal 3 $(($(free_kib) * 100 / size)) "percent that are free"
}

# --- scenes -----------------------------------------------------------------------------

# scene_new SIZE [OPT,...] - a pool of that size, mounted, in this scene
scene_new() {
	scene_pool "$@"
	scene_on
}

# scene_pool SIZE [OPT,...] - the pool alone: for what has to be there first
scene_pool() {
	[ "$PROGRAMS_SCENE" != full ] || need xfs_io
	pool_new "$1"
	mount_pool "$PROGRAMS_OPTS${2:+,$2}"
	mkdir -p "$DIR" "$BELOW"
	chmod 777 "$DIR" "$BELOW"
}

scene_on() {
	case $PROGRAMS_SCENE in
	pinned) hold_pins && stream_start ;;
	full)
		fill_pool
		# What is compared with has as little room.
		[ "$UID" != 0 ] || expect mount -t tmpfs -o \
			"size=$(free_kib)k,mode=777" below "$BELOW"
		;;
	esac
}

# scene_off - what the scene holds is released, and was held up to now
scene_off() {
	! mountpoint -q "$BELOW" || expect umount "$BELOW"
	[ "$PROGRAMS_SCENE" = pinned ] || return 0
	stream_stop
	release_pins
	nothing_held
	deferred=$(pinfs stats --json "$MNT" | jq ".breaks_waited - ${#held[@]}")
}

# scene_lost - the daemon was killed: what was held is let go, and fails
scene_lost() {
	local name

	[ "$PROGRAMS_SCENE" = pinned ] || return 0
	stream_stop
	slowdev_ctl release
	for name in "${held[@]/#/dma-}" "${held[@]/#/op-}"; do
		await 30000 exit "$(pid_of "$name")" ||
			fail "$name has not ended with the daemon"
		! wait "$(pid_of "$name")" ||
			fail "$name has succeeded without the daemon"
	done
	slowdev_stop
}

# scene_again - after another mount
scene_again() {
	[ "$PROGRAMS_SCENE" = pinned ] || return 0
	scene_on
}

# await_leavers - a process that ends closes its files first, and leaves its
# directory then
await_leavers() {
	local link pid

	for link in /proc/[0-9]*/cwd; do
		case $(readlink "$link" 2>/dev/null) in
		"$DIR"*)
			pid=${link#/proc/}
			await 30000 exit "${pid%/cwd}" ||
				fail "${pid%/cwd} is still there"
			;;
		esac
	done
}

# program COMMAND ARG... - run it; what it says is in $LOG.  It must succeed; on a
# nearly full pool it may fail if it says that space ran out, and $out_of_space is
# that line.
program() {
	local status=0 out reader

	# The reader ends when the last process that the program has left behind
	# does: until then the mount is in use.
	exec {out}> >(exec cat >"$LOG")
	reader=$!
	# In the background set -e holds in it, whoever asks for its status.
	"$@" >&"$out" 2>&1 {out}>&- &
	exec {out}>&-
	wait $! || status=$?
	wait "$reader"
	await_leavers
	[ "$status" != 0 ] || return 0
	out_of_space=$(grep -m 1 -iE "$NO_SPACE" "$LOG") || out_of_space=
	if [ "$PROGRAMS_SCENE" != full ] || [ -z "$out_of_space" ]; then
		tail -n 60 "$LOG" >&2
		fail "status $status of: $*"
	fi
}

# delete_all - it works in a full pool too (S6), and gives the space back
delete_all() {
	local before after

	before=$(free_kib)
	expect rm -rf "$DIR"
	after=$(free_kib)
	[ "$after" -ge "$before" ] || fail "$before KiB free, $after after rm -rf"
	expect rm -rf "$HELD" "$MNT/filler"
	expect_equal '' "$(ls -A "$MNT")" "what is left after rm -rf"
}

# scene_end SUMMARY - release, look at the pool, delete all, look again; then say
# what the program has printed
scene_end() {
	scene_off
	umount_pool
	fsck_clean
	mount_pool "$PROGRAMS_OPTS"
	delete_all
	umount_pool
	fsck_clean
	say_summary "$1"
}

say_summary() {
	local name=${0##*/test_} more=

	[ -n "$1$out_of_space" ] || fail "it has printed nothing to tell"
	[ "$PROGRAMS_SCENE" != pinned ] ||
		more=" [${#held[@]} waits, $streamed DMA, $deferred of its own waited]"
	[ -z "$out_of_space" ] || more=" [no space: ${out_of_space:0:100}]"
	printf 'SUMMARY %s %s %s: %s%s\n' "${name%.sh}" "$PINFS_POOL_KIND" \
		"$PROGRAMS_SCENE" "$(tr -s ' \t\n' ' ' <<<"$1")" "$more"
}
