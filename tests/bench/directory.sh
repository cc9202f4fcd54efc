#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a name costs on a mount, in directories of 1,000 to 1,000,000: a look-up that
# the kernel has to ask for, create and close, unlink. All sizes in turn, client and
# server on one processor. Prints a table of microseconds, medians of the rounds.
#
# usage: tests/bench/directory.sh [BUILD_DIR]        as root
#
#   ROUNDS=5 SECONDS_EACH=1 DIR=/dev/shm
set -euo pipefail
cd "$(dirname "$0")/../.."

build=$(realpath "${1:-build/release}")
rounds=${ROUNDS:-5}
each=${SECONDS_EACH:-1}
sizes=(1000 10000 100000 1000000)
# Read by sides.sh; the file "f" is not needed here.
# shellcheck disable=SC2034
bytes=$((1 << 20)) room=$((4 << 30))
# shellcheck source=tests/bench/sides.sh
. tests/bench/sides.sh

[ "$(id -u)" = 0 ] || die "only root can have the kernel forget names"
sides_begin

taskset -c -p 0 $$ >/dev/null
up pinfs
for n in "${sizes[@]}"; do
	"$build/names" fill "$dir/pinfs/$n" "$n"
done
for ((round = 0; round < rounds; round++)); do
	for n in "${sizes[@]}"; do
		"$build/names" among "$dir/pinfs/$n" "$n" "$each" |
			awk -v n="$n" '{print $1, n, 1e6 / $2}'
	done
done | sort -k1,1 -k2,2n -k3,3n | awk -v rounds="$rounds" '
	BEGIN {
		print "| µs | 1,000 names | 10,000 | 100,000 | 1,000,000 | last : first |"
		print "|---|---|---|---|---|---|"
	}
	{ v[$1, $2, ++count[$1, $2]] = $3 }
	function median(op, n) { return v[op, n, int((rounds + 1) / 2)] }
	END {
		split("lookup create unlink", ops, " ")
		for (i = 1; i <= 3; i++) {
			op = ops[i]
			printf "| %s | %.2f | %.2f | %.2f | %.2f | %.2f |\n", op,
				median(op, 1000), median(op, 10000),
				median(op, 100000), median(op, 1000000),
				median(op, 1000000) / median(op, 1000)
		}
	}'
