#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Installs the Debian packages that pinfs is built from, and those that its
# tests use; gets the source package that tests/e2e/test_source.sh builds.
# Says nothing and asks nobody when they are all there.
#
# usage: install-deps.sh [--build-only | --fuzz | --programs | --bench | --uring]
set -eu

# The unit tests are part of the build, so their framework is needed for it.
build_packages=(
	check cmake gcc libc6-dev ninja-build pkg-config
	fuse3 libaio-dev libblkid-dev libfuse3-dev libjansson-dev libpmem-dev
	liburing-dev libxxhash-dev uuid-dev
)
test_packages=(
	acl attr bzip2 diffutils e2fsprogs fio git jq make spin sqlite3
	util-linux xfsprogs xz-utils
)
# For tests/fuzz/run.sh only.
fuzz_packages=(clang libclang-rt-14-dev)
# For tests/programs/run.sh only.
program_packages=(bonnie++ dbench postgresql postgresql-contrib rsync stress-ng)
# For tests/bench only.
bench_packages=(fuse2fs gnuplot-nox linux-perf postgresql)
# For tests/uring/lane.sh only; all else is in its chroot.
uring_packages=(debian-archive-keyring mmdebstrap)
# Not installed, but kept here for the test that builds it.
source_package=hello
sources=$(cd "$(dirname "$0")" && pwd)/build/sources

die() {
	printf 'install-deps.sh: %s\n' "$*" >&2
	exit 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		env DEBIAN_FRONTEND=noninteractive "$@"
	elif command -v sudo >/dev/null; then
		sudo env DEBIAN_FRONTEND=noninteractive "$@"
	else
		die "not root, and no sudo: have root install ${missing[*]}"
	fi
}

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = \
		installed ]
}

# install PACKAGE... - those that are missing
install() {
	local package

	missing=()
	for package; do
		is_installed "$package" || missing+=("$package")
	done
	[ ${#missing[@]} != 0 ] || return 0
	echo "installing ${missing[*]}"
	as_root apt-get -q update
	as_root apt-get -q install -y --no-install-recommends "${missing[@]}"
}

# source_lines - deb-src lines for the places that this system's packages are
# from, as far as they are Debian's own; before the first update apt does not
# know whose they are, and the place has to tell
source_lines() {
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg trust=

	[ ! -e "$keyring" ] || trust="[signed-by=$keyring] "
	# The format is apt's own, not the shell's.
	# shellcheck disable=SC2016
	apt-get indextargets --format \
		'$(CREATED_BY)|$(ORIGIN)|$(REPO_URI) $(RELEASE) $(COMPONENT)' |
		awk -F '|' -v trust="$trust" '
		$1 == "Packages" && ($2 == "Debian" || $3 ~ /\/debian/) {
			print "deb-src " trust $3
		}' | sort -u
}

# private_apt ARG... - with lists of its own: the system's stay as they are
private_apt() {
	apt-get -q -o Dir::Etc::sourcelist="$sources/apt/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$sources/apt/lists" \
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
		-o APT::Sandbox::User="$(id -un)" "$@"
}

have_source() {
	find "$sources" -name "${source_package}_*.orig.tar.*" 2>/dev/null |
		grep -q .
}

# Without a network, or without apt, the test is skipped and says so.
get_source() {
	local log=$sources/apt/log

	! have_source || return 0
	mkdir -p "$sources/apt/lists/partial" || return 0
	source_lines >"$sources/apt/sources.list" 2>/dev/null || true
	echo "getting the source package of $source_package"
	if ! (cd "$sources" && private_apt update &&
		private_apt source --download-only "$source_package") \
		>"$log" 2>&1 || ! have_source; then
		echo "not available: the test that builds it is skipped; see" \
			"$log"
		return 0
	fi
	rm -r "$sources/apt"
}

mode=all
case ${1:-} in
'') ;;
--build-only) mode=build ;;
--fuzz) mode=fuzz ;;
--programs) mode=programs ;;
--bench) mode=bench ;;
--uring) mode=uring ;;
*)
	echo "usage: install-deps.sh [--build-only | --fuzz | --programs |" \
		"--bench | --uring]" >&2
	exit 2
	;;
esac

command -v dpkg-query >/dev/null || die "not a Debian system: what Debian" \
	"calls ${build_packages[*]} is needed"
case $mode in
build) install "${build_packages[@]}" ;;
fuzz) install "${build_packages[@]}" "${fuzz_packages[@]}" ;;
uring) install "${uring_packages[@]}" ;;
programs)
	install "${build_packages[@]}" "${test_packages[@]}" \
		"${program_packages[@]}"
	;;
bench)
	install "${build_packages[@]}" "${test_packages[@]}" \
		"${bench_packages[@]}"
	get_source
	;;
*)
	install "${build_packages[@]}" "${test_packages[@]}"
	get_source
	;;
esac
