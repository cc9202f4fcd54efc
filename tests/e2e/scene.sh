# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# What the tests of pins and breaks share; sourced after lib.sh.
#
# A mount made with SCENE_OPTS logs each break that has waited for 100 ms, with
# its waiter's pid.  To await that line is how a test knows, without polling,
# that an operation has reached the daemon and waits there.

SCENE_OPTS=break_warn=100ms

need jq

# --- processes that keep a file open ------------------------------------------

declare -A holder_in holder_out holder_pid

# hold NAME [-m] [-d] FILE - see holder.c
hold() {
	local answer

	mkfifo "$WORK/$1.in" "$WORK/$1.out"
	holder "${@:2}" <"$WORK/$1.in" >"$WORK/$1.out" &
	holder_pid[$1]=$!
	exec {holder_in[$1]}>"$WORK/$1.in" {holder_out[$1]}<"$WORK/$1.out"
	rm "$WORK/$1.in" "$WORK/$1.out"
	read -r -t 30 -u "${holder_out[$1]}" answer
	[ "$answer" = ok ] || fail "holder ${*:2}: $answer"
}

# holder_does NAME COMMAND... - what holder.c says
holder_does() {
	local answer

	echo "${@:2}" >&"${holder_in[$1]}"
	read -r -t 30 -u "${holder_out[$1]}" answer || fail "$*: no answer"
	[ "$answer" = ok ] || fail "$*: $answer"
}

# say_goodbye NAME... - each ends when those that were started after it have, too
say_goodbye() {
	local name

	for name; do
		exec {holder_in[$name]}>&- {holder_out[$name]}<&-
	done
}

# --- operations in the background ---------------------------------------------

# start_op NAME [-r|-i] OPERATION FILE [ARG...] - see op.c
start_op() {
	run_bg "$1" op "${@:2}"
}

declare -A scene_go

# ready_op NAME OPERATION FILE [ARG...] - what it opens and maps first is now;
# go_op NAME... - and the rest
ready_op() {
	mkfifo "$WORK/$1.fifo"
	start_op "$1" -w "$WORK/$1.fifo" "${@:2}"
	exec {scene_go[$1]}>"$WORK/$1.fifo"
}

go_op() {
	local name

	for name; do
		echo >&"${scene_go[$name]}"
		exec {scene_go[$name]}>&-
		rm "$WORK/$name.fifo"
	done
}

# op_said NAME FIELD - of its answer: 1 start, 2 end, 3 result, 4 signals
op_said() {
	tail -n 1 "$WORK/$1.log" | cut -d ' ' -f "$2"
}

# wait_op NAME [RESULT] - its end; RESULT is 0 or an errno's name
wait_op() {
	local want=${2:-0}

	if [ "$want" = 0 ]; then
		wait_bg "$1"
	else
		wait_bg "$1" 1
	fi
	expect_equal "$want" "$(op_said "$1" 3)" "result of $1"
}

# op_waited NAME [DMA_END] - as assert_waited, but without tolerating a moment
# too early; by default the DMA ended with the last release
op_waited() {
	local floor=${2:-$released} end=${2:-$(slowdev_stat last_answer_ms)}

	assert_waited "$(op_said "$1" 1)" "$(op_said "$1" 2)" "$end"
	[ "$(op_said "$1" 2)" -ge "$floor" ] ||
		fail "$1 was over $((floor - $(op_said "$1" 2))) ms early"
	figure waited $(($(op_said "$1" 2) - end))
}

# op_was_prompt NAME
op_was_prompt() {
	assert_prompt "$(op_said "$1" 1)" "$(op_said "$1" 2)"
	figure prompt $(($(op_said "$1" 2) - $(op_said "$1" 1)))
}

# figure KIND MS - remember what has been measured; "waited": from the DMA's end
# on, "prompt": from the operation's beginning
figure() {
	echo "$1 $2" >>"$WORK/figures"
}

# figures - say how many there were since the last time, and the longest of each
figures() {
	awk '{ n[$1]++; if ($2 > most[$1]) most[$1] = $2 }
	END {
		if (n["waited"])
			printf " %d waited, over %d ms after the DMA at most;",
				n["waited"], most["waited"]
		if (n["prompt"])
			printf " %d did not wait, %d ms at most;",
				n["prompt"], most["prompt"]
		print ""
	}' "$WORK/figures"
	: >"$WORK/figures"
}

# now_op RESULT OPERATION FILE [ARG...] - in the foreground, and promptly
now_op() {
	local want=$1

	shift
	start_op now "$@"
	wait_op now "$want"
	op_was_prompt now
}

# --- the daemon's log -----------------------------------------------------------

# await_line PATTERN FILE [LINES] - until there are so many such lines (grep -E)
await_line() {
	local got

	got=$(timeout 30 \
		grep -m "${3:-1}" -cE -e "$1" \
		<(exec tail -n +1 -f "$2")) || true
	[ "${got:-0}" -ge "${3:-1}" ] || fail "${2##*/} does not say '$1'"
}

# await_log PATTERN [LINES] - until the daemon has said that so often
await_log() {
	await_line "$1" "$(daemon_log)" "${@:2}"
}

# await_break NAME... - until these operations wait in the daemon
await_break() {
	local name

	for name; do
		await_log "by pid $(pid_of "$name") .* has waited"
		is_running "$name" || fail "$name has not waited"
	done
}

# --- the event stream -----------------------------------------------------------

# trace_start NAME [ARG...] - of $MNT; it records in $WORK/NAME.log on return
trace_start() {
	run_bg "$1" pinfs trace "${@:2}" "$MNT"
	await_line recording "$WORK/$1.log"
}

trace_stop() {
	kill -TERM "$(pid_of "$1")"
	wait_bg "$1" 143
}

# await_event NAME EXPRESSION - until a trace with --json has one that jq says
# true of; the first line is what was said on standard error
await_event() {
	timeout 30 jq -en "first(inputs | select($2))" \
		< <(exec tail -n +2 -f "$WORK/$1.log") >/dev/null ||
		fail "no event: $2"
}

# --- what pinfs says --------------------------------------------------------------

# expect_json FILTER COMMAND ARG... - jq's filter must be true of the output
expect_json() {
	local filter=$1

	shift
	"$@" >"$WORK/.json" || fail "status $? of: $*"
	jq -e "$filter" "$WORK/.json" >/dev/null || {
		cat "$WORK/.json" >&2
		fail "not so: $filter: $*"
	}
}

# json FILTER COMMAND ARG... - what jq finds in the output
json() {
	local filter=$1

	shift
	"$@" | jq -r "$filter"
}

free_bytes() {
	json .free_bytes pinfs info --json "$MNT"
}

statfs_free() {
	stat -f -c '%f * %S' "$MNT" | { read -r sum && echo $((sum)); }
}

# nothing_held - no pin set, no break, no pin that was not ended
nothing_held() {
	expect_json 'length == 0' pinfs pins --json "$MNT"
	expect_json 'length == 0' pinfs breaks --json "$MNT"
	expect_json '.pins == .unpins and .pin_sets_live == 0 and
		.breaks_waiting == 0' pinfs stats --json "$MNT"
}

# --- DMA ----------------------------------------------------------------------------

# hung NAME ARG... - pinfs dma with these arguments, on the slow device, which
# hangs: the kernel itself holds the pages until the release.  The first request
# hangs on return, so if another is to follow, --depth 1 sees to it that it is one.
hung() {
	local n

	slowdev_ctl hang 0
	n=$(slowdev_stat hung)
	run_bg "$1" pinfs dma "${@:2}"
	slowdev_ctl await hung $((n + 1))
}

# hung_dma NAME FILE [OPTION...] - 64 KiB from the device, to the file's start
hung_dma() {
	hung "$1" --length 64K "${@:3}" from-device "$SLOWDEV" "$2"
}

# waiting_dma NAME ARG... - pinfs dma with these arguments, of which the last is the
# file; it waits to be admitted there on return, and nobody else does
waiting_dma() {
	trace_start trace --json
	run_bg "$1" pinfs dma "${@:2}"
	await_event trace '.kind == "pin-wait"'
	trace_stop trace
	expect_json 'map(select(.waiting)) | length == 1' \
		pinfs pins --json "${@: -1}"
}

released=0

# release_dma [NAME...] - the device answers all that hangs; these succeed
release_dma() {
	released=$(now_ms)
	slowdev_ctl release
	for name; do
		wait_bg "$name"
	done
}

# file_of FILE SIZE [OFFSET] - with the slow device's pattern of another place
file_of() {
	pattern "$2" "${3:-1G}" >"$1"
}

# part FILE OFFSET LENGTH
part() {
	dd if="$1" bs=64K iflag=skip_bytes,count_bytes skip="$2" count="$3" \
		status=none
}

# has_pattern FILE OFFSET LENGTH FROM - the file's bytes are the pattern's at FROM
has_pattern() {
	part "$1" "$2" "$3" | cmp - <(pattern "$3" "$4") >&2 ||
		fail "$1: bytes $2 to $2 + $3 are not the pattern's at $4"
}

# fill_with_signatures SIZE - as many new files as fit, remembered
fill_with_signatures() {
	local i size=$1

	mkdir "$MNT/sig"
	for ((i = 1; ; i++)); do
		pattern "$size" "${i}T" >"$MNT/sig/$i" 2>/dev/null || break
	done
	# The last was cut off where space ran out; what it has counts too.
	[ "$i" -gt 1 ] || fail "no room for a single file"
	(cd "$MNT/sig" && sha256sum -- *) >"$WORK/signatures"
}

# signatures_hold - nobody wrote into the files of fill_with_signatures
signatures_hold() {
	(cd "$MNT/sig" && sha256sum --quiet -c "$WORK/signatures") >&2 ||
		fail "another file was overwritten"
}
