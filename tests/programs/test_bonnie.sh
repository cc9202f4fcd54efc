#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# bonnie++: a file by bytes and by blocks, seeks, thousands of small files.
# e2e: label=programs timeout=180
. "$(dirname "$0")/lib.sh"

need bonnie++

# Root has to name a user.
user=()
[ "$UID" != 0 ] || user=(-u root)

# Each run prints a line of figures; "+++++" is what took no time to speak of.
figures_of() {
	awk -F , 'NF > 40 && $12 != "" {
		print "blocks written " $12 " K/s, rewritten " $14 \
			" K/s, read " $18 " K/s, seeks " $20 "/s;" }
	NF > 40 && $27 != "" {
		print "files made " $27 "/s, deleted " $31 "/s;" }' "$LOG"
}

bonnie() {
	bonnie++ -q -d "$DIR" -x 1 "${user[@]}" "$@"
}

# A file by blocks (byte by byte it would take a write request for each, half a
# minute for 1 MiB) and many small ones, without and with fsync after each.
runs() {
	bonnie -f -s 256M -r 128M -n 4:4096:0:16
	bonnie -b -s 0 -n 1:4096:0:4
}

# A short write is all that it sees of a full file system, as on tmpfs.
NO_SPACE="$NO_SPACE|Can't write block"

scene_new 768M
program runs
scene_end "$(figures_of)"
