#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What programs rely on: names, links, modes, times, attributes, holes,
# mappings, directories; as root and as somebody else; and all of it still
# there after a remount.
# e2e: asan timeout=120
. "$(dirname "$0")/lib.sh"

need_root
need xfs_io getfattr setfattr lsattr chattr

# as_other COMMAND... - as a user with no rights of his own
as_other() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# is WHAT FILE WANT - what stat(1) says
is() {
	expect_equal "$3" "$(stat -c "$1" "$2")" "$1 of $2"
}

remount() {
	umount_pool
	fsck_clean
	mount_pool allow_other
}

# --- permissions -------------------------------------------------------------

permissions() {
	local d=$MNT/perm

	mkdir -m 755 "$d"
	echo secret >"$d/private"
	chmod 600 "$d/private"
	echo public >"$d/public"
	expect_error 'Permission denied' as_other cat "$d/private"
	expect as_other cat "$d/public"
	expect_error 'Permission denied' as_other tee -a "$d/public"
	expect_error 'Permission denied' as_other touch "$d/new"
	expect_error 'Permission denied' as_other rm -f "$d/public"
	expect_error 'not permitted' as_other chmod 666 "$d/public"
	expect_error 'not permitted' as_other chown 65534 "$d/public"
	for mode in 0 1 7 70 700 777 1777 2755 4711 6755; do
		chmod "$mode" "$d/public"
		is %a "$d/public" "$mode"
	done
	# Who writes to it, or gives it away, loses the set-id bits.
	chmod 6777 "$d/public"
	as_other sh -c "echo more >>'$d/public'"
	is %a "$d/public" 777
	chmod 6755 "$d/public"
	chown 65534:65534 "$d/public"
	is %a:%u:%g "$d/public" 755:65534:65534
	# The group comes from a directory that has the set-group-id bit.
	mkdir "$d/group"
	chown 0:65534 "$d/group"
	chmod 2777 "$d/group"
	mkdir "$d/group/sub"
	touch "$d/group/file"
	is %g:%a "$d/group/sub" 65534:2755
	is %g "$d/group/file" 65534
	# In a sticky directory only owners remove.
	mkdir -m 1777 "$d/sticky"
	touch "$d/sticky/root"
	chmod 666 "$d/sticky/root"
	as_other touch "$d/sticky/other"
	expect_error 'not permitted' as_other rm -f "$d/sticky/root"
	expect_error 'not permitted' as_other mv "$d/sticky/root" "$d/sticky/x"
	expect as_other rm "$d/sticky/other"
}

# --- names -------------------------------------------------------------------

# shellcheck disable=SC1003,SC2016
odd_names=(' ' '-' '*' '\' "'" '"' '$x' $'new\nline' $'\001' $'\377\376' '...'
	'ÄÖÜ')

names() {
	local d=$MNT/names name i=0

	mkdir "$d"
	cd "$d" || fail "cd"
	for name in "${odd_names[@]}" "$(printf '%0255d' 7)"; do
		i=$((i + 1))
		echo $i >"./$name"
	done
	cd "$WORK" || fail "cd"
}

names_after() {
	local d=$MNT/names name i=0

	cd "$d" || fail "cd"
	for name in "${odd_names[@]}" "$(printf '%0255d' 7)"; do
		i=$((i + 1))
		expect_equal $i "$(cat "./$name")" "a file of an odd name"
	done
	expect_equal $i "$(find . -mindepth 1 -printf x | wc -c)" "names found"
	cd "$WORK" || fail "cd"
}

hard_links() {
	local d=$MNT/links

	mkdir "$d" "$d/sub"
	echo one >"$d/a"
	ln "$d/a" "$d/sub/b"
	is %h "$d/a" 2
	is %i "$d/sub/b" "$(stat -c %i "$d/a")"
	echo two >"$d/sub/b"
	expect_equal two "$(cat "$d/a")" "content by its other name"
	rm "$d/a"
	is %h "$d/sub/b" 1
	expect_error 'hard link not allowed|not permitted' ln "$d/sub" "$d/dir"
	is %h "$d" 3
	for i in $(seq 500); do
		ln "$d/sub/b" "$d/sub/b$i"
	done
	is %h "$d/sub/b" 501
}

symlinks() {
	local d=$MNT/symlinks n

	mkdir "$d"
	for n in 1 2 59 255 256 257 1000 4031 4032 4033 4094 4095; do
		ln -s "$(printf '%0*d' $n 3)" "$d/$n"
	done
	expect_error 'File name too long' ln -s "$(printf '%04096d' 3)" "$d/x"
	ln -s ../names "$d/dir"
	[ -d "$d/dir/" ] || fail "a symlink does not lead to its directory"
}

symlinks_after() {
	local n

	for n in 1 2 59 255 256 257 1000 4031 4032 4033 4094 4095; do
		expect_equal "$(printf '%0*d' $n 3)" \
			"$(readlink "$MNT/symlinks/$n")" "symlink of $n bytes"
		is %s "$MNT/symlinks/$n" "$n"
	done
}

renames() {
	local d=$MNT/renames

	mkdir "$d" "$d/x" "$d/x/in" "$d/y"
	echo a >"$d/a"
	echo b >"$d/b"
	expect_error 'File exists' syscalls noreplace "$d/a" "$d/b"
	expect syscalls noreplace "$d/a" "$d/c"
	expect_equal a "$(cat "$d/c")" "after NOREPLACE"
	expect syscalls exchange "$d/b" "$d/c"
	expect_equal 'b a' "$(cat "$d/c") $(cat "$d/b")" "after EXCHANGE"
	# A directory and a file, in different directories.
	expect syscalls exchange "$d/x" "$d/y"
	expect syscalls exchange "$d/y" "$d/c"
	expect_equal b "$(cat "$d/y")" "a file that was a directory"
	[ -d "$d/c/in" ] || fail "a directory that was a file"
	expect_error 'No such file' syscalls exchange "$d/b" "$d/missing"
	expect mv -T "$d/b" "$d/y"
	expect_equal a "$(cat "$d/y")" "after a rename over"
	expect_error 'not empty' mv -T "$d/x" "$d/c"
	expect_error 'subdirectory of itself' mv "$d/c" "$d/c/in/c"
	expect mv -T "$d/c/in" "$d/x"
	is %h "$d/c" 2
	expect_error 'not empty' rmdir "$MNT/names"
	expect_error 'Is a directory' unlink "$d/x"
	expect_error 'Not a directory' rmdir "$d/y"
}

# --- files -------------------------------------------------------------------

appends() {
	local f=$MNT/append i

	for i in 1 2 3 4; do
		run_bg "append$i" bash -c "for ((j = 0; j < 500; j++)); do
			echo $i-\$j; done >>'$f'"
	done
	for i in 1 2 3 4; do
		wait_bg "append$i"
	done
	for i in 1 2 3 4; do
		seq -f "$i-%g" 0 499
	done | sort >"$WORK/want"
	sort "$f" | diff "$WORK/want" - >&2 || fail "lines of O_APPEND writers"
}

# free_again BLOCKS - so many are, soon: the kernel tells a FUSE server of the last
# close, and does not wait for an answer
free_again() {
	local free end=$(($(now_ms) + E2E_SLACK_MS))

	until free=$(stat -f -c %f "$MNT") && [ "$free" = "$1" ]; do
		[ "$(now_ms)" -lt "$end" ] ||
			fail "free blocks after close: want '$1', got '$free'"
	done
}

open_unlinked() {
	local f=$MNT/unlinked free

	free=$(stat -f -c %f "$MNT")
	pattern 1M >"$f"
	exec 7<>"$f"
	rm "$f"
	[ ! -e "$f" ] || fail "unlinked, and still there"
	[ "$(stat -f -c %f "$MNT")" -le $((free - 256)) ] ||
		fail "the space of an open file has been given back"
	pattern 1M | cmp - /proc/self/fd/7 >&2 || fail "an unlinked open file"
	expect_equal 0 "$(stat -L -c %h /proc/self/fd/7)" "its links"
	echo more >&7
	exec 7>&-
	free_again "$free"
}

holes() {
	local f=$MNT/sparse

	truncate -s 1G "$f"
	expect xfs_io -c 'pwrite -q -S 1 16M 64k' -c 'pwrite -q -S 2 512M 4k' \
		"$f"
	is %s:%b "$f" 1073741824:136
	expect_equal 'DATA 16777216 HOLE 16842752 DATA 536870912 HOLE 536875008' \
		"$(xfs_io -c 'seek -a -r 0' "$f" | tail -n +3 | head -n 4 |
			tr '\t\n' '  ' | sed 's/ $//')" "data and holes"
	expect xfs_io -c 'fpunch 16M 60k' "$f"
	is %b "$f" 16
	expect xfs_io -c 'falloc -k 1G 1M' "$f"
	is %s:%b "$f" 1073741824:2064
	expect xfs_io -c 'fzero 512M 4k' "$f"
	expect_equal 4096 "$(tr -d '\0' <"$f" | wc -c)" "bytes that are not 0"
	expect xfs_io -c 'truncate 100' "$f"
	expect xfs_io -c 'truncate 8192' "$f"
	cmp -n 8192 "$f" /dev/zero >&2 || fail "bytes from before a truncate"
}

# both OFFSET LENGTH XFS_IO_COMMAND - zeroes in a part of the file, by that
# command, and in its copy
both() {
	expect xfs_io -c "$3 $1 $2" "$MNT/parts"
	head -c "$2" /dev/zero | dd of="$WORK/parts" bs=64K oflag=seek_bytes \
		seek="$1" conv=notrunc status=none
	expect_same "$WORK/parts" "$MNT/parts"
}

# Changes that begin and end within blocks.
parts_of_blocks() {
	pattern 64K >"$WORK/parts"
	cp "$WORK/parts" "$MNT/parts"
	both 100 200 fpunch
	both 5000 9000 fpunch
	both 20481 4095 fzero
	both 30000 10000 fzero
	truncate -s 60001 "$WORK/parts"
	expect truncate -s 60001 "$MNT/parts"
	expect_same "$WORK/parts" "$MNT/parts"
	truncate -s 70001 "$WORK/parts"
	expect truncate -s 70001 "$MNT/parts"
	expect_same "$WORK/parts" "$MNT/parts"
}

parts_of_blocks_after() {
	expect_same "$WORK/parts" "$MNT/parts"
}

copy_range() {
	local f=$MNT/copy

	pattern 300K >"$f"
	expect xfs_io -f -c "copy_range -s 1000 -d 5 -l 200000 $f" "$f.2"
	{
		head -c 5 /dev/zero
		pattern 200000 1000
	} | cmp - "$f.2" >&2 || fail "copy_file_range"
	expect cp --reflink=auto --sparse=auto "$f" "$f.3"
	expect_same "$f" "$f.3"
	# Within a file.
	expect xfs_io -c "copy_range -s 0 -d 200000 -l 50000 $f.3" "$f.3"
	{
		pattern 200000
		pattern 50000
		pattern 57200 250000
	} | cmp - "$f.3" >&2 || fail "copy_file_range within a file"
}

mappings() {
	expect syscalls mmap "$MNT/mapped"
	expect_equal o "$(xfs_io -c 'pread -q -v 70000 1' "$MNT/mapped" |
		sed 's/.* //' | head -n 1)" "a byte stored elsewhere"
}

special_files() {
	local d=$MNT/special

	mkdir "$d"
	mkfifo "$d/fifo"
	mknod "$d/null" c 1 3
	mknod "$d/block" b 259 1048575
	syscalls socket "$d/socket"
	echo through >"$d/fifo" &
	expect_equal through "$(cat "$d/fifo")" "what came through a fifo"
	wait $!
}

special_files_after() {
	local d=$MNT/special

	is '%F' "$d/fifo" fifo
	is '%F' "$d/socket" socket
	is '%F %t:%T' "$d/null" 'character special file 1:3'
	is '%F %t:%T' "$d/block" 'block special file 103:fffff'
}

# --- attributes --------------------------------------------------------------

set_times() {
	touch -d '2001-02-03 04:05:06.123456789 UTC' "$MNT/time"
	touch -d '1901-12-13 20:45:52.000000001 UTC' "$MNT/old"
	touch -d '2500-01-01 00:00:00.999999999 UTC' "$MNT/late"
	touch -a -d '@5.5' "$MNT/time"
}

times_after() {
	export TZ=UTC
	is %y "$MNT/time" '2001-02-03 04:05:06.123456789 +0000'
	is %x "$MNT/time" '1970-01-01 00:00:05.500000000 +0000'
	is %y "$MNT/old" '1901-12-13 20:45:52.000000001 +0000'
	is %y "$MNT/late" '2500-01-01 00:00:00.999999999 +0000'
}

# a_moment - file times move with the kernel's coarse clock, 10 ms at most apart
a_moment() {
	sleep 0.02
}

times_move() {
	local before after how d=$MNT/times

	mkdir "$d"
	before=$(stat -c %.Y "$d")
	a_moment
	touch "$d/new"
	after=$(stat -c %.Y "$d")
	[[ $after > $before ]] || fail "a directory's mtime stands still"
	# Appended, in place, and both past the page cache; none truncates.
	for how in oflag=append conv=notrunc oflag=append,direct \
		'conv=notrunc oflag=direct'; do
		touch -d @1 "$d/new"
		before=$(stat -c %.Z "$d/new")
		a_moment
		# shellcheck disable=SC2086
		expect dd if=/dev/zero of="$d/new" bs=4K count=1 conv=notrunc \
			$how
		[ "$(stat -c %Y "$d/new")" -gt 1 ] ||
			fail "mtime after a write, $how"
		[[ $(stat -c %.Z "$d/new") > $before ]] ||
			fail "ctime after a write, $how"
	done
	before=$(stat -c %.Z "$d/new")
	a_moment
	chmod 600 "$d/new"
	[[ $(stat -c %.Z "$d/new") > $before ]] || fail "ctime after chmod"
}

xattrs() {
	local f=$MNT/xattr

	touch "$f"
	setfattr -n user.one -v 1 "$f"
	setfattr -n user.two -v "$(printf '%03000d' 2)" "$f"
	setfattr -n user.gone -v x "$f"
	setfattr -n user.empty "$f"
	setfattr -n trusted.t -v t "$f"
	setfattr -n user.one -v 'one again' "$f"
	setfattr -x user.gone "$f"
	expect_error 'No such attribute' setfattr -x user.gone "$f"
	expect_error 'No such attribute' getfattr -n user.gone "$f"
	expect_error 'not permitted|denied' \
		as_other setfattr -n trusted.x -v x "$f"
	chmod 644 "$f"
	expect_error 'denied' as_other setfattr -n user.x -v x "$f"
}

xattrs_after() {
	local f=$MNT/xattr

	expect_equal 'one again' "$(getfattr --only-values -n user.one "$f")" \
		user.one
	expect_equal "$(printf '%03000d' 2)" \
		"$(getfattr --only-values -n user.two "$f")" user.two
	expect_equal 'trusted.t user.empty user.one user.two' \
		"$(getfattr -m - "$f" | sed '1d;/^$/d' | sort | xargs)" names
}

flags() {
	local f=$MNT/flags

	echo data >"$f"
	chattr +dA "$f"
	expect xfs_io -c 'chattr +x' "$f"
	touch "$MNT/immutable" "$MNT/append-only"
	chattr +i "$MNT/immutable"
	chattr +a "$MNT/append-only"
	expect_error 'not permitted' tee "$MNT/immutable"
	expect_error 'not permitted' rm -f "$MNT/immutable"
	expect_error 'not permitted' truncate -s 0 "$MNT/append-only"
	echo line >>"$MNT/append-only"
	# As on the kernel's file systems: the time of now, but no other.
	expect touch "$MNT/append-only"
	expect_error 'not permitted' touch -d 2020-01-01 "$MNT/append-only"
	expect_error 'not permitted' touch "$MNT/immutable"
	expect_error 'not supported|Invalid' chattr +c "$f"
	expect_error 'not permitted' as_other chattr +d "$f"
}

# has_flags FILE FLAG... - lsattr shows them
has_flags() {
	local shown flag

	shown=$(lsattr -d "$1" | cut -d ' ' -f 1)
	shift
	for flag; do
		[[ $shown == *$flag* ]] || fail "flag $flag missing: $shown"
	done
}

flags_after() {
	has_flags "$MNT/flags" d A
	expect xfs_io -c lsattr "$MNT/flags"
	[[ $(cut -d ' ' -f 1 "$WORK/.out") == *x* ]] ||
		fail "FS_XFLAG_DAX is lost"
	has_flags "$MNT/immutable" i
	has_flags "$MNT/append-only" a
	expect_error 'not permitted' rm -f "$MNT/immutable"
	chattr -i "$MNT/immutable"
	chattr -a "$MNT/append-only"
	expect rm "$MNT/immutable" "$MNT/append-only"
	expect_equal data "$(cat "$MNT/flags")" "a file with FS_XFLAG_DAX"
}

# --- a large directory -------------------------------------------------------

large_dir() {
	mkdir "$MNT/large"
	# Names alone, made by one process.
	(cd "$MNT/large" && seq 0 19999 | xargs -n 5000 touch)
	expect_equal 20000 "$(find "$MNT/large" -mindepth 1 -printf x | wc -c)" \
		"entries of a large directory"
	expect syscalls readdir "$MNT/large"
	expect_equal 20000 "$(find "$MNT/large" -mindepth 1 -printf x | wc -c)" \
		"entries after as many came as went"
}

large_dir_after() {
	expect_equal 20000 "$(find "$MNT/large" -mindepth 1 -printf x | wc -c)" \
		"entries of a large directory"
	expect rm -r "$MNT/large"
}

statfs() {
	is_fs() {
		expect_equal "$2" "$(stat -f -c "$1" "$MNT")" "statfs $1"
	}
	is_fs %s 4096
	is_fs %l 255
	[ "$(stat -f -c %a "$MNT")" -gt 0 ] || fail "no space"
	[ "$(stat -f -c %d "$MNT")" -gt 10000 ] || fail "no inodes"
	grep -q " $MNT fuse.pinfs " /proc/self/mounts || fail "not fuse.pinfs"
}

pool_new 128M
mount_pool allow_other
statfs
permissions
names
hard_links
symlinks
renames
appends
open_unlinked
holes
parts_of_blocks
copy_range
mappings
special_files
set_times
times_move
xattrs
flags
large_dir
remount
names_after
parts_of_blocks_after
symlinks_after
special_files_after
times_after
xattrs_after
flags_after
large_dir_after
expect_equal 2000 "$(wc -l <"$MNT/append")" "appended lines after a remount"
rm -r "${MNT:?}"/*
umount_pool
fsck_clean
