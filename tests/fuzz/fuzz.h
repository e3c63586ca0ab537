/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the targets share. A target is a file target_NAME.c with LLVMFuzzerTestOneInput(); any
 * answer of the library to an input is right, a crash, a leak, a sanitizer's report, much memory or
 * much time is not. Linked with libFuzzer it looks for inputs; linked with replay.c it runs those
 * that it is given, with any compiler.
 *
 * An input's answer depends on the input alone: a target undoes what one leaves behind.
 */
#ifndef KC_TESTS_FUZZ_H
#define KC_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "kocoon/kocoon.h"

/* ---- what libFuzzer calls, and what it has to be called */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);
/* Of the mutators; a target without one has libFuzzer's own. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned int seed);
/* libFuzzer's, or a plain one of replay.c: changes the bytes, returns their new length. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max);

/* ---- fuzz.c */

/* Ends the program as a finding: what may never be is so. */
#define FUZZ_CHECK(is_so)                                                                   \
	do {                                                                                \
		if (!(is_so)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #is_so); \
			abort();                                                            \
		}                                                                           \
	} while (0)

enum { FUZZ_FILES = 3 };

/* The path of a file with these bytes, until the next call for that slot. */
const char *fuzz_file(unsigned int slot, const void *data, size_t len);
/* The stock kernel of this kind, open until the program ends; without it the program ends. */
struct kocoon_kernel *fuzz_kernel(const char *kind);
/* Reads every byte, so that a sanitizer sees whether they are there. NULL is no text. */
void fuzz_use(const void *data, size_t len);
void fuzz_use_text(const char *text);
void fuzz_use_report(const struct kocoon_report *report);
/* Asks a kernel for all that the public header has. */
void fuzz_use_kernel(const struct kocoon_kernel *kernel);
/* For inputs that consist of several. */
struct fuzz_bytes {
	const uint8_t *data;
	size_t len;
};
/* What stands before the first `mark`, which is taken away too; all, where there is none. */
struct fuzz_bytes fuzz_next(struct fuzz_bytes *rest, uint8_t mark);
/* A copy with a NUL behind it; free(3). */
char *fuzz_text(struct fuzz_bytes bytes);

/* Random numbers for mutators: the same for the same seed everywhere. */
struct fuzz_random {
	uint64_t state;
};

struct fuzz_random fuzz_random(unsigned int seed);
/* 0 where `end` is. */
uint64_t fuzz_below(struct fuzz_random *random, uint64_t end);
/* A number that bounds are at: small, huge, near `was`. */
uint64_t fuzz_odd(struct fuzz_random *random, uint64_t was);

#endif
