#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The daemon is killed under load, at random points, with pins held and breaks
# waiting: the next mount recovers by itself (S3), all that had returned is there
# (S2), what had not is there as a whole or not at all (S1), nobody sees another
# file's bytes (S4), and while DMA of the dead daemon is in flight nobody gets the
# pool (L12).  KILL_ROUNDS=200 KILL_SEED=7 for more, or for the same again.
# e2e: timeout=120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scene.sh"
. "$(dirname "$0")/client.sh"

: "${KILL_ROUNDS:=10}"
: "${KILL_SEED:=$((10#${EPOCHREALTIME##*.}))}"
RANDOM=$KILL_SEED
WORKERS=4

# --- the load -------------------------------------------------------------------

# load_start - see survive.c; it outlives the mounts
load_start() {
	mkfifo "$WORK/load.in" "$WORK/load.out"
	run_bg load bash -c 'exec survive "$@" <"$0/load.in" >"$0/load.out"' \
		"$WORK" "$MNT" "$WORKERS" "$KILL_SEED"
	exec {load_in}>"$WORK/load.in" {load_out}<"$WORK/load.out"
}

# load_says WORD - its answer; the number in it goes to $said
load_says() {
	local got

	read -r -t 60 -u "$load_out" got || fail "$1: the load has failed"
	[ "${got%% *}" = "$1" ] || fail "the load says '$got', not '$1'"
	said=${got#* }
}

load_check() {
	echo check >&"$load_in"
	load_says ok
}

# --- what is held, and waits, when it comes -----------------------------------------

# Pins of the workers' own files, for a moment each, again and again: what
# truncates or punches them has to wait.  Until the daemon is gone.
read_by_dma() {
	local file

	while mountpoint -q "$MNT"; do
		for file in "$MNT"/w*/n*; do
			[ ! -f "$file" ] || [ ! -s "$file" ] || pinfs dma \
				--latency 20ms --jitter 40ms --engine "$1" \
				to-device "$file" /dev/null || true
		done
		ls "$MNT" >"$WORK/.names" || return 0
	done
}

# hold_dma ENGINE - one that hangs, into a file that is then unlinked; one that
# takes its time, and a truncate that waits for each
hold_dma() {
	file_of "$MNT/gone" 1M
	file_of "$MNT/stays" 1M
	hung gone_dma --engine "$1" --depth 1 --length 1M from-device "$SLOWDEV" \
		"$MNT/gone"
	hung stays_dma --engine "$1" --length 512K from-device "$SLOWDEV" \
		"$MNT/stays"
	start_op waits truncate "$MNT/stays" 4K
	await_break waits
	now_op 0 unlink "$MNT/gone"
}

# client_hold - a set of a client's own, and a truncate behind it
client_hold() {
	file_of "$MNT/client" 1M
	client_start c "$MNT/client"
	ask c ok begin 0 to
	ask c ok extend 0 0 256K
	start_op behind truncate "$MNT/client" 0
	await_break behind
}

# --- what has to be so then ------------------------------------------------------------

# refused - nobody gets the pool, and it is said who has it (L12)
refused() {
	expect_error "in use by" timeout 20 pinfsd -f "$POOL" "$MNT"
	refusals=$((refusals + 1))
}

# has_either FILE SIZE - every block is the file's own, or the device's
has_either() {
	local i size

	size=$(stat -c %s "$1")
	for ((i = 0; i < size; i += 4096)); do
		part "$1" "$i" 4K >"$WORK/.block"
		pattern 4K $((i + 1073741824)) | cmp -s - "$WORK/.block" ||
			pattern 4K "$i" | cmp -s - "$WORK/.block" ||
			fail "$1: block at $i is neither the file's nor the device's"
	done
}

# kill_now - by pid; the dead mount goes at once, the process perhaps later:
# the AIO engine keeps it until its DMA has landed
kill_now() {
	dead=$(daemon_pid)
	disown "$dead" # bash would say that it was killed
	kill -KILL "$dead"
	expect fusermount3 -u -z "$MNT"
	unset "e2e_daemon[$MNT]"
	kills=$((kills + 1))
}

# --- rounds ----------------------------------------------------------------------------

# one_round N - what is held goes by N, the moment by chance
one_round() {
	local engine=io_uring ms=$((RANDOM % 400))

	[ $(($1 % 2)) = 0 ] || engine=aio
	what="round $1 of seed $KILL_SEED: killed after $ms ms"
	echo run >&"$load_in"
	run_bg reader read_by_dma "$engine"
	case $(($1 % 3)) in
	1)
		hold_dma "$engine"
		what+=", DMA hangs ($engine)"
		;;
	2)
		client_hold
		what+=", a client holds pins"
		;;
	esac
	# Not to wait for something: this is the point of time drawn.
	sleep "0.$(printf %03d "$ms")"
	kill_now
	case $(($1 % 3)) in
	1)
		refused
		slowdev_ctl release
		wait_bg gone_dma 1
		wait_bg stays_dma 1
		wait_bg waits 1
		;;
	2)
		# Its mapping of the pool may be in use by I/O of its own.
		refused
		client_end c
		wait_bg behind 1
		;;
	esac
	wait_bg reader
	# With AIO the connection is not gone before the DMA has landed.
	load_says stopped
	e2e_say "$what, after $((said - operations)) operations"
	operations=$said
	await 30000 exit "$dead" || fail "the killed daemon has not ended"
	recovers "$1"
}

# recovers N - the pool is sound as it is, after recovery, and after an unmount
recovers() {
	if [ $(($1 % 2)) = 0 ]; then
		fsck_when_free
		mount_when_free "$SCENE_OPTS"
	else
		mount_when_free "$SCENE_OPTS" # right after the kill
	fi
	load_check
	case $(($1 % 3)) in
	1)
		[ ! -e "$MNT/gone" ] || fail "$what: the unlinked file is back"
		has_either "$MNT/stays"
		;;
	2)
		expect_same "$MNT/client" \
			<(pattern "$(stat -c %s "$MNT/client")" 1G)
		;;
	esac
	nothing_held
	umount_pool
	fsck_clean
	mount_pool $SCENE_OPTS
	load_check
}

# fsck_when_free - the same for fsck.pinfs
fsck_when_free() {
	until fsck.pinfs -n "$POOL" >"$WORK/.out" 2>&1; do
		grep -q 'in use by' "$WORK/.out" || {
			cat "$WORK/.out" >&2
			fail "$what: fsck has something to say"
		}
	done
}

kills=0 refusals=0 operations=0
e2e_say "seed $KILL_SEED"
pool_new 64M
mount_pool $SCENE_OPTS
slowdev_start --size 8M
load_start
for ((round = 0; round < KILL_ROUNDS; round++)); do
	one_round "$round"
done
echo quit >&"$load_in"
wait_bg load
umount_pool
fsck_clean
e2e_say "$kills kills, $operations operations returned before them," \
	"$refusals times the pool was still in use"
