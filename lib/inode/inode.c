// SPDX-License-Identifier: BSD-3-Clause
#include "inode/inode.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/omit.h"
#include "base/util.h"
#include "format/csum.h"
#include "inode/blob.h"
#include "inode/extent.h"
#include "inode/inode_i.h"
#include "inode/itable.h"
#include "inode/xattr.h"

#define INODE_LINES (PINFS_INODE_CSUM_BYTES / PINFS_LINE_SIZE)

/* Extents that one transaction frees: what fits the smallest lane with ease. */
#define RECLAIM_BUDGET 256u

/* --- the cache ------------------------------------------------------------------- */

#define BUCKETS 4096u

/*
 * struct bucket - inodes that somebody has a handle of, and the one that was used
 * last: requests about a file come one after the other, and looking at a slot,
 * with its checksum, takes longer than most of them
 */
struct bucket {
	pthread_mutex_t lock;
	struct inode *first;
	struct inode *idle; /* one of them without a handle, or NULL */
};

struct icache {
	struct bucket bucket[BUCKETS];
};

int icache_open(struct volume *vol)
{
	vol->icache = calloc(1, sizeof(*vol->icache));
	if (!vol->icache)
		return -ENOMEM;
	for (unsigned int i = 0; i < BUCKETS; i++)
		pthread_mutex_init(&vol->icache->bucket[i].lock, NULL);
	return 0;
}

static void inode_destroy(struct inode *ip)
{
	if (ip->vol->on_evict)
		ip->vol->on_evict(ip);
	pthread_rwlock_destroy(&ip->lock);
	free(ip);
}

void icache_close(struct volume *vol)
{
	if (!vol->icache)
		return;
	for (unsigned int i = 0; i < BUCKETS; i++) {
		struct bucket *b = &vol->icache->bucket[i];

		if (b->idle)
			inode_destroy(b->idle);
		pthread_mutex_destroy(&b->lock);
	}
	free(vol->icache);
	vol->icache = NULL;
}

static struct bucket *bucket_of(struct volume *vol, uint64_t ino)
{
	return &vol->icache->bucket[ino % BUCKETS];
}

static struct inode *bucket_find(const struct bucket *b, uint64_t ino)
{
	struct inode *ip = b->first;

	while (ip && ip->ino != ino)
		ip = ip->next;
	return ip;
}

/*
 * inode_lock_init - readers must not starve a writer, as they do by default; so
 * nobody may lock an inode shared twice
 */
static void inode_lock_init(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(
		&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

static struct inode *inode_make(struct volume *vol, uint64_t ino,
				uint64_t blkno)
{
	struct inode *ip = calloc(1, sizeof(*ip));

	if (!ip)
		return NULL;
	ip->vol = vol;
	ip->ino = ino;
	ip->blkno = blkno;
	ip->line = (unsigned int)(ino % PINFS_INODES_PER_BLOCK *
				  (PINFS_INODE_SIZE / PINFS_LINE_SIZE));
	ip->refs = 1;
	inode_lock_init(&ip->lock);
	return ip;
}

/* inode_load - look at the slot; -ESTALE if it is free */
static int inode_load(struct inode *ip)
{
	const struct pinfs_inode *di = inode_read(ip, NULL);
	const char *why;
	int err;

	if (format_inode_is_free(di))
		return -ESTALE;
	err = format_inode_verify(di, ip->ino, ip->vol->seed, &why);
	if (!err)
		err = format_inode_map_verify(di, ip->vol->total_blocks, &why);
	if (err) {
		log_error("%s: inode %llu: %s: unmount and run fsck.pinfs",
			  ip->vol->pool->path, (unsigned long long)ip->ino,
			  why);
		return err;
	}
	ip->gen = le32_to_cpu(di->gen);
	ip->unlinked = le32_to_cpu(di->nlink) == 0;
	return 0;
}

/* bucket_load - bring ino in; the bucket's lock is held */
static int bucket_load(struct volume *vol, struct bucket *b, uint64_t ino,
		       struct inode **out)
{
	uint64_t blkno;
	struct inode *ip;
	int err = itable_locate(vol, ino, &blkno);

	if (err)
		return err;
	ip = inode_make(vol, ino, blkno);
	if (!ip)
		return -ENOMEM;
	err = inode_load(ip);
	if (err) {
		inode_destroy(ip);
		return err;
	}
	ip->next = b->first;
	b->first = ip;
	*out = ip;
	return 0;
}

int inode_get(struct volume *vol, uint64_t ino, uint32_t gen,
	      struct inode **out)
{
	struct bucket *b = bucket_of(vol, ino);
	unsigned int guard = journal_enter(vol->journal);
	struct inode *ip;
	int err = 0;

	pthread_mutex_lock(&b->lock);
	ip = bucket_find(b, ino);
	if (!ip)
		err = bucket_load(vol, b, ino, &ip);
	else if (ip->refs++ == 0)
		b->idle = NULL;
	pthread_mutex_unlock(&b->lock);
	journal_leave(vol->journal, guard);
	if (err)
		return err;
	if (gen != INODE_ANY_GEN && gen != ip->gen) {
		inode_put(ip);
		return -ESTALE;
	}
	*out = ip;
	return 0;
}

struct inode *inode_hold(struct inode *ip)
{
	uint32_t had = atomic_fetch_add(&ip->refs, 1);

	assert(had > 0);
	(void)had;
	return ip;
}

static void bucket_remove(struct bucket *b, struct inode *ip)
{
	struct inode **at = &b->first;

	while (*at != ip)
		at = &(*at)->next;
	*at = ip->next;
}

/*
 * bucket_keep - ip, whose last handle goes, stays; returns what it takes the place
 * of, to be destroyed, or NULL
 */
static struct inode *bucket_keep(struct bucket *b, struct inode *ip)
{
	struct inode *old = b->idle;

	ip->refs = 0;
	if (old)
		bucket_remove(b, old);
	b->idle = ip;
	return old;
}

/*
 * inode_die - nobody finds it any more
 *
 * Its number may be another inode's at once, which a handle of this one, found
 * in its place, would hide. Locked exclusively.
 */
static void inode_die(struct inode *ip)
{
	struct bucket *b = bucket_of(ip->vol, ip->ino);

	pthread_mutex_lock(&b->lock);
	if (!ip->dead)
		bucket_remove(b, ip);
	ip->dead = true;
	pthread_mutex_unlock(&b->lock);
}

/* is_unused - is ours the only handle? locked: nobody who comes has looked */
static bool is_unused(struct inode *ip)
{
	struct bucket *b = bucket_of(ip->vol, ip->ino);
	bool unused;

	pthread_mutex_lock(&b->lock);
	unused = ip->refs == 1;
	pthread_mutex_unlock(&b->lock);
	return unused;
}

/* put_not_last - drop a handle that is not the last one; false: it may be */
static bool put_not_last(struct inode *ip)
{
	uint32_t refs = atomic_load(&ip->refs);

	while (refs > 1)
		if (atomic_compare_exchange_weak(&ip->refs, &refs, refs - 1))
			return true;
	return false;
}

void inode_put(struct inode *ip)
{
	struct bucket *b;

	if (!ip || put_not_last(ip))
		return;
	b = bucket_of(ip->vol, ip->ino);
	pthread_mutex_lock(&b->lock);
	/*
	 * With one handle, ours, nobody else looks at unlinked and dead: both
	 * change only in the hands of one who has a handle. If somebody comes
	 * by the inode's number meanwhile, inode_reclaim() leaves it to him.
	 */
	while (!put_not_last(ip)) {
		if (!ip->unlinked || ip->dead || ip->vol->read_only)
			goto last;
		pthread_mutex_unlock(&b->lock);
		inode_reclaim(ip);
		pthread_mutex_lock(&b->lock);
	}
	pthread_mutex_unlock(&b->lock);
	return;

last:
	/* What the layout layer knows of a file goes with its last handle. */
	if (!ip->dead && !atomic_load(&ip->layout))
		ip = bucket_keep(b, ip);
	else if (!ip->dead)
		bucket_remove(b, ip);
	pthread_mutex_unlock(&b->lock);
	if (ip)
		inode_destroy(ip);
}

static int by_ino(const void *a, const void *b)
{
	const struct inode *const *x = a, *const *y = b;

	return (*x)->ino < (*y)->ino ? -1 : (*x)->ino > (*y)->ino;
}

unsigned int inode_lock_all(struct inode **ip, unsigned int n)
{
	unsigned int kept = 0;

	qsort(ip, n, sizeof(*ip), by_ino);
	for (unsigned int i = 0; i < n; i++)
		if (kept == 0 || ip[kept - 1] != ip[i])
			ip[kept++] = ip[i];
	for (unsigned int i = 0; i < kept; i++)
		pthread_rwlock_wrlock(&ip[i]->lock);
	return kept;
}

void inode_unlock_all(struct inode **ip, unsigned int n)
{
	while (n-- > 0)
		pthread_rwlock_unlock(&ip[n]->lock);
}

/* --- contents ------------------------------------------------------------------ */

const struct pinfs_inode *inode_read(struct inode *ip, struct tx *tx)
{
	return tx_read_lines(ip->vol->journal, tx, ip->blkno, ip->line);
}

static void seal_inode(void *lines, uint64_t blkno, uint64_t seed)
{
	(void)blkno;
	format_inode_seal(lines, seed);
}

struct pinfs_inode *inode_edit(struct inode *ip, struct tx *tx)
{
	return tx_lines(tx, ip->blkno, ip->line, INODE_LINES, seal_inode);
}

int inode_add_blocks(struct inode *ip, struct tx *tx, int64_t n)
{
	struct pinfs_inode *di = inode_edit(ip, tx);

	if (!di)
		return -ENOMEM;
	di->blocks = cpu_to_le64(le64_to_cpu(di->blocks) + (uint64_t)n);
	return 0;
}

struct timespec inode_now(void)
{
	struct timespec ts;

	/* The kernel's own granularity of file times. */
	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return ts;
}

int inode_touch(struct inode *ip, struct tx *tx, unsigned int which)
{
	struct pinfs_inode *di = inode_edit(ip, tx);
	struct timespec now = inode_now();
	le64 sec = cpu_to_le64((uint64_t)now.tv_sec);
	le32 ns = cpu_to_le32((uint32_t)now.tv_nsec);

	if (!di)
		return -ENOMEM;
	if (which & INODE_ATIME) {
		di->atime = sec;
		di->atime_ns = ns;
	}
	if (which & INODE_MTIME) {
		di->mtime = sec;
		di->mtime_ns = ns;
	}
	if (which & INODE_CTIME) {
		di->ctime = sec;
		di->ctime_ns = ns;
	}
	return 0;
}

/* --- birth and death ----------------------------------------------------------- */

static int init_slot(struct inode *ip, struct tx *tx,
		     const struct inode_init *init)
{
	struct pinfs_inode *di = inode_edit(ip, tx);
	uint32_t gen;

	if (!di)
		return -ENOMEM;
	/* So that handles and node ids of what was here before go stale. */
	gen = (le32_to_cpu(di->gen) + 1) & ((1u << PINFS_GEN_BITS) - 1);
	memset(di, 0, PINFS_INODE_CSUM_BYTES);
	ip->gen = gen;
	di->magic = cpu_to_le32(PINFS_MAGIC_INODE);
	di->gen = cpu_to_le32(gen);
	di->ino = cpu_to_le64(ip->ino);
	di->mode = cpu_to_le32(init->mode);
	di->nlink = cpu_to_le32(init->nlink);
	di->uid = cpu_to_le32(init->uid);
	di->gid = cpu_to_le32(init->gid);
	di->rdev = cpu_to_le64(init->rdev);
	di->parent = cpu_to_le64(init->parent);
	di->flags = cpu_to_le64(init->flags);
	inode_touch(ip, tx, INODE_ATIME | INODE_MTIME | INODE_CTIME);
	di->btime = di->mtime;
	di->btime_ns = di->mtime_ns;
	return 0;
}

int inode_new(struct volume *vol, struct tx *tx, const struct inode_init *init,
	      struct inode **out)
{
	uint64_t ino, blkno;
	struct inode *ip;
	struct bucket *b;
	int err = itable_alloc(vol, tx, &ino, &blkno);

	if (err)
		return err;
	ip = inode_make(vol, ino, blkno);
	if (!ip)
		return -ENOMEM;
	err = init_slot(ip, tx, init);
	if (err) {
		inode_destroy(ip);
		return err;
	}
	ip->unlinked = init->nlink == 0;
	/* Nobody has it yet, so its place in the order of locks is no matter. */
	err = pthread_rwlock_trywrlock(&ip->lock);
	assert(err == 0);
	b = bucket_of(vol, ino);
	pthread_mutex_lock(&b->lock);
	ip->next = b->first;
	b->first = ip;
	pthread_mutex_unlock(&b->lock);
	*out = ip;
	return 0;
}

void inode_new_undo(struct inode *ip)
{
	inode_die(ip);
	pthread_rwlock_unlock(&ip->lock);
	inode_put(ip);
}

/* struct funeral - marks an inode dead when the transaction has committed */
struct funeral {
	struct tx_hook hook;
	struct inode *ip;
};

static void bury(struct tx_hook *hook, bool committed)
{
	struct funeral *f = container_of(hook, struct funeral, hook);

	if (committed)
		inode_die(f->ip);
	free(f);
}

int inode_free(struct inode *ip, struct tx *tx)
{
	struct pinfs_inode *di = inode_edit(ip, tx);
	struct funeral *f = malloc(sizeof(*f));
	int err;

	if (!di || !f) {
		free(f);
		return -ENOMEM;
	}
	/* Before itable_free(), whose hook gives the number away. */
	f->ip = ip;
	f->hook.fn = bury;
	tx_on_end(tx, &f->hook);
	err = itable_free(ip->vol, tx, ip->ino);
	if (err)
		return err;
	memset(di, 0, PINFS_INODE_CSUM_BYTES);
	di->magic = cpu_to_le32(PINFS_MAGIC_INODE);
	di->gen = cpu_to_le32(ip->gen);
	di->ino = cpu_to_le64(ip->ino);
	return 0;
}

/* free_rest - what is left when the extents are gone */
static int free_rest(struct inode *ip, struct tx *tx)
{
	uint64_t target = le64_to_cpu(inode_read(ip, tx)->target);
	int err = xattr_drop(ip, tx);

	if (!err && target)
		err = blob_free(ip, tx, target);
	if (!err && orphan_is_on_list(ip))
		err = orphan_remove(ip, tx);
	return err ? err : inode_free(ip, tx);
}

static bool has_extents(struct inode *ip)
{
	return S_ISREG(inode_mode(ip, NULL));
}

/* is_tiny - can all of its extents go with the transaction that unlinks it? */
static bool is_tiny(struct inode *ip, struct tx *tx, int *err)
{
	*err = 0;
	if (!has_extents(ip))
		return true;
	if (le16_to_cpu(inode_read(ip, tx)->tree_level) > 0)
		return false;
	return extent_count_upto(ip, tx, 0, EXTENT_END,
				 PINFS_INLINE_EXTENTS + 1,
				 err) <= PINFS_INLINE_EXTENTS;
}

static void mark_unlinked(struct tx_hook *hook, bool committed)
{
	struct funeral *f = container_of(hook, struct funeral, hook);

	if (committed)
		f->ip->unlinked = true;
	free(f);
}

int inode_drop_link(struct inode *ip, struct tx *tx, bool in_use)
{
	unsigned int budget = PINFS_INLINE_EXTENTS + 1;
	struct funeral *f;
	int err = 0;

	if (!in_use && is_tiny(ip, tx, &err)) {
		if (!err && has_extents(ip))
			err = extent_remove(ip, tx, 0, EXTENT_END, &budget);
		return err ? err : free_rest(ip, tx);
	}
	f = malloc(sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->ip = ip;
	f->hook.fn = mark_unlinked;
	tx_on_end(tx, &f->hook);
	if (OMITTED("S-orphan"))
		return 0;
	/* It is there already if a change of its layout could not be finished. */
	return orphan_is_on_list(ip) ? 0 : orphan_add(ip, tx);
}

/* reclaim_step - one transaction; -EAGAIN: there is more to do */
static int reclaim_step(struct inode *ip)
{
	unsigned int guard = journal_enter(ip->vol->journal);
	unsigned int budget = RECLAIM_BUDGET;
	struct tx *tx = tx_begin(ip->vol->journal);
	int err = tx ? 0 : -ENOMEM, more = 0;

	if (!err && has_extents(ip))
		err = extent_remove(ip, tx, 0, EXTENT_END, &budget);
	if (err == -EAGAIN) {
		more = -EAGAIN;
		err = 0;
	} else if (!err) {
		err = free_rest(ip, tx);
	}
	if (err)
		tx_abort(tx);
	else
		err = tx_commit(tx);
	journal_leave(ip->vol->journal, guard);
	return err ? err : more;
}

int inode_reclaim(struct inode *ip)
{
	int err;

	pthread_rwlock_wrlock(&ip->lock);
	do {
		/* It may have got a name before we had the lock (O_TMPFILE). */
		err = ip->dead || !ip->unlinked || !is_unused(ip) ?
			      0 :
			      reclaim_step(ip);
	} while (err == -EAGAIN);
	if (err) {
		log_error("%s: inode %llu: freeing it: %s; the next mount "
			  "tries again",
			  ip->vol->pool->path, (unsigned long long)ip->ino,
			  strerror(-err));
		inode_die(ip);
	}
	pthread_rwlock_unlock(&ip->lock);
	return err;
}
