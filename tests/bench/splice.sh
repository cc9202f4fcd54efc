#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Puts standard input, but for empty lines before it, into a document, in place of
# what is there between the lines "<!-- NAME -->" and "<!-- /NAME -->".
#
#   splice.sh DOCUMENT NAME
set -euo pipefail

[ $# = 2 ] || {
	echo "usage: splice.sh DOCUMENT NAME" >&2
	exit 2
}
text=$(sed '/./,$!d')
[ -n "$text" ] || {
	echo "splice.sh: nothing on standard input: $1 stays as it is" >&2
	exit 1
}
for mark in "<!-- $2 -->" "<!-- /$2 -->"; do
	grep -qxF -e "$mark" "$1" || {
		echo "splice.sh: $1 has no line $mark" >&2
		exit 1
	}
done
new=$(TEXT=$text awk -v begin="<!-- $2 -->" -v end="<!-- /$2 -->" '
	$0 == end {skip = 0}
	!skip {print}
	$0 == begin {print "\n" ENVIRON["TEXT"] "\n"; skip = 1}' "$1")
printf '%s\n' "$new" >"$1"
