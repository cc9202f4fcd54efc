#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Draws figures: tab-separated lines on standard input, an SVG on standard output.
#
#   plot.sh lines TITLE XLABEL     lines "series, x, y, unit": a line each, log axes
#   plot.sh bars TITLE             lines "name, ratio": a bar each, and a line at 1
#
# What begins with # is left out. Needs gnuplot (install-deps.sh --bench).
set -euo pipefail

kind=${1:-} title=${2:-} xlabel=${3:-}
data=$(mktemp)
trap 'rm -f "$data"' EXIT

# quoted TEXT: as gnuplot's own string
quoted() {
	printf "'%s'" "${1//\'/\'\'}"
}

common() {
	echo "set terminal svg size 720,432 font 'sans,12' noenhanced"
	echo "set title $(quoted "$title")"
	echo "set grid back lc rgb '#dddddd'"
	echo "set border 3"
	echo "set tics nomirror"
}

lines() {
	local name n=0 sep='plot '

	common
	echo "set logscale xy"
	echo "set format x '%.0f'"
	echo "set xlabel $(quoted "$xlabel")"
	echo "set ylabel $(quoted "$(cut -f 4 "$data" | sort -u | paste -sd,)")"
	echo "set key outside bottom center horizontal"
	echo "set offsets graph 0.05, graph 0.05, 0, 0"
	echo "set datafile separator tab"
	# From zero the axis would be of no use, and from the least all look steep.
	cut -f 3 "$data" | awk 'NR == 1 || $1 < low {low = $1}
		NR == 1 || $1 > high {high = $1}
		END {printf "set yrange [%g:%g]\n", low / 2, high * 2}'
	while read -r name; do
		n=$((n + 1))
		awk -F '\t' -v s="$name" '$1 == s' "$data" >"$data.$n"
		printf "%s'%s' using 2:3 with linespoints lw 2 pt 7 ps 0.6 title %s" \
			"$sep" "$data.$n" "$(quoted "${name##*/}")"
		sep=', '
	done < <(cut -f 1 "$data" | awk '!seen[$0]++')
	echo
}

bars() {
	local n

	n=$(wc -l <"$data")
	common
	echo "set terminal svg size 720,$((90 + 18 * n)) font 'sans,11' noenhanced"
	echo "set style fill solid 0.7 border -1"
	echo "unset key"
	echo "set xrange [0:*]"
	echo "set yrange [$n - 0.4:-0.6]"
	echo "set datafile separator tab"
	echo "set arrow from 1, graph 0 to 1, graph 1 nohead front lc rgb '#cc3311' lw 2"
	printf "plot '%s' using (0):0:(0):2:(\$0-0.32):(\$0+0.32):ytic(1) " "$data"
	echo "with boxxyerror lc rgb '#4477aa'"
}

command -v gnuplot >/dev/null || {
	echo "plot.sh: gnuplot is not installed: ./install-deps.sh --bench" >&2
	exit 1
}
trap 'rm -f "$data" "$data".*' EXIT
grep -v '^#' >"$data" || {
	echo "plot.sh: no figures on standard input" >&2
	exit 1
}
case $kind in
lines | bars) "$kind" | gnuplot ;;
*)
	echo "usage: plot.sh lines TITLE XLABEL | bars TITLE" >&2
	exit 2
	;;
esac
