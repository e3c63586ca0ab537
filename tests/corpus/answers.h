/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a kernel answered to each case: from answers.tsv, or from what tests/oracle/ask wrote. */
#ifndef CORPUS_ANSWERS_H
#define CORPUS_ANSWERS_H

#include <stddef.h>

struct answer {
	char *test; /* owned */
	char *text; /* owned: "0", "ENOEXEC", ... */
	char *stage; /* owned; NULL: of a refusal, not known */
};

struct answers {
	struct answer *all; /* owned */
	size_t count;
};

/*
 * Reads a table: its line "# case<tab>KIND<tab>KIND..." says which column is of which kernel. Or,
 * where no line begins with '#', a file of ask's, with stages or without (oracle/stages.py). Ends
 * the program where it can't be read or has no such kind.
 */
struct answers answers_read(const char *path, const char *kind);
void answers_deinit(struct answers *answers);
/* NULL: the kernel was not asked. */
const struct answer *answers_find(const struct answers *answers, const char *test);

#endif
