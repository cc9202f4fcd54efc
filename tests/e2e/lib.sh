# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# The harness of the end-to-end tests: each tests/e2e/test_*.sh sources it as
# its first act.  docs/TESTING.md shows how a test looks.
#
# The script that is started only supervises: it makes the work directory,
# runs itself once more within it, and when that run has ended, however it
# did, ends every process and mount that stems from it.  Processes are told
# by E2E_WORK in their environment, so nothing else can be hit.
#
# Given to a test:
#   WORK       its own directory: in /dev/shm or on a disk, as the pool
#   POOL, MNT  where pool_new and mount_pool work; set others for a second pool
#   SLOW       where slowdev_start mounts; SLOWDEV is its device
#   PATH       begins with the binary directory

set -eEu -o pipefail
export LC_ALL=C

: "${PINFS_BUILD:?the binary directory, such as build/release}"
: "${PINFS_POOL_KIND:=shm}"
: "${E2E_TIMEOUT:=60}"
# Others than root need not have the directories of such tools as xfs_io.
PATH=$(cd "$PINFS_BUILD" && pwd):$PATH:/usr/sbin:/sbin
export PATH

# --- supervisor --------------------------------------------------------------

e2e_say() {
	printf '%s\n' "$*" >&2
}

e2e_is_memory() {
	case $(stat -f -c %T "$1") in tmpfs | ramfs) return 0 ;; esac
	return 1
}

# The directory that work directories are made in.
e2e_base() {
	local dir

	if [ "$PINFS_POOL_KIND" = shm ]; then
		echo /dev/shm
		return
	fi
	for dir in "${TMPDIR:-/tmp}" /var/tmp "$PINFS_BUILD"; do
		if [ -w "$dir" ] && ! e2e_is_memory "$dir"; then
			echo "$dir"
			return
		fi
	done
	e2e_say "SKIP: no writable directory on a disk; set TMPDIR to one"
	exit 77
}

# The live processes of a run, slow devices first: with them gone, I/O that
# hangs comes to its end, and so do those that wait for it.
e2e_processes() {
	local env pid first='' rest=''

	for env in /proc/[0-9]*/environ; do
		if grep -qzxF "E2E_WORK=$1" "$env" 2>/dev/null; then
			pid=${env#/proc/}
			pid=${pid%/environ}
			if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = slowdev ]
			then
				first+=" $pid"
			else
				rest+=" $pid"
			fi
		fi
	done
	echo "$first $rest"
}

e2e_unmount_below() {
	local target

	# The list is in order of mounting; what came last goes first.
	cut -d ' ' -f 5 /proc/self/mountinfo | tac | while read -r target; do
		case $target in
		"$1"/*)
			umount -l "$target" 2>/dev/null ||
				fusermount3 -u -z "$target" || true
			;;
		esac
	done
}

e2e_cleanup() {
	local work=$1 pid pids

	pids=$(e2e_processes "$work")
	for pid in $pids; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	e2e_unmount_below "$work"
	for pid in $pids; do
		await 10000 exit "$pid" || true
	done
	if [ -e "$work/.at_exit" ]; then
		tac "$work/.at_exit" | bash || true
	fi
	if [ -n "${E2E_KEEP:-}" ]; then
		e2e_say "kept: $work"
	else
		rm -rf --one-file-system "$work"
	fi
}

e2e_show_logs() {
	local log

	for log in "$1"/*.log; do
		if [ -s "$log" ]; then
			e2e_say "--- ${log##*/}, its last lines:"
			tail -n 40 "$log" >&2
		fi
	done
}

# Take a run's exit status apart, and look at what a passed one has left.
e2e_judge() {
	local work=$1 status=$2

	if [ "$status" = 124 ] || [ "$status" = 137 ]; then
		e2e_say "FAIL: not done within $E2E_TIMEOUT s"
	elif [ "$status" = 0 ] && grep -q " $work/.* fuse.pinfs " \
		/proc/self/mountinfo; then
		e2e_say "FAIL: a pool was left mounted, so its daemon's end" \
			"was not seen: end with umount_pool"
		status=1
	fi
	case $status in
	0 | 77) ;;
	*) e2e_show_logs "$work" ;;
	esac
	return "$status"
}

e2e_supervise() {
	local work pid status=0

	set +e
	work=$(mktemp -d "$(e2e_base)/pinfs-e2e.XXXXXX") || exit
	chmod 755 "$work"
	# Its own group of processes: at the limit all of them get the signal.
	E2E_WORK=$work timeout -k 10 "$E2E_TIMEOUT" bash "$0" "$@" &
	pid=$!
	trap 'kill -TERM "$pid"' INT TERM HUP
	wait "$pid"
	status=$?
	# A signal ends wait early; what it was passed on to ends soon after.
	# From here on nothing may keep the cleanup from being done, a reader
	# of the messages that has gone away included.
	trap '' INT TERM HUP PIPE
	if kill -0 "$pid" 2>/dev/null; then
		wait "$pid"
		status=$?
	fi
	e2e_judge "$work" "$status"
	status=$?
	e2e_cleanup "$work"
	exit "$status"
}

if [ -z "${E2E_WORK:-}" ]; then
	e2e_supervise "$@"
fi

# --- the test's side: results ------------------------------------------------

WORK=$E2E_WORK
POOL=$WORK/pool
MNT=$WORK/mnt
SLOW=$WORK/slow
SLOWDEV=$SLOW/dev

# How long something may take that should be prompt, or come right after
# something else; generous, as the machine may be busy.
E2E_SLACK_MS=2000
if [ -n "${PINFS_SANITIZE:-}" ]; then
	E2E_SLACK_MS=8000
fi
# What is found out about the end of a process is late by at most that.
E2E_LATE_MS=100

# The line of the test that the caller stems from.
e2e_line() {
	local i

	for ((i = 1; i < ${#BASH_SOURCE[@]}; i++)); do
		if [ "${BASH_SOURCE[i]}" = "$0" ]; then
			echo "${BASH_LINENO[i - 1]}"
			return
		fi
	done
	echo '?'
}

# fail MSG - end the test as failed
fail() {
	e2e_say "FAIL: ${0##*/}:$(e2e_line): $*"
	trap - ERR
	exit 1
}

trap 'fail "status $? of: $BASH_COMMAND"' ERR
trap 'exit 143' TERM

# skip REASON - end the test as skipped
skip() {
	e2e_say "SKIP: $*"
	exit 77
}

# need COMMAND... - skip unless they are there
need() {
	local name

	for name; do
		command -v "$name" >/dev/null ||
			skip "$name is not installed"
	done
}

# need_root - skip unless run by root
need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

# at_exit COMMAND ARG... - have it run when the test is over, the last first
at_exit() {
	printf '%q ' "$@" >>"$WORK/.at_exit"
	echo >>"$WORK/.at_exit"
}

# expect COMMAND ARG... - it must succeed; shows what it said if not
expect() {
	expect_status 0 "$@"
}

# expect_status N COMMAND ARG... - it must exit with N
expect_status() {
	local want=$1 status=0

	shift
	"$@" >"$WORK/.out" 2>&1 || status=$?
	if [ "$status" != "$want" ]; then
		cat "$WORK/.out" >&2
		fail "status $status, not $want, of: $*"
	fi
}

# expect_error PATTERN COMMAND ARG... - it must fail and say PATTERN (grep -E)
expect_error() {
	local pattern=$1 status=0

	shift
	"$@" >"$WORK/.out" 2>&1 || status=$?
	if [ "$status" = 0 ]; then
		fail "succeeded, but should say '$pattern': $*"
	fi
	if ! grep -qE -e "$pattern" "$WORK/.out"; then
		cat "$WORK/.out" >&2
		fail "does not say '$pattern': $*"
	fi
}

# expect_equal WANT GOT WHAT
expect_equal() {
	[ "$1" = "$2" ] || fail "$3: want '$1', got '$2'"
}

# expect_same FILE FILE - the same bytes
expect_same() {
	cmp "$1" "$2" >&2 || fail "$1 and $2 differ"
}

# --- time --------------------------------------------------------------------

# now_ms - milliseconds of the realtime clock
now_ms() {
	local us=${EPOCHREALTIME/./}

	echo $((us / 1000))
}

# assert_waited START END DMA_END - an operation waited for a DMA, no longer
#
# DMA_END is `slowdev_stat last_answer_ms`, which is exact, or `ended NAME`
# of the process that did the DMA.
assert_waited() {
	local start=$1 end=$2 dma_end=$3

	[ "$start" -lt "$dma_end" ] ||
		fail "begun $((start - dma_end)) ms after the DMA's end," \
			"so that nothing is shown"
	[ "$end" -ge $((dma_end - E2E_LATE_MS)) ] ||
		fail "did not wait: over $((dma_end - end)) ms before the DMA"
	[ "$end" -le $((dma_end + E2E_SLACK_MS)) ] ||
		fail "over only $((end - dma_end)) ms after the DMA"
}

# assert_prompt START END - an operation did not wait for anything
assert_prompt() {
	[ $(($2 - $1)) -le "$E2E_SLACK_MS" ] ||
		fail "took $(($2 - $1)) ms"
}

# --- processes in the background ---------------------------------------------

declare -A e2e_pid e2e_watch e2e_start

# run_bg NAME COMMAND ARG... - start it; what it says goes to $WORK/NAME.log
run_bg() {
	local name=$1

	shift
	: >"$WORK/$name.log" # so that it can be watched at once
	e2e_start[$name]=$(now_ms)
	"$@" >"$WORK/$name.log" 2>&1 &
	e2e_pid[$name]=$!
	{
		await $((E2E_TIMEOUT * 1000)) exit "${e2e_pid[$name]}"
		now_ms >"$WORK/.$name.end"
	} &
	e2e_watch[$name]=$!
}

# pid_of NAME, started NAME, ended NAME (after wait_bg) - milliseconds
pid_of() {
	echo "${e2e_pid[$1]}"
}

started() {
	echo "${e2e_start[$1]}"
}

ended() {
	cat "$WORK/.$1.end"
}

# is_running NAME - has it not ended?
is_running() {
	! await 0 exit "${e2e_pid[$1]}" 2>/dev/null
}

# wait_bg NAME [STATUS] - wait for its end; it must exit with STATUS, or 0
wait_bg() {
	local name=$1 want=${2:-0} status=0

	wait "${e2e_pid[$name]}" || status=$?
	wait "${e2e_watch[$name]}"
	[ "$status" = "$want" ] ||
		fail "$name: status $status, not $want"
}

# --- pools -------------------------------------------------------------------

declare -A e2e_daemon
e2e_mounts=0

# pool_new SIZE [ARG...] - make $POOL, with these arguments for mkfs.pinfs
pool_new() {
	local size=$1

	shift
	expect mkfs.pinfs -f -s "$size" "$@" "$POOL"
}

# daemon_log - of the daemon started last
daemon_log() {
	echo "$WORK/pinfsd.$e2e_mounts.log"
}

# daemon_start [OPT,...] - for $POOL on $MNT; fails if it ends before it is live
#
# With the options in PINFS_OPTIONS, too, such as a transport that all is run over.
daemon_start() {
	local opts=${1:-}

	[ -z "${PINFS_OPTIONS:-}" ] || opts+=${opts:+,}$PINFS_OPTIONS

	e2e_mounts=$((e2e_mounts + 1))
	mkdir -p "$MNT"
	pinfsd -f ${opts:+-o "$opts"} "$POOL" "$MNT" >"$(daemon_log)" 2>&1 &
	e2e_daemon[$MNT]=$!
	await 30000 mount "$MNT" "${e2e_daemon[$MNT]}"
}

# mount_pool [OPT,...] - mount $POOL on $MNT; it is live on return
mount_pool() {
	daemon_start "$@" || fail "pinfsd has not mounted $POOL"
}

# mount_when_free [OPT,...] - one that is still refused says so; there is nothing
# else to wait on when a ring drains after its process is gone
mount_when_free() {
	until daemon_start "$@" 2>/dev/null; do
		wait "${e2e_daemon[$MNT]}" || true
		grep -q 'in use by' "$(daemon_log)" ||
			fail "cannot mount: $(cat "$(daemon_log)")"
	done
}

# daemon_pid - of the daemon that serves $MNT
daemon_pid() {
	echo "${e2e_daemon[$MNT]}"
}

# umount_pool - unmount $MNT and see its daemon end well
#
# The kernel takes down the rings of a process some time after its end, and they
# hold the files that they had registered; it tells nobody when.  So this is the
# one place where "busy" is asked again.
umount_pool() {
	local tries=$((E2E_SLACK_MS / 100))

	until fusermount3 -u "$MNT" 2>"$WORK/.out"; do
		if ! grep -q busy "$WORK/.out" || [ $((tries--)) = 0 ]; then
			cat "$WORK/.out" >&2
			fail "cannot unmount $MNT"
		fi
		sleep 0.1
	done
	wait_daemon
}

# wait_daemon [STATUS] - the daemon of $MNT is about to end; see it do so
wait_daemon() {
	local pid=${e2e_daemon[$MNT]} want=${1:-0} status=0

	await 30000 exit "$pid" || fail "pinfsd has not ended"
	wait "$pid" || status=$?
	unset "e2e_daemon[$MNT]"
	[ "$status" = "$want" ] || fail "pinfsd: status $status, not $want"
}

# kill_daemon - what a crash does: SIGKILL, and the dead mount goes
kill_daemon() {
	kill -KILL "$(daemon_pid)"
	wait_daemon 137
	expect fusermount3 -u -z "$MNT"
}

# fsck_clean [POOL] - fsck.pinfs -n must have nothing to say
fsck_clean() {
	expect fsck.pinfs -n "${1:-$POOL}"
}

# --- the slow device ---------------------------------------------------------

declare -A e2e_slowdev

# slowdev_start ARG... - serve $SLOW/dev, see slowdev --help
slowdev_start() {
	mkdir -p "$SLOW"
	slowdev -f "$@" "$SLOW" >"$WORK/slowdev.log" 2>&1 &
	e2e_slowdev[$SLOW]=$!
	await 30000 mount "$SLOW" "${e2e_slowdev[$SLOW]}" ||
		fail "slowdev has not mounted"
}

# slowdev_ctl COMMAND... - tell it; "await NAME N" returns when it is so
slowdev_ctl() {
	# An awaited counter is read from the descriptor that asked for it.  Of a
	# device that is gone no file is made.
	# shellcheck disable=SC2016
	timeout 30 bash -c 'exec 4<"$2" 3<>/proc/self/fd/4 && printf "%s\n" "$1" >&3 &&
		{ [ "${1%% *}" != await ] || grep -q . <&3; }' \
		- "$*" "$SLOW/ctl" || fail "slowdev: $*"
}

# slowdev_stat NAME - one value of its state
slowdev_stat() {
	sed -n "s/^$1 //p" "$SLOW/ctl"
}

# slowdev_stop - end it; what it holds fails with EIO
slowdev_stop() {
	local pid=${e2e_slowdev[$SLOW]} status=0

	kill -TERM "$pid"
	wait "$pid" || status=$?
	unset "e2e_slowdev[$SLOW]"
	[ "$status" = 0 ] || fail "slowdev: status $status"
}

# pattern SIZE [OFFSET] - what an unwritten slow device holds there
pattern() {
	slowdev --pattern --size "$1" --offset "${2:-0}"
}

# --- preconditions -----------------------------------------------------------

[ -c /dev/fuse ] || skip "no /dev/fuse: load the kernel's fuse module"
if [ "$(id -u)" != 0 ] && ! command -v fusermount3 >/dev/null; then
	skip "fusermount3 is not installed, and only root mounts without it"
fi
