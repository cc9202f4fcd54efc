#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A database in WAL mode: its writer is killed, its file system's daemon is
# killed, and what was committed is there (S2).
. "$(dirname "$0")/lib.sh"

need sqlite3

db=$MNT/db/test.sqlite
# What is said to every shell; without shared mappings one process alone can
# use WAL mode.
pragmas=

sql() {
	sqlite3 "$db" "${pragmas}PRAGMA busy_timeout = 10000; $1" | tail -n 1
}

rows() {
	sql 'SELECT count(*) FROM t;'
}

check_db() {
	expect_equal ok "$(sql 'PRAGMA integrity_check;')" "integrity check $1"
	[ "$(rows)" -ge "$2" ] || fail "$(rows) rows $1, but $2 were committed"
	# Rows go in one by one, so none may miss before the last.
	expect_equal "$(rows)" "$(sql 'SELECT coalesce(max(n), 0) FROM t;')" \
		"the last row $1"
}

create_db() {
	mkdir "${db%/*}"
	expect_equal wal "$(sql 'PRAGMA journal_mode = WAL;')" "journal mode"
	sql 'CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT);'
}

# Inserts without end, each a transaction of its own that is on the medium
# when its number is printed.
inserts() {
	local i

	echo "$pragmas"
	echo 'PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 50;'
	for ((i = $1 + 1; ; i++)); do
		echo "INSERT INTO t VALUES ($i, hex(randomblob(500)));"
		echo "SELECT 'committed', $i;"
	done
}

# insert_until_killed VICTIM N - SIGKILL to the victim, writer or daemon, when
# N rows have been committed; sets $committed
insert_until_killed() {
	local word number first writer

	first=$(rows)
	committed=$first
	rm -f "$WORK/said"
	mkfifo "$WORK/said"
	sqlite3 -batch -bail -separator ' ' "$db" < <(inserts "$first" 2>/dev/null) \
		>"$WORK/said" 2>"$WORK/writer.log" &
	writer=$!
	while read -r word number; do
		[ "$word" = committed ] || continue
		committed=$number
		if [ "$committed" = $((first + $2)) ]; then
			case $1 in
			writer) kill -KILL "$writer" ;;
			daemon) kill -KILL "$(daemon_pid)" ;;
			esac
		fi
	done <"$WORK/said"
	wait "$writer" || true
	[ "$committed" -ge $((first + $2)) ] ||
		fail "the writer ended after $committed rows"
}

remount() {
	umount_pool
	fsck_clean
	mount_pool "$1"
}

# test_db MOUNT_OPTION
test_db() {
	create_db
	insert_until_killed writer 60
	check_db "after the writer's death" "$committed"
	remount "$1"
	check_db "after a remount" "$committed"
	insert_until_killed daemon 60
	wait_daemon 137
	expect fusermount3 -u -z "$MNT"
	mount_pool "$1"
	check_db "after the daemon's death" "$committed"
	sql 'DELETE FROM t WHERE n > 50; VACUUM;'
	remount "$1"
	expect_equal ok "$(sql 'PRAGMA integrity_check;')" "after VACUUM"
	expect_equal 50 "$(rows)" "rows after VACUUM"
	rm -r "${db%/*}"
}

# Writers, each a process of its own, and readers that come meanwhile.
test_concurrent() {
	local i

	create_db
	for i in 1 2 3; do
		run_bg "writer$i" sqlite3 "$db" 'PRAGMA busy_timeout = 30000;' \
			"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT
			x + 1 FROM c LIMIT 2000) INSERT INTO t SELECT
			x * 10 + $i, 'text' FROM c;"
	done
	for i in 1 2 3; do
		sql "PRAGMA integrity_check;" >/dev/null
		wait_bg "writer$i"
	done
	expect_equal 6000 "$(rows)" "rows of three writers"
	expect_equal ok "$(sql 'PRAGMA integrity_check;')" "three writers"
	rm -r "${db%/*}"
}

pool_new 64M
mount_pool dax=inode
test_concurrent
test_db dax=inode
umount_pool
fsck_clean

mount_pool dax=always
if ! syscalls can-mmap "$MNT/probe" 2>/dev/null; then
	e2e_say "note: no shared mappings with dax=always here, so WAL mode" \
		"is for one process alone"
	pragmas='PRAGMA locking_mode = EXCLUSIVE;'
fi
test_db dax=always
umount_pool
fsck_clean
