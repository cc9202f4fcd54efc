#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Searches the model of the layout protocol, docs/model/layout.pml, to the end:
# nothing may be wrong with the protocol; of each deliberate mistake spin has to
# find what it leads to.  docs/model/README.md says more.
#
# usage: test_model.sh [PATTERN]    only runs whose name matches
set -eu -o pipefail

model=$(cd "$(dirname "$0")/../.." && pwd)/docs/model/layout.pml
pattern=${1:-.}
at_once=2
# What both together may take is well below 4 GiB.
memory_mib=1500
runs=()

# run NAME KIND EXPECTED DEFINE... - what is to be searched
#   KIND      safety, standstill (nothing moves any more: for what reason?), or
#             liveness under weak fairness
#   EXPECTED  none, or what spin says
run() {
	! grep -qE -- "$pattern" <<<"$1" || runs+=("$*")
}

# The longest come first.
scopes=('file ' 'range SCOPE_RANGE')
for scope in "${scopes[@]}"; do
	name=${scope%% *} define=${scope#* }
	run "$name/three-sets" safety none "$define" NO_WRITE ONE_LOOK \
		FEW_EVENTS
	run "$name/liveness" liveness none "$define" LOOP SETS=2 NO_WRITE \
		FEW_EVENTS
	run "$name/liveness-stream" liveness none "$define" LOOP NO_WRITE \
		ONE_BREAK NO_UNLINK NO_DEATH NO_INTERRUPT
done
no_events='NO_UNLINK NO_DEATH NO_INTERRUPT'
for scope in "${scopes[@]}"; do
	name=${scope%% *} define=${scope#* }
	run "$name/two-sets" safety none "$define" SETS=2
	run "$name/recheck" safety none "$define" SETS=2 RECHECK
	run "$name/hang" standstill none "$define" SETS=2 NO_WRITE HANG

	two="$define SETS=2 NO_WRITE"
	run "$name/BREAK_L1" safety L1 "$two" BREAK_L1
	run "$name/BREAK_L2" safety L1 "$two" RECHECK BREAK_L2
	run "$name/BREAK_L2_LATE" safety L1 "$two" RECHECK BREAK_L2_LATE
	run "$name/BREAK_L4" liveness cycle "$two" LOOP "$no_events" BREAK_L4
	run "$name/BREAK_L5" safety stuck "$two" BREAK_L5
	run "$name/BREAK_L7" safety L7 "$two" BREAK_L7
	run "$name/BREAK_L7_PIN" safety L7 "$two" BREAK_L7_PIN
	run "$name/BREAK_L8" safety stuck "$two" BREAK_L8
	run "$name/BREAK_L8_OTHER" safety stuck "$define" SETS=2 RECHECK \
		BREAK_L8_OTHER
	run "$name/BREAK_L10" safety L1 "$two" BREAK_L10
	run "$name/BREAK_L10_WAIT" standstill L10 "$two" HANG BREAK_L10_WAIT
	run "$name/BREAK_L11" safety L1 "$two" BREAK_L11
	run "$name/recheck-liveness" liveness cycle "$two" RECHECK LOOP \
		"$no_events"
done

if ! command -v spin >/dev/null; then
	echo "SKIP: no spin: install-deps.sh installs it"
	exit 77
fi

work=$(mktemp -d)
declare -A name_of=()
cleanup() {
	# Each ends what it has started, see search().
	[ ${#name_of[@]} = 0 ] || kill "${!name_of[@]}" 2>/dev/null || true
	wait
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# said OUTPUT - which violation spin reports, if any
said() {
	local line

	line=$(grep -m 1 '^pan:1: ' "$1" || true)
	case $line in
	*'assertion violated'*)
		sed -E 's/.*violated \(*(L[0-9]+).*/\1/' <<<"$line"
		;;
	*'invalid end state'*) echo stuck ;;
	*'acceptance cycle'*) echo cycle ;;
	*)
		# What was not searched to the end is not known to be right.
		if grep -q 'errors: 0$' "$1" && ! grep -qE \
			'search depth too small|Search not completed|MEMLIM' \
			"$1"
		then
			echo none
		else
			echo truncated
		fi
		;;
	esac
}

# search DIR NAME KIND EXPECTED DEFINE... - in DIR; its output is for people
search() {
	local dir=$1 name=$2 kind=$3 expected=$4 optimise=-O0 found
	local spin_args=() cc_args=(-DNOREDUCE "-DMEMLIM=$memory_mib") pan_args=(-n)

	# Most of the time would be the compiler's.
	case $name in
	*/three-sets | */liveness) optimise=-O1 ;;
	*/two-sets | */liveness-stream | */recheck | */hang) optimise=-Og ;;
	esac
	shift 4
	spin_args=("${@/#/-D}")
	case $kind in
	safety)
		cc_args+=(-DSAFETY)
		pan_args+=(-m10000 -w22)
		;;
	standstill)
		cc_args+=(-DSAFETY)
		pan_args+=(-m10000 -w22 -E)
		;;
	liveness)
		spin_args+=(-DLIVENESS)
		cc_args+=(-DNFAIR=3)
		pan_args+=(-m100000 -w22 -a -f)
		;;
	esac
	cd "$dir"
	if ! { spin -a "${spin_args[@]}" "$model" &&
		cc -w "$optimise" "${cc_args[@]}" -o pan pan.c; } \
		>build.out 2>&1
	then
		echo "$name: does not build"
		cat build.out
		return 1
	fi
	./pan "${pan_args[@]}" >pan.out 2>&1 &
	# shellcheck disable=SC2064
	trap "kill $!" TERM
	wait $! || true
	found=$(said pan.out)
	awk -v name="$name" -v found="$found" '
	/states, stored/ { states = $1 }
	/total actual memory usage/ { mib = $1 }
	/^pan: elapsed time/ { seconds = $4 }
	END {
		printf "%-28s %-8s %9d states %5d MiB %6.1f s\n", name,
			found, states, mib, seconds
	}' pan.out
	[ "$found" = "$expected" ] && return
	echo "$name: expected $expected, spin found: $found"
	cat pan.out
	return 1
}

failed=0
# reap - the end of one that runs, whichever it is
reap() {
	local pid status=0

	wait -n -p pid "${!name_of[@]}" || status=$?
	[ "$status" = 0 ] || failed=$((failed + 1))
	cat "$work/${name_of[$pid]}.report"
	rm -r "${work:?}/${name_of[$pid]}"
	unset "name_of[$pid]"
}

for words in "${runs[@]}"; do
	[ ${#name_of[@]} -lt $at_once ] || reap
	name=${words%% *}
	mkdir -p "$work/$name"
	# Words are split on purpose.
	# shellcheck disable=SC2086
	search "$work/$name" $words >"$work/$name.report" 2>&1 &
	name_of[$!]=$name
done
while [ ${#name_of[@]} != 0 ]; do
	reap
done

echo "${#runs[@]} runs, $failed failed, $SECONDS s"
[ "$failed" = 0 ] && [ ${#runs[@]} != 0 ]
