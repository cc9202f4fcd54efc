#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# sqlite3: three writers of one database at the same time, with a rollback journal
# and with a write-ahead log; VACUUM; every row and every index is right.
# tests/e2e/test_sqlite.sh kills writer and daemon.
# e2e: label=programs timeout=180
. "$(dirname "$0")/lib.sh"

need sqlite3

# write_rows DATABASE WRITER - 3,000 rows, a hundred in each transaction
write_rows() {
	local i

	{
		echo '.bail on'
		echo '.timeout 60000'
		for ((i = 0; i < 30; i++)); do
			echo 'BEGIN IMMEDIATE;'
			echo "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT
				x + 1 FROM c LIMIT 100) INSERT INTO t SELECT
				(x + $i * 100) * 10 + $2, hex(randomblob(300))
				FROM c;"
			echo 'COMMIT;'
		done
	} | sqlite3 "$1"
}

# database MODE
database() {
	local db=$DIR/$1.sqlite writer pids=() failed=

	sqlite3 "$db" "PRAGMA journal_mode = $1" \
		'CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)' \
		'CREATE INDEX by_text ON t (text)'
	for writer in 1 2 3; do
		write_rows "$db" "$writer" &
		pids+=($!)
	done
	for writer in "${pids[@]}"; do
		wait "$writer" || failed=yes
	done
	[ -z "$failed" ]
	sqlite3 "$db" 'DELETE FROM t WHERE n % 3 = 0' 'VACUUM' \
		'PRAGMA integrity_check' \
		"SELECT '$1: ' || count(*) || ' rows' FROM t"
}

databases() {
	database delete
	database wal
}

# whole - also when it was out of space, what is there is a database
whole() {
	local db

	for db in "$DIR"/*.sqlite; do
		[ -s "$db" ] || continue
		expect_equal ok "$(sqlite3 "$db" 'PRAGMA integrity_check')" "$db"
	done
}

scene_new 128M
program databases
if [ -n "$out_of_space" ]; then
	rm "$MNT/filler"
fi
whole
scene_end "$(sed -nE '/^(ok|.* rows)$/p' "$LOG" | paste -s -d ' ')"
