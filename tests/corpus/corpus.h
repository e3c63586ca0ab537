/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the program can do. */
#ifndef CORPUS_CORPUS_H
#define CORPUS_CORPUS_H

#include "place.h"

enum { CORPUS_ANSWERS_MAX = 4 };

void corpus_build(const struct place *where, const char *folder);
/* 0: the library agrees with `count` files of answers, at most CORPUS_ANSWERS_MAX; else 1. */
int corpus_check(const struct place *where, const char *kind, const char *built, char **files,
		 int count);

#endif
