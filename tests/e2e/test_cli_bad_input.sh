#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# e2e: asan timeout=120
#
# What every program does with bad arguments and with pools that are none:
# the right exit code, one line that says why, and nothing changed (S5).
. "$(dirname "$0")/lib.sh"

need pinfs mkfs.pinfs fsck.pinfs pinfsd mount.fuse.pinfs

# says STATUS PATTERN PROGRAM ARG... - one line on stderr, "PROGRAM: ..." (or, from
# the daemon that the mount helper becomes, "pinfsd: ..."), that
# has PATTERN, and nothing on stdout; a second line may point to --help
says() {
	local want=$1 pattern=$2 status=0

	shift 2
	"$@" >"$WORK/.stdout" 2>"$WORK/.stderr" </dev/null || status=$?
	if [ "$status" != "$want" ] || [ -s "$WORK/.stdout" ] ||
		[ "$(grep -cv '^Try ' "$WORK/.stderr")" != 1 ] ||
		! head -n 1 "$WORK/.stderr" | grep -qE "^($1|pinfsd): " ||
		! grep -qE -e "$pattern" "$WORK/.stderr"; then
		cat "$WORK/.stdout" "$WORK/.stderr" >&2
		fail "status $status, want $want and '$pattern', of: $*"
	fi
}

mkdir "$MNT" "$WORK/dir"
pool_new 16M
cp --sparse=always "$POOL" "$WORK/before"

# --- --help and --version everywhere -----------------------------------------

for program in pinfs mkfs.pinfs fsck.pinfs pinfsd mount.fuse.pinfs; do
	expect "$program" --version
	grep -qE '^[a-z.]+ .*[0-9]+\.[0-9]+' "$WORK/.out" ||
		fail "$program --version: $(cat "$WORK/.out")"
	expect "$program" --help
	grep -q "^Usage: $program " "$WORK/.out" ||
		fail "$program --help: $(cat "$WORK/.out")"
done
for command in info map pins breaks stats trace dma cancel collapse insert dump; do
	expect pinfs "$command" --help
	grep -q "^Usage: pinfs $command " "$WORK/.out" ||
		fail "pinfs $command --help: $(cat "$WORK/.out")"
done

# --- bad usage ---------------------------------------------------------------

says 2 'missing command' pinfs
says 2 'unknown command' pinfs frobnicate
for command in info map pins breaks stats trace dma cancel collapse insert dump; do
	says 2 'missing operand' pinfs "$command"
	says 2 'unknown.* option' pinfs "$command" --frobnicate
	says 2 'unknown option' pinfs "$command" -x
	says 2 'one operand too many' pinfs "$command" 1 2 3 4 5
done
says 2 'only one of them' pinfs stats --json --prometheus "$MNT"
says 2 'not the number of a pin set' pinfs cancel "$MNT" first
says 2 'not an offset' pinfs collapse "$MNT/f" 1X 4K
says 2 'not a length' pinfs insert "$MNT/f" 0 0
says 2 'neither from-device nor to-device' pinfs dma sideways a b
says 2 'depth=0: out of range' pinfs dma from-device a b --depth=0
says 2 'engine=x: not understood' pinfs dma from-device a b --engine=x
says 2 'nowhere to print' pinfs dma to-device a - --json
says 2 'none of superblock' pinfs dump "$POOL" bitmap
says 2 'number is missing' pinfs dump "$POOL" inode
says 2 'not the number of any inode' pinfs dump "$POOL" inode -- -1
says 2 'one operand too many' pinfs dump "$POOL" journal 1

says 2 . mkfs.pinfs
says 2 . mkfs.pinfs --frobnicate "$WORK/new"
says 2 . mkfs.pinfs -s much "$WORK/new"
says 2 . mkfs.pinfs -U none -s 16M "$WORK/new"
says 16 . fsck.pinfs
says 16 . fsck.pinfs --frobnicate "$POOL"
says 2 . pinfsd
says 2 . pinfsd "$POOL"
says 2 . pinfsd --frobnicate "$POOL" "$MNT"
says 2 frobnicate pinfsd -o frobnicate "$POOL" "$MNT"
says 2 'expected' mount.fuse.pinfs
says 2 'expected' mount.fuse.pinfs "$POOL"
says 2 'too many' mount.fuse.pinfs "$POOL" "$MNT" more
says 2 'unknown option' mount.fuse.pinfs -Z "$POOL" "$MNT"
says 2 'needs an argument' mount.fuse.pinfs "$POOL" "$MNT" -o
says 1 'no pinfs file system is mounted there' mount.fuse.pinfs "$POOL" "$MNT" -o remount,ro

# --- not on a pinfs mount ----------------------------------------------------

echo data >"$WORK/plain"
mkfifo "$WORK/fifo"
for command in map pins breaks stats trace; do
	says 1 'No such file' pinfs "$command" "$WORK/missing"
	says 1 'pinfs mount' pinfs "$command" "$WORK/plain"
	says 1 'pinfs mount' pinfs "$command" "$WORK/fifo"
	says 1 'pinfs mount' pinfs "$command" /dev/null
done
says 1 'pinfs mount' pinfs pins "$WORK/dir"
says 1 'pinfs mount' pinfs cancel "$WORK/dir" 1
says 1 'pinfs mount' pinfs collapse "$WORK/plain" 0 4K
says 1 'pinfs mount' pinfs insert "$WORK/plain" 0 4K
says 1 'pinfs mount' pinfs info "$WORK/dir"
says 1 'pinfs mount' pinfs dma from-device /dev/zero "$WORK/plain" --length=4K
says 1 '--create makes it' pinfs dma from-device /dev/zero "$WORK/missing"
says 1 'not a regular file' pinfs dma to-device "$WORK/fifo" /dev/null
says 1 'No such file' pinfs dma to-device "$WORK/plain" "$WORK/missing"
says 1 'cannot seek' pinfs dma from-device "$WORK/fifo" "$WORK/plain" \
	--device-offset=4K --length=4K 8<>"$WORK/fifo"
says 1 'ends before the offset' pinfs dma from-device "$WORK/before" \
	"$WORK/plain" --device-offset=1T
expect_equal data "$(cat "$WORK/plain")" "a file that was none of ours"

# --- not a pool --------------------------------------------------------------

# refused PATTERN FILE - by all that take a pool
refused() {
	says 1 "$1" pinfs info "$2"
	# Its findings are lines of their own.
	expect_status 8 fsck.pinfs -n "$2"
	grep -q '^fsck.pinfs: ' "$WORK/.out" || fail "fsck.pinfs -n $2"
	says 1 . pinfsd -f "$2" "$MNT"
	says 1 . mount.fuse.pinfs "$2" "$MNT"
}

: >"$WORK/empty"
head -c 100 /dev/zero >"$WORK/tiny"
truncate -s 16M "$WORK/zeroes"
head -c 16M /dev/urandom >"$WORK/noise"
refused 'No such file' "$WORK/missing"
for file in empty tiny plain zeroes noise; do
	refused 'no pinfs' "$WORK/$file"
	says 1 'no pinfs' pinfs dump "$WORK/$file" superblock
done
says 1 'neither a file' pinfs info /dev/null

# A pool that was cut off: info refuses, dump shows what is left of it.
cp --sparse=always "$POOL" "$WORK/cut"
truncate -s 8M "$WORK/cut"
refused 'shorter' "$WORK/cut"
expect pinfs dump "$WORK/cut" superblock
expect_error 'past the pool' pinfs dump "$WORK/cut" block 2048
says 1 'past the pool' pinfs dump --json "$WORK/cut" block 2048

# --- damage is shown, nothing crashes ----------------------------------------

# no_crash ARG... - pinfs may fail, but not die, nor be stopped by the clock
no_crash() {
	local status=0

	timeout 20 pinfs "$@" >"$WORK/.out" 2>&1 || status=$?
	[ "$status" -le 1 ] || {
		tail -n 20 "$WORK/.out" >&2
		fail "status $status, seed $seed, of: pinfs $*"
	}
}

root_block=$(pinfs dump "$POOL" inode 0 | sed -n 's/^in block *//p')
inodes_block=$(pinfs dump "$POOL" inode 1 | sed -n 's/^in block *//p')
for seed in $(seq 1 12); do
	RANDOM=$seed
	cp --sparse=always "$POOL" "$WORK/damaged"
	for block in 0 1 "$root_block" "$inodes_block"; do
		for ((i = 0; i < 6; i++)); do
			printf '%b' "\\x$(printf %02x $((RANDOM % 256)))" |
				dd of="$WORK/damaged" bs=1 conv=notrunc \
					status=none \
					seek=$((block * 4096 + RANDOM % 700))
		done
	done
	no_crash info "$WORK/damaged"
	no_crash info --json "$WORK/damaged"
	for what in superblock journal 'inode 0' 'inode 1' 'inode 9999999' \
		'dir 1' "block $root_block" "block $inodes_block"; do
		# shellcheck disable=SC2086
		no_crash dump "$WORK/damaged" $what
		# shellcheck disable=SC2086
		no_crash dump --json --hex "$WORK/damaged" $what
	done
done

# --- output that cannot be written -------------------------------------------

status=0
pinfs info "$POOL" >/dev/full 2>"$WORK/.stderr" || status=$?
expect_equal 1 "$status" "exit status with a full standard output"
grep -q '^pinfs: standard output: ' "$WORK/.stderr" ||
	fail "full output: $(cat "$WORK/.stderr")"

expect_same "$POOL" "$WORK/before"
[ ! -e "$WORK/new" ] || fail "a refused mkfs left a pool"
