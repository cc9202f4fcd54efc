#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# How figures grow with the file system's size: runs scale, prints its tables, and
# draws its plots.
#
#   scale.sh [BUILD_DIR]      ROUNDS=9 PARTS="names extents ..." PLOTS=DIR TSV=FILE
#
# Pools are in /dev/shm; PLOTS, docs/plots if not given, gets an SVG for each chart, and
# TSV the lines themselves. With TSV=FILE that is there and FIGURES=old nothing is
# measured: the tables and plots are those of that file.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "${1:-build/release}")
rounds=${ROUNDS:-9}
plots=${PLOTS:-$here/../../docs/plots}
work=$(mktemp -d)
tsv=${TSV:-$work/scale.tsv}
trap 'rm -rf "$work"' EXIT

if [ "${FIGURES:-new}" = new ]; then
	# Words: one argument for each part.
	# shellcheck disable=SC2086
	"$build/scale" -r "$rounds" /dev/shm ${PARTS:-} >"$tsv"
fi

# table CHART TITLE X: a row for each series, a column for each size
table() {
	awk -F '\t' -v chart="$1/" -v title="$2" -v xlabel="$3" '
	function number(v) {
		if (v >= 100) return sprintf("%.0f", v)
		return sprintf(v >= 10 ? "%.1f" : "%.2f", v)
	}
	function size(v) {
		if (v >= 1000000) return v / 1000000 " M"
		return v >= 1000 && v % 1000 == 0 ? v / 1000 " k" : v
	}
	index($1, chart) == 1 {
		if (!($1 in rows)) { row[++n] = $1; rows[$1] }
		if (!($2 in cols)) { col[++m] = $2; cols[$2] }
		v[$1, $2] = $3
		unit[$1] = $4
	}
	END {
		printf "\n%s, by %s:\n\n| |", title, xlabel
		for (j = 1; j <= m; j++) printf " %s |", size(col[j])
		print " last : first |"
		printf "|---|"
		for (j = 1; j <= m; j++) printf "---|"
		print "---|"
		for (i = 1; i <= n; i++) {
			printf "| %s, %s |", substr(row[i], length(chart) + 1),
				unit[row[i]]
			for (j = 1; j <= m; j++)
				printf " %s |", number(v[row[i], col[j]])
			first = v[row[i], col[1]]
			printf " %s |\n", first ? sprintf("%.2f", \
				v[row[i], col[m]] / first) : "-"
		}
	}' "$tsv"
}

mkdir -p "$plots"
while IFS=$'\t' read -r _ chart title x; do
	table "$chart" "$title" "$x"
	awk -F '\t' -v chart="$chart" '
		$1 == "#note" && $2 == chart {print "\n" $3}' "$tsv"
	# The states of a pool are no scale, nor are two threads.
	case $chart in space | parallel*) continue ;; esac
	grep -F "$chart/" "$tsv" |
		"$here/plot.sh" lines "$title" "$x" >"$plots/scale-$chart.svg"
done < <(grep '^#chart' "$tsv")
