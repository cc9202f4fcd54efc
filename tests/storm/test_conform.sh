#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The conformance checker itself: for each rule streams that violate it, and
# streams that don't, in both scopes.
#
# A stream is written one event a line, short for what pinfs trace --json has:
#   begin SET | wait SET INO | admit SET INO | pin SET INO BLOCK COUNT PHYSICAL
#   unpin SET INO | end SET | cancel SET | freed PHYSICAL COUNT
#   asked|waiting|running|done|warn BRK INO CHANGE BLOCK COUNT
#   failed BRK INO ERR | gap
set -eu -o pipefail

: "${PINFS_BUILD:?the binary directory, such as build/release}"
failures=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# json - the stream on standard input as pinfs trace prints it
json() {
	awk '
	function out(s) { printf "{\"number\":%d,\"time_ns\":1,%s}\n", ++n, s }
	function set(kind, ino) {
		return "\"kind\":\"" kind "\",\"id\":" $2 ",\"ino\":" ino + 0
	}
	function brk(kind) {
		return "\"kind\":\"break-" kind "\",\"id\":" $2 ",\"ino\":" $3 \
			",\"change\":\"" ($4 ~ /^[a-z]/ ? $4 : "truncate") \
			"\",\"offset\":" $5 * 4096 ",\"length\":" $6 * 4096
	}
	/^[ \t]*$/ { next }
	$1 == "begin" || $1 == "end" || $1 == "cancel" {
		out(set("pin-" $1, 0)); next
	}
	$1 == "wait" || $1 == "admit" { out(set("pin-" $1, $3)); next }
	$1 == "unpin" { out(set($1, $3)); next }
	$1 == "pin" {
		out(set($1, $3) ",\"offset\":" $4 * 4096 ",\"length\":" \
			$5 * 4096 ",\"physical\":" $6 * 4096)
		next
	}
	$1 == "freed" {
		out("\"kind\":\"freed\",\"physical\":" $2 * 4096 \
			",\"length\":" $3 * 4096)
		next
	}
	$1 == "failed" { out(brk($1) ",\"err\":" $4); next }
	$1 == "gap" { n++; next }
	{ out(brk($1)) }'
}

# check STATUS RULE ARGS NAME - conform with ARGS says that of the stream
check() {
	local status=0

	# shellcheck disable=SC2086
	json | "$PINFS_BUILD/conform" $3 >"$work/out" 2>&1 || status=$?
	if [ "$status" = "$1" ] && grep -qF -e "$2" "$work/out"; then
		return
	fi
	echo "FAIL: $4 ($3): status $status, not $1, or not '$2':" >&2
	cat "$work/out" >&2
	failures=$((failures + 1))
}

# legal NAME [SCOPE] - in both scopes, or in one; complete
legal() {
	local scope stream

	stream=$(cat)
	for scope in ${2:-file range}; do
		check 0 'no rule is violated' "--complete --scope $scope" \
			"$1" <<<"$stream"
	done
}

# violates RULE NAME [SCOPE]
violates() {
	local scope stream

	stream=$(cat)
	for scope in ${3:-file range}; do
		check 1 "): $1: " "--complete --scope $scope" "$2" <<<"$stream"
	done
}

# --- streams that keep to the rules --------------------------------------------

legal 'a DMA' <<'END'
begin 1
admit 1 10
pin 1 10 0 4 100
pin 1 10 4 4 200
unpin 1 10
end 1
freed 100 4
END

legal 'a change of an idle file' <<'END'
asked 1 10 truncate 0 0
running 1 10 truncate 0 0
freed 100 4
done 1 10 truncate 0 0
END

legal 'a truncate waits; a younger set behind it; an older one is let in' <<'END'
begin 1
begin 2
admit 1 10
pin 1 10 0 4 100
asked 3 10 truncate 0 0
waiting 3 10 truncate 0 0
warn 3 10 truncate 0 0
admit 2 10
pin 2 10 0 4 100
begin 4
wait 4 10
unpin 1 10
end 1
unpin 2 10
running 3 10 truncate 0 0
end 2
freed 100 4
done 3 10 truncate 0 0
admit 4 10
unpin 4 10
end 4
END

legal 'an old set comes while the break runs, and goes before the next' <<'END'
begin 1
asked 2 10 truncate 0 0
running 2 10 truncate 0 0
wait 1 10
asked 3 10 truncate 0 0
waiting 3 10 truncate 0 0
done 2 10 truncate 0 0
admit 1 10
unpin 1 10
running 3 10 truncate 0 0
done 3 10 truncate 0 0
end 1
END

legal 'a break is interrupted, one runs out of time, a set is cancelled' <<'END'
begin 1
admit 1 10
asked 2 10 truncate 0 0
waiting 2 10 truncate 0 0
asked 3 10 zero-range 0 1
waiting 3 10 zero-range 0 1
begin 4
wait 4 10
failed 3 10 -4
failed 2 10 -16
admit 4 10
cancel 4
unpin 4 10
end 4
unpin 1 10
end 1
END

legal 'a set that waited in vain' <<'END'
begin 1
admit 1 10
asked 2 10 truncate 0 0
waiting 2 10 truncate 0 0
begin 3
wait 3 10
cancel 3
end 3
unpin 1 10
running 2 10 truncate 0 0
done 2 10 truncate 0 0
end 1
END

legal 'changes beside what is pinned' range <<'END'
begin 1
admit 1 10
pin 1 10 4 4 100
asked 2 10 punch-hole 0 4
running 2 10 punch-hole 0 4
pin 1 10 12 4 200
done 2 10 punch-hole 0 4
asked 3 10 zero-range 8 4
running 3 10 zero-range 8 4
done 3 10 zero-range 8 4
asked 4 10 truncate 16 0
running 4 10 truncate 16 0
freed 300 4
done 4 10 truncate 16 0
asked 5 10 collapse-range 16 4
running 5 10 collapse-range 16 4
done 5 10 collapse-range 16 4
asked 6 10 allocate 0 32
running 6 10 allocate 0 32
done 6 10 allocate 0 32
unpin 1 10
end 1
END

# --- and those that don't ------------------------------------------------------

violates L1 'a pinned block is freed' <<'END'
begin 1
admit 1 10
pin 1 10 0 4 100
freed 103 1
END

violates L1 'one of two pins is left' <<'END'
begin 1
begin 2
admit 1 10
admit 2 10
pin 1 10 0 4 100
pin 2 10 2 4 102
unpin 1 10
freed 100 2
freed 90 100
END

violates L2 'admitted while a break runs' <<'END'
asked 1 10 truncate 0 0
running 1 10 truncate 0 0
begin 2
admit 2 10
END

violates L2 'pinned where a break runs' range <<'END'
begin 1
admit 1 10
asked 2 10 punch-hole 4 4
running 2 10 punch-hole 4 4
pin 1 10 7 1 100
END

violates L3 'a break runs while a set is admitted' file <<'END'
begin 1
admit 1 10
asked 2 10 allocate 0 4
running 2 10 allocate 0 4
END

for change in 'truncate 3 0' 'punch-hole 3 1' 'zero-range 0 4' \
	'collapse-range 0 1' 'insert-range 3 1'; do
	violates L3 "$change where something is pinned" range <<END
begin 1
admit 1 10
pin 1 10 3 2 100
asked 2 10 $change
running 2 10 $change
END
done

violates L4 'a younger set gets in first' <<'END'
begin 1
admit 1 10
pin 1 10 0 1 100
asked 2 10 truncate 0 0
waiting 2 10 truncate 0 0
begin 3
admit 3 10
END

violates L4 'breaks out of order' range <<'END'
begin 1
admit 1 10
asked 2 10 truncate 0 0
waiting 2 10 truncate 0 0
asked 3 10 truncate 0 0
waiting 3 10 truncate 0 0
unpin 1 10
running 3 10 truncate 0 0
END

violates L4 'two breaks at a time' <<'END'
asked 1 10 truncate 0 0
running 1 10 truncate 0 0
asked 2 10 truncate 0 0
running 2 10 truncate 0 0
END

violates L4 'a queue that is not in order' <<'END'
asked 2 10 truncate 0 0
running 2 10 truncate 0 0
asked 1 10 truncate 0 0
END

violates L5 'a set waits for a younger break' <<'END'
begin 1
begin 2
admit 2 10
asked 3 10 truncate 0 0
waiting 3 10 truncate 0 0
wait 1 10
END

violates L5 'a set waits for nothing' <<'END'
begin 1
wait 1 10
END

violates L7 'done without having run' <<'END'
asked 1 10 truncate 0 0
waiting 1 10 truncate 0 0
done 1 10 truncate 0 0
END

violates L7 'failed, and has run' <<'END'
asked 1 10 truncate 0 0
waiting 1 10 truncate 0 0
running 1 10 truncate 0 0
failed 1 10 -4
END

violates L7 'failed with another error' <<'END'
asked 1 10 truncate 0 0
waiting 1 10 truncate 0 0
failed 1 10 -5
END

violates L7 'failed without having waited' <<'END'
asked 1 10 truncate 0 0
failed 1 10 -4
END

violates L7 'run after the end' <<'END'
asked 1 10 truncate 0 0
waiting 1 10 truncate 0 0
failed 1 10 -4
running 1 10 truncate 0 0
END

violates L7 'done twice' <<'END'
asked 1 10 truncate 0 0
running 1 10 truncate 0 0
done 1 10 truncate 0 0
done 1 10 truncate 0 0
END

violates L7 'warned of what does not wait' <<'END'
asked 1 10 truncate 0 0
running 1 10 truncate 0 0
warn 1 10 truncate 0 0
END

violates L7 'never asked for' <<'END'
running 1 10 truncate 0 0
END

violates L7 'a break is left over' <<'END'
asked 1 10 truncate 0 0
running 1 10 truncate 0 0
END

violates L8 'nobody is woken' file <<'END'
begin 1
admit 1 10
asked 2 10 truncate 0 0
waiting 2 10 truncate 0 0
unpin 1 10
end 1
asked 3 10 truncate 0 0
END

violates L11 'an end without having left' <<'END'
begin 1
admit 1 10
end 1
END

violates L11 'pins without admission' <<'END'
begin 1
pin 1 10 0 1 100
END

violates L11 'unpin without admission' <<'END'
begin 1
unpin 1 10
END

violates L11 'something after the end' <<'END'
begin 1
end 1
admit 1 10
END

violates L11 'two beginnings' <<'END'
begin 1
begin 1
END

violates L11 'no beginning' <<'END'
admit 1 10
END

violates L11 'a set is left over' <<'END'
begin 1
END

# --- streams that are none -------------------------------------------------------

check 3 'events were lost' '' 'a gap' <<'END'
begin 1
gap
end 1
END

check 3 'events were lost' --complete 'no beginning' <<'END'
gap
begin 1
end 1
END

check 0 'no rule is violated' '' 'a part of a stream' <<'END'
gap
unpin 1 10
end 1
running 2 10 truncate 0 0
done 2 10 truncate 0 0
begin 3
END

status=0
echo '{"number":1,"kind":"pin-begin"' | "$PINFS_BUILD/conform" 2>/dev/null ||
	status=$?
[ "$status" = 3 ] || failures=$((failures + 1))

[ "$failures" = 0 ]
