/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library's answers to mutants, and their comparison with the real kernel's. */
#ifndef MUTANTS_JUDGE_H
#define MUTANTS_JUDGE_H

#include <stdio.h>

#include "mutant.h"

/* A mutant of a batch, and what was said of it. */
struct judged {
	uint64_t number;
	const struct base *base; /* borrowed */
	char *notes; /* owned: what was changed */
	bool packed;
	char path[4096];
	/* the library's */
	int err;
	int stage; /* enum kocoon_stage; -1: accepted */
	char reason[256];
	bool died; /* the process, in live space */
	char left[16]; /* the errno of unloading it again, in live space */
	/* the real kernel's: "0", "ENOEXEC", "CRASH"; "": it was not asked */
	char answer[16];
	char unload[16]; /* what came of unloading it; "": it was not loaded */
	char log[512]; /* the first of its messages, where they were asked for */
};

struct batch {
	struct judged *all; /* owned */
	size_t count;
	bool live; /* they are loaded with arguments */
};

/* A line of a list for tests/oracle/ask. */
void judge_list(const struct judged *judged, bool live, FILE *list);

/* Asks the library about each, in two threads. A crash ends the program with the numbers. */
void judge_all(struct batch *batch, const struct place *place);

/* The same in live space, where a mutant that is taken is also loaded and unloaded. */
void live_judge_all(struct batch *batch, const struct place *place, const struct bases *bases);
/* The argument that a base's mutants are loaded with: "NAME=!" of a number, or "". */
void live_argument(const struct base *base, char *text_ret, size_t size);

/* Takes in what `ask --unload` wrote: answers by number, in place of those taken in before. */
void judge_read_answers(struct batch *batch, const char *file);

/*
 * Prints, as TAP, which answers differ and which of those are explained by the table of oddities,
 * and how far mutants came. Whether all is well. `again` gets the lines for `ask` of those that are
 * to be asked about again, by themselves: what differs or crashed may be what another one before
 * did to the kernel.
 */
bool judge_report(const struct batch *batch, const char *oddities, const char *kind, uint64_t seed,
		  FILE *again);

#endif
