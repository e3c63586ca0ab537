/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of modules in src/live, for spin: who loads, waits, unloads, looks up, and in which order
 * their steps may come. `run` checks it in the scenes at the end of this file, each to the last state,
 * and again in the variants that -DMUTANT=... makes, which spin has to refute.
 *
 * | here                         | in src/live, and what guards it there                              |
 * |------------------------------|--------------------------------------------------------------------|
 * | mutex, asleep                | kocoon.mutex; who sleeps on kocoon.changed                         |
 * | names[], symbol, m[].mapped  | names, symbols, owners of pages: written under mutex, read by RCU  |
 * | m[i]                         | the struct kocoon_loaded that loader i makes                       |
 * | patient_check_exists()       | load_module.c, under mutex: also finished_loading()                |
 * | loader                       | syscalls.c kocoon_finit_module(), load_module.c kc_load_module()   |
 * |  admit, formation, coming    | load_module.c admit(), complete_formation(), form()                |
 * |  init, live, settle, fail    | init_module.c kc_do_init_module(), settle(), fail()                |
 * | resolve()                    | uses.c kc_resolve_symbol_wait(), kc_ref_module(): under mutex      |
 * | change_state()               | free_module.c kc_change_state(): under mutex                       |
 * | free_module()                | free_module.c kc_free_module(), unlist(); sysfs_active.c drain     |
 * | deleter, stop_module()       | delete_module.c: under mutex, then without                         |
 * | begin(), end()               | idempotent.c, under idempotent_lock                                |
 * | give_up(), waits_for[]       | base/rcu.c kc_garbage_add(), kc_synchronize_rcu()                  |
 * | holder                       | registry.c kocoon_find_get(), uses.c kocoon_symbol_get(), put      |
 * | looker                       | registry.c kocoon_module_address(), strict_rwx.c kc_hide_init()    |
 * | visitor                      | sysfs_active.c kc_sysfs_find_active(), put                         |
 * | cpus                         | memory/per_cpu.c: module code needs one                            |
 *
 * One step is what is atomic there: an access to an atomic, or what nobody can see but under a lock
 * that is held. Increments that a compare-and-swap loop makes are one step, its successful one.
 *
 * Assumed: mutexes, condition variables and grace periods do what POSIX and liburcu say, and memory
 * is sequentially consistent (tests/live under ThreadSanitizer look at orders of memory); the tables'
 * own lock-free readers are right (base/name_table.c). A load tries each name once; callers are few.
 */

#include "base.pml"

/* ---- states, references, uses */

inline change_state(i, to)
{
	see(i);
	SECTION {
		lock();
		m[i].state = to;
		if
		:: IS(no_wake_live) && to == LIVE
		:: else -> broadcast()
		fi;
		unlock()
	}
}

/* kc_module_put() */
inline put(i)
{
	atomic { see(i); assert(m[i].refcnt > 0); m[i].refcnt-- }
}

/* find_module_all(true) and finished_loading() */
#define IS_FINISHED(n) (!names[n] || m[names[n] - 1].state == LIVE || m[names[n] - 1].state == GOING)

inline patient_check_exists(n)
{
	atomic {
		err = NONE;
		if
		:: !names[n]
		:: else ->
			do
			:: IS_FINISHED(n) -> break
			:: else -> wait_changed(); if :: IS(check_once) -> break :: else fi
			od;
			assert(IS_FINISHED(n));
			if
			:: names[n] && m[names[n] - 1].state == LIVE -> err = EEXIST
			:: else -> err = EBUSY
			fi
		fi
	}
}

/* kc_resolve_symbol_wait(): each turn is under the mutex, and so is going to sleep. */
inline resolve()
{
	do
	:: SECTION {
		lock();
		if
		:: !symbol -> err = ENOENT
		:: symbol && m[symbol - 1].state == COMING -> err = EBUSY
		:: else ->
			/* kc_strong_try_module_get(), add_module_usage() */
			see(symbol - 1);
			if
			:: m[symbol - 1].state == LIVE && m[symbol - 1].refcnt ->
				err = NONE;
				m[symbol - 1].refcnt = m[symbol - 1].refcnt + (IS(no_use) -> 0 : 1);
				m[symbol - 1].users = m[symbol - 1].users | (IS(no_use) -> 0 : BIT(me));
				m[me].uses = BIT(symbol - 1)
			:: else -> err = ENOENT
			fi
		fi;
		asleep = asleep | (err == EBUSY && !waited -> BIT(me) : 0);
		if
		:: err == EBUSY && !waited && IS(wait_with_mutex)
		:: else -> unlock()
		fi };
		if
		:: err != EBUSY || waited -> break
		:: else ->
			if
			:: !(asleep & BIT(me))
			:: EXPIRES && asleep & BIT(me) -> asleep = asleep & ~BIT(me); waited = true
			fi
		fi
	od;
	waited = false
}

/* Its code calls what it imports, and touches itself. */
inline run_code(i)
{
	atomic {
		see(i);
		for (k : 0 .. LOADERS - 1) {
			if
			:: m[i].uses & BIT(k) -> assert(!m[k].freed && m[k].state == LIVE)
			:: else
			fi
		}
		k = 0
	}
}

/* ---- kc_free_module() */

inline drain(i)
{
	/* kc_sysfs_drain(): one fetch_and */
	atomic {
		see(i);
		m[i].there = false;
		drained = m[i].inside == 0 || IS(no_drain)
	};
	if
	:: drained
	:: else ->
		lock();
		do
		:: m[i].inside == 0 -> break
		:: else -> wait_changed()
		od;
		unlock()
	fi;
	drained = false
}

inline unlist(i)
{
	SECTION {
		lock();
		/* kc_module_unload_free() */
		for (k : 0 .. LOADERS - 1) {
			if
			:: m[i].uses & BIT(k) ->
				m[k].users = m[k].users & ~BIT(i);
				if
				:: IS(no_use)
				:: else -> put(k)
				fi
			:: else
			fi
		}
		k = 0;
		m[i].uses = 0;
		if
		:: m[i].listed -> assert(names[m[i].name] == i + 1); names[m[i].name] = 0; m[i].listed = false
		:: else
		fi;
		if
		:: IS(keep_owner)
		:: else -> m[i].mapped = false; m[i].init_mapped = false
		fi;
		if
		:: IS(no_wake_unlist) || IS(wake_before_unlist)
		:: else -> broadcast()
		fi;
		unlock()
	}
}

inline free_module(i)
{
	drain(i);
	SECTION {
		lock();
		m[i].state = UNFORMED;
		assert(m[i].users == 0);
		if
		:: symbol == i + 1 -> symbol = 0
		:: else
		fi;
		unlock()
	};
	if
	:: IS(wake_before_unlist) -> lock(); broadcast(); unlock()
	:: else
	fi;
	unlist(i);
	give_up(BIT(i), 0)
}

/* ---- the idempotent table */

inline begin()
{
	atomic {
		!idempotent_lock -> idempotent_lock = me + 1;
		if
		:: !first[file] -> first[file] = me + 1
		:: else ->
			merged = true;
			records = records | BIT(me);
			waiters[file] = waiters[file] | BIT(me);
			do
			:: complete & BIT(me) -> break
			:: else ->
				atomic { idempotent_asleep = idempotent_asleep | BIT(me); idempotent_lock = 0 };
				atomic {
					!(idempotent_asleep & BIT(me)) && !idempotent_lock ->
					idempotent_lock = me + 1
				}
			od;
			records = records & ~BIT(me);
			err = merged_result[me]
		fi;
		idempotent_lock = 0
	}
}

inline end()
{
	TABLE {
		atomic { !idempotent_lock -> idempotent_lock = me + 1 };
		first[file] = 0;
		if
		:: IS(end_unlocked) || IS(complete_late) -> idempotent_lock = 0
		:: else
		fi;
		for (k : 0 .. LOADERS - 1) {
			if
			:: waiters[file] & BIT(k) ->
				assert(records & BIT(k));
				merged_result[k] = err;
				if
				:: IS(complete_late) -> idempotent_asleep = idempotent_asleep & ~BIT(k)
				:: else
				fi;
				complete = complete | BIT(k);
				assert(records & BIT(k));
				if
				:: IS(complete_late)
				:: else -> idempotent_asleep = idempotent_asleep & ~BIT(k)
				fi
			:: else
			fi
		}
		k = 0;
		waiters[file] = 0;
		if
		:: IS(end_unlocked) || IS(complete_late)
		:: else -> idempotent_lock = 0
		fi
	}
}

/* ---- who comes */

#define F_FORMATION 1 /* where it may fail: before it is COMING, */
#define F_COMING 2 /* while it is: a notifier, arguments, sysfs; */
#define F_INIT 4 /* in its init */
#define F_ALL 7

/*
 * kocoon_finit_module(). `inner`: whose load its init waits for (request_module); `asker`: whose init
 * waits for this one.
 */
proctype loader(byte me; byte name; byte file; bool imports; byte how; byte inner; byte asker)
{
	byte err, batch, init_batch, k;
	bool merged, waited, drained;

	if
	:: asker != NOBODY -> (asked | finished) & BIT(asker)
	:: else
	fi;
	if
	:: asker != NOBODY && !(asked & BIT(asker)) -> goto answered
	:: else
	fi;
	begin();
	if
	:: merged -> goto answered
	:: else
	fi;

	/* check_early() */
	if
	:: EARLY ->
		SECTION { lock(); patient_check_exists(name); unlock() };
		if
		:: err -> goto done
		:: else
		fi
	:: else
	fi;

	/* kc_loaded_new(); admit() */
	atomic {
		m[me].name = name;
		m[me].state = UNFORMED;
		m[me].refcnt = 2
	};
	SECTION {
		lock();
		patient_check_exists(name);
		if
		:: IS(admit_unlocked) -> unlock()
		:: else
		fi
	};
	SECTION {
		if
		:: IS(admit_unlocked) -> lock()
		:: else
		fi;
		if
		:: !err ->
			assert(!names[name]);
			m[me].listed = true;
			names[name] = me + 1;
			m[me].mapped = true;
			m[me].init_mapped = true
		:: else
		fi;
		unlock()
	};
	if
	:: err -> goto free
	:: else
	fi;

	if
	:: imports ->
		resolve();
		if
		:: err -> goto free
		:: else
		fi
	:: else
	fi;

	/* complete_formation() */
	if
	:: how & F_FORMATION -> err = FAILED; goto free
	:: true
	fi;
	SECTION {
		lock();
		if
		:: name == P -> symbol = me + 1
		:: else
		fi;
		m[me].state = COMING;
		unlock()
	};

	/* prepare_coming_module(), arguments, sysfs */
	run_code(me);
	if
	:: how & F_COMING -> err = FAILED; change_state(me, GOING); goto free
	:: true -> m[me].there = true
	fi;

	/* kc_do_init_module() */
	if
	:: IS(keep_cpu) && asker != NOBODY /* in a thread that has one */
	:: else -> enter()
	fi;
	run_code(me);
	if
	:: inner != NOBODY ->
		/* request_module(): kc_per_cpu_pause(), kc_per_cpu_resume() */
		if
		:: IS(keep_cpu)
		:: else -> leave()
		fi;
		asked = asked | BIT(me);
		finished & BIT(inner);
		if
		:: IS(keep_cpu)
		:: else -> enter()
		fi
	:: else
	fi;
	if
	:: IS(keep_cpu) && asker != NOBODY /* in a thread that has one */
	:: else -> leave()
	fi;
	if
	:: how & F_INIT -> err = FAILED; change_state(me, GOING); put(me); run_code(me); goto free
	:: true
	fi;
	if
	:: IS(put_early) -> put(me)
	:: else
	fi;
	change_state(me, LIVE);
	/* kc_notify(), uevent, wait_for_probes */
	run_code(me);
	/* settle() */
	see(me);
	SECTION {
		lock();
		see(me);
		/* kc_hide_init() */
		if
		:: IS(keep_init_owner)
		:: else -> m[me].init_mapped = false
		fi;
		m[me].settled = true;
		if
		:: IS(put_early)
		:: else -> put(me)
		fi;
		if
		:: IS(no_wake_live)
		:: else -> broadcast()
		fi;
		unlock()
	};
#ifdef READERS
	give_up(0, BIT(me));
#endif
	err = OK;
	goto done;

free:
	free_module(me);
done:
	if
	:: IS(no_end) && err == FAILED
	:: else -> end()
	fi;
answered:
	atomic {
		res[me] = err;
		finished = finished | BIT(me)
	}
}

/* stop_module() */
inline stop_module(i)
{
	if
	:: m[i].users -> err = EWOULDBLOCK
	:: else
	fi;
	if
	:: !err && m[i].state != LIVE -> err = EBUSY
	:: else
	fi;
	if
	:: err
	:: else ->
		/* try_release_ref(): fetch_sub, then a compare-and-swap that puts back what it took */
		if
		:: IS(look_at_count) -> left = m[i].refcnt - 1
		:: else -> atomic { see(i); assert(m[i].refcnt > 0); m[i].refcnt--; left = m[i].refcnt }
		fi;
		do
		:: left == 0 || IS(look_at_count) -> break
		:: else -> atomic {
			if
			:: m[i].refcnt == left -> m[i].refcnt++; break
			:: else -> left = m[i].refcnt
			fi }
		od;
		if
		:: left && !(force && (m[i].settled || IS(force_unsettled))) -> err = EWOULDBLOCK
		:: else -> m[i].state = GOING
		fi
	fi;
	left = 0
}

/* kocoon_delete_module() */
proctype deleter(byte me; byte name; bool force)
{
	byte err, batch, init_batch, k, left, i;
	bool drained;

	SECTION {
		lock();
		if
		:: !names[name] || m[names[name] - 1].state == UNFORMED -> err = ENOENT
		:: else -> i = names[name] - 1; stop_module(i)
		fi;
		unlock()
	};
	if
	:: err
	:: else ->
		/* exit, notifiers */
		enter();
		run_code(i);
		leave();
		free_module(i);
		err = OK
	fi;
	atomic {
		res[me] = err;
		finished = finished | BIT(me)
	}
}

#ifdef READERS
/* kocoon_find_get() by name, or kocoon_symbol_get(); puts it again. */
proctype holder(byte me; byte name; bool strong)
{
	byte i, k, seen;
	bool got;

	read_lock();
	i = (strong -> symbol : names[name]);
	if
	:: i ->
		/* kc_find_module_all(); kc_strong_try_module_get() looks at the state once */
		seen = m[i - 1].state;
		see(i - 1);
		if
		:: strong && seen == COMING || !strong && seen == UNFORMED -> i = 0
		:: !strong || IS(look_twice) && seen != COMING -> seen = m[i - 1].state
		:: else
		fi
	:: else
	fi;
	if
	:: i && seen != GOING && seen != UNFORMED ->
		/* get_in_state() */
		atomic {
			see(i - 1);
			if
			:: m[i - 1].refcnt -> m[i - 1].refcnt++; got = true
			:: else
			fi
		}
	:: else
	fi;
	seen = 0;
	/* A reference of one that isn't LIVE yet promises nothing: see references in kocoon/live.h. */
	if
	:: got && !strong && !IS(hold_coming) && m[i - 1].state != LIVE -> see(i - 1); put(i - 1); got = false
	:: else
	fi;
	read_unlock();
	if
	:: got ->
		run_code(i - 1);
		assert(m[i - 1].state == LIVE || IS(hold_coming));
		/* kocoon_symbol_put() looks it up again */
		read_lock();
		assert(!strong || symbol == i);
		put(i - 1);
		read_unlock()
	:: else
	fi;
	i = 0;
	finished = finished | BIT(me)
}

/* Finds by an address of module i; uses what it found until it leaves the section. */
proctype looker(byte me; byte i)
{
	byte k;
	bool found;

	read_lock();
	if
	:: m[i].mapped ->
		/* kocoon_module_address() */
		see(i);
		found = m[i].state != UNFORMED
	:: else
	fi;
	if
	:: found -> see(i)
	:: else
	fi;
	if
	:: m[i].init_mapped -> assert(!m[i].init_freed)
	:: else
	fi;
	read_unlock();
	found = false;
	finished = finished | BIT(me)
}

/* A file of a module: found, read, left. */
proctype visitor(byte me; byte name)
{
	byte i, k, left;

	read_lock();
	i = names[name];
	if
	:: i ->
		/* kc_sysfs_get_active() */
		see(i - 1);
		if
		:: m[i - 1].state == UNFORMED -> i = 0
		:: else -> atomic {
			see(i - 1);
			if
			:: m[i - 1].there -> m[i - 1].inside++
			:: else -> i = 0
			fi }
		fi
	:: else
	fi;
	read_unlock();
	if
	:: i ->
		run_code(i - 1);
		see(i - 1);
		/* kc_sysfs_put_active(): one fetch_sub; nothing of the module is touched behind it */
		atomic { m[i - 1].inside--; left = m[i - 1].inside + m[i - 1].there };
		if
		:: left || IS(no_wake_drain)
		:: else -> lock(); broadcast(); unlock()
		fi
	:: else
	fi;
	i = 0;
	left = 0;
	finished = finished | BIT(me)
}
#endif

/* ---- scenes */

#define ALL (BIT(PROCESSES) - 1)
#define LOAD(who, name, file, how) run loader(who, name, file, false, how, NOBODY, NOBODY)
#define IMPORT(who, name, file, how) run loader(who, name, file, true, how, NOBODY, NOBODY)

init {
	byte i, k, count;

	atomic { START };
	finished == ALL;
	/* Nothing is held, and who isn't there any more is on its way out. */
	atomic {
		assert(!mutex && !idempotent_lock && !asleep && !records && !readers && cpus == CPUS);
		for (i : 0 .. LOADERS - 1) {
			count = 0;
			for (k : 0 .. LOADERS - 1) {
				count = count + ((m[i].users >> k) & 1)
			}
			assert(m[i].inside == 0);
			if
			:: m[i].listed ->
				assert(names[m[i].name] == i + 1 && m[i].state == LIVE && m[i].settled);
				assert(!m[i].freed && !(garbage & BIT(i)) && m[i].refcnt == 1 + count)
			:: else ->
				assert(count == 0 && (IS(keep_owner) || !m[i].mapped) && symbol != i + 1);
				assert(m[i].refcnt == 0 || m[i].freed || garbage & BIT(i))
			fi
		}
		assert(END)
	}
}

#ifdef LIVENESS
ltl answered { <> (finished == ALL) }
#endif
