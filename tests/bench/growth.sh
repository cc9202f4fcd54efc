#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a name costs on a mount, in directories of 1,000 to 1,000,000: a look-up that
# the kernel has to ask for, create and close, unlink; and what 4 KiB past the page
# cache cost in files of 1 to 1,000,000 extents. All sizes in turn, client and server
# on one processor. Prints tables of microseconds, medians of the rounds.
#
# usage: tests/bench/growth.sh [BUILD_DIR]        as root
#
#   ROUNDS=5 SECONDS_EACH=1 DIR=/dev/shm
set -euo pipefail
cd "$(dirname "$0")/../.."

build=$(realpath "${1:-build/release}")
rounds=${ROUNDS:-5}
each=${SECONDS_EACH:-1}
names=(1000 10000 100000 1000000)
extents=(1 1000 10000 100000 1000000)
# Read by sides.sh; the file "f" is not needed here.
# shellcheck disable=SC2034
bytes=$((1 << 20)) room=$((8 << 30))
# shellcheck source=tests/bench/sides.sh
. tests/bench/sides.sh

[ "$(id -u)" = 0 ] || die "only root can have the kernel forget names"
sides_begin

# rounds_of COSTS SIZE... - "OPERATION SIZE MICROSECONDS" of each in turn, by COSTS
rounds_of() {
	local round n

	for ((round = 0; round < rounds; round++)); do
		for n in "${@:2}"; do
			"$1" "$n" | awk -v n="$n" '{print $1, n, 1e6 / $2}'
		done
	done
}

# table WHAT SIZE... - of what rounds_of prints
table() {
	sort -k1,1 -k2,2n -k3,3n | awk -v what="$1" -v sizes="${*:2}" '
	function grouped(n) {
		while (match(n, /[0-9][0-9][0-9][0-9]($|,)/))
			n = substr(n, 1, RSTART) "," substr(n, RSTART + 1)
		return n
	}
	{ if (!count[$1, $2]++ && !seen[$1]++) op[++ops] = $1
	  v[$1, $2, count[$1, $2]] = $3 }
	function median(o, n) { return v[o, n, int((count[o, n] + 1) / 2)] }
	END {
		n = split(sizes, size, " ")
		printf "| µs, by %s |", what
		for (i = 1; i <= n; i++)
			printf " %s |", grouped(size[i])
		printf " last : first |\n|---|"
		for (i = 1; i <= n; i++)
			printf "---|"
		print "---|"
		for (k = 1; k <= ops; k++) {
			printf "| %s |", op[k]
			for (i = 1; i <= n; i++)
				printf " %.2f |", median(op[k], size[i])
			first = median(op[k], size[1])
			printf " %.2f |\n", median(op[k], size[n]) / first
		}
	}'
}

name_costs() { "$build/names" among "$dir/pinfs/d$1" "$1" "$each"; }
block_costs() { "$build/blocks" in "$dir/pinfs/f$1" "$1" "$each"; }

taskset -c -p 0 $$ >/dev/null
up pinfs
for n in "${names[@]}"; do
	"$build/names" fill "$dir/pinfs/d$n" "$n" >/dev/null
done
for n in "${extents[@]}"; do
	"$build/blocks" fill "$dir/pinfs/f$n" "$n"
done
rounds_of name_costs "${names[@]}" | table names "${names[@]}"
echo
rounds_of block_costs "${extents[@]}" | table extents "${extents[@]}"
