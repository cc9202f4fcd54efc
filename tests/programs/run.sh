#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs programs of others on pinfs, one at a time, and prints what each has said.
#
# usage: tests/programs/run.sh [SCENE...]
#
# SCENE is plain, pinned or full, see lib.sh; plain if none is given.
#
#   PROGRAMS=NAME,...   only these: git for test_git.sh
#   KINDS=shm,disk      kinds of pools
#   PINFS_BUILD=DIR     the binary directory, build/release
#   REPORT=FILE         append a line of a table for each, for docs/PROGRAMS.md
set -eu -o pipefail
cd "$(dirname "$0")/../.."

export PINFS_BUILD=${PINFS_BUILD:-build/release}
IFS=, read -r -a kinds <<<"${KINDS:-shm,disk}"
IFS=, read -r -a names <<<"${PROGRAMS:-}"
scenes=("$@")
[ $# != 0 ] || scenes=(plain)
if [ ${#names[@]} = 0 ]; then
	for script in tests/programs/test_*.sh; do
		name=${script##*/test_}
		names+=("${name%.sh}")
	done
fi
failed=0
said=$(mktemp)
trap 'rm -f "$said"' EXIT

# run_one NAME KIND SCENE
run_one() {
	local script=tests/programs/test_$1.sh start=$SECONDS status=0 limit

	limit=$(sed -n 's/^# e2e:.* timeout=\([0-9]*\).*/\1/p' "$script")
	PROGRAMS_SCENE=$3 PINFS_POOL_KIND=$2 E2E_TIMEOUT=${limit:-60} \
		nice bash "$script" >"$said" 2>&1 || status=$?
	case $status in
	0) result=$(sed -n 's/^SUMMARY [^:]*: //p' "$said") ;;
	77) result=$(grep '^SKIP: ' "$said") ;;
	*)
		failed=$((failed + 1))
		result="FAILED, status $status"
		cat "$said"
		;;
	esac
	echo "$1 $2 $3 ($((SECONDS - start)) s): $result"
	[ -z "${REPORT:-}" ] ||
		echo "| $1 | $3 | $2 | ${result//|/\\|} |" >>"$REPORT"
}

for scene in "${scenes[@]}"; do
	for name in "${names[@]}"; do
		for kind in "${kinds[@]}"; do
			run_one "$name" "$kind" "$scene"
		done
	done
done
echo "took $SECONDS s, $failed failed"
[ "$failed" = 0 ]
