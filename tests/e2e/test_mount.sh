#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# How a pool is mounted and unmounted: mount(8), fstab, fusermount3, by root and
# by others, read-only; and what is there after SIGTERM and SIGKILL (S2, S3,
# L15).  It has its own view of the mounts, in which /etc/fstab and the programs
# in /sbin are the test's; the machine's stay as they are.
# e2e: asan timeout=90
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scene.sh"

need_root
need unshare setpriv jq

if [ -z "${E2E_NAMESPACE:-}" ]; then
	unshare --mount --propagation private true 2>"$WORK/.out" ||
		skip "cannot have a mount namespace: $(cat "$WORK/.out")"
	E2E_NAMESPACE=yes exec unshare --mount --propagation private \
		bash "$0" "$@"
fi

as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# The directory that mount(8) looks in, with our programs added.  Copies of
# them: others may have no way to the binary directory, as in root's home.
install_programs() {
	local name

	mkdir -m 755 "$WORK/sbin"
	for name in pinfs mkfs.pinfs fsck.pinfs mount.fuse.pinfs pinfsd; do
		expect install -m 755 "$(command -v "$name")" "$WORK/sbin"
	done
	expect mount -t overlay -o "ro,lowerdir=$WORK/sbin:/usr/sbin" \
		overlay /usr/sbin
	[ /sbin/mount.fuse.pinfs -ef /usr/sbin/mount.fuse.pinfs ] ||
		skip "/sbin is not /usr/sbin here"
	PATH=/usr/sbin:$PATH
}

# Some machines keep /dev/fuse to root; here everybody may open it, as usual.
open_dev_fuse() {
	mkdir "$WORK/dev"
	expect mount -t tmpfs -o size=64K,mode=755 tmpfs "$WORK/dev"
	mknod "$WORK/dev/fuse" c "$((0x$(stat -c %t /dev/fuse)))" \
		"$((0x$(stat -c %T /dev/fuse)))"
	chmod 666 "$WORK/dev/fuse"
	expect mount --bind "$WORK/dev/fuse" /dev/fuse
}

# install_fstab LINE...
install_fstab() {
	printf '%s\n' "$@" >"$WORK/fstab"
	mountpoint -q /etc/fstab || expect mount --bind "$WORK/fstab" /etc/fstab
}

is_mounted() {
	awk -v dir="$1" '$2 == dir && $3 == "fuse.pinfs" { n++ }
		END { exit n != 1 }' /proc/self/mounts
}

# the_daemon - the pid of the daemon that serves $MNT
the_daemon() {
	pinfs info --json "$MNT" | jq .daemon_pid
}

# has OPTION - among those of the mount
has() {
	awk -v dir="$MNT" '$2 == dir { print $4 }' /proc/self/mounts |
		tr , '\n' | grep -qx "$1" || fail "not mounted with $1"
}

# after_umount PID - its daemon ends, the pool is clean, nobody has it
after_umount() {
	await 30000 exit "$1" || fail "the daemon has not ended"
	! is_mounted "$MNT" || fail "still mounted"
	expect_equal 'clean null' \
		"$(pinfs info --json "$POOL" | jq -r '"\(.state) \(.claim)"')" \
		"state of the pool"
	fsck_clean
}

# reads_ahead - by 1 MiB, if root may change that here
reads_ahead() {
	local file

	file=/sys/class/bdi/$(mountpoint -d "$MNT")/read_ahead_kb
	if [ -w "$file" ]; then
		expect_equal 1024 "$(<"$file")" "KiB that the kernel reads ahead"
	else
		echo "not tested: $file cannot be written" >&2
	fi
}

# --- ways to mount and unmount -----------------------------------------------

by_mount() {
	local pid

	expect mount -t fuse.pinfs "$POOL" "$MNT" -o dax=always,noatime,threads=3
	is_mounted "$MNT" || fail "mount returned, but it is not mounted"
	has noatime
	expect_equal "$POOL" "$(findmnt -n -o SOURCE "$MNT")" "its source"
	expect_equal always "$(pinfs info --json "$MNT" | jq -r .dax)" dax
	reads_ahead
	echo content >"$MNT/file"
	mknod "$MNT/null" c 1 3
	expect_equal '' "$(cat "$MNT/null")" "a device that root mounted"
	expect_error 'in use|busy' mount -t fuse.pinfs "$POOL" "$WORK/second"
	remounts
	expect_error 'frobnicate' mount -t fuse.pinfs -o frobnicate "$POOL" \
		"$WORK/second"
	pid=$(the_daemon)
	expect umount "$MNT"
	after_umount "$pid"
}

# Read-only and back, with the same daemon.
remounts() {
	local pid

	pid=$(the_daemon)
	expect mount -o remount,ro,dax=never "$MNT"
	grep -q "dax=never.*as it was" "$WORK/.out" ||
		fail "does not say that dax stays: $(cat "$WORK/.out")"
	expect_equal always "$(pinfs info --json "$MNT" | jq -r .dax)" dax
	has ro
	has noatime
	expect_equal content "$(cat "$MNT/file")" "content, remounted read-only"
	expect_error 'Read-only' touch "$MNT/new"
	expect_error 'Read-only' \
		pinfs dma from-device /dev/zero "$MNT/file" --length=4K
	expect_equal "$pid" "$(the_daemon)" "the daemon, remounted"
	expect mount -o remount,rw "$MNT"
	has rw
	echo more >>"$MNT/file"
	exec 8>>"$MNT/file"
	expect_error 'busy|open for writing' mount -o remount,ro "$MNT"
	exec 8>&-
	expect pinfs dma --detach --length 64K --latency 10m from-device \
		/dev/zero "$MNT/dma" --create
	expect_error 'device is writing' mount -o remount,ro "$MNT"
	expect pinfs cancel "$MNT" "$(pinfs pins --json "$MNT" | jq '.[0].id')"
	rm "$MNT/dma"
	echo content >"$MNT/file"
	has rw
}

by_fstab() {
	local pid

	install_fstab "$POOL $MNT fuse.pinfs noauto,nofail,x-test,dax=never 0 0"
	expect mount "$MNT"
	is_mounted "$MNT" || fail "not mounted by fstab"
	expect_equal never "$(pinfs info --json "$MNT" | jq -r .dax)" dax
	expect_equal content "$(cat "$MNT/file")" "what was written before"
	pid=$(the_daemon)
	expect umount "$MNT"
	after_umount "$pid"
}

# Over io_uring or, where that cannot be had, not, and then the log says why.
over_uring() {
	local pid

	expect_error 'from 16 to 4096' \
		pinfsd -f -o io_uring,io_uring_q_depth=15 "$POOL" "$MNT"
	mount_pool io_uring
	await_log ': not over io_uring: .{20}|: over io_uring: of each CPU'
	echo uring >"$MNT/uring"
	umount_pool
	expect mount -t fuse.pinfs -o io_uring,io_uring_q_depth=32 "$POOL" "$MNT"
	is_mounted "$MNT" || fail "not mounted with io_uring"
	expect_equal uring "$(cat "$MNT/uring")" "written over io_uring, or not"
	rm "$MNT/uring"
	pid=$(the_daemon)
	expect umount "$MNT"
	after_umount "$pid"
}

# Two pools at once have nothing to do with each other.
two_pools() {
	local other=$WORK/other pid

	expect mkfs.pinfs -s 32M "$other"
	install_fstab "$POOL $MNT fuse.pinfs noauto 0 0" \
		"$other $WORK/second fuse.pinfs noauto,layout_scope=range 0 0"
	expect mount "$MNT"
	expect mount "$WORK/second"
	echo one >"$MNT/both"
	echo two >"$WORK/second/both"
	expect_equal 'one two' "$(cat "$MNT/both" "$WORK/second/both" | xargs)" \
		"the same name in both"
	expect_error 'cross-device' ln "$MNT/both" "$WORK/second/link"
	expect mv "$MNT/both" "$WORK/second/moved"
	pid=$(the_daemon)
	expect umount "$MNT"
	after_umount "$pid"
	expect_equal one "$(cat "$WORK/second/moved")" "what the other pool has"
	pid=$(pinfs info --json "$WORK/second" | jq .daemon_pid)
	expect umount "$WORK/second"
	await 30000 exit "$pid" || fail "the second daemon has not ended"
	fsck_clean "$other"
}

# umount says so if somebody is in it; the file system goes on.
busy() {
	local pid

	expect mount -t fuse.pinfs "$POOL" "$MNT"
	pid=$(the_daemon)
	exec 8>"$MNT/open"
	expect_error 'busy' umount "$MNT"
	echo goes on >&8
	exec 8>&-
	expect_equal 'goes on' "$(cat "$MNT/open")" "after a refused umount"
	# Lazily: who has a file open can go on, and then it ends cleanly.
	exec 8>"$MNT/open"
	expect fusermount3 -u -z "$MNT"
	echo still >&8
	exec 8>&-
	after_umount "$pid"
}

# A user with a pool of his own.
unprivileged() {
	local own=$WORK/own pid POOL MNT

	mkdir "$own" "$own/mnt"
	POOL=$own/pool
	MNT=$own/mnt
	chown -R 65534:65534 "$own"
	expect as_nobody mkfs.pinfs -s 32M "$POOL"
	install_fstab "$POOL $MNT fuse.pinfs noauto,user 0 0"
	for how in pinfsd helper fstab; do
		case $how in
		pinfsd) expect as_nobody pinfsd "$POOL" "$MNT" ;;
		helper) expect as_nobody mount.fuse.pinfs "$POOL" "$MNT" ;;
		fstab) expect as_nobody mount "$MNT" ;;
		esac
		is_mounted "$MNT" || fail "$how: not mounted"
		has nosuid
		has nodev
		pid=$(as_nobody pinfs info --json "$MNT" | jq .daemon_pid)
		expect_equal 65534 "$(stat -c %u "/proc/$pid")" \
			"$how: who the daemon runs as"
		expect as_nobody sh -c "echo $how >>'$MNT/file'"
		expect_equal 65534 "$(as_nobody stat -c %u "$MNT/file")" \
			"$how: whose the file is"
		expect as_nobody pinfs pins "$MNT"
		expect_error 'Permission denied' ls "$MNT/file"
		expect as_nobody fusermount3 -u "$MNT"
		after_umount "$pid"
	done
	expect_error 'allow_other' \
		as_nobody pinfsd -f -o allow_other "$POOL" "$MNT"
	chown 0 "$POOL"
	expect_error 'Permission denied' as_nobody pinfsd -f "$POOL" "$MNT"
}

read_only() {
	local before pid

	before=$(cksum <"$POOL")
	expect mount -t fuse.pinfs -r "$POOL" "$MNT"
	has ro
	pid=$(the_daemon)
	expect_equal content "$(cat "$MNT/file")" "content, read-only"
	expect_error 'Read-only' touch "$MNT/new"
	expect_error 'Read-only' rm "$MNT/file"
	expect_error 'Read-only' truncate -s 0 "$MNT/file"
	expect_error 'Read-only' \
		pinfs dma from-device /dev/zero "$MNT/file" --length=4K
	expect umount "$MNT"
	after_umount "$pid"
	expect_equal "$before" "$(cksum <"$POOL")" "the pool's bytes"
}

# --- how it ends -------------------------------------------------------------

# SIGTERM unmounts, also while it is used.
terminated() {
	mount_pool
	echo before >"$MNT/term"
	kill -TERM "$(daemon_pid)"
	wait_daemon
	! is_mounted "$MNT" || fail "mounted after SIGTERM"
	expect_equal clean "$(pinfs info --json "$POOL" | jq -r .state)" state
	fsck_clean
	mount_pool
	expect_equal before "$(cat "$MNT/term")" "what was written before SIGTERM"
	umount_pool
}

# The first SIGTERM waits for DMA, the second cancels it.
terminated_twice() {
	local pid

	mount_pool
	pid=$(daemon_pid)
	: >"$MNT/twice"
	expect pinfs dma --detach --length 64K --latency 10m from-device \
		/dev/zero "$MNT/twice"
	kill -TERM "$pid"
	await_log 'stays in use until 1 DMA'
	expect_error 'in use by' mkfs.pinfs -f "$POOL"
	! await 0 exit "$pid" 2>/dev/null || fail "ended under the DMA"
	kill -TERM "$pid"
	wait_daemon
	fsck_clean
}

# store_and_sync FILE - through a mapping, which its holder keeps
store_and_sync() {
	truncate -s 64K "$1"
	hold mapped -m "$1"
	holder_does mapped poke 0 4096 a
	holder_does mapped fsync
	holder_does mapped poke 61440 4096 b
	holder_does mapped fsync
}

# rounds - of the journal's checkpointer so far
rounds() {
	pinfs stats --json "$MNT" | jq .checkpoints
}

# Each fsync has the journal sealed where that takes one (S2).  A round is counted
# before the next one begins, but not before the fsync that it was for returns.
seals() {
	local before between

	[ "$PINFS_POOL_KIND" = disk ] || return 0
	before=$(rounds)
	expect sync "$MNT/kill/renamed"
	expect sync "$MNT/kill/renamed"
	between=$(rounds)
	expect sync "$MNT/kill/renamed"
	expect sync "$MNT/kill/renamed"
	[ "$between" -gt "$before" ] && [ "$(rounds)" -gt "$between" ] ||
		fail "fsync does not seal: $before, $between, $(rounds) rounds"
}

# What a returned operation did survives the daemon's death, synced or not.
killed() {
	local i free dead='not connected'

	# Over io_uring the kernel takes the rings down a moment later.
	case ,${PINFS_OPTIONS:-}, in
	*,io_uring,*) dead+='|connection abort|canceled' ;;
	esac

	mount_pool
	mkdir "$MNT/kill"
	free=$(stat -f -c %f "$MNT")
	pattern 3M >"$MNT/kill/data"
	for i in $(seq 100); do
		echo "$i" >"$MNT/kill/$i"
	done
	mv "$MNT/kill/1" "$MNT/kill/renamed"
	rm "$MNT/kill/2"
	truncate -s 1M "$MNT/kill/data"
	ln "$MNT/kill/3" "$MNT/kill/link"
	# Open and unlinked: its blocks are to be freed by the next mount.
	exec 8>"$MNT/kill/orphan"
	pattern 2M >&8
	rm "$MNT/kill/orphan"
	seals
	store_and_sync "$MNT/kill/mapped"
	kill -KILL "$(daemon_pid)"
	wait_daemon 137
	say_goodbye mapped
	wait "${holder_pid[mapped]}" || true
	exec 8>&-
	expect_error "$dead" ls "$MNT"
	# Without a word of explanation it would be the most asked question.
	expect_error 'fusermount3 -u' pinfsd -f "$POOL" "$MNT"
	expect fusermount3 -u "$MNT"
	expect_equal unclean "$(pinfs info --json "$POOL" | jq -r .state)" state
	fsck_clean
	mount_pool
	pattern 1M | cmp - "$MNT/kill/data" >&2 || fail "data after SIGKILL"
	for i in $(seq 4 100); do
		expect_equal "$i" "$(cat "$MNT/kill/$i")" "file $i after SIGKILL"
	done
	expect_equal '1 3' "$(cat "$MNT/kill/renamed" "$MNT/kill/link" | xargs)" \
		"renamed and linked"
	expect_equal 'a b' "$(tr -s '\0ab' ' ab' <"$MNT/kill/mapped")" \
		"mapped and synced"
	rm "$MNT/kill/mapped"
	expect_equal 101 "$(find "$MNT/kill" -mindepth 1 -printf x | wc -c)" \
		"names after SIGKILL"
	# What is there takes some 360 blocks, what was unlinked took 512.
	free=$((free - $(stat -f -c %f "$MNT")))
	[ "$free" -lt 600 ] || fail "$free blocks are in use after SIGKILL"
	umount_pool
	fsck_clean
}

# own_dev - a /dev in which the system's log is the test's
own_dev() {
	local dev=$WORK/devices name

	mkdir "$dev"
	expect mount -t tmpfs -o size=64K,mode=755 tmpfs "$dev"
	for name in null zero random urandom fuse; do
		mknod -m 666 "$dev/$name" c "$((0x$(stat -c %t "/dev/$name")))" \
			"$((0x$(stat -c %T "/dev/$name")))"
	done
	mkdir "$dev/shm"
	expect mount --bind /dev/shm "$dev/shm"
	expect mount --rbind "$dev" /dev
}

# A daemon in the background that dies cannot say so; the log has it all the same.
killed_in_background() {
	local line log pid

	own_dev
	mkfifo "$WORK/log"
	sock log /dev/log >"$WORK/log" &
	log=$!
	exec 7<"$WORK/log"
	read -r line <&7
	expect mount -t fuse.pinfs "$POOL" "$MNT"
	pid=$(the_daemon)
	echo there >"$MNT/before"
	kill -KILL "$pid"
	while read -r line <&7; do
		[[ $line != *"process $pid, was ended by signal 9"* ]] || break
	done
	[[ $line == *"fusermount3 -u $MNT"* ]] || fail "does not say what to do"
	expect_error 'not connected' ls "$MNT"
	expect umount "$MNT"
	expect mount -t fuse.pinfs "$POOL" "$MNT"
	expect_equal there "$(cat "$MNT/before")" "what the killed one had written"
	pid=$(the_daemon)
	expect umount "$MNT"
	after_umount "$pid"
	kill "$log"
	exec 7<&-
	expect umount -l /dev
}

# Killed in the midst of things, several times: each mount recovers by itself.
killed_while_busy() {
	local round last

	for round in 1 2 3; do
		mount_pool
		mkdir "$MNT/busy$round"
		rm -f "$WORK/done"
		mkfifo "$WORK/done"
		bash -c 'for ((i = 0; ; i++)); do
			echo "$i" >"$1/$i" && mv "$1/$i" "$1/done$i" &&
			echo "$i" || exit 0
			done' - "$MNT/busy$round" >"$WORK/done" \
			2>"$WORK/busy.log" &
		last=
		while read -r i; do
			last=$i
			[ "$i" != 200 ] || kill -KILL "$(daemon_pid)"
		done <"$WORK/done"
		wait $! || true
		wait_daemon 137
		expect fusermount3 -u -z "$MNT"
		fsck_clean
		mount_pool
		for ((i = 0; i <= last; i++)); do
			expect_equal "$i" "$(<"$MNT/busy$round/done$i")" \
				"file $i of $last, round $round"
		done
		umount_pool
		fsck_clean
	done
}

mkdir "$MNT" "$WORK/second"
pool_new 64M
install_programs
open_dev_fuse
by_mount
by_fstab
over_uring
two_pools
busy
unprivileged
read_only
terminated
terminated_twice
killed
killed_in_background
killed_while_busy
