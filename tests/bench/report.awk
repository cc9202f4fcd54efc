# SPDX-License-Identifier: BSD-3-Clause
#
# Tables in Markdown of what suite.sh has measured. A figure is the median of the
# rounds, in brackets the least and the most; a ratio is the median of the rounds'
# ratios, each of figures that were measured one after the other, and more than 1
# where pinfs is better. Behind it stands its target if there is one, with "missed" if it
# is below. With -v base=SIDE that side takes pinfs's place.
BEGIN {
	FS = "\t"
	split("data cached meta tree db dma", classes, " ")
	if (base == "")
		base = "pinfs"
	head["data"] = head["cached"] = head["meta"] = "pinfs ceiling " \
		"ceiling_uring storing fuse2fs ext4 tmpfs raw"
	head["tree"] = head["db"] = "fuse2fs ext4 tmpfs"
	head["dma"] = "fio fio_all dd"
	name["ceiling_uring"] = "ceiling, io_uring"
	name["uring"] = "pinfs, io_uring"
	name["raw"] = "libpmem"
	name["storing"] = "ceiling, storing"
	name["fio"] = "fio, io_uring, anonymous memory"
	name["fio_all"] = "fio, as much memory"
}

{
	if (!($1 in class)) {
		title[++titles] = $1
		class[$1] = $2
		unit[$1] = $3
		targets[$1] = $4
	}
	value[$1, $5, $6] = $7
	measured[$2, $5] = 1
	if ($6 + 1 > rounds)
		rounds = $6 + 1
}

# sorted(v, n) - v[1..n] in order; there is no asort() in every awk
function sorted(v, n,    i, j, x) {
	for (i = 2; i <= n; i++) {
		x = v[i]
		for (j = i - 1; j >= 1 && v[j] > x; j--)
			v[j + 1] = v[j]
		v[j + 1] = x
	}
}

function short(x, u) {
	if (u == "s")
		return sprintf("%.2f s", x)
	if (u == "B/s")
		return sprintf("%.2f GB/s", x / 1e9)
	return x < 10000 ? sprintf("%.0f", x) : sprintf("%.1f k", x / 1000)
}

function figure(t, side,    v, n, r) {
	n = 0
	for (r = 0; r < rounds; r++)
		if ((t, side, r) in value)
			v[++n] = value[t, side, r] + 0
	if (!n)
		return ""
	sorted(v, n)
	return short(v[int((n + 1) / 2)], unit[t]) " (" \
		short(v[1], unit[t]) " to " short(v[n], unit[t]) ")"
}

# ratio(t, side) - of the base to it, -1: not measured
function ratio(t, side,    v, n, r, a, b) {
	n = 0
	for (r = 0; r < rounds; r++) {
		if (!((t, side, r) in value) || !((t, base, r) in value))
			continue
		a = value[t, base, r]
		b = value[t, side, r]
		if (a > 0 && b > 0)
			v[++n] = unit[t] == "s" ? b / a : a / b
	}
	if (!n)
		return -1
	sorted(v, n)
	return v[int((n + 1) / 2)]
}

function target(t, side,    f, n, i) {
	n = base == "pinfs" ? split(targets[t], f, " ") : 0
	for (i = 1; i < n; i += 2)
		if (f[i] == side)
			return f[i + 1]
	return ""
}

function cell(t, side,    x, want, text) {
	x = ratio(t, side)
	if (x < 0)
		return ""
	want = target(t, side)
	# As printed, so that nobody sees a ratio equal to a target that it misses.
	text = sprintf("%.2f", x)
	if (want == "")
		return text
	met += text >= want + 0
	missed += text < want + 0
	return text " of " want (text < want + 0 ? " **missed**" : "")
}

# columns(c, sides) - those that the base was measured beside
function columns(c, sides,    all, n, i, k) {
	n = split(head[c], all, " ")
	for (i = 1; i <= n; i++)
		if (all[i] != base && (c, all[i]) in measured)
			sides[++k] = all[i]
	return k + 0
}

function table(c,    sides, n, i, k, line) {
	n = columns(c, sides)
	line = ""
	for (i = 1; i <= titles; i++) {
		if (class[title[i]] != c)
			continue
		if (line == "") {
			line = "| " c " | " (base in name ? name[base] : base) " |"
			for (k = 1; k <= n; k++)
				line = line " : " (sides[k] in name ? \
					name[sides[k]] : sides[k]) " |"
			print line
			line = "|---|---|"
			for (k = 1; k <= n; k++)
				line = line "---|"
			print line
		}
		line = "| " title[i] " | " figure(title[i], base) " |"
		for (k = 1; k <= n; k++)
			line = line " " cell(title[i], sides[k]) " |"
		print line
	}
	if (line != "")
		print ""
}

# With -v bars=SIDE: lines "workload, ratio" for plot.sh bars, of file systems only
END {
	if (bars) {
		for (i = 1; i <= titles; i++)
			if (class[title[i]] != "dma" && ratio(title[i], bars) >= 0)
				printf "%s\t%.3f\n", title[i], ratio(title[i], bars)
		exit
	}
	for (k = 1; k <= 6; k++)
		table(classes[k])
	printf "%d targets met, %d missed\n", met, missed
}
