/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of damaged modules: what is done to which stock module, and how it is put before a
 * kernel.
 */
#ifndef CORPUS_CASES_H
#define CORPUS_CASES_H

#include "edit.h"

enum corpus_flags {
	KEEP_SIGNATURE = 1, /* the stock signature stays; else it is cut off before the damage */
	KEEP_LOADED = 2, /* when it loads it stays, for the cases behind it */
	/*
	 * Not for a kernel that does not unpack modules: its fewer checks would let the module
	 * crash it, or it has that digest only where user space loads it.
	 */
	NEW_ONLY = 4,
	LOCKED_DOWN = 8, /* with lockdown=integrity */
	SIG_ENFORCED = 16, /* with module.sig_enforce=1 */
	FORCE_VERMAGIC = 32,
	FORCE_MODVERSIONS = 64,
};

struct corpus_case;

typedef void corpus_damage(struct edit *edit, const struct corpus_case *test);

struct corpus_case {
	const char *name; /* of the case, and of its file */
	const char *base; /* the stock module it is made from */
	const char *what; /* the defect, in words */
	corpus_damage *damage;
	/* What a damage is to do; each says which of them it uses. */
	const char *text;
	const char *more;
	int64_t at;
	uint64_t value;
	unsigned int width;
	corpus_damage *pack; /* compresses the module after the damage */
	corpus_damage *spoil; /* then damages the compressed stream */
	const char *needs; /* stock modules and "@cases" to be loaded before, separated by blanks */
	unsigned int flags;
};

/* Its parts, one file each. */
extern const struct corpus_case corpus_wrapping_cases[], corpus_elf_cases[], corpus_module_cases[];
extern const size_t corpus_wrapping_case_count, corpus_elf_case_count, corpus_module_case_count;

/* The n-th case, or NULL behind the last. */
const struct corpus_case *corpus_case(size_t index);

/* On the kernel's command line. */
#define CORPUS_BLACKLIST "ts_bm,nls-cp437"

#endif
