// SPDX-License-Identifier: BSD-3-Clause
/* pinfs info: what a mount says of itself, or what a pool holds. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "common/tool.h"
#include "image.h"
#include "ioc.h"
#include "media.h"
#include "out.h"

#define F(member, kind, label) FIELD(struct pinfs_ioc_info, member, kind, label)

static const char *const dax_modes[] = { "inode", "always", "never", NULL };

static const struct field mount_fields[] = {
	F(pool, TEXT, "pool"),
	F(uuid, UUID, "UUID"),
	F(label, TEXT, "label"),
	F(daemon_pid, NUMBER, "daemon's pid"),
	F(block_size, NUMBER, "block size"),
	F(used_inodes, NUMBER, "inodes in use"),
	FIELD_NAMES(struct pinfs_ioc_info, dax, NAMED, "dax", dax_modes),
	F(break_timeout_ns, NS, "break timeout, 0: none"),
	F(break_warn_ns, NS, "break warning after"),
	F(ino, NUMBER, NULL),
	F(socket, TEXT, NULL),
	F(wire_version, NUMBER, NULL),
	FIELD_END,
};

/* What every pool says of the space in it. */
static void out_space(struct out *o, uint64_t block, uint64_t total,
		      uint64_t free)
{
	out_bytes(o, "total_bytes", "size", total * block);
	out_bytes(o, "free_bytes", "free", free * block);
	if (free <= total)
		out_bytes(o, "used_bytes", "used", (total - free) * block);
}

/* A stable name for JSON, a sentence for people. */
static void out_state(struct out *o, const char *name, const char *sentence)
{
	out_text(o, "state", "state", o->json ? name : sentence);
}

static enum cmd_exit finish(struct out *o, const char *path)
{
	int err = out_finish(o);

	if (!err)
		return CMD_DONE;
	log_error("%s: %s", path, strerror(-err));
	return CMD_FAILED;
}

/* The pool's own word, for those who may read it: it is beside the point. */
static void out_superblock(struct out *o, const struct pinfs_ioc_info *info)
{
	char path[sizeof(info->pool) + 1] = "";
	struct image img;

	memcpy(path, info->pool, sizeof(info->pool));
	if (access(path, R_OK) || image_open(path, &img))
		return;
	if (!img.best->err &&
	    !memcmp(img.best->sb.uuid, info->uuid, sizeof(info->uuid))) {
		out_section(o, "superblock", "superblock");
		out_fields(o, media_super, &img.best->sb);
		out_end(o);
	}
	image_close(&img);
}

static enum cmd_exit info_mount(const struct cmd_line *line,
				const struct pinfs_ioc_info *info)
{
	struct out o;

	out_start(&o, line->json);
	out_text(&o, "kind", NULL, "mount");
	out_fields(&o, mount_fields, info);
	out_space(&o, info->block_size, info->total_blocks, info->free_blocks);
	out_state(&o, "mounted",
		  info->flags & PINFS_INFO_READ_ONLY ? "mounted read-only" :
						       "mounted");
	out_bool(&o, "read_only", NULL, info->flags & PINFS_INFO_READ_ONLY);
	out_text(&o, "layout_scope", "layout scope",
		 info->flags & PINFS_INFO_SCOPE_RANGE ? "range" : "file");
	out_bool(&o, "persistent", "durable at return",
		 info->flags & PINFS_INFO_PERSISTENT);
	out_superblock(&o, info);
	return finish(&o, line->operand[0]);
}

/* Who has the pool, if anybody has; an empty text is not known. */
static bool out_claim(struct out *o, const char *path)
{
	struct pool_owner owner = { .pid = 0 };
	int err = pool_owner(path, &owner);

	if (err == -ENOENT) {
		out_text(o, "claim", "claimed by", o->json ? NULL : "nobody");
		return false;
	}
	out_section(o, "claim", "claimed by");
	if (err) {
		out_text(o, "error", "unknown", strerror(-err));
	} else {
		out_number(o, "pid", "pid", (uint64_t)owner.pid);
		out_text(o, "comm", "command", owner.comm);
		out_text(o, "text", "says", owner.text);
	}
	out_end(o);
	return !err;
}

static void out_journal(struct out *o, const struct image *img, bool claimed)
{
	const struct pinfs_super *sb = &img->best->sb;
	struct pinfs_jstate st[2];
	int live, err;

	err = image_jstates(img, st, &live);
	if (err || live < 0) {
		out_state(o, "damaged",
			  "damaged: no journal state is valid; see fsck.pinfs");
		return;
	}
	out_space(o, PINFS_BLOCK_SIZE, le64_to_cpu(sb->total_blocks),
		  le64_to_cpu(st[live].free_blocks));
	if (claimed)
		out_state(o, "claimed", "in use");
	else if (le32_to_cpu(st[live].flags) & PINFS_JSTATE_CLEAN)
		out_state(o, "clean", "clean");
	else
		out_state(o, "unclean",
			  "not cleanly unmounted; the next mount recovers");
	out_section(o, "journal", "journal");
	out_fields(o, media_jstate, &st[live]);
	out_end(o);
}

/* A superblock that cannot be relied on ends it; a sound backup will do. */
static enum cmd_exit info_pool(const struct cmd_line *line, const char *path)
{
	struct image img;
	struct out o;
	bool claimed;

	if (image_open(path, &img))
		return CMD_FAILED;
	if (img.best->err) {
		log_error("%s: %s; pinfs dump shows the superblock", path,
			  img.best->why);
		image_close(&img);
		return CMD_FAILED;
	}
	out_start(&o, line->json);
	out_text(&o, "kind", NULL, "pool");
	out_text(&o, "pool", "pool", img.pool->path);
	if (img.best != &img.super[0])
		log_warn("%s: the superblock is damaged (%s), this is what its "
			 "backup says; fsck.pinfs repairs it",
			 path, img.super[0].why);
	claimed = out_claim(&o, path);
	out_journal(&o, &img, claimed);
	out_section(&o, "superblock", "superblock");
	out_fields(&o, media_super, &img.best->sb);
	out_end(&o);
	image_close(&img);
	return finish(&o, path);
}

/* -ENOTTY: path is no part of a pinfs mount, so perhaps a pool */
static int ask_mount(const char *path, struct pinfs_ioc_info *info)
{
	struct stat st;
	int fd, err;

	if (stat(path, &st))
		return -errno;
	/* Nothing is asked of a device: there an ioctl may mean anything. */
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return -ENOTTY;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	err = ioc_info(fd, info);
	close(fd);
	if (err == -ENOTTY && S_ISDIR(st.st_mode))
		return -ENOTDIR;
	return err;
}

static enum cmd_exit run(struct cmd_line *line)
{
	struct pinfs_ioc_info info;
	const char *path;
	int err;

	if (!cmd_only_json(line))
		return CMD_USAGE;
	path = line->operand[0];
	err = ask_mount(path, &info);
	if (!err)
		return info_mount(line, &info);
	if (err == -ENOTTY)
		return info_pool(line, path);
	ioc_complain(path, err == -ENOTDIR ? -ENOTTY : err);
	return CMD_FAILED;
}

static const struct cmd_option options[] = { CMD_JSON, CMD_OPTIONS_END };

const struct command cmd_info = {
	.name = "info",
	.operands = "MNT|POOL",
	.summary = "Shows what a mount or a pool is: geometry, space, state",
	.details = "Of a pool that is in use, the space is that of its last "
		   "checkpoint; ask its mount\nfor the current one.\n",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};
