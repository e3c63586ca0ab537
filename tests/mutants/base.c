/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which stock modules mutants are made from. Consumes a kernel's tree in the cache; the choice
 * depends on nothing else: the smallest modules first, as long as one brings a kind of section that
 * fewer than SEEN_ENOUGH chosen ones have.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mutant.h"

enum {
	FILE_MAX = 14 << 10, /* compressed or not: a small module */
	SEEN_ENOUGH = 3,
	SECTIONS_SEEN = 256,
	NAME_SIZE = 64,
};

struct candidate {
	char *path; /* owned */
	long size;
	const char *line; /* in modules.dep */
};

struct seen {
	char names[SECTIONS_SEEN][NAME_SIZE];
	unsigned int times[SECTIONS_SEEN];
	unsigned int count;
};

_Noreturn static void fail(const char *what)
{
	fprintf(stderr, "mutants: %s\n", what);
	exit(2);
}

static char *join(const char *folder, const char *name, size_t len)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%.*s", folder, (int)len, name) < 0)
		fail("out of memory");
	return path;
}

static int smaller(const void *a, const void *b)
{
	const struct candidate *first = a, *second = b;

	if (first->size != second->size)
		return first->size < second->size ? -1 : 1;
	return strcmp(first->path, second->path);
}

/* Every module of the tree that is small, smallest first. */
static size_t list(const struct place *place, struct candidate **candidates_ret)
{
	struct candidate *all = NULL;
	size_t count = 0;

	for (const char *line = place->dependencies; *line; line += *line == '\n') {
		char *path = join(place->modules, line, strcspn(line, ":\n"));
		struct stat status;

		if (stat(path, &status) || status.st_size > FILE_MAX) {
			free(path);
		} else {
			all = realloc(all, (count + 1) * sizeof(*all));
			if (!all)
				fail("out of memory");
			all[count++] = (struct candidate){ path, status.st_size, line };
		}
		line += strcspn(line, "\n");
	}
	if (count)
		qsort(all, count, sizeof(*all), smaller);
	*candidates_ret = all;
	return count;
}

static void set_needs(struct base *base, const struct place *place, const char *line)
{
	const char *word = strchr(line, ':');
	size_t len = word ? strcspn(++word, "\n") : 0;
	const char *end = word + len;

	while (word && word < end) {
		word += strspn(word, " ");
		len = strcspn(word, " \n");
		if (!len || word >= end)
			return;
		/* modules.dep names the nearest first. */
		memmove(base->needs + 1, base->needs, base->need_count * sizeof(base->needs[0]));
		base->needs[0] = join(place->modules, word, len);
		base->need_count++;
		word += len;
	}
}

static unsigned int needs(const char *line)
{
	unsigned int count = 0;

	for (line += strcspn(line, ":\n"); *line && *line != '\n'; line++)
		count += *line == ' ';
	return count;
}

/* Counts a section's name; whether it was rare until then. */
static bool see(struct seen *seen, const char *name)
{
	unsigned int i = 0;

	while (i < seen->count && strcmp(seen->names[i], name) != 0)
		i++;
	if (i == SECTIONS_SEEN || strlen(name) >= NAME_SIZE)
		return false;
	if (i == seen->count)
		strcpy(seen->names[seen->count++], name);
	return seen->times[i]++ < SEEN_ENOUGH;
}

static bool brings_something(struct seen *seen, struct edit *stock)
{
	struct seen before = *seen;
	bool good = false;

	for (unsigned int i = 1; i < edit_ehdr(stock)->e_shnum; i++) {
		const Elf64_Shdr *names = edit_shdr(stock, edit_ehdr(stock)->e_shstrndx);
		const char *name =
			(const char *)stock->data + names->sh_offset + edit_shdr(stock, i)->sh_name;

		/* Those that hold one thing each and are named after it count once. */
		if (strncmp(name, ".rela", 5) != 0 && strncmp(name, ".debug", 6) != 0)
			good |= see(seen, name);
	}
	if (!good)
		*seen = before;
	return good;
}

void bases_choose(struct bases *bases, const struct place *place)
{
	struct candidate *candidates;
	size_t count = list(place, &candidates);
	struct seen *seen = calloc(1, sizeof(*seen));

	if (!seen)
		fail("out of memory");
	*bases = (struct bases){ .decompresses = place->decompresses };
	for (size_t i = 0; i < count; i++) {
		struct base *base = &bases->all[bases->count];

		if (bases->count == BASES_MAX || needs(candidates[i].line) > 2) {
			free(candidates[i].path);
			continue;
		}
		*base = (struct base){ .path = candidates[i].path };
		base->name = strrchr(base->path, '/') + 1;
		base->stock = edit_open(base->path, base->path);
		if (brings_something(seen, &base->stock)) {
			set_needs(base, place, candidates[i].line);
			bases->count++;
		} else {
			edit_close(&base->stock);
			free(base->path);
		}
	}
	free(seen);
	free(candidates);
	if (!bases->count)
		fail("no stock module to begin with");
}

void bases_deinit(struct bases *bases)
{
	for (unsigned int i = 0; i < bases->count; i++) {
		struct base *base = &bases->all[i];

		for (unsigned int j = 0; j < base->need_count; j++)
			free(base->needs[j]);
		edit_close(&base->stock);
		free(base->path);
	}
}
