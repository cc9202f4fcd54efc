# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# What is measured; sourced by suite.sh. A workload is a function whose last argument
# is a side; it prints lines "FIGURE VALUE", with - for a FIGURE that needs no name.
#
# shellcheck disable=SC2154 # $dir, $build, $bytes, $each are suite.sh's

fs_sides='pinfs ceiling fuse2fs ext4 tmpfs uring ceiling_uring'
real_sides='pinfs fuse2fs ext4 tmpfs'

# Title | class | unit | sides | targets | processors | command
#
# The unit s is of what takes less when it is better. A target is the least that
# pinfs may be of another side, as a ratio. Client and server run on one processor,
# or on all. Reads of what is cached come first: they depend on where the kernel's pages
# lie, which is much the same for all sides as long as nothing else has been done.
# shellcheck disable=SC2034 # suite.sh's
workloads=(
	"4 KiB random read, cached|cached|1/s|$fs_sides|ceiling 0.9 fuse2fs 1 tmpfs 1|one|disk randread 4k 0 1"
	"4 KiB random read, cached, 4 jobs|cached|1/s|$fs_sides|ceiling 0.9 fuse2fs 1 tmpfs 1|all|disk randread 4k 0 4"
	"1 MiB stream, re-read, cached|cached|B/s|$fs_sides|ceiling 0.9 fuse2fs 1 tmpfs 1|one|disk read 1m 0 1"
	"mmap, 4 KiB random read|cached|1/s|$fs_sides|ceiling 0.9 fuse2fs 1|one|mapped randread"
	"4 KiB random read, direct|data|1/s|$fs_sides raw|ceiling 0.9 fuse2fs 1|one|disk randread 4k 1 1"
	"4 KiB random read, direct, 4 jobs|data|1/s|$fs_sides raw4|ceiling 0.9 fuse2fs 1|all|disk randread 4k 1 4"
	"4 KiB random write, direct|data|1/s|$fs_sides storing raw|ceiling 0.9 fuse2fs 2|one|disk randwrite 4k 1 1"
	"4 KiB random write, direct, 4 jobs|data|1/s|$fs_sides storing raw4|ceiling 0.9 fuse2fs 2|all|disk randwrite 4k 1 4"
	"4 KiB random write, cached|data|1/s|$fs_sides storing|ceiling 0.9 fuse2fs 2|one|disk randwrite 4k 0 1"
	"4 KiB random write, cached, 4 jobs|data|1/s|$fs_sides storing|ceiling 0.9 fuse2fs 2|all|disk randwrite 4k 0 4"
	"128 KiB stream, read, direct|data|B/s|$fs_sides raw|ceiling 0.9 fuse2fs 1|one|disk read 128k 1 1"
	"128 KiB stream, write, direct|data|B/s|$fs_sides storing raw|ceiling 0.9 fuse2fs 1|one|disk write 128k 1 1"
	"1 MiB stream, read, direct|data|B/s|$fs_sides raw|ceiling 0.9 fuse2fs 1|one|disk read 1m 1 1"
	"1 MiB stream, write, direct|data|B/s|$fs_sides storing raw|ceiling 0.9 fuse2fs 1|one|disk write 1m 1 1"
	"1 MiB stream, write, cached|data|B/s|$fs_sides storing|ceiling 0.9 fuse2fs 1|one|disk write 1m 0 1"
	"4 KiB append, fsync each|data|1/s|$fs_sides|ceiling 0.9 fuse2fs 2|one|append"
	"mmap, 4 KiB random write|data|1/s|$fs_sides storing|ceiling 0.9 fuse2fs 1|one|mapped randwrite"
	"one directory|meta|1/s|$fs_sides|ceiling 0.8 fuse2fs 2|one|names 1000 1"
	"100 directories|meta|1/s|$fs_sides|ceiling 0.8 fuse2fs 2|one|names 10 100"
	"10,000 names|meta|1/s|$fs_sides|ceiling 0.8 fuse2fs 2|one|listing"
	"source tree|tree|s|$real_sides|fuse2fs 1|all|source_tree"
	"SQLite, transactions|db|1/s|$real_sides|fuse2fs 1|all|sqlite"
	"PostgreSQL, pgbench|db|1/s|$real_sides|fuse2fs 1|all|postgres"
	"DMA in, direct device|dma|B/s|pinfs fio fio_all dd|fio 0.9|all|dma in direct"
	"DMA in, page cache|dma|B/s|pinfs fio fio_all dd|fio 0.9|all|dma in cached"
	"DMA out, direct device|dma|B/s|pinfs fio fio_all dd|fio 0.9|all|dma out direct"
	"DMA out, page cache|dma|B/s|pinfs fio fio_all dd|fio 0.9|all|dma out cached"
)

# --- data ----------------------------------------------------------------------------

# run_fio FIELD ARG... - a field of fio's report, reads and writes together
run_fio() {
	fio --name=bench --group_reporting --output-format=json "${@:2}" \
		2>>"$dir/fio.log" |
		jq -r "\"- \" + (.jobs[0].read.$1 + .jobs[0].write.$1 | floor
			| tostring)"
}

ms() {
	awk -v s="$each" 'BEGIN {print int(1000 * s)}'
}

# warm SIDE - what is read is in the page cache, and has got there by reading: what
# was written a page at a time is there page by page, and slower to read. It is read
# twice, for the kernel moves a page among those in use the second time that it is
# touched, which tmpfs's pages, never dropped, have behind them.
warm() {
	dd if="$dir/$1/f" iflag=nocache count=0 status=none
	dd if="$dir/$1/f" of=/dev/null bs=1M status=none
	dd if="$dir/$1/f" of=/dev/null bs=1M status=none
}

# disk RW BLOCK DIRECT JOBS SIDE - requests a second if they are random, else bytes
disk() {
	local field=bw_bytes

	case $5 in
	raw*)
		raw "$@"
		return
		;;
	esac
	[[ $1 != rand* ]] || field=iops
	[[ $3 = 1 || $1 != *read ]] || warm "$5"
	run_fio $field --filename="$dir/$5/f" --rw="$1" --bs="$2" --size="$bytes" \
		--direct="$3" --invalidate=0 --ioengine=psync --numjobs="$4" \
		--time_based --runtime="$(ms)ms"
}

# raw RW BLOCK - JOBS - - libpmem's copies, on the ceiling's file
raw() {
	local order=stream

	[[ $1 != rand* ]] || order=random
	echo "- $("$build/raw" "$dir/ceiling.img" "${1#rand}" $order \
		"$(numfmt --from=iec "${2^^}")" "$4" "$each")"
}

append() {
	run_fio iops --filename="$dir/$1/append" --rw=write --bs=4k --size="$bytes" \
		--fsync=1 --fallocate=none --create_on_open=1 --unlink=1 \
		--ioengine=psync --runtime="$(ms)ms"
}

mapped() { # RW SIDE
	warm "$2"
	run_fio iops --filename="$dir/$2/f" --rw="$1" --bs=4k --size="$bytes" \
		--ioengine=mmap --invalidate=0 --time_based --runtime="$(ms)ms"
}

# --- names ---------------------------------------------------------------------------

names() { # FILES DIRS SIDE
	"$build/names" tree "$dir/$3" "$1" "$2" "$each"
}

listing() {
	"$build/names" list "$dir/$1/large" "$each"
}

# --- programs ------------------------------------------------------------------------

seconds() { # COMMAND... - how long it takes, all that it did on $at synced
	local from to

	from=$(date +%s%N)
	("$@" && sync "$at") >"$dir/program.log" 2>&1 || {
		cat "$dir/program.log" >&2
		return 1
	}
	to=$(date +%s%N)
	awk -v ns=$((to - from)) 'BEGIN {printf "%.3f\n", ns / 1e9}'
}

configure() { cd "$at"/tree/*-*/ && ./configure --quiet; }
build_tree() { make -s -C "$at"/tree/*-*/ -j2; }

source_tree() {
	local at=$dir/$1

	mkdir "$at/tree"
	echo "unpack $(seconds tar -C "$at/tree" -xf "$archive")"
	echo "configure $(seconds configure)"
	echo "build $(seconds build_tree)"
	echo "remove $(seconds rm -rf "$at/tree")"
}

# sqlite_mode MODE SIDE - of transactions with an insertion each, how many a second
sqlite_mode() {
	local at=$dir/$2 db=$dir/$2/sqlite.db n=500

	rm -f "$db"*
	sqlite3 "$db" "PRAGMA journal_mode=$1; CREATE TABLE t(k INTEGER, v TEXT)" \
		>/dev/null
	{
		echo "PRAGMA journal_mode=$1; PRAGMA synchronous=FULL;"
		seq -f "INSERT INTO t VALUES(%.0f, 'a row of some bytes');" 1 $n
	} >"$dir/sql"
	seconds sqlite3 "$db" ".read $dir/sql" |
		awk -v n=$n -v mode="$1" '{printf "%s %.1f\n", mode, n / $1}'
	rm -f "$db"*
}

sqlite() {
	sqlite_mode delete "$1"
	sqlite_mode wal "$1"
}

as_postgres() {
	setpriv --reuid=postgres --regid=postgres --init-groups -- \
		env -C / HOME=/tmp "$@"
}

pg_bin() {
	find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1
}

# postgres_make SIDE - a cluster, once
postgres_make() {
	local bin data=$dir/$1/pg

	bin=$(pg_bin)
	install -d -o postgres -m 700 "$data" "$dir/run"
	as_postgres "$bin/initdb" -D "$data" -A trust --no-instructions
	cat >>"$data/postgresql.conf" <<-END
		listen_addresses = ''
		unix_socket_directories = '$dir/run'
		shared_buffers = 16MB
		dynamic_shared_memory_type = mmap
	END
	as_postgres "$bin/pg_ctl" -s -w -D "$data" -l "$data/log" start
	as_postgres "$bin/pgbench" -h "$dir/run" -q -i -s 2 postgres
	as_postgres "$bin/pg_ctl" -s -w -D "$data" stop
}

postgres() {
	local bin data=$dir/$1/pg

	bin=$(pg_bin)
	[ -d "$data" ] || postgres_make "$1" >"$dir/program.log" 2>&1 ||
		{ cat "$dir/program.log" >&2; return 1; }
	as_postgres "$bin/pg_ctl" -s -w -D "$data" -l "$data/log" start
	as_postgres "$bin/pgbench" -h "$dir/run" -n -c 4 -j 2 -T "$(longer)" postgres \
		2>/dev/null | awk '/^tps/ {print "- " $3}'
	as_postgres "$bin/pg_ctl" -s -w -D "$data" stop
}

# longer - than a second, for what has to warm up
longer() {
	awk -v s="$each" 'BEGIN {print s < 1 ? 2 : int(2 * s)}'
}

# --- DMA -----------------------------------------------------------------------------

# dma in|out direct|cached SIDE - between a device and memory, which for pinfs is a
# file's, for fio its own: for each of 16 requests a place that it uses over and over,
# or as fio_all as much as is transferred. dd has one request at a time.
dma() {
	local device=$dir/dma.img direct=0 rw=read

	[ "$1" = in ] || rw='write'
	if [ "$2" = direct ]; then
		direct=1
		device=$dma_loop
	fi
	"dma_$3" "$rw" $direct "$device"
}

dma_pinfs() { # RW DIRECT DEVICE
	local option=

	[ "$2" = 1 ] || option=--no-direct
	if [ "$1" = read ]; then
		set -- from-device "$3" "$dir/pinfs/f"
	else
		set -- to-device "$dir/pinfs/f" "$3"
	fi
	"$build/pinfs" dma --json --length="$bytes" --depth=16 --chunk=1M \
		${option:+$option} "$@" |
		jq -r '"- " + (.bytes / .elapsed_ns * 1e9 | floor | tostring)'
}

# fio_ring RW DIRECT DEVICE ARG...
fio_ring() {
	run_fio bw_bytes --filename="$3" --rw="$1" --direct="$2" --invalidate=0 \
		--bs=1m --ioengine=io_uring --size="$bytes" "${@:4}"
}

dma_fio() { fio_ring "$@" --iodepth=16; }

# Over and over, so that its memory is there for most of the time, as pinfs's is.
dma_fio_all() { fio_ring "$@" --iodepth=$((bytes >> 20)) --loops=4; }

dma_dd() {
	local n=$((bytes >> 20)) flag=

	if [ "$1" = read ]; then
		[ "$2" = 0 ] || flag=iflag=direct
		set -- if="$3" of=/dev/null
	else
		[ "$2" = 0 ] || flag=oflag=direct
		set -- if=/dev/zero of="$3"
	fi
	LC_ALL=C dd "$@" bs=1M count=$n conv=notrunc ${flag:+$flag} 2>&1 |
		awk '/copied/ {print "- " $1 / $(NF - 3)}'
}
