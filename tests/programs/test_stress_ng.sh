#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# stress-ng: its file-system stressors, each with its own verification.  What
# fails is no failure of pinfs if the file system below fails alike.
# e2e: label=programs timeout=400
. "$(dirname "$0")/lib.sh"

need stress-ng

# Of others than this mount's: mounts of their own, /proc, descriptors, what only
# block devices or processes have.
apart=' bind-mount binderfs dup eventfd ioprio procfs '
seconds=${STRESS_SECONDS:-1}
# Each says how it ended.
passed=0 skipped=() alike=() short=()

stressors() {
	stress-ng --class 'filesystem?' | sed 's/.*stressors://'
}

# stress NAME DIRECTORY
stress() {
	stress-ng --"$1" 1 --timeout "${seconds}s" --verify --temp-path "$2" \
		--hdd-bytes 16M --iomix-bytes 16M --fallocate-bytes 16M \
		--copy-file-bytes 128M --sync-file-bytes 16M --oomable \
		>"$WORK/stress.log" 2>&1
}

# judge NAME STATUS - 0 passed, 1: bad usage, 3 and 4: not for this system
judge() {
	case $2 in
	0)
		if grep -q 'skipping stress' "$WORK/stress.log"; then
			skipped+=("$1")
		else
			passed=$((passed + 1))
		fi
		;;
	1) fail "$1: $(cat "$WORK/stress.log")" ;;
	3 | 4) skipped+=("$1") ;;
	*) judge_failure "$1" "$2" ;;
	esac
	return 0
}

judge_failure() {
	if [ "$PROGRAMS_SCENE" = full ] &&
		grep -qiE "$NO_SPACE" "$WORK/stress.log"
	then
		short+=("$1")
		return
	fi
	cp "$WORK/stress.log" "$WORK/failed.log"
	if ! stress "$1" "$BELOW"; then
		alike+=("$1")
		return
	fi
	cat "$WORK/failed.log" >&2
	failed+=("$1:$2")
}

failed=()
scene_new 512M
for name in ${STRESSORS:-$(stressors)}; do
	[[ $apart != *" $name "* ]] || continue
	status=0
	stress "$name" "$DIR" || status=$?
	judge "$name" "$status"
done
[ ${#failed[@]} = 0 ] || fail "on pinfs, and not below: ${failed[*]}"
[ "$passed" != 0 ] || fail "no stressor has run"
# chattr may run out of time with its file immutable.
find "$DIR" \( -type f -o -type d \) -exec chattr -f -i -a {} +
scene_end "$passed passed, skipped: ${skipped[*]:-none}, \
failed as below: ${alike[*]:-none}, out of space: ${short[*]:-none}"
