#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Installs the Debian packages that pinfs is built from, and those that its
# tests use.  Says nothing and asks nobody when they are all there.
#
# usage: install-deps.sh [--build-only]
set -eu

build_packages=(
	cmake gcc libc6-dev ninja-build pkg-config
	fuse3 libaio-dev libblkid-dev libfuse3-dev libjansson-dev libpmem-dev
	liburing-dev libxxhash-dev uuid-dev
)
test_packages=(
	acl attr check fio jq sqlite3 xfsprogs
)

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

packages=("${build_packages[@]}")
case ${1:-} in
'') packages+=("${test_packages[@]}") ;;
--build-only) ;;
*)
	echo "usage: install-deps.sh [--build-only]" >&2
	exit 2
	;;
esac

command -v dpkg-query >/dev/null ||
	die "not a Debian system: what Debian calls ${packages[*]} is needed"

missing=()
for package in "${packages[@]}"; do
	is_installed "$package" || missing+=("$package")
done
[ ${#missing[@]} = 0 ] && exit 0

echo "installing ${missing[*]}"
as_root apt-get -q update
as_root apt-get -q install -y --no-install-recommends "${missing[@]}"
