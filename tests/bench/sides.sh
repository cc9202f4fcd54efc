# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# What is measured beside each other; sourced by suite.sh. A side NAME has its
# mount at $dir/NAME and, but for tmpfs, its image in $dir, so all are in the same
# place. Images are not sparse, as devices are not. Each has the file "f" of $bytes, all of it written; the ceiling and pinfs
# have a directory "large" of as many names, too.
#
#   pinfs     a pool; on memory it is taken for persistent memory
#   ceiling   a FUSE server that answers from memory and does nothing else
#   storing   the same, but what is written is stored
#   fuse2fs   an ext4 image without a kernel module
#   ext4      the same on a loop device, by the kernel
#   tmpfs
#
# shellcheck disable=SC2154 # $dir, $build, $bytes, $room are suite.sh's

declare -A server # pid of a side's server

# serve NAME COMMAND... - in the background, until its mount is there
serve() {
	local name=$1

	shift
	"$@" >"$dir/$name.log" 2>&1 &
	server[$name]=$!
	"$build/await" 30000 mount "$dir/$name" "${server[$name]}" || {
		cat "$dir/$name.log" >&2
		return 1
	}
}

up_pinfs() {
	fallocate -l "$room" "$dir/pinfs.img"
	"$build/mkfs.pinfs" "$dir/pinfs.img" >/dev/null
	if [ "$(stat -f -c %T "$dir")" = tmpfs ]; then
		export PMEM_IS_PMEM_FORCE=1
	fi
	# shellcheck disable=SC2086 # options, separated
	serve pinfs "$build/pinfsd" -f -o "allow_other$pinfs_options" \
		"$dir/pinfs.img" "$dir/pinfs"
	unset PMEM_IS_PMEM_FORCE
}

# serve_ceiling NAME [OPTION]
serve_ceiling() {
	dd if=/dev/zero of="$dir/$1.img" bs=1M count=$((bytes >> 20)) status=none
	serve "$1" "$build/ceiling" ${2:+"$2"} "$dir/$1.img" "$dir/$1"
}

up_ceiling() { serve_ceiling ceiling; }
up_storing() { serve_ceiling storing --store; }

make_ext4() {
	fallocate -l "$room" "$1"
	mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 "$1"
}

up_fuse2fs() {
	make_ext4 "$dir/fuse2fs.img"
	serve fuse2fs fuse2fs -f -o allow_other,default_permissions \
		"$dir/fuse2fs.img" "$dir/fuse2fs"
}

up_ext4() {
	make_ext4 "$dir/ext4.img"
	mount -o loop "$dir/ext4.img" "$dir/ext4"
}

up_tmpfs() {
	mount -t tmpfs -o "size=$room" bench "$dir/tmpfs"
}

# down NAME - what it has mounted; a server that has gone holds its image no more
down() {
	mountpoint -q "$dir/$1" || return 0
	umount "$dir/$1" || umount -l "$dir/$1"
	[ -z "${server[$1]:-}" ] ||
		"$build/await" 60000 exit "${server[$1]}" || return 1
	unset "server[$1]"
}

# fill NAME - the file and the directory that the workloads read
fill() {
	mkdir -p "$dir/$1/large"
	(cd "$dir/$1/large" && seq -f 'n%.0f' 0 9999 | xargs touch)
	dd if=/dev/zero of="$dir/$1/f" bs=1M count=$((bytes >> 20)) status=none
}

up() {
	mkdir "$dir/$1"
	"up_$1"
	[ "$1" = ceiling ] || [ "$1" = storing ] || fill "$1"
}
