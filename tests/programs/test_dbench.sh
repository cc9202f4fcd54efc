#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# dbench: what two clients of a file server ask for.
# e2e: label=programs timeout=180
. "$(dirname "$0")/lib.sh"

need dbench

# A short write is all that it sees of a full file system.
NO_SPACE="$NO_SPACE|wrote [0-9]+ bytes, expected to write"

scene_new 768M
program dbench -D "$DIR" -t 5 2
scene_end "$(sed -n '/^Throughput/p' "$LOG")"
