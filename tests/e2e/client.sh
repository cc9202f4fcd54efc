# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# Conversations with client.c, which has pins and I/O of its own; sourced after lib.sh.

declare -A client_in client_out

# client_start NAME FILE - see client.c; its pool is mapped on return
client_start() {
	mkfifo "$WORK/$1.in" "$WORK/$1.out"
	run_bg "$1" client "$2" "$WORK/$1.in" "$WORK/$1.out"
	exec {client_in[$1]}>"$WORK/$1.in"
	exec {client_out[$1]}<"$WORK/$1.out"
	ask "$1" -ENXIO end 99 0
}

# tell NAME COMMAND... - without waiting for what it says
tell() {
	echo "${@:2}" >&"${client_in[$1]}"
}

# heard NAME WANT - the answer is that, or "ok" and more, which goes to $said
heard() {
	local got

	read -r -t 30 -u "${client_out[$1]}" got || fail "$1: no answer"
	said=${got#ok}
	said=${said# }
	[ "$got" = "${2#-}" ] || [ "${got%% *}" = "$2" ] ||
		fail "$1: '$got', not '$2'"
}

# ask NAME WANT COMMAND...
ask() {
	tell "$1" "${@:3}"
	heard "$1" "$2"
}

close_fifos() {
	exec {client_in[$1]}>&- {client_out[$1]}<&-
	rm "$WORK/$1.in" "$WORK/$1.out"
}

# client_end NAME
client_end() {
	tell "$1" quit
	wait_bg "$1"
	close_fifos "$1"
}
