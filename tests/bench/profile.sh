#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Where the time of an operation goes: pinfs beside the ceiling, client and server on
# one processor, so that its time is theirs, by perf's samples. Prints a table of
# microseconds an operation for each path: by who ran, and in which object.
#
# usage: tests/bench/profile.sh [BUILD_DIR]        as root
#
#   SECONDS_EACH=3      of each path that goes by time
#   FILES=100000        that are created
#   SYMBOLS=12          pinfsd's own functions to name for each path
#   DIR=/dev/shm        where the images are
#
# install-deps.sh --bench gets what it needs.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=$(realpath "${1:-build/release}")
each=${SECONDS_EACH:-3}
files=${FILES:-100000}
symbols=${SYMBOLS:-12}
bytes=$((256 << 20))
# Read by sides.sh.
# shellcheck disable=SC2034
room=$((2 << 30))
# shellcheck source=tests/bench/sides.sh
. tests/bench/sides.sh
# shellcheck source=tests/bench/workloads.sh
. tests/bench/workloads.sh
cpu=0

need_tools perf fio jq taskset
sides_begin

# Microseconds that an operation took, as the program says that ran. A lap is one
# each of five operations.
client() { # PATH SIDE
	case $1 in
	create)
		"$build/names" fill "$dir/$2/created" "$files"
		;;
	lap)
		names 10 100 "$2"
		;;
	*)
		disk "$1" 4k 1 1 "$2"
		;;
	esac | awk '{us += 1e6 / $2} END {print us}'
}

# samples FIELDS - shares of the processor's time, one of FIELDS a line
samples() {
	perf report -i "$dir/perf" --stdio --sort "$1" 2>/dev/null |
		awk '/^ *[0-9.]+%/'
}

# profile PATH SIDE - a line "who object microseconds" each
profile() {
	local us server=$2

	[ "$2" != pinfs ] || server=pinfsd
	export -f client disk run_fio ms names
	export build dir each bytes files
	# shellcheck disable=SC2016 # for the shell that perf starts
	perf record -q -F 4000 -C $cpu -o "$dir/perf" -- \
		bash -c 'client "$@" >"$dir/us"' - "$1" "$2" 2>"$dir/perf.log" ||
		{ cat "$dir/perf.log" >&2; return 1; }
	us=$(cat "$dir/us")
	samples comm,dso | awk -v us="$us" -v server="$server" '
		function who(comm) {
			if (comm == server)
				return "server"
			return comm == "names" || comm == "fio" ? "client" : "others"
		}
		{
			object = $3 ~ /kernel/ ? "kernel" : $3
			sub(/\.so.*/, "", object)
			sub(/^ceiling$|^pinfsd$/, "itself", object)
			w = who($2)
			if (w != "server" && object != "kernel")
				object = "user"
			if (w == "others")
				object = "all"
			sum[w " " object] += $1 * us / 100
		}
		END { for (k in sum) printf "%s %.3f\n", k, sum[k] }' \
		>"$dir/$2.$1"
	echo "$us" >"$dir/$2.$1.us"
}

table() { # TITLE PATH
	echo "| $1, µs | pinfs | ceiling |"
	echo "|---|---|---|"
	awk '
		NR == FNR { p[$1 " " $2] = $3; all[$1 " " $2] = 1; next }
		{ c[$1 " " $2] = $3; all[$1 " " $2] = 1 }
		END {
			for (k in all)
				if (p[k] >= 0.05 || c[k] >= 0.05)
					printf "| %s | %.2f | %.2f |\n", k, p[k], c[k]
		}' "$dir/pinfs.$2" "$dir/ceiling.$2" | sort
	printf '| *by the clock* | %.2f | %.2f |\n\n' \
		"$(cat "$dir/pinfs.$2.us")" "$(cat "$dir/ceiling.$2.us")"
}

functions() { # PATH
	echo "pinfsd's own, and what it calls in libraries:"
	perf report -i "$dir/perf" --stdio --comm pinfsd --sort dso,symbol \
		2>/dev/null | awk -v us="$(cat "$dir/pinfs.$1.us")" -v n="$symbols" '
		/^ *[0-9.]+%/ && !/\[k\]/ && n-- > 0 {
			printf "%s`%s` %.2f", sep, $4, $1 * us / 100
			sep = ", "
		}
		END { print "\n" }'
}

taskset -c -p $cpu $$ >/dev/null
up ceiling
up pinfs
while read -r path title; do
	profile "$path" ceiling
	profile "$path" pinfs
	table "$title" "$path"
	functions "$path"
done <<-END
	randread 4 KiB random read, direct
	randwrite 4 KiB random write, direct
	create create and close, in one directory
	lap create, stat, look up in vain, rename and unlink
END
