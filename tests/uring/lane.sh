#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pinfs with a newer libfuse than this system's: a chroot of a newer Debian suite,
# on the kernel that runs, with libfuse from that suite's source package. Its
# binary package is built without liburing, and so without FUSE over io_uring;
# the same source with liburing at hand has it.
#
#   lane.sh              all that follows
#   lane.sh setup        make the chroot, build libfuse and pinfs in it
#   lane.sh classic      end-to-end tests, the transport as ever
#   lane.sh io_uring     the same over io_uring, and those of this directory
#   lane.sh bench        both transports side by side (tests/bench/suite.sh)
#   lane.sh run COMMAND...   in the chroot, by hand
#
# Needs root, and what install-deps.sh --uring installs. The chroot stays in
# build/uring, half a GiB; it is made again when that is removed. All mounts are
# in a namespace of this script's own, so nothing is left of them however it
# ends. The fuse module's enable_uring is Y meanwhile, which concerns only mounts
# that ask for it, and is afterwards what it was.
#
# LANE_SUITE=testing, LANE_MIRROR, JOBS (of ctest), TESTS (a regular expression)
set -eu -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
lane=$top/build/uring
root=$lane/root
suite=${LANE_SUITE:-testing}
mirror=${LANE_MIRROR:-http://deb.debian.org/debian}
parameter=/sys/module/fuse/parameters/enable_uring
build=build/uring/release # in the chroot, below /pinfs

die() {
	printf 'lane.sh: %s\n' "$*" >&2
	exit 1
}

# --- the chroot --------------------------------------------------------------

# Signatures are checked; that a mirror is behind is no harm to a test.
make_root() {
	[ ! -d "$root" ] || return 0
	command -v mmdebstrap >/dev/null ||
		die "mmdebstrap is not installed; run install-deps.sh --uring"
	mkdir -p "$lane"
	rm -rf --one-file-system "$root.new"
	mmdebstrap --variant=apt --mode=root \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		"$suite" "$root.new" "deb $mirror $suite main" \
		"deb-src $mirror $suite main"
	mkdir -p "$root.new/pinfs"
	mv "$root.new" "$root"
}

in_root() {
	chroot "$root" /usr/bin/env -i HOME=/root LC_ALL=C \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# The packages keep their version, so apt must not take them for out of date.
make_libfuse() {
	[ ! -e "$root/libfuse/done" ] || return 0
	in_root bash -eu -c '
		export DEBIAN_FRONTEND=noninteractive
		export DEB_BUILD_OPTIONS=nocheck DEB_BUILD_PROFILES="noudeb nocheck"
		apt-get -q update
		apt-get -q install -y --no-install-recommends \
			dpkg-dev liburing-dev libnuma-dev
		apt-get -q build-dep -y --no-install-recommends fuse3
		rm -rf /libfuse
		mkdir /libfuse
		cd /libfuse
		apt-get -q source fuse3
		cd fuse3-*/
		dpkg-buildpackage -b -us -uc
		cd ..
		apt-get -q install -y --no-install-recommends --reinstall \
			--allow-downgrades ./libfuse3-4_*.deb \
			./libfuse3-dev_*.deb ./fuse3_*.deb
		apt-mark hold libfuse3-4 libfuse3-dev fuse3
		ldd /usr/lib/*/libfuse3.so.4 | grep -q liburing
		touch done'
}

# fincore has moved to a package of its own there.
make_pinfs() {
	in_root bash -eu -c "
		cd /pinfs
		./install-deps.sh
		dpkg -s util-linux-extra >/dev/null 2>&1 ||
			apt-get -q install -y util-linux-extra
		cmake --preset release -B $build
		cmake --build $build --parallel $(nproc)"
}

# --- what is done in it ------------------------------------------------------

# run_tests OPTIONS LABELS - the end-to-end tests, mounted with these options
run_tests() {
	in_root PINFS_OPTIONS="$1" ctest --test-dir "/pinfs/$build" \
		-L "^($2)\$" ${TESTS:+-R "$TESTS"} --output-on-failure \
		--parallel "${JOBS:-$((2 * $(nproc)))}"
}

run_bench() {
	in_root SECONDS_EACH="${SECONDS_EACH:-}" ROUNDS="${ROUNDS:-}" \
		SIZE="${SIZE:-}" BASE=uring ONLY='direct.* data|one directory' \
		SIDES='pinfs uring ceiling ceiling_uring' \
		/pinfs/tests/bench/suite.sh "/pinfs/$build"
}

run_lane() {
	case ${1:-all} in
	setup) ;;
	classic) run_tests '' e2e ;;
	io_uring) run_tests io_uring 'e2e|uring' ;;
	bench) run_bench ;;
	run) in_root "${@:2}" ;;
	all)
		local failed=0

		run_tests '' e2e || failed=1
		run_tests io_uring 'e2e|uring' || failed=1
		run_bench
		return "$failed"
		;;
	*) die "$1: setup, classic, io_uring, bench or run expected" ;;
	esac
}

# --- around it ---------------------------------------------------------------

# One lane at a time: the last one out puts back what the first one found.
allow_uring() {
	local was

	exec 9>/run/lock/pinfs-uring
	flock -n 9 || die "another one is at work, and sets $parameter"
	[ -e "$parameter" ] ||
		die "this kernel has no FUSE over io_uring (Linux 6.14 has it)"
	was=$(<"$parameter")
	# Evaluated now: there is no such variable later.
	# shellcheck disable=SC2064
	trap "echo $was >$parameter" EXIT
	trap 'exit 143' TERM INT HUP
	echo Y >"$parameter"
}

# A mount that is there when the namespace is made would live as long as it does,
# unmounted by its owner or not.
leave_others() {
	local target

	while read -r target; do
		umount -l "$target" || true
	done < <(findmnt -rn -o TARGET -t fuse,fuse.pinfs,fuseblk || true)
}

# A mount itself, so that tests can have namespaces of their own.
mount_all() {
	mount --bind "$root" "$root"
	mount --bind "$top" "$root/pinfs"
	mount --rbind /dev "$root/dev"
	mount -t proc proc "$root/proc"
	mount --rbind /sys "$root/sys"
}

[ "$(id -u)" = 0 ] || die "needs root"
if [ -z "${LANE_NAMESPACE:-}" ]; then
	allow_uring
	LANE_NAMESPACE=yes unshare --mount --propagation private \
		bash "$0" "$@" 9>&-
	exit
fi
leave_others
make_root
mount_all
make_libfuse
[ "${1:-}" = run ] || make_pinfs
run_lane "$@"
