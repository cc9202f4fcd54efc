#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Fuzzes each harness, one after the other, and fails on any finding.
#
# usage: tests/fuzz/run.sh [--keep] [SECONDS [HARNESS...]]
#
# SECONDS is 60 if not given.  What was found interesting stays in
# build/fuzz/corpus and is gone on from the next time; with --keep the inputs
# that reach something new are then added to tests/fuzz/corpus.  A finding is
# left in build/fuzz/findings: build/fuzz/fuzz_HARNESS FILE repeats it.
set -eu -o pipefail
cd "$(dirname "$0")/../.."

timeout=30 # seconds without an end; on a busy machine others have their turn
memory=2048 # MiB
declare -A longest=([daemon]=3208) # bytes of an input, 1032 for images
work=build/fuzz

# Large arrays that come and go with each mount are not to pile up.
export ASAN_OPTIONS=quarantine_size_mb=8

keep=
if [ "${1:-}" = --keep ]; then
	keep=yes
	shift
fi
seconds=${1:-60}
[ $# = 0 ] || shift
harnesses=("$@")
[ ${#harnesses[@]} != 0 ] || harnesses=(mount fsck journal daemon)

# options NAME - for libFuzzer
options() {
	echo "-timeout=$timeout -rss_limit_mb=$memory" \
		"-max_len=${longest[$1]:-1032} -close_fd_mask=3"
}

# fuzz NAME - false if there is a finding
fuzz() {
	local log=$work/$1.log own=$work/corpus/$1 found=$work/findings/$1

	mkdir -p "$own" "$found"
	# shellcheck disable=SC2046
	if "$work/fuzz_$1" $(options "$1") -max_total_time="$seconds" \
		-print_final_stats=1 -artifact_prefix="$found/" \
		"$own" "tests/fuzz/corpus/$1" >"$log" 2>&1; then
		printf '%-8s %s inputs tried, %s kept, %s\n' "$1" \
			"$(sed -n 's/^stat::number_of_executed_units: //p' "$log")" \
			"$(find "$own" -type f | wc -l)" \
			"$(grep -o 'cov: [0-9]* ft: [0-9]*' "$log" | tail -n 1)"
		return
	fi
	grep -v '^#' "$log" | tail -n 60
	echo "run.sh: fuzz_$1 has found something: see $found" >&2
	return 1
}

# add_to_corpus NAME - what reaches lines that nothing there reaches
add_to_corpus() {
	# shellcheck disable=SC2046
	"$work/fuzz_$1" $(options "$1") -merge=1 -use_counters=0 \
		"tests/fuzz/corpus/$1" "$work/corpus/$1" >"$work/$1.merge" 2>&1
}

./install-deps.sh --fuzz
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target "${harnesses[@]/#/fuzz_}" >/dev/null
failed=0
for name in "${harnesses[@]}"; do
	if ! fuzz "$name"; then
		failed=1
	elif [ -n "$keep" ]; then
		add_to_corpus "$name"
	fi
done
exit "$failed"
