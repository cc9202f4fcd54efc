#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# xfs_io: allocation, holes, mappings, vectors, copies.  The same commands on the
# file system below have to leave the same bytes; what SEEK_DATA says has to be
# what `pinfs map` says, which stands in for fiemap.
# e2e: label=programs timeout=120
. "$(dirname "$0")/lib.sh"

need xfs_io

# The same file, on the file system below.
below=$WORK/file

# io FILE COMMAND... - each must succeed, which xfs_io's own status does not tell
io() {
	local file=$1 command args=()

	shift
	for command; do
		args+=(-c "$command")
	done
	xfs_io -f "${args[@]}" "$file" 2>&1 | tee "$WORK/said"
	! grep -qE 'not supported|[Ff]ailed|[Ii]nvalid|not found|[Nn]o space' \
		"$WORK/said"
}

# zero FILE OFFSET LENGTH - tmpfs has no zero range, and pinfs must have it
zero() {
	if [ "$(stat -f -c %T "$(dirname "$1")")" = tmpfs ]; then
		io "$1" "pwrite -q -S 0 $2 $3"
	else
		io "$1" "fzero $2 $3"
	fi
}

# work_on FILE
work_on() {
	io "$1" 'pwrite -q -S 0x61 -b 64k 0 1m' 'pwrite -q -V 7 -S 0x62 300001 9999' \
		'falloc 1m 512k' 'falloc -k 4m 128k' 'fpunch 100000 200000' \
		'fpunch 640k 64k' 'truncate 3m' 'pwrite -q -S 0x63 3000000 1'
	zero "$1" 777777 12345
	zero "$1" 128k 16k
	io "$1" 'mmap -rw 0 2m' 'mwrite -S 0x64 5000 70000' \
		'mwrite -S 0x65 1100000 5000' 'msync -s' 'mread -f 5000 16' \
		'munmap' 'fsync' 'fdatasync'
	io "$1" "copy_range -s 0 -d 2200000 -l 100000 $1"
	io "$1" 'pwrite -q -S 0x66 512k 32k' 'pread -q 512k 32k' \
		'truncate 3333333' 'fadvise -d 0 0' 'stat'
}

# data_by_seek FILE - START END of each stretch of data, by SEEK_DATA, SEEK_HOLE
data_by_seek() {
	xfs_io -r -c 'seek -a -r 0' "$1" | awk '
		$1 == "DATA" && $2 != "EOF" { start = $2 }
		$1 == "HOLE" && start != "" { print start, $2; start = "" }'
}

# data_by_map FILE - the same, of what the pool has for it: written extents, joined
data_by_map() {
	pinfs map --json "$1" | jq -r --argjson size "$(stat -c %s "$1")" '
		[.[] | select(.flags | index("unwritten") | not)
			| [.logical, ([.logical + .length, $size] | min)]
			| select(.[0] < .[1])]
		| reduce .[] as $e ([]; if length > 0 and .[-1][1] == $e[0]
			then .[:-1] + [[.[-1][0], $e[1]]] else . + [$e] end)
		| .[] | "\(.[0]) \(.[1])"'
}

# refused - what the kernel's FUSE client does not pass on says so, and changes
# nothing
refused() {
	local command

	for command in 'fcollapse 0 4096' 'finsert 0 4096' 'funshare 0 4096' \
		'fiemap' "reflink $1 0 0 4096"; do
		xfs_io -c "$command" "$1" >"$WORK/said" 2>&1 || true
		grep -q 'Operation not supported' "$WORK/said" ||
			fail "$command: $(cat "$WORK/said")"
		echo "refused: ${command%% *}"
	done
}

work() {
	work_on "$DIR/file"
	work_on "$below"
	cmp "$DIR/file" "$below"
	expect_equal "$(data_by_map "$DIR/file")" "$(data_by_seek "$DIR/file")" \
		"data by SEEK_DATA, and by pinfs map"
	cp "$DIR/file" "$WORK/before"
	refused "$DIR/file"
	cmp "$DIR/file" "$WORK/before"
	# They are done by ioctls instead.
	pinfs collapse "$DIR/file" 64K 128K
	pinfs insert "$DIR/file" 64K 128K
	cmp <(head -c 64K "$DIR/file") <(head -c 64K "$below")
	cmp -i 192K "$DIR/file" "$below"
	echo "data: $(data_by_seek "$DIR/file" | paste -s -d ,)"
}

scene_new 64M
program work
scene_end "$(sed -n '/^data:/p' "$LOG") $(sed -n 's/^refused: //p' "$LOG" |
	paste -s -d ' ' | sed 's/./; EOPNOTSUPP: &/')"
