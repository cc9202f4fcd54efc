#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# From nothing to a mounted pinfs, and a tour of what it is for.
#
# usage: quickstart.sh [MOUNTPOINT]
#
# Installs what is missing, builds, makes a pool of 512 MiB and mounts it, on
# MOUNTPOINT if given.  Copies data, lets a slow device write into a file's
# own blocks, truncates the file meanwhile, and shows how that waits.
# With MOUNTPOINT it is left mounted; without, nothing is left.
#
# PINFS_POOL=FILE   where to make the pool, rather than in /dev/shm
set -eEu -o pipefail
cd_back=$PWD
cd "$(dirname "$0")"

usage() {
	sed -n 's/^# \{0,1\}//p' quickstart.sh | sed -n '4,13p'
}

die() {
	printf 'quickstart.sh: %s\n' "$*" >&2
	exit 1
}

say() {
	printf '\n%s\n' "$*"
}

# run COMMAND ARG... - show it, then do it
run() {
	printf '  $ %s\n' "$*"
	"$@" 2>&1 | sed 's/^/    /'
}

keep=
case ${1:-} in
'') ;;
-h | --help)
	usage
	exit
	;;
-*)
	usage >&2
	exit 2
	;;
*) keep=yes ;;
esac
[ $# -le 1 ] || {
	usage >&2
	exit 2
}

# --- before the tour ---------------------------------------------------------

mnt=
pool=
scratch=
made_pool=
mounted=
pids=()

# What this has started and made goes again, however it ends; but what worked
# stays if it was asked for.
clean_up() {
	local status=$? pid

	trap - EXIT ERR INT TERM
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	wait || true
	if [ -z "$keep" ] || [ "$status" != 0 ]; then
		if [ -n "$mounted" ] && mountpoint -q "$mnt"; then
			fusermount3 -u "$mnt" || fusermount3 -u -z "$mnt"
		fi
		[ -z "$made_pool" ] || rm -f "$pool"
	fi
	[ -z "$scratch" ] || rm -rf --one-file-system "$scratch"
	exit "$status"
}

choose_mountpoint() {
	if [ -z "$keep" ]; then
		mnt=$scratch/mnt
		mkdir "$mnt"
		return
	fi
	mnt=$1
	[[ $mnt == /* ]] || mnt=$cd_back/$mnt
	mkdir -p "$mnt" || die "$mnt: cannot be made"
	! mountpoint -q "$mnt" ||
		die "$mnt: something is mounted there; choose another place"
}

choose_pool() {
	if [ -n "${PINFS_POOL:-}" ]; then
		pool=$PINFS_POOL
		[[ $pool == /* ]] || pool=$cd_back/$pool
	elif [ -n "$keep" ]; then
		pool=/dev/shm/pinfs-$(id -un).pool
	else
		pool=$(mktemp -u /dev/shm/pinfs.XXXXXX)
	fi
	[ ! -e "$pool" ] || die "$pool: it is there already; remove it, or" \
		"set PINFS_POOL to another name"
}

build() {
	local log=build/quickstart.log

	mkdir -p build
	if ! { cmake --preset release && cmake --build --preset release; } \
		>"$log" 2>&1; then
		cat "$log" >&2
		die "it does not build; see above"
	fi
	PATH=$PWD/build/release:$PATH
}

say "Installing what is missing, and building"
./install-deps.sh --build-only
[ -c /dev/fuse ] || die "no /dev/fuse: load the kernel's fuse module"
build

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
scratch=$(mktemp -d "${TMPDIR:-/tmp}/pinfs.XXXXXX")
choose_mountpoint "${1:-}"
choose_pool

# --- the tour ----------------------------------------------------------------

# seconds_of COMMAND ARG... - run it and say how long it took
seconds_of() {
	local start=${EPOCHREALTIME/./} ms

	"$@" || return
	ms=$(((${EPOCHREALTIME/./} - start) / 1000))
	printf '%d.%03d s' $((ms / 1000)) $((ms % 1000))
}

say "A pool is a file, and holds a whole file system"
made_pool=yes
run mkfs.pinfs -s 512M -L quickstart "$pool"
mounted=yes
run pinfsd "$pool" "$mnt"

say "It holds files like any other"
run cp -r lib docs "$mnt"
run diff -r lib "$mnt/lib"
run df -h "$mnt"

say "A device writes straight into the blocks of a file: no copy in between"
head -c 16M /dev/urandom >"$scratch/device"
run pinfs dma from-device --create "$scratch/device" "$mnt/file"
run cmp "$scratch/device" "$mnt/file"

say "Once more, from a slow device: 1 s for each MiB. The blocks are pinned" \
	"until it is done"
run pinfs dma from-device --detach --latency 1s --chunk 1M --depth 1 \
	--length 4M "$scratch/device" "$mnt/file"

say "Meanwhile somebody truncates the file. Were its blocks freed now, the" \
	"device would write into another file's"
printf '  $ %s\n' "truncate -s 0 $mnt/file &"
seconds_of truncate -s 0 "$mnt/file" >"$scratch/took" &
pids+=($!)

say "A second later: who has pinned what, and who waits for whom"
sleep 1
run pinfs pins "$mnt"
run pinfs breaks "$mnt"
run pinfs map "$mnt/file"

say "All else goes on"
run cp "$scratch/device" "$mnt/other"
run ls -l "$mnt"

say "The DMA ends, and with it the wait"
wait "${pids[0]}" || die "truncate has failed"
pids=()
printf '  truncate took %s\n' "$(cat "$scratch/took")"
run pinfs pins "$mnt"
run pinfs breaks "$mnt"
run ls -l "$mnt/file"
run cmp "$scratch/device" "$mnt/other"

say "What the mount says of itself"
run pinfs info "$mnt"
run pinfs stats "$mnt"

# --- and now -----------------------------------------------------------------

if [ -n "$keep" ]; then
	say "$mnt stays mounted. To go on:"
	cat <<EOF
  export PATH=$PWD/build/release:\$PATH
  pinfs --help            # and: man -l docs/man/pinfs.1
  fusermount3 -u $mnt
  fsck.pinfs -n $pool
  pinfsd $pool $mnt
  rm $pool  # when it is unmounted, to get rid of it
EOF
	exit
fi
say "Unmounted, and checked"
run fusermount3 -u "$mnt"
run fsck.pinfs -v -n "$pool"
say "Nothing is left. To keep a mount: ./quickstart.sh MOUNTPOINT"
