#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A PostgreSQL cluster under pgbench: its server is killed, then the file system's
# daemon.  After each recovery the totals agree, no index misses a row, and
# all that was committed is there (S2).
# e2e: label=programs timeout=400
. "$(dirname "$0")/lib.sh"

need_root
need setpriv
bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || skip "PostgreSQL is not installed: install-deps.sh --programs"
id postgres >/dev/null 2>&1 || skip "there is no user postgres"

data=$DIR/data
# Socket and pid of the server: outside of what is tested.
run=$WORK/run
# Transactions that have returned: in each run a file for each thread.
acked=$run/acked
starts=0
rounds=0

as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups --
	env -C "$run" HOME="$run")

sql() {
	"${as_postgres[@]}" "$bin/psql" -h "$run" -d bench -X -A -t -q \
		-v ON_ERROR_STOP=1 -c "$1"
}

# server_start - a child of this shell, so that it is gone when it was waited for;
# lib.sh might not find it, since its processes write over their environment
server_start() {
	starts=$((starts + 1))
	run_bg "server$starts" "${as_postgres[@]}" "$bin/postgres" -D "$data" -k "$run"
	pid_of "server$starts" >"$run/pid"
	await_line 'ready to accept connections' "$WORK/server$starts.log"
}

# server_kill - SIGKILL to all of it at once; until they are gone
server_kill() {
	local main pid pids

	main=$(pid_of "server$starts")
	pids="$main $(cat "/proc/$main/task/$main/children" || true)"
	for pid in $pids; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	for pid in $pids; do
		await 30000 exit "$pid" || fail "postgres $pid does not end"
	done
	reap "server$starts"
}

# reap NAME - of those in the background, with whatever status
reap() {
	await 60000 exit "$(pid_of "$1")" || fail "$1 does not end"
	wait "$(pid_of "$1")" || true
	# shellcheck disable=SC2154
	wait "${e2e_watch[$1]}"
}

# server_stop - the fast way: clients are told, a checkpoint is made
server_stop() {
	kill -INT "$(pid_of "server$starts")"
	wait_bg "server$starts"
}

create_cluster() {
	"${as_postgres[@]}" "$bin/initdb" -D "$data" -A trust -k --no-instructions
	cat >>"$data/postgresql.conf" <<-END
		listen_addresses = ''
		shared_buffers = 16MB
		max_wal_size = 64MB
		min_wal_size = 32MB
		checkpoint_timeout = 30s
		dynamic_shared_memory_type = mmap
	END
	server_start
	"${as_postgres[@]}" "$bin/createdb" -h "$run" bench
}

# bench ARG... - pgbench, with a note of each transaction that has returned
bench() {
	rounds=$((rounds + 1))
	run_bg "bench$rounds" "${as_postgres[@]}" "$bin/pgbench" -h "$run" -n \
		-c 4 -j 2 -P 1 -l --log-prefix="$acked/$rounds" "$@" bench
}

# bench_on - without an end; returns when it has gone on for two seconds by its
# own word
bench_on() {
	bench -T 300
	await_line '^progress: .* tps' "$WORK/bench$rounds.log" 2
}

# agree - the totals of pgbench agree, and no transaction that has returned misses
agree() {
	local sums count returned

	sums=$(sql 'SELECT (SELECT sum(abalance) FROM pgbench_accounts),
		(SELECT sum(tbalance) FROM pgbench_tellers),
		(SELECT sum(bbalance) FROM pgbench_branches),
		(SELECT sum(delta) FROM pgbench_history)')
	[[ $sums =~ ^(-?[0-9]+)\|(-?[0-9]+)\|(-?[0-9]+)\|(-?[0-9]+)$ ]] ||
		fail "the sums are $sums"
	expect_equal "${BASH_REMATCH[1]} ${BASH_REMATCH[1]} ${BASH_REMATCH[1]}" \
		"${BASH_REMATCH[2]} ${BASH_REMATCH[3]} ${BASH_REMATCH[4]}" \
		"sums of tellers, branches and history, by that of accounts"
	count=$(sql 'SELECT count(*) FROM pgbench_history')
	# A line that its writer had no time to end may be there.
	returned=$(cat "$acked"/* | grep -c ' [0-9]*$') || returned=0
	[ "$returned" -gt 0 ] || fail "no transaction has returned"
	[ "$count" -ge "$returned" ] ||
		fail "$returned transactions have returned, $count are there"
	"${as_postgres[@]}" "$bin/pg_amcheck" -h "$run" --install-missing --heapallindexed \
		bench
	echo "$1: $count transactions, $returned returned, all four sums ${BASH_REMATCH[1]}"
}

recovered() {
	grep -q 'redo starts at' "$WORK/server$starts.log" ||
		fail "the server has recovered nothing"
}

killed_server() {
	bench_on
	server_kill
	reap "bench$rounds"
	server_start
	recovered
	agree 'server killed'
}

# killed_daemon - the server has lost its files; what is left of it ends
killed_daemon() {
	bench_on
	kill -KILL "$(daemon_pid)"
	wait_daemon 137
	server_kill
	reap "bench$rounds"
	expect fusermount3 -u -z "$MNT"
	scene_lost
	mount_pool "$PROGRAMS_OPTS"
	scene_again
	server_start
	recovered
	agree 'pinfsd killed'
}

# no_room - the cluster is there, and then the pool is full: the server says so,
# and when there is room again it goes on with all that was committed
no_room() {
	bench -t 200
	wait_bg "bench$rounds"
	scene_on
	# WAL and the table grow until there is no room for one of them.
	! sql 'CREATE TABLE growth AS SELECT repeat(md5(n::text), 30)
		FROM generate_series(1, 1000000) n' || return 1
	bench -T 3
	reap "bench$rounds"
	# shellcheck disable=SC2034 # lib.sh shows it
	out_of_space=$(grep -m 1 -h 'No space left on device' "$WORK"/server*.log)
	rm "$MNT/filler"
	server_kill
	server_start
	recovered
	agree 'pool was full'
}

cluster() {
	create_cluster
	"${as_postgres[@]}" "$bin/pgbench" -h "$run" -q -i -s 2 bench
	if [ "$PROGRAMS_SCENE" = full ]; then
		no_room
	else
		scene_on
		killed_server
		killed_daemon
	fi
}

mkdir "$run" "$acked"
chown postgres "$run" "$acked"
at_exit bash -c "kill -KILL \$(head -n 1 $(printf %q "$run/pid") 2>/dev/null) 2>/dev/null"
scene_pool 1G
cluster >"$LOG" 2>&1
server_stop
scene_end "$(grep -E '^(server|pinfsd|pool)' "$LOG" | paste -s -d ';')"
