/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many modules out of one: copies of a small module under other names, for tests and benchmarks
 * that want thousands of them.
 */
#ifndef KC_TESTS_LIVE_VARIANTS_H
#define KC_TESTS_LIVE_VARIANTS_H

#include <stddef.h>

struct module_file {
	char *bytes; /* owned */
	size_t len;
};

/* Reads a whole file; what fails ends the program, with a message. */
struct module_file module_file_read(const char *path);
void module_file_free(struct module_file *file);

/*
 * Gives the module a name that is as long as the old one: in .modinfo, struct module and wherever
 * the name stands alone in its strings.
 */
void module_file_rename(struct module_file *file, const char *from, const char *to);
/* The number-th name of five letters: "maaaa", "maaab", ... */
void variant_name(unsigned int number, char name_ret[6]);

#endif
