#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# tar and rsync: a tree with extended attributes, ACLs, sparse files, hard links
# and special files, there and back again.
# e2e: label=programs timeout=180
. "$(dirname "$0")/lib.sh"

need tar rsync setfattr setfacl

# The tree that is copied to and fro, on the file system below.
tree=$WORK/tree
acls=yes
# Attributes that others than root may set.
names='^user\.'
[ "$UID" != 0 ] || names='^(user|trusted)\.'

make_tree() {
	mkdir -p "$tree/deep/a/b/c" "$tree/empty"
	cp -r /usr/include/linux "$tree/headers"
	seq 20000 >"$tree/numbers"
	ln "$tree/numbers" "$tree/deep/a/again"
	ln -s ../numbers "$tree/deep/link"
	mkfifo -m 640 "$tree/fifo"
	truncate -s 40M "$tree/sparse"
	printf here | dd of="$tree/sparse" bs=1 seek=20000000 conv=notrunc \
		status=none
	echo end >>"$tree/sparse"
	setfattr -n user.plain -v value "$tree/numbers"
	setfattr -n user.large -v "$(head -c 3000 /dev/zero | tr '\0' x)" \
		"$tree/numbers"
	setfattr -n user.binary -v 0x00ff00 "$tree/empty"
	[ "$UID" != 0 ] || setfattr -n trusted.of-root -v 1 "$tree/deep"
}

# with_acls - also entries for others, and defaults that new files inherit
with_acls() {
	setfacl -m u:12345:rw,g:54321:r "$tree/numbers"
	setfacl -d -m u:12345:rwx,m::rwx "$tree/deep"
	mkdir "$tree/deep/heir"
}

# listing DIRECTORY - all about it that is to be copied
listing() {
	(
		cd "$1" || exit
		find . -printf '%P %y %m %U %G %n %T@ ' \
			\( -type d -printf '\n' -o -printf '%s %l\n' \) | sort
		find . ! -type l ! -type p -print0 | sort -z |
			xargs -0 getfattr -h -d -m "$names" -e hex
		[ -z "$acls" ] || find . ! -type l -print0 | sort -z |
			xargs -0 getfacl -n -p
	)
}

# same DIRECTORY - is it what the tree is? holes are holes
same() {
	diff -r -x fifo --no-dereference "$tree" "$1"
	diff "$WORK/want" <(listing "$1")
	[ "$(stat -c %b "$1/sparse")" -lt 1024 ]
}

copies() {
	local tar=(tar --xattrs "--xattrs-include=*" --sparse --numeric-owner)
	local sync=(rsync -aHXS --numeric-ids --stats)

	[ -z "$acls" ] || tar+=(--acls) sync+=(-A)
	mkdir "$DIR"/{tar,back}
	"${tar[@]}" -C "$tree" -cf "$DIR/archive" .
	"${tar[@]}" -C "$DIR/tar" -xpf "$DIR/archive"
	same "$DIR/tar"
	"${sync[@]}" "$tree/" "$DIR/rsync/"
	same "$DIR/rsync"
	"${sync[@]}" "$DIR/rsync/" "$DIR/again/"
	same "$DIR/again"
	# Nothing is left to be done, by contents, times, attributes and ACLs.
	"${sync[@]}" -i --checksum --no-h "$DIR/tar/" "$DIR/again/" >"$WORK/sync"
	cat "$WORK/sync"
	grep -q '^Number of regular files transferred: 0$' "$WORK/sync"
	# One file has changed in the middle: in place, it is mended.
	printf other | dd of="$DIR/again/numbers" bs=1 seek=60000 conv=notrunc \
		status=none
	rsync -a --inplace --no-whole-file "$tree/numbers" "$DIR/again/numbers"
	cmp "$tree/numbers" "$DIR/again/numbers"
	# And back: what pinfs hands out is what the other file system had.
	tar --xattrs '--xattrs-include=*' --sparse ${acls:+--acls} \
		-C "$DIR/rsync" -c . | "${tar[@]}" -C "$DIR/back" -xp
	same "$DIR/back"
	echo "copied: $(find "$tree" | wc -l) files, ${acls:-no} ACLs"
}

scene_new 256M
make_tree
touch "$MNT/probe"
if ! setfacl -m u:12345:r "$MNT/probe" 2>"$WORK/said"; then
	e2e_say "note: no ACLs on this mount: $(cat "$WORK/said")"
	acls=
elif ! setfacl -m u:12345:r "$tree/fifo" 2>"$WORK/said"; then
	e2e_say "note: no ACLs in $WORK: $(cat "$WORK/said")"
	acls=
fi
rm -f "$MNT/probe"
[ -z "$acls" ] || with_acls
# rsync takes times within the same second for the same.
find "$tree" -exec touch -h -d '1999-12-31 23:59:59.123456789' {} +
listing "$tree" >"$WORK/want"
program copies
scene_end "$(sed -nE '/^copied:/p; s/^Number of regular files (transferred)/\1/p' \
	"$LOG" | paste -s -d ';')"
