#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Clients with I/O of their own, through libpinfs: what they pin, who waits for
# it, and what is left of it when the client, the daemon or the mount goes.
# e2e: asan timeout=120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scene.sh"
. "$(dirname "$0")/client.sh"

# client_kill NAME - with SIGKILL, whatever it has under way
client_kill() {
	kill -KILL "$(pid_of "$1")"
	wait_bg "$1" 137
	close_fifos "$1"
}

# mine - the client's sets among those of the mount
mine() {
	json "[.[] | select(.engine == \"client\")] | length" \
		pinfs pins --json "$MNT"
}

# umount_later - what a ring has held is let go some time after its end
umount_later() {
	expect fusermount3 -u -z "$MNT"
	wait_daemon
}

# --- what is pinned ------------------------------------------------------------------

# The extents are those of the map, whatever their number, holes left out.
extents_are_the_maps() {
	local i

	file_of "$MNT/e" 4M
	for ((i = 0; i < 300; i++)); do
		fallocate -p -o $((i * 12288)) -l 4096 "$MNT/e"
	done
	client_start c "$MNT/e"
	ask c ok begin 0 to
	ask c ok extend 0 0 4M
	ask c ok extents 0
	tr ' ' '\n' <<<"$said" >"$WORK/got"
	json '.[] | "\(.logical):\(.physical):\(.length)"' \
		pinfs map --json "$MNT/e" >"$WORK/want"
	expect_same "$WORK/want" "$WORK/got"
	[ "$(wc -l <"$WORK/want")" -ge 300 ] || fail "too few extents"
	expect_json 'all(.pinned_blocks * 4096 == .length)' \
		pinfs map --json "$MNT/e"
	expect_json "length == 1 and .[0].engine == \"client\" and
		.[0].direction == \"to-device\" and .[0].name == \"/e\" and
		.[0].pid == $(pid_of c) and .[0].comm == \"client\"" \
		pinfs pins --json "$MNT/e"
	# What a device reads, its holes too, is the file.
	ask c ok save 0 "$WORK/got"
	expect_same "$MNT/e" "$WORK/got"
	ask c ok end 0 all
	ask c ok begin 0 to
	ask c ok extend 0 5000 9000
	ask c ok save 0 "$WORK/got"
	part "$MNT/e" 5000 9000 | cmp - "$WORK/got" || fail "odd range"
	ask c -ENXIO extend 0 4M 1
	ask c ok end 0 all
	client_end c
	nothing_held
}

# Filled in place, read back as a file; a part, behind the end, in a hole.
fills_in_place() {
	: >"$MNT/f"
	client_start c "$MNT/f"
	ask c ok begin 0 from
	ask c ok extend 0 4K 64K
	ask c ok fill 0 0x41
	expect_equal 0 "$(stat -c %s "$MNT/f")" "size before the end"
	ask c ok end 0 all
	expect_equal 69632 "$(stat -c %s "$MNT/f")" "size"
	ask c ok begin 0 from
	ask c ok extend 0 100K 8K
	ask c ok fill 0 0x42
	ask c ok end 0 105000
	client_end c
	{
		head -c 4K /dev/zero
		head -c 64K /dev/zero | tr '\0' A
		head -c $((100 * 1024 - 69632)) /dev/zero
		head -c $((105000 - 100 * 1024)) /dev/zero | tr '\0' B
	} >"$WORK/filled"
	expect_same "$WORK/filled" "$MNT/f"
	truncate -s 110K "$MNT/f"
	truncate -s 110K "$WORK/filled"
	expect_same "$WORK/filled" "$MNT/f"
}

# C1, C2: with a program that has the file mapped, and in the page cache.
is_coherent() {
	file_of "$MNT/m" 64K
	hold h -m "$MNT/m"
	client_start c "$MNT/m"
	holder_does h poke 4096 4096 x
	ask c ok begin 0 to
	ask c ok extend 0 4K 4K
	ask c ok save 0 "$WORK/got"
	head -c 4K /dev/zero | tr '\0' x | cmp - "$WORK/got" || fail "C1"
	ask c ok end 0 all
	ask c ok begin 0 from
	ask c ok extend 0 4K 4K
	cat "$MNT/m" >"$WORK/m" # while it is pinned
	ask c ok fill 0 0x79
	ask c ok end 0 all
	holder_does h mem 4096 4096 "$WORK/got"
	head -c 4K /dev/zero | tr '\0' y | cmp - "$WORK/got" || fail "C2, mapped"
	part "$MNT/m" 4096 4096 | cmp - "$WORK/got" || fail "C2"
	cannot_deadlock
	say_goodbye h
	client_end c
}

# L5: the kernel keeps a page that was stored to while a truncate waits, and
# the truncate waits for a set that waits for the page: an error, in time.
cannot_deadlock() {
	: >"$MNT/n"
	ask c ok begin 0 to
	ask c ok extend 0 0 4K
	ask c ok begin-on 1 from "$MNT/n" w
	ask c ok extend-of 1 0 4K "$MNT/n" w
	holder_does h poke 4096 4096 z
	start_op cut truncate "$MNT/m" 100
	await_break cut
	now_op 0 open "$MNT/m" # which does not wait for the page, either (L6)
	ask c -EDEADLK extend 1 4K 4K
	ask c ok extend-of 1 8K 4K "$MNT/n" w
	ask c ok end 1 all
	ask c ok end 0 all
	wait_op cut
}

# --- who waits -----------------------------------------------------------------------

truncate_waits_for_the_end() {
	file_of "$MNT/t" 64K
	client_start c "$MNT/t"
	ask c ok begin 0 from
	ask c ok extend 0 0 4K
	start_op cut truncate "$MNT/t" 100
	await_break cut
	# L5: it pins on, here and elsewhere.
	file_of "$MNT/u" 64K
	ask c ok extend 0 32K 4K
	ask c ok extend-of 0 0 4K "$MNT/u" w
	is_running cut || fail "the truncate has not waited"
	released=$(now_ms)
	ask c ok end 0 all
	wait_op cut
	op_waited cut "$released" "$(now_ms)"
	expect_equal 100 "$(stat -c %s "$MNT/t")" "size"
	client_end c
}

# L4: behind a truncate, but not with NOWAIT; SIGINT ends the wait alone.
extend_waits() {
	file_of "$MNT/t" 64K
	client_start c "$MNT/t"
	client_start d "$MNT/t"
	ask c ok begin 0 to
	ask c ok extend 0 0 4K
	start_op cut truncate "$MNT/t" 0
	await_break cut
	ask d ok begin 0 from nowait
	ask d -EAGAIN extend 0 0 4K
	ask d ok end 0 all
	ask d ok begin 0 from
	trace_start trace --json
	tell d extend 0 0 4K
	await_event trace '.kind == "pin-wait"'
	kill -INT "$(pid_of d)"
	heard d -EINTR
	trace_stop trace
	# It goes on, and a cancel is for good, but ends no pins.
	file_of "$MNT/u" 64K
	ask d ok extend-of 0 0 4K "$MNT/u" w
	expect pinfs cancel "$MNT" "$(json 'map(select(.name == "/u"))[0].id' \
		pinfs pins --json "$MNT")"
	expect_json 'length == 1 and .[0].cancelled' pinfs pins --json "$MNT/u"
	ask d -ECANCELED extend 0 0 4K
	expect_equal 2 "$(mine)" "sets after a cancel"
	ask d ok end 0 all
	ask c ok end 0 all
	wait_op cut
	client_end c
	client_end d
}

# --- what is refused -----------------------------------------------------------------

refuses() {
	file_of "$MNT/t" 64K
	client_start c "$MNT/t"
	ask c -EOPNOTSUPP begin 0 from longterm
	ask c -EBADF begin-on 0 from "$MNT/t" r
	ask c -EBADF begin-on 0 to "$MNT/t" w
	ask c -EISDIR begin-on 0 to "$MNT" r
	ask c -ENOTTY begin-on 0 to "$WORK/pool" r
	ask c ok begin 0 from
	ask c -EBADF extend-of 0 0 4K "$MNT/t" r
	ask c -EISDIR extend-of 0 0 4K "$MNT" r
	ask c -EINVAL extend 0 0 0
	ask c -EFBIG extend 0 0x7fffffffffffffff 1
	ask c -ENOSPC extend 0 0 1000M
	ask c ok extend 0 0 4K
	ask c ok end 0 all
	ask c ok many 2000
	expect_equal "1024 EMFILE" "$said" "sets of one open file"
	ask c ok raw
	expect_equal "begin=EINVAL begin=EINVAL begin=EINVAL begin=EINVAL \
begin=EINVAL extend=EINVAL extend=EINVAL extend=EINVAL extend=EINVAL \
extents=EINVAL key=EACCES key=EACCES id=ENOENT id=ENOENT end=EINVAL key=EACCES \
good=0 id=ENOENT" "$said" "nonsense"
	client_end c
	nothing_held
}

# --- what is left behind --------------------------------------------------------------

# Its pins end with the last use of the open file: here, with the process.
killed_without_io() {
	file_of "$MNT/t" 64K
	client_start c "$MNT/t"
	ask c ok begin 0 from
	ask c ok extend 0 0 64K
	ask c ok extend 0 128K 64K
	ask c ok fill 0 0x55
	start_op cut truncate "$MNT/t" 30000
	await_break cut
	trace_start trace --json
	client_kill c
	wait_op cut
	await_event trace '.kind == "pin-end"'
	trace_stop trace
	expect_equal 30000 "$(stat -c %s "$MNT/t")" "size"
	truncate -s 192K "$MNT/t"
	part "$MNT/t" 128K 64K | cmp - <(head -c 64K /dev/zero) ||
		fail "what did not arrive is not zero"
	nothing_held
}

# ring_hangs NAME - its I/O from the slow device into 64 KiB of $MNT/t hangs
ring_hangs() {
	local n

	file_of "$MNT/t" 64K
	client_start "$1" "$MNT/t"
	ask "$1" ok begin 0 from
	ask "$1" ok extend 0 0 64K
	slowdev_ctl hang 0
	n=$(slowdev_stat hung)
	ask "$1" ok ring 0 "$SLOWDEV"
	slowdev_ctl await hung $((n + 1))
}

# L11: the process is gone, but not its I/O, nor what that writes into (L1).
killed_with_io() {
	ring_hangs c
	kill -KILL "$(pid_of c)"
	start_op cut truncate "$MNT/t" 0
	await_break cut
	expect_equal 1 "$(mine)" "sets of the dead"
	fill_with_signatures 1M
	is_running cut || fail "the truncate has not waited for the I/O"
	release_dma
	wait_op cut
	op_waited cut
	wait_bg c 137
	close_fifos c
	signatures_hold
	rm -r "$MNT/sig"
	fill_with_signatures 1M
	signatures_hold
	rm -r "$MNT/sig"
	nothing_held
}

# L12: the daemon is gone, but not the client's I/O: nobody mounts the pool.
daemon_killed() {
	ring_hangs c
	kill_daemon
	expect_error "in use by client, pid $(pid_of c), which has it mapped" \
		pinfsd -f "$POOL" "$MNT"
	expect_error 'in use' mkfs.pinfs -f "$POOL"
	# A reader may look.
	expect pinfs info "$POOL"
	kill -KILL "$(pid_of c)"
	expect_error 'in use by' pinfsd -f "$POOL" "$MNT"
	release_dma
	wait_bg c 137
	close_fifos c
	mount_when_free $SCENE_OPTS
}

# The connection is cut, with a client at it: what it has pinned stays (L1).
connection_cut() {
	ring_hangs c
	umount -f "$MNT" 2>"$WORK/.umount" || true
	await_log 'stays in use until no client has it mapped'
	ask c -ENOTCONN extend 0 0 4K
	release_dma
	ask c ok reap 0
	expect_equal 65536 "$said" "bytes"
	ask c -ENOTCONN end 0 all
	client_end c
	expect fusermount3 -u -z "$MNT"
	wait_daemon
	fsck_clean
	mount_pool $SCENE_OPTS
}

# L15: SIGTERM waits for a client's set, and for no new one.
sigterm_drains() {
	ring_hangs c
	kill -TERM "$(daemon_pid)"
	await_log 'stays in use until 1 DMA'
	ask c -ESHUTDOWN begin 1 to
	kill -TERM "$(daemon_pid)"
	await_log 'DMA is cancelled'
	expect_equal 1 "$(mine)" "sets after a second SIGTERM"
	release_dma
	ask c ok reap 0
	ask c ok end 0 all
	wait_daemon
	client_end c
	fsck_clean
	mount_pool $SCENE_OPTS
	has_pattern "$MNT/t" 0 64K 0
}

# --- the example ------------------------------------------------------------------------

example() {
	pattern 1000001 >"$WORK/source"
	expect ring_read "$WORK/source" "$MNT/copy"
	expect_same "$WORK/source" "$MNT/copy"
	expect_error "source.missing: No such file" \
		ring_read "$WORK/source.missing" "$MNT/copy"
	expect_error "pool: Inappropriate ioctl" \
		ring_read "$WORK/source" "$WORK/elsewhere"
	expect_status 2 ring_read
	nothing_held
}

pool_new 64M
slowdev_start --size 1M
mount_pool $SCENE_OPTS
extents_are_the_maps
fills_in_place
is_coherent
truncate_waits_for_the_end
extend_waits
refuses
killed_without_io
example
umount_pool
fsck_clean
mount_pool $SCENE_OPTS
expect_same "$WORK/filled" "$MNT/f"
killed_with_io
daemon_killed
if [ "$(id -u)" = 0 ]; then
	connection_cut
else
	e2e_say "left out: umount -f, which needs root"
fi
sigterm_drains
umount_later
fsck_clean
SCENE_OPTS=$SCENE_OPTS,layout_scope=range
mount_pool $SCENE_OPTS
is_coherent
truncate_waits_for_the_end
extend_waits
killed_without_io
killed_with_io
umount_later
fsck_clean
