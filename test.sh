#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Installs what is missing, builds, and runs every test:
#   unit tests          release and asan (with ubsan) builds; those of what
#                       threads share in tsan, too
#   model               of the layout protocol: searched to the end
#   end-to-end tests    release build, each kind of pool; some in asan, too, on
#                       memory
#   crash               release build: what power cuts may leave, image by image
#   fuzz                asan build: inputs that fuzzing came by, once more
#   storm               all three builds; and asan's with checks of the protocol
#                       left out, which must be noticed
# The last line is the count.  docs/TESTING.md says how to run less.
set -eu -o pipefail
cd "$(dirname "$0")"

jobs=$(nproc)
# Unit tests of what threads share.
threads='base|pool|journal|journal_recover|space|fs_threads'
threads+='|client|transfer_waits|layout|layout_pins|layout_time|layout_range'
threads+='|layout_range_stress|trace|dma_time'
# What is run in tsan: those, and the storm.
read -ra tsan <<<"test_${threads//|/ test_}"
tsan+=(pinfs mkfs.pinfs fsck.pinfs pinfsd await slowdev storm conform)
passed=0
failed=0
skipped=0

finish() {
	echo
	echo "took $SECONDS s"
	if [ "$skipped" = 0 ]; then
		echo "$passed passed, $failed failed"
	else
		echo "$passed passed, $failed failed, $skipped skipped"
	fi
	[ "$failed" = 0 ] && [ "$passed" != 0 ]
}

# build PRESET [TARGET...] - all, or these; shows what was said only if it failed
build() {
	local log=build/$1.log

	mkdir -p build
	if cmake --preset "$1" >"$log" 2>&1 &&
		cmake --build --preset "$1" --parallel "$jobs" \
			${2:+--target "${@:2}"} >>"$log" 2>&1
	then
		return
	fi
	cat "$log"
	echo "test.sh: $1 does not build; see above" >&2
	return 1
}

give_up() {
	failed=$((failed + 1))
	finish
	exit 1
}

# number ATTRIBUTE FILE - of the test suite in a JUnit file
number() {
	sed -n "s/^.*[[:space:]]$1=\"\([0-9]*\)\".*/\1/p" "$2" | head -n 1
}

# Which tests of a JUnit file were skipped, and what they say about it.
show_skips() {
	awk '
	/<testcase / {
		name = $0
		sub(/.* name="/, "", name)
		sub(/".*/, "", name)
		was_skipped = 0
	}
	/<skipped/ { was_skipped = 1 }
	was_skipped && /SKIP: / {
		sub(/.*SKIP: /, "")
		sub(/<.*/, "")
		print "skipped: " name ": " $0
	}' "$1"
}

# run_tests PRESET LABELS ARG... - and add to the count; LABELS are separated by
# bars, ARG is ctest's
run_tests() {
	local junit=$PWD/build/$1-${2//|/-}.xml tests fails skips status=0

	echo
	echo "=== ${2//|/ and } tests, $1 build"
	rm -f "$junit"
	# Tests mostly wait, for the disk and for time to pass.
	ctest --test-dir "build/$1" -L "^($2)\$" --parallel $((2 * jobs)) \
		"${@:3}" \
		--output-on-failure --output-junit "$junit" || status=$?
	if [ ! -s "$junit" ]; then
		# Nothing was run: not even one test is an error of its own.
		[ "$status" = 0 ] || failed=$((failed + 1))
		return
	fi
	tests=$(number tests "$junit")
	fails=$(number failures "$junit")
	skips=$(number skipped "$junit")
	show_skips "$junit"
	passed=$((passed + tests - fails - skips))
	failed=$((failed + fails))
	skipped=$((skipped + skips))
	# A failure that the numbers do not know of must not go unseen.
	if [ "$status" != 0 ] && [ "$fails" = 0 ]; then
		failed=$((failed + 1))
	fi
}

./install-deps.sh
echo "building release"
build release || give_up
echo "building asan and tsan meanwhile"
(
	# The tests go first: they wait more than they work.
	renice -n 10 "$BASHPID" >/dev/null
	build asan && build tsan "${tsan[@]}"
) &
builds=$!
trap 'kill "$builds" 2>/dev/null || true' EXIT
run_tests release unit
run_tests release 'e2e|model|crash'
wait "$builds" || give_up
trap - EXIT
run_tests asan 'unit|fuzz'
run_tests tsan unit -R "/test_($threads)\$"
run_tests asan 'e2e-asan|storm|storm-proof' -E '/disk$'
run_tests release storm
run_tests tsan storm -E '/disk$'
finish
