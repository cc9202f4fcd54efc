// SPDX-License-Identifier: BSD-3-Clause
/*
 * A model of the layout protocol, for spin: who waits for whom, and what that
 * leads to.  README.md here tells how it maps to lib/layout and how it is run.
 *
 * The world: two files, of two slots (offsets) each, and three blocks, so that
 * slot 3, the second of file 1, is a hole at first.  A block knows its slot.
 *
 *	slot	0 1	2 3
 *	file	0 0	1 1
 *	block	0 1	2 -
 *
 * Three pin sets, of which two extend; two breaks; one unlink, of file 0; one
 * write, which gives a freed block to a hole.  Which range each of them is
 * about is a choice, made when it begins.
 *
 * What is chosen on the command line:
 *
 *	SCOPE_RANGE	a break waits for the blocks that it unmaps (L3), and
 *			admission claims a range; else scope `file`
 *	RECHECK		neither admission nor claims keep a break out; the
 *			second look at the layout does (L2)
 *	LOOP		pin sets begin anew for ever: a stream of DMA (L4)
 *	HANG		DMA may never end; breaks and pin sets may then wait
 *			for ever, but nobody else
 *	SETS=2, ONE_BREAK, ONE_EXTENDS, NO_WRITE, NO_UNLINK,
 *	NO_DEATH, NO_INTERRUPT, FEW_EVENTS
 *			less of the above, for a smaller space
 *	ONE_LOOK	look, count, look again are one step
 *	LIVENESS	with the formula at the end
 *	BREAK_Lx	a deliberate mistake: spin has to find it
 */

#ifndef SETS
#define SETS 3
#endif
#if defined(ONE_BREAK)
#define BREAKS 1
#else
#define BREAKS 2
#endif

#define BIT(i) (1 << (i))

#define FREE 4 /* the slot of a block that no file has */
#define FILE_SLOTS(f) ((f) == 0 -> 3 : 12)
#define FILE_OF(slots) (((slots) & 3) -> 0 : 1)

/* The steps of a break, as in enum layout_break_step; both ends of DONE */
#define NEW 0
#define WAITING 1
#define LOOKING 2 /* RECHECK: has announced itself, looks at the blocks next */
#define RUNNING 3
#define DONE 4
#define FAILED 5

/* --- the state ----------------------------------------------------------- */

byte slot[3]; /* of a block */
byte held[3]; /* by pin set: its blocks; all of them are the pin counters */
byte fly[3]; /* by pin set: blocks with I/O in flight */
bool live[3]; /* pin set has begun, has not ended */
byte older[3]; /* by pin set: queued breaks with a smaller number (L5) */
byte want[3]; /* by pin set: slots that it asks admission for */
byte claim[3]; /* by pin set: slots that it is about to pin */
byte kept[3]; /* by pin set, CLAIMS: slots that it has pinned, till it leaves */
bool moved[3]; /* by pin set: layout_seq is not what it read */

byte adm[2]; /* by file: pin sets that were admitted, a bit each */
byte que[2]; /* by file: pin sets in the queue; their order has no effect */

byte step[2];
byte kfile[2];
byte kslots[2]; /* that it unmaps */
byte ahead[2]; /* breaks ahead of it in the file's queue */
bool changed[2]; /* it has unmapped something */

bool impatient[2]; /* is going to be interrupted, or has a timeout */

bool hung; /* a DMA that never ends */

bool gone; /* file 0 has no name, no new handle of it can be had (L10) */
bool reaped; /* its blocks were freed */

/* Never true: they name the invariant that an assertion is about. */
bool L1, L2, L3, L5, L7, L10, L11;

byte finished; /* processes that have done what they had to do */

/* --- looking ------------------------------------------------------------- */

#define block_at(x) \
	(slot[0] == (x) -> 1 : (slot[1] == (x) -> 2 : (slot[2] == (x) -> 4 : 0)))
#define slot_has(slots, x) ((((slots) >> (x)) & 1) -> block_at(x) : 0)
#define lookup(slots) (slot_has(slots, 0) | slot_has(slots, 1) | \
		       slot_has(slots, 2) | slot_has(slots, 3))
#define is_hole(slots, x) ((((slots) >> (x)) & 1) && block_at(x) == 0)
#define has_hole(slots) (is_hole(slots, 0) || is_hole(slots, 1) || \
			 is_hole(slots, 2) || is_hole(slots, 3))
#define pinned (held[0] | held[1] | held[2])
/*
 * Where the second look is what protects, a count that is going to be taken
 * back is no pin yet.  What has been pinned has I/O in flight here.
 */
#if defined(RECHECK)
#define unfreeable (fly[0] | fly[1] | fly[2])
#else
#define unfreeable pinned
#endif
#define claimed (claim[0] | claim[1] | claim[2] | kept[0] | kept[1] | kept[2])
#define is_free(b) (slot[b] == FREE)

#define is_queued(k) (step[k] >= WAITING && step[k] <= RUNNING)
#define is_first(k, f) (is_queued(k) && kfile[k] == (f) && ahead[k] == 0)
#define runs(k, f) (step[k] == RUNNING && kfile[k] == (f))
#define looks(k, f) (step[k] == LOOKING && kfile[k] == (f))
#define has_running(f) (runs(0, f) || runs(1, f))
#define has_active(f) (has_running(f) || looks(0, f) || looks(1, f))
#define has_break(f) ((is_queued(0) && kfile[0] == (f)) || \
		      (is_queued(1) && kfile[1] == (f)))

/* may_enter(): the first of the queue decides; whoever is in waits for none */
#if defined(BREAK_L4)
#define is_older(s, k) false
#elif defined(BREAK_L5)
#define is_older(s, k) true
#else
#define is_older(s, k) (older[s] & BIT(k))
#endif
#define keeps_out(k, s, f) \
	(is_first(k, f) && \
	 (step[k] == RUNNING || (!(adm[f] & BIT(s)) && is_older(s, k))))
#define may_enter(s, f) (!keeps_out(0, s, f) && !keeps_out(1, s, f))

/* What a break waits for, besides those ahead of it (L3) */
#if defined(SCOPE_RANGE)
#define break_slots(k) kslots[k]
#else
#define break_slots(k) FILE_SLOTS(kfile[k])
#endif
#define blocks_idle(k) ((lookup(break_slots(k)) & pinned) == 0)
#if defined(BREAK_L1)
#define may_run(k) true
#elif defined(RECHECK)
#define may_run(k) true /* to look */
#elif defined(SCOPE_RANGE)
#define may_run(k) ((break_slots(k) & claimed) == 0)
#else
#define may_run(k) (adm[kfile[k]] == 0)
#endif

#if defined(SCOPE_RANGE) && !defined(RECHECK)
#define CLAIMS
#endif

/*
 * Who can be interrupted, whose owner can die in the queue.  That they will is
 * settled when they begin to wait: what can always go on would hide, from
 * weak fairness and from the search for invalid end states, that it waits for
 * ever.
 */
#if defined(FEW_EVENTS)
#define may_die(s) (s == 0)
#define may_tire(k) (k == 1)
#else
#define may_die(s) true
#define may_tire(k) true
#endif

/* --- transitions: each is one critical section of layout.lock ------------ */

inline enter(s, f)
{
	adm[f] = adm[f] | BIT(s);
#if defined(CLAIMS)
	claim[s] = want[s];
#endif
	want[s] = 0
}

inline admit_queued(s, f)
{
	if
	:: (que[f] & BIT(s)) && may_enter(s, f) ->
		que[f] = que[f] & ~BIT(s);
		enter(s, f)
	:: else
	fi
}

/* layout_seq goes on: whoever has looked has to look again */
inline bump(f)
{
	moved[0] = moved[0] || (claim[0] & FILE_SLOTS(f));
	moved[1] = moved[1] || (claim[1] & FILE_SLOTS(f));
	moved[2] = moved[2] || (claim[2] & FILE_SLOTS(f))
}

inline start(k, f)
{
	if
	:: is_first(k, f) && step[k] == WAITING && may_run(k) ->
#if defined(RECHECK)
		step[k] = LOOKING;
#if !defined(BREAK_L2_LATE)
		bump(f)
#endif
#else
		step[k] = RUNNING
#endif
	:: else
	fi
}

/* The last handle of an unlinked file goes (L10) */
inline reap()
{
	if
	:: gone && !reaped && adm[0] == 0 && que[0] == 0 && !has_break(0) ->
		free_slots(3);
		reaped = true
	:: else
	fi
}

inline free_block(b, slots)
{
	if
	:: !is_free(b) && ((slots) & BIT(slot[b])) ->
		assert(L1 || !(unfreeable & BIT(b)));
		slot[b] = FREE
	:: else
	fi
}

inline free_slots(slots)
{
	free_block(0, slots);
	free_block(1, slots);
	free_block(2, slots)
}

/* layout_advance(): let in and start what may go on */
inline advance(f)
{
	admit_queued(0, f);
	admit_queued(1, f);
	admit_queued(2, f);
	start(0, f);
	start(1, f);
	if
	:: (f) == 0 -> reap()
	:: else
	fi
}

/* A break leaves the file's queue */
inline remove(k, f, outcome)
{
	step[k] = outcome;
	ahead[1 - k] = ahead[1 - k] & ~BIT(k);
	older[0] = older[0] & ~BIT(k);
	older[1] = older[1] & ~BIT(k);
	older[2] = older[2] & ~BIT(k);
	advance(f)
}

/* --- pin sets ------------------------------------------------------------ */

/* Its place in the global order (L5) */
inline begin(s)
{
	live[s] = true;
	older[s] = (is_queued(0) -> 1 : 0) | (is_queued(1) -> 2 : 0)
}

/*
 * layout_admit().  In scope range a set that was admitted asks again, for its
 * claim, and waits only while a break runs.
 */
inline admit(s, f)
{
#if defined(CLAIMS)
	want[s] = slots;
#endif
	if
	:: may_enter(s, f) -> enter(s, f)
	:: else ->
		que[f] = que[f] | BIT(s);
#if !defined(NO_DEATH)
		if
		:: may_die(s) -> mortal = true
		:: mortal = false
		fi
#endif
	fi
}

/* layout_admit_cancel(): its owner dies in the queue */
inline admit_cancel(s, f)
{
	que[f] = que[f] & ~BIT(s);
	want[s] = 0;
	mortal = false;
	advance(f)
}

/* A claim that goes can be what a break waits for (L8) */
inline pin_over(s, f)
{
	claim[s] = 0;
	moved[s] = false;
	got = 0;
	slots = 0;
#if defined(CLAIMS)
	advance(f)
#endif
}

inline look(s)
{
	claim[s] = slots;
	moved[s] = false;
	got = lookup(slots)
}

/* There is a hole: nothing is pinned */
inline pin_none(s, f)
{
#if defined(BREAK_L7_PIN)
	held[s] = held[s] | lookup(slots);
#endif
	assert(L7 || held[s] == fly[s]);
	pin_over(s, f)
}

inline pin_all(s, f)
{
	assert(L7 || (held[s] & ~fly[s]) == got);
	fly[s] = held[s];
	all = all | slots;
#if defined(CLAIMS)
	kept[s] = all;
#endif
	pin_over(s, f)
}

/* The layout changed meanwhile: count down, start over */
inline pin_again(s, f)
{
#if !defined(CLAIMS) && !defined(RECHECK) && !defined(BREAK_L1)
	assert(L2); /* admission keeps the layout as it is */
#endif
	held[s] = held[s] & ~got;
	got = 0;
	moved[s] = false;
#if !defined(CLAIMS)
	claim[s] = 0;
#endif
#if defined(RECHECK)
	/*
	 * A break may have seen our count: of this file, or of the one that
	 * the block belongs to by now (L8).
	 */
	advance(f);
#if !defined(BREAK_L8_OTHER)
	advance(1 - f)
#endif
#endif
}

/* DMA has landed: in the file that it was meant for? */
#define landed_in(s, b) \
	(!(fly[s] & BIT(b)) || (!is_free(b) && (all & BIT(slot[b]))))
inline land(s)
{
	assert(L1 || landed_in(s, 0));
	assert(L1 || landed_in(s, 1));
	assert(L1 || landed_in(s, 2));
	fly[s] = 0;
	all = 0
}

inline leave(s, f)
{
	adm[f] = adm[f] & ~BIT(s);
	kept[s] = kept[s] & ~FILE_SLOTS(f);
	advance(f)
}

inline end(s)
{
	assert(L11 || (held[s] | claim[s] | kept[s] | want[s]) == 0);
	live[s] = false;
	older[s] = 0;
	extended = false
}

proctype pin_set(byte s)
{
	byte slots; /* that it is about to pin */
	byte all; /* that it has pinned */
	byte got; /* blocks that are to be pinned now */
	bool extended, mortal;

again:
	atomic { begin(s) };
	atomic {
		if
		:: s == 0 -> slots = 1
		:: s == 1 -> slots = 4
		:: s == 2 -> slots = 3
		:: s == 2 -> slots = 12
		fi;
ask:
		if
		:: gone && FILE_OF(slots) == 0 && !(adm[0] & BIT(s)) ->
			slots = 0;
			goto more
		:: else -> admit(s, FILE_OF(slots))
		fi
	};
	if
	:: d_step { !(que[FILE_OF(slots)] & BIT(s)) -> mortal = false }
	:: d_step {
		mortal && (que[FILE_OF(slots)] & BIT(s)) ->
			admit_cancel(s, FILE_OF(slots));
			slots = 0
	};
		goto more
	fi;
	/* layout_pin(): look, count up, look again (L2) */
pin:
	atomic {
#if defined(RECHECK)
		!has_active(FILE_OF(slots)); /* short: nothing keeps that up */
#endif
		if
		:: has_hole(slots) ->
			d_step { pin_none(s, FILE_OF(slots)) };
			goto more
		:: else -> d_step { look(s) }
		fi
#if !defined(ONE_LOOK)
	};
#if defined(RECHECK)
	/* In two steps, if there are two */
	held[s] = held[s] | (got & (~got + 1));
#endif
	atomic {
		held[s] = held[s] | got
	};
	atomic {
#else
		;
		held[s] = held[s] | got;
#endif
		if
#if !defined(BREAK_L2)
		:: moved[s] ->
			d_step { pin_again(s, FILE_OF(slots)) };
			goto pin
		:: else ->
#else
		:: true ->
#endif
			d_step { pin_all(s, FILE_OF(slots)) }
		fi
	};
more:
	atomic {
		if
		:: s == 2 || extended -> older[s] = 0 /* it asks no more */
		:: else
		fi;
		if
		/* I/O is in flight, more is to be pinned for it */
		:: s == 0 && fly[s] && !extended -> slots = 2
		:: s == 0 && fly[s] && !extended -> slots = 4
#if !defined(ONE_EXTENDS)
		:: s == 1 && fly[s] && !extended -> slots = 3
#endif
		/* It lands; or the owner died, and it lands later: the same */
		:: skip
#if defined(HANG)
		:: fly[s] -> hung = true; goto hang
#endif
		fi;
		if
		:: slots -> extended = true; goto ask
		:: else
		fi;
#if defined(BREAK_L11)
		if
		:: goto unpin
		:: skip
		fi;
#endif
		d_step { land(s) };
		/* pin_set_unpin(): counters go down before admission goes */
unpin:
		if
		:: adm[0] & BIT(s) -> held[s] = held[s] & ~lookup(3)
		:: else -> goto unpin_1
		fi
	};
	atomic {
		d_step { leave(s, 0) };
unpin_1:
		if
		:: adm[1] & BIT(s) -> held[s] = held[s] & ~lookup(12)
		:: else -> goto out
		fi
	};
	atomic {
		d_step { leave(s, 1) };
out:
		skip;
		d_step { end(s) }
	};
#if defined(BREAK_L11)
	d_step { land(s) };
#endif
#if defined(LOOP)
	goto again;
#endif
	finished++;
end_set:
	false
#if defined(HANG)
	;
hang:
	false
#endif
}

/* --- breaks -------------------------------------------------------------- */

inline choose(k)
{
	if
	:: k == 0 -> kfile[k] = 0; kslots[k] = 3 /* truncate */
	:: k == 0 -> kfile[k] = 0; kslots[k] = 2 /* truncate, punch a hole */
	:: k == 1 -> kfile[k] = 0; kslots[k] = 1
	:: k == 1 -> kfile[k] = 1; kslots[k] = 12
	fi
}

inline enqueue(k)
{
	if
	:: is_queued(1 - k) && kfile[1 - k] == kfile[k] -> ahead[k] = BIT(1 - k)
	:: else
	fi;
	step[k] = WAITING
}

inline unmap(k, x)
{
	if
	:: kslots[k] & (x) ->
#if !defined(RECHECK) && !defined(BREAK_L1)
		assert(L3 || blocks_idle(k));
#endif
		changed[k] = true;
		free_slots(kslots[k] & (x));
#if !defined(RECHECK) || defined(BREAK_L2_LATE)
		bump(kfile[k])
#endif
	:: else
	fi
}

proctype layout_break(byte k)
{
	atomic {
		choose(k);
		if
		:: kfile[k] == 0 && gone -> /* ESTALE */
			step[k] = FAILED;
			goto out
		:: else
		fi
#if defined(BREAK_L8)
		;
		if
		:: !may_run(k) -> goto busy
		:: else
		fi
#endif
		;
		/* What it finds and its place in the queue are one step (L8). */
		d_step { enqueue(k); start(k, kfile[k]) };
#if !defined(NO_INTERRUPT)
		if
		:: step[k] == WAITING && may_tire(k) -> impatient[k] = true
		:: skip
		fi
#endif
	};
wait:
	if
	:: step[k] == LOOKING ->
		/* Whoever pins from now on looks again and sees us. */
		d_step {
			step[k] = (blocks_idle(k) -> RUNNING : WAITING)
		};
		goto wait
	:: atomic {
		step[k] == WAITING && impatient[k] -> /* withdraw() */
			d_step { remove(k, kfile[k], FAILED) };
			goto out
	}
	:: d_step {
		step[k] == RUNNING ->
			unmap(k, 5)
	}
	fi;
#if defined(BREAK_L7)
	atomic {
		if
		:: d_step { remove(k, kfile[k], FAILED) }; goto out
		:: skip
		fi
	};
#endif
	d_step { unmap(k, 10) };
	atomic {
		d_step {
			assert(L7 || lookup(kslots[k]) == 0);
			remove(k, kfile[k], DONE)
		};
out:
		skip;
		d_step {
			assert(L7 || changed[k] == (step[k] == DONE));
			changed[k] = false;
			kslots[k] = 0;
			kfile[k] = 0;
			impatient[k] = false;
			finished++
		}
	}
;
end_break:
	false
#if defined(BREAK_L8)
	;
busy:
	atomic { d_step { enqueue(k) }; goto wait }
#endif
}

/* --- the others ---------------------------------------------------------- */

/* unlink, rename over, last close: never waits (L10) */
proctype unlink()
{
	atomic {
#if defined(BREAK_L10_WAIT)
		adm[0] == 0 && que[0] == 0 && !has_break(0);
#endif
		gone = true;
#if defined(BREAK_L10)
		free_slots(3);
#endif
		d_step { reap() };
		finished++
	};
end_unlink:
	false
}

#define can_write(x, f) (block_at(x) == 0 && !has_running(f))
inline give(x)
{
	if
	:: is_free(0) -> slot[0] = x
	:: else ->
		if
		:: is_free(1) -> slot[1] = x
		:: else -> slot[2] = x
		fi
	fi
}

/* A write into a hole takes a block that was freed; it waits for no pin */
proctype write()
{
end_write:
	atomic {
		is_free(0) || is_free(1) || is_free(2);
		if
		:: can_write(3, 1) -> give(3)
		:: can_write(0, 0) && !gone -> give(0)
		fi
	};
end_written:
	false
}

#if defined(NO_UNLINK)
#define ALL (SETS + BREAKS)
#else
#define ALL (SETS + BREAKS + 1)
#endif

init
{
	atomic {
#if !defined(HANG) && !defined(NO_WRITE)
		run write();
#endif
		slot[0] = 0;
		slot[1] = 1;
		slot[2] = 2;
		run pin_set(0);
		run pin_set(1);
#if SETS > 2
		run pin_set(2);
#endif
		run layout_break(0);
#if BREAKS > 1
		run layout_break(1);
#endif
#if !defined(NO_UNLINK)
		run unlink();
#endif
	};
#if defined(HANG)
	/* Nothing moves any more: only for a DMA that hangs, and who may not
	 * wait for that doesn't. */
	timeout;
	assert(L5 || hung || finished == ALL);
#if !defined(NO_UNLINK)
	assert(L10 || gone);
#endif
	assert(L7 || !impatient[0] || step[0] >= DONE);
	assert(L7 || !impatient[1] || step[1] >= DONE)
#elif !defined(LOOP)
	finished == ALL;
	assert(L11 || (pinned == 0 && claimed == 0));
	assert(L11 || (adm[0] | adm[1] | que[0] | que[1]) == 0);
	assert(L10 || !gone || reaped);
end_all:
	false
#else
end_loop:
	false
#endif
}

/* --- what ends, if DMA ends ---------------------------------------------- */

#if defined(LIVENESS)
/* Each break that was asked for, each pin set that has begun (L4) */
ltl all_end {
	[] ((is_queued(0)) -> <> (step[0] >= DONE)) &&
	[] ((is_queued(1)) -> <> (step[1] >= DONE)) &&
	[] (live[0] -> <> !live[0]) &&
	[] (live[1] -> <> !live[1]) &&
	[] (gone -> <> reaped)
}
#endif
