#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pinfs beside the ceiling, other file systems and raw memory, in one run: all are
# there at once, and each workload is measured on them in turn, ROUNDS times.
#
# usage: tests/bench/suite.sh [BUILD_DIR]        as root
#
#   ROUNDS=5            of each workload; see rounds_of
#   SECONDS_EACH=1      of each measurement that goes by time
#   SIZE=512M           of the file that is read and written
#   DIR=/dev/shm        where the images are
#   ONLY=PATTERN        workloads whose title or class matches (grep -E)
#   SIDES='pinfs ...'   only these sides; uring and ceiling_uring only if named
#   BASE=pinfs          the side whose figures and ratios are printed
#   OUT=FILE            all single figures, one a line, for report.awk
#   PLOTS=DIR           draw the ratios there, as SVG
#
# install-deps.sh --bench gets what it needs.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=$PWD/tests/bench
build=$(realpath "${1:-build/release}")
rounds=${ROUNDS:-5}
each=${SECONDS_EACH:-1}
bytes=$(numfmt --from=iec "${SIZE:-512M}")
room=$((bytes * 2 + (2 << 30)))
only=${ONLY:-.}
archive=$(find "$PWD/build/sources" -name 'hello_*.orig.tar.*' ! -name '*.asc' |
	head -n 1)
# shellcheck source=tests/bench/sides.sh
. "$here/sides.sh"
# shellcheck source=tests/bench/workloads.sh
. "$here/workloads.sh"
all_sides="$fs_sides storing"
allowed=" ${SIDES:-${fs_sides/ uring ceiling_uring/} storing raw raw4 fio fio_all dd} "

# is_allowed SIDE
is_allowed() {
	[[ $allowed = *" $1 "* ]]
}

# select_workloads - those that are asked for
select_workloads() {
	local workload title class rest

	for workload in "${workloads[@]}"; do
		IFS='|' read -r title class rest <<<"$workload"
		! grep -qE -- "$only" <<<"$title $class" || selected+=("$workload")
	done
	[ ${#selected[@]} != 0 ] || die "no workload is like $only"
}

# check - all that it takes is there, before the first hour has gone
check() {
	[ "$(id -u)" = 0 ] || die "only root can mount a loop device and a tmpfs"
	need_tools fio jq losetup taskset
	! is_allowed fuse2fs || need_tools fuse2fs mkfs.ext4
	! is_allowed ext4 || need_tools mkfs.ext4
	case ${selected[*]} in *'|sqlite'*) need_tools sqlite3 ;; esac
	case ${selected[*]} in *'|postgres'*)
		need_tools setpriv
		[ -n "$(pg_bin)" ] ||
			die "PostgreSQL is missing; run ./install-deps.sh --bench"
		;;
	esac
	case ${selected[*]} in *'|source_tree'*)
		[ -n "$archive" ] || die "the source package is missing; run" \
			"./install-deps.sh"
		;;
	esac
	[ -x "$build/ceiling" ] ||
		die "$build has no benchmarks; build the preset release"
}

# set_up - every side, and a device for DMA
set_up() {
	local side

	chmod 755 "$dir"
	for side in $all_sides; do
		! is_allowed "$side" || up "$side"
	done
	dd if=/dev/zero of="$dir/dma.img" bs=1M count=$((bytes >> 20)) status=none
	dma_loop=$(losetup --show -f --direct-io=on "$dir/dma.img" 2>/dev/null ||
		losetup --show -f "$dir/dma.img")
}

# turn SIDES... - those that are allowed, another one first in each round
turn() {
	local side sides=() n

	for side; do
		! is_allowed "$side" || sides+=("$side")
	done
	n=${#sides[@]}
	for ((i = 0; i < n; i++)); do
		echo "${sides[(i + round) % n]}"
	done
}

# rounds_of CLASS - building takes its time; of what is near to its target in each of
# its rounds, and takes little, there are more
rounds_of() {
	case $1 in
	tree)
		echo $((rounds > 3 ? 3 : rounds))
		;;
	cached | dma)
		echo $((2 * rounds + 1))
		;;
	*)
		echo "$rounds"
		;;
	esac
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

selected=()
select_workloads
check
[ -z "${PLOTS:-}" ] || mkdir -p "$PLOTS"
sides_begin
out=${OUT:-$dir/figures}
: >"$out"
out=$(realpath "$out")
set_up
for workload in "${selected[@]}"; do
	IFS='|' read -r title class unit sides targets cpus command <<<"$workload"
	[ ! -t 2 ] || echo "$title" >&2
	measure "$title" "$class" "$unit" "$sides" "$targets" \
		"$cpus" "$command" |
		tee -a "$out" >"$dir/figures.now"
	[ -s "$dir/figures.now" ] || die "$title: no figures"
done
awk -v base="${BASE:-pinfs}" -f "$here/report.awk" "$out"
[ -z "${PLOTS:-}" ] || for side in ceiling fuse2fs; do
	awk -v bars=$side -f "$here/report.awk" "$out" |
		"$here/plot.sh" bars "pinfs : $side, more is better" \
			>"$PLOTS/suite-$side.svg"
done
