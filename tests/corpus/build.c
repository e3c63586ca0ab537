/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Builds the damaged modules of cases.c from the stock modules of a kernel in the cache, and a
 * list of them for tests/oracle/ask. FOLDER then has NAME.ko for each case, `list`, and `append`:
 * what the kernel's command line needs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "corpus.h"
#include "damage.h"

enum { INIT_IGNORE_MODVERSIONS = 1, INIT_IGNORE_VERMAGIC = 2, INIT_COMPRESSED = 4 };

static const struct place *place; /* the kernel that the corpus is built for */

void corpus_stock_path(const char *module, char path[4096])
{
	if (!place_module(place, module, path)) {
		fprintf(stderr, "corpus: %s has no module %s\n", place->modules, module);
		exit(2);
	}
}

static FILE *create(const char *folder, const char *name, const char *end)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s%s", folder, name, end);
	file = fopen(path, "wbe");
	if (!file) {
		fprintf(stderr, "corpus: can't write %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return file;
}

static void finish(FILE *file)
{
	if (ferror(file) || fclose(file)) {
		perror("corpus: can't write");
		exit(2);
	}
}

static void build(const struct corpus_case *test, const char *folder)
{
	FILE *file = create(folder, test->name, ".ko");
	struct edit edit;
	char path[4096];

	corpus_stock_path(test->base, path);
	edit = edit_open(path, test->name);
	if (!(test->flags & KEEP_SIGNATURE))
		edit_strip_signature(&edit);
	if (test->damage)
		test->damage(&edit, test);
	if (test->pack)
		test->pack(&edit, test);
	if (test->spoil)
		test->spoil(&edit, test);
	if (fwrite(edit.data, 1, edit.len, file) != edit.len)
		edit_fail(&edit, "can't be written");
	finish(file);
	edit_close(&edit);
}

static int finit_flags(const struct corpus_case *test)
{
	int flags = 0;

	if (test->flags & FORCE_MODVERSIONS)
		flags |= INIT_IGNORE_MODVERSIONS;
	if (test->flags & FORCE_VERMAGIC)
		flags |= INIT_IGNORE_VERMAGIC;
	if (test->pack == pack_xz)
		flags |= INIT_COMPRESSED;
	return flags;
}

/* A stock module that is to be there before a case; "@case" has come before by itself. */
static void list_needs(FILE *list, const struct corpus_case *test)
{
	char words[256], path[4096], *rest = NULL;

	snprintf(words, sizeof(words), "%s", test->needs ? test->needs : "");
	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		if (word[0] == '@')
			continue;
		corpus_stock_path(word, path);
		fprintf(list, "%s\t-\t\tkeep\n", path);
	}
}

/* The cases of one state of the kernel's switches, which can only be tightened. */
static void build_group(FILE *list, const char *folder, unsigned int group)
{
	const struct corpus_case *test;

	for (size_t i = 0; (test = corpus_case(i)) != NULL; i++) {
		if ((test->flags & (LOCKED_DOWN | SIG_ENFORCED)) != group ||
		    !place_takes(place, test))
			continue;
		build(test, folder);
		list_needs(list, test);
		fprintf(list, "%s/%s.ko\t%d\t\t%s\n", folder, test->name, finit_flags(test),
			test->flags & KEEP_LOADED ? "keep" : "");
	}
}

void corpus_build(const struct place *where, const char *folder)
{
	FILE *file;

	place = where;
	if (mkdir(folder, 0777) && errno != EEXIST) {
		perror(folder);
		exit(2);
	}
	file = create(folder, "list", "");
	build_group(file, folder, 0);
	fputs("!write\t/sys/kernel/security/lockdown\tintegrity\n", file);
	build_group(file, folder, LOCKED_DOWN);
	fputs("!write\t/sys/module/module/parameters/sig_enforce\t1\n", file);
	build_group(file, folder, SIG_ENFORCED);
	finish(file);
	file = create(folder, "append", "");
	fputs("module_blacklist=" CORPUS_BLACKLIST "\n", file);
	finish(file);
}
