/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who is there at one time, for lifecycle.pml: -DSCENE=... takes one. LOADERS come first, and what they
 * load has their number. END is what has to hold when all have their answers.
 */
#define same_file 1
#define same_name 2
#define one_wins 3
#define provider 4
#define patience 5
#define reload 6
#define held 7
#define looked_at 8
#define gathered 9
#define in_files 10
#define forced 11
#define held_forced 12
#define circle 13
#define one_cpu 14
#define itself 15
#define each_other 16
#define late_check 17
#define endings 18

#define END true
#define LOADED(i) (res[i] == OK)

#if SCENE == same_file
/* One loads, two have its answer, whatever that is. */
#define LOADERS 3
#define PROCESSES 4
#define START \
	LOAD(0, P, 0, F_ALL); LOAD(1, P, 0, F_ALL); LOAD(2, P, 0, F_ALL); run deleter(3, P, false)

#elif SCENE == same_name
/* Other files with a module of the same name: each waits for who came before. */
#define LOADERS 3
#define PROCESSES 4
#define START \
	LOAD(0, P, 0, F_FORMATION | F_INIT); LOAD(1, P, 1, F_INIT); LOAD(2, P, 2, F_FORMATION); \
	run deleter(3, P, false)

#elif SCENE == one_wins
/* Nothing fails: two of another file, one of it, and a name is loaded once. */
#define LOADERS 3
#define PROCESSES 3
#define START LOAD(0, P, 0, 0); LOAD(1, P, 1, 0); LOAD(2, P, 1, 0)
#undef END
#define END (LOADED(0) + (LOADED(1) || LOADED(2)) == 1 && (LOADED(0) || res[0] == EEXIST) && \
	     (LOADED(1) || res[1] == EEXIST) && (LOADED(2) || res[2] == EEXIST))

#elif SCENE == late_check
/* Kernels without early_mod_check(). */
#define EARLY 0
#define LOADERS 3
#define PROCESSES 4
#define START \
	LOAD(0, P, 0, F_ALL); LOAD(1, P, 1, F_ALL); LOAD(2, P, 1, F_ALL); run deleter(3, P, false)

#elif SCENE == provider
/* Two wait for a provider that may fail, and that somebody wants to be gone, as one of them. */
#define LOADERS 3
#define PROCESSES 5
#define START \
	LOAD(0, P, 0, F_ALL); IMPORT(1, U, 1, F_INIT); IMPORT(2, V, 2, 0); \
	run deleter(3, P, false); run deleter(4, U, false)

#elif SCENE == patience
/* The same, where waiting may end at any time. */
#define PATIENCE_ANY
#define LOADERS 3
#define PROCESSES 4
#define START \
	LOAD(0, P, 0, F_ALL); IMPORT(1, U, 1, F_INIT); IMPORT(2, V, 2, 0); run deleter(3, P, false)

#elif SCENE == reload
/* A provider is loaded twice, unloaded and used meanwhile. */
#define LOADERS 3
#define PROCESSES 4
#define START \
	LOAD(0, P, 0, F_INIT); LOAD(1, P, 1, 0); IMPORT(2, U, 2, 0); run deleter(3, P, false)

#elif SCENE == held
/* References are taken by name and by symbol while it comes and goes. */
#define READERS
#define LOADERS 1
#define PROCESSES 4
#define START \
	LOAD(0, P, 0, F_ALL); run deleter(1, P, false); run holder(2, P, false); run holder(3, P, true)

#elif SCENE == looked_at
/* Found by address, init regions too, and by name. */
#define READERS
#define LOADERS 1
#define PROCESSES 4
#define START \
	LOAD(0, P, 0, F_INIT); run deleter(1, P, false); run looker(2, 0); run holder(3, P, false)

#elif SCENE == gathered
/* What was given up waits for more of it, that somebody else may add. */
#define READERS
#define GARBAGE_MAX 2
#define LOADERS 2
#define PROCESSES 4
#define START \
	LOAD(0, P, 0, F_INIT); LOAD(1, P, 1, 0); run deleter(2, P, false); run looker(3, 0)

#elif SCENE == in_files
/* Two in its files, which keeps it without a reference. */
#define READERS
#define LOADERS 1
#define PROCESSES 4
#define START \
	LOAD(0, P, 0, F_INIT); run deleter(1, P, false); run visitor(2, P); run visitor(3, P)

#elif SCENE == forced
/* By force, and not; a user of it comes. */
#define LOADERS 2
#define PROCESSES 4
#define START \
	LOAD(0, P, 0, F_INIT); IMPORT(1, U, 1, F_INIT); run deleter(2, P, true); run deleter(3, P, false)

#elif SCENE == held_forced
/* Force takes what somebody holds, as in Linux. */
#define READERS
#define LOADERS 1
#define PROCESSES 3
#define START LOAD(0, P, 0, 0); run deleter(1, P, true); run holder(2, P, true)

#elif SCENE == circle
/* The provider's init asks for a module that needs the provider. */
#define PATIENCE_LAST
#define LOADERS 3
#define PROCESSES 4
#define START \
	run loader(0, P, 0, false, F_INIT, 1, NOBODY); run loader(1, U, 1, true, F_INIT, NOBODY, 0); \
	IMPORT(2, U, 1, F_INIT); run deleter(3, P, false)

#elif SCENE == one_cpu
/*
 * An init asks, in its thread, for a module that another thread loads, which needs a CPU for that:
 * the one that there is, so a thread gives up its own while it waits.
 */
#define CPUS 1
#define LOADERS 3
#define PROCESSES 4
#define START \
	run loader(0, U, 0, false, F_INIT, 1, NOBODY); run loader(1, P, 1, false, F_INIT, NOBODY, 0); \
	LOAD(2, P, 2, F_INIT); run deleter(3, P, false)

#elif SCENE == itself
/* An init asks for its own name. */
#define LOADERS 2
#define PROCESSES 2
#define START \
	run loader(0, P, 0, false, 0, 1, NOBODY); run loader(1, P, 1, false, 0, NOBODY, 0)

#elif SCENE == each_other
/* Two inits ask for each other. */
#define LOADERS 4
#define PROCESSES 4
#define START \
	run loader(0, P, 0, false, 0, 2, NOBODY); run loader(1, U, 1, false, 0, 3, NOBODY); \
	run loader(2, U, 1, false, 0, NOBODY, 0); run loader(3, P, 0, false, 0, NOBODY, 1)

#elif SCENE == endings
/* Fewer of each, for what is true of all that goes on for ever. */
#define LOADERS 2
#define PROCESSES 4
#define START \
	LOAD(0, P, 0, F_ALL); IMPORT(1, U, 1, F_ALL); run deleter(2, P, false); run deleter(3, U, false)
#endif
