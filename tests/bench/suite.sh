#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pinfs beside the ceiling, other file systems and raw memory, in one run: all are
# there at once, and each workload is measured on them in turn, ROUNDS times.
#
# usage: tests/bench/suite.sh [BUILD_DIR]        as root
#
#   ROUNDS=5            of each workload, 3 at most of the source tree
#   SECONDS_EACH=1      of each measurement that goes by time
#   SIZE=512M           of the file that is read and written
#   DIR=/dev/shm        where the images are
#   ONLY=PATTERN        workloads whose title or class matches (grep -E)
#   SIDES='pinfs ...'   no more than these sides
#   OUT=FILE            all single figures, one a line, for report.awk
#   PLOTS=DIR           draw the ratios there, as SVG
#
# install-deps.sh --bench gets what it needs.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/../.."
PATH=$PATH:/sbin:/usr/sbin

here=$PWD/tests/bench
build=$(realpath "${1:-build/release}")
rounds=${ROUNDS:-5}
each=${SECONDS_EACH:-1}
bytes=$(numfmt --from=iec "${SIZE:-512M}")
room=$((bytes * 2 + (2 << 30)))
only=${ONLY:-.}
# Of pinfsd; with a comma before them.
pinfs_options=${PINFS_OPTIONS:+,$PINFS_OPTIONS}
archive=$(find "$PWD/build/sources" -name 'hello_*.orig.tar.*' ! -name '*.asc' |
	head -n 1)
# shellcheck source=tests/bench/sides.sh
. "$here/sides.sh"
# shellcheck source=tests/bench/workloads.sh
. "$here/workloads.sh"
all_sides="$fs_sides storing"
allowed=" ${SIDES:-$all_sides raw raw4 fio dd} "

die() {
	echo "suite.sh: $*" >&2
	exit 1
}

check() {
	local tool

	[ "$(id -u)" = 0 ] || die "only root can mount a loop device and a tmpfs"
	for tool in fio jq fuse2fs mkfs.ext4 sqlite3 losetup setpriv \
		taskset; do
		command -v $tool >/dev/null ||
			die "$tool is missing; run ./install-deps.sh --bench"
	done
	[ -n "$(pg_bin)" ] ||
		die "PostgreSQL is missing; run ./install-deps.sh --bench"
	[ -n "$archive" ] || die "the source package is missing; run" \
		"./install-deps.sh"
	[ -x "$build/ceiling" ] ||
		die "$build has no benchmarks; build the preset release"
}

cleanup() {
	local side

	cd /
	for side in $all_sides; do
		down "$side" || true
	done
	[ -z "${dma_loop:-}" ] || losetup -d "$dma_loop" || true
	rm -rf "$dir"
}

# set_up - every side, and a device for DMA
set_up() {
	local side

	chmod 755 "$dir"
	for side in $all_sides; do
		[[ $allowed != *" $side "* ]] || up "$side"
	done
	dd if=/dev/zero of="$dir/dma.img" bs=1M count=$((bytes >> 20)) status=none
	dma_loop=$(losetup --show -f --direct-io=on "$dir/dma.img" 2>/dev/null ||
		losetup --show -f "$dir/dma.img")
}

# turn SIDES... - those that are allowed, another one first in each round
turn() {
	local side sides=() n

	for side; do
		[[ $allowed != *" $side "* ]] || sides+=("$side")
	done
	n=${#sides[@]}
	for ((i = 0; i < n; i++)); do
		echo "${sides[(i + round) % n]}"
	done
}

# rounds_of CLASS - building takes its time
rounds_of() {
	if [ "$1" = tree ] && [ "$rounds" -gt 3 ]; then
		echo 3
	else
		echo "$rounds"
	fi
}

# place CPUS - where the servers and what is started from now on run. A woken thread
# on another processor than its waker costs several times what the request does,
# and whether it is there is chance: with one job, all of it is on one processor.
place() {
	local pid

	taskset -c -p "$1" "$BASHPID" >/dev/null
	for pid in "${server[@]}"; do
		taskset -a -c -p "$1" "$pid" >/dev/null
	done
}

# measure TITLE CLASS UNIT SIDES TARGETS CPUS COMMAND - a line for each figure: title,
# class, unit, targets, side, round, value
measure() {
	local side name value command

	read -ra command <<<"$7"
	place "$([ "$6" = one ] && echo 0 || echo "0-$(($(nproc --all) - 1))")"
	for ((round = 0; round < $(rounds_of "$2"); round++)); do
		# shellcheck disable=SC2086 # words
		for side in $(turn $4); do
			"${command[@]}" "$side" >"$dir/said"
			while read -r name value; do
				[ "$name" != - ] || name=
				printf '%s\t%s\t%s\t%s\t%s\t%d\t%s\n' \
					"$1${name:+, $name}" "$2" "$3" "$5" \
					"${side/raw4/raw}" $round "$value"
			done <"$dir/said"
		done
	done
}

check
dir=$(mktemp -d "${DIR:-/dev/shm}/pinfs-bench-XXXXXX")
trap cleanup EXIT
out=${OUT:-$dir/figures}
: >"$out"
out=$(realpath "$out")
set_up
for workload in "${workloads[@]}"; do
	IFS='|' read -r title class unit sides targets cpus command <<<"$workload"
	grep -qE -- "$only" <<<"$title $class" || continue
	[ ! -t 2 ] || echo "$title" >&2
	measure "$title" "$class" "$unit" "$sides" "$targets" \
		"$cpus" "$command" |
		tee -a "$out" >"$dir/figures.now"
	[ -s "$dir/figures.now" ] || die "$title: no figures"
done
awk -f "$here/report.awk" "$out"
[ -z "${PLOTS:-}" ] || for side in ceiling fuse2fs; do
	awk -v bars=$side -f "$here/report.awk" "$out" |
		"$here/plot.sh" bars "pinfs : $side, more is better" \
			>"$PLOTS/suite-$side.svg"
done
