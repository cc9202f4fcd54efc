# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# What is measured beside each other; sourced, from the project's root, by the
# scripts here, which set $build, $bytes (of the file "f") and $room (of an image),
# and call sides_begin. A side NAME has its mount at $dir/NAME and, but for tmpfs, its
# image in $dir, so all are in the same place. Images are not sparse, as devices are
# not. Each has the file "f", all of it written, and a directory "large" of 10,000
# names.
#
#   pinfs     a pool; on memory it is taken for persistent memory
#   ceiling   a FUSE server that answers from memory and does nothing else
#   storing   the same, but what is written is stored
#   uring, ceiling_uring   the first two over io_uring; not where that cannot be had
#   fuse2fs   an ext4 image without a kernel module
#   ext4      the same on a loop device, by the kernel
#   tmpfs
#
# shellcheck disable=SC2154 # $build, $bytes, $room

shopt -s inherit_errexit
PATH=$PATH:/sbin:/usr/sbin
# Of pinfsd; with a comma before them.
pinfs_options=${PINFS_OPTIONS:+,$PINFS_OPTIONS}

declare -A server # pid of a side's server

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# need_tools TOOL...
need_tools() {
	local tool

	for tool; do
		command -v "$tool" >/dev/null ||
			die "$tool is missing; run ./install-deps.sh --bench"
	done
}

# sides_begin - make $dir; it goes with all that is mounted in it when the script ends
sides_begin() {
	dir=$(mktemp -d "${DIR:-/dev/shm}/pinfs-bench-XXXXXX")
	trap sides_end EXIT
}

sides_end() {
	local mnt

	cd /
	for mnt in "$dir"/*/; do
		mnt=${mnt%/}
		down "${mnt##*/}" || true
	done
	[ -z "${dma_loop:-}" ] || losetup -d "$dma_loop" || true
	rm -rf "$dir"
}

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

# serve_pinfs NAME [,OPTION]
serve_pinfs() {
	fallocate -l "$room" "$dir/$1.img"
	"$build/mkfs.pinfs" "$dir/$1.img" >/dev/null
	if [ "$(stat -f -c %T "$dir")" = tmpfs ]; then
		export PMEM_IS_PMEM_FORCE=1
	fi
	serve "$1" "$build/pinfsd" -f -o "allow_other$pinfs_options${2:-}" \
		"$dir/$1.img" "$dir/$1"
	unset PMEM_IS_PMEM_FORCE
}

up_pinfs() { serve_pinfs pinfs; }

up_uring() {
	serve_pinfs uring ,io_uring
	# Answered only when the daemon has said which way requests come.
	stat -f "$dir/uring" >/dev/null
	grep -q ': over io_uring' "$dir/uring.log" ||
		die "$(cat "$dir/uring.log")"
}

# serve_ceiling NAME [OPTION]
serve_ceiling() {
	dd if=/dev/zero of="$dir/$1.img" bs=1M count=$((bytes >> 20)) status=none
	serve "$1" "$build/ceiling" ${2:+"$2"} "$dir/$1.img" "$dir/$1"
	# As pinfsd does.
	echo 1024 >"/sys/class/bdi/$(mountpoint -d "$dir/$1")/read_ahead_kb"
}

up_ceiling() { serve_ceiling ceiling; }
up_storing() { serve_ceiling storing --store; }
up_ceiling_uring() { FUSE_URING_ENABLE=1 serve_ceiling ceiling_uring; }

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
	case $1 in
	ceiling* | storing) ;;
	*) fill "$1" ;;
	esac
}
