/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What lifecycle.pml stands on: states, variants, everything that is shared, and how it is locked,
 * slept on, read without a lock and given up.
 */
/* ---- states and answers */
#define LIVE 0
#define COMING 1
#define GOING 2
#define UNFORMED 3

#define NONE 0
#define OK 1
#define EEXIST 2
#define EBUSY 3
#define ENOENT 4
#define FAILED 5
#define EWOULDBLOCK 6

/* ---- variants: all but none are wrong */
#define none 0
#define no_wake_live 1
#define no_wake_unlist 2
#define wake_before_unlist 3
#define wake_one 4
#define wait_with_mutex 5
#define check_once 6
#define admit_unlocked 7
#define no_grace 8
#define keep_owner 9
#define keep_init_owner 10
#define no_use 11
#define look_at_count 12
#define put_early 13
#define force_unsettled 14
#define no_patience 15
#define no_drain 16
#define no_wake_drain 17
#define no_end 18
#define end_unlocked 19
#define complete_late 20
#define hold_coming 22
#define keep_cpu 23
#define look_twice 24
#include "scenes.pml"
#ifndef MUTANT
#define MUTANT none
#endif
#define IS(variant) (MUTANT == variant)

/* ---- scenes: what isn't asked for isn't there */
#ifndef EARLY
#define EARLY 1 /* early_mod_check(), of newer kernels */
#endif
#ifndef GARBAGE_MAX
#define GARBAGE_MAX 1 /* how much gathers before somebody frees it */
#endif
#ifndef CPUS
#define CPUS 4
#endif

/* When the 30 s for a provider are over: NEVER shows lost wake-ups, ANY finds all orders. */
#ifdef PATIENCE_ANY
#define OVER true
#else
#ifdef PATIENCE_LAST
#define OVER timeout
#else
#define OVER false
#endif
#endif
#define EXPIRES (OVER && !IS(no_patience))

/* Who reads without the mutex sees every step under it; where nobody does, it is one step. */
#ifdef READERS
#define SECTION
#else
#define SECTION atomic
#endif
#if MUTANT == end_unlocked || MUTANT == complete_late
#define TABLE
#else
#define TABLE atomic
#endif

#define P 0 /* the name of the module that exports `symbol` */
#define U 1 /* those that may import it */
#define V 2
#define NOBODY 7
#define BIT(n) (1 << (n))

typedef module {
	byte name;
	byte state;
	byte refcnt;
	byte users; /* source_list */
	byte uses; /* target_list */
	byte inside; /* sysfs_active */
	bool there; /* its THERE */
	bool listed;
	bool settled;
	bool mapped; /* owners of core pages */
	bool init_mapped;
	bool freed;
	bool init_freed
};
module m[LOADERS];
byte names[3]; /* instance + 1 */
byte symbol; /* owner + 1 */

byte mutex; /* who has it + 1 */
byte asleep; /* on `changed`: bits */

byte idempotent_lock;
byte first[3]; /* of a file: caller + 1 */
byte waiters[3]; /* bits */
byte records; /* that are still on somebody's stack: bits */
byte complete, idempotent_asleep; /* bits */
byte merged_result[LOADERS];

byte readers; /* between kc_rcu_read_lock() and unlock: bits */
byte waits_for[PROCESSES]; /* whom a grace period waits for */
byte garbage, init_garbage, garbage_count;

byte cpus = CPUS;
byte res[PROCESSES]; /* answers */
byte finished; /* bits */
byte asked; /* whose inits have asked for a module: bits */

/* ---- locks */

inline lock()
{
	atomic { mutex == 0 -> mutex = me + 1 }
}

inline unlock()
{
	assert(mutex == me + 1);
	mutex = 0
}

inline wait_changed()
{
	atomic { asleep = asleep | BIT(me); mutex = 0 };
	atomic { !(asleep & BIT(me)) && mutex == 0 -> mutex = me + 1 }
}

/* pthread_cond_broadcast(); wake_one: pthread_cond_signal() */
inline broadcast()
{
	if
	:: IS(wake_one) && asleep -> asleep = asleep & (asleep - 1)
	:: else -> asleep = 0
	fi
}

inline read_lock()
{
	readers = readers | BIT(me)
}

inline read_unlock()
{
	d_step {
		readers = readers & ~BIT(me);
		for (k : 0 .. PROCESSES - 1) {
			waits_for[k] = waits_for[k] & ~BIT(me)
		}
		k = 0
	}
}

/* Every access to a struct kocoon_loaded and its memory. */
inline see(i)
{
	assert(!m[i].freed)
}

inline enter()
{
	atomic { cpus > 0 -> cpus-- }
}

inline leave()
{
	cpus++
}

/* ---- given up: kc_garbage_add() */

inline free_all()
{
	waits_for[me] = readers;
	waits_for[me] == 0 || IS(no_grace);
	d_step {
		for (k : 0 .. LOADERS - 1) {
			if
			:: batch & BIT(k) -> assert(!m[k].freed); m[k].freed = true; m[k].init_freed = true
			:: else
			fi;
			if
			:: init_batch & BIT(k) -> m[k].init_freed = true
			:: else
			fi
		}
		k = 0;
		batch = 0;
		init_batch = 0;
		waits_for[me] = 0
	}
}

inline give_up(cores, inits)
{
	SECTION {
		/* Under garbage.lock; take() under it again. */
		atomic { garbage = garbage | cores; init_garbage = init_garbage | inits; garbage_count++ };
		atomic {
			if
			:: garbage_count >= GARBAGE_MAX ->
				batch = garbage;
				init_batch = init_garbage;
				garbage = 0;
				init_garbage = 0;
				garbage_count = 0
			:: else
			fi
		};
		if
		:: batch || init_batch -> free_all()
		:: else
		fi
	}
}
