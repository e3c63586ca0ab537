/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers of kernels; see answers.h. */
#include "answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct answers *answers, const char *test, const char *text, const char *stage)
{
	struct answer *more = realloc(answers->all, (answers->count + 1) * sizeof(*more));

	if (!more)
		abort();
	answers->all = more;
	more[answers->count].test = strdup(test);
	more[answers->count].text = strdup(text);
	more[answers->count].stage = stage ? strdup(stage) : NULL;
	if (!more[answers->count].test || !more[answers->count].text ||
	    (stage && !more[answers->count].stage))
		abort();
	answers->count++;
}

/* "ERRNO<tab>/folder/CASE.ko[<tab>STAGE]" */
static void add_asked(struct answers *answers, char *line)
{
	char *rest = line, *text = strsep(&rest, "\t"), *path = strsep(&rest, "\t"), *name, *end;

	if (!path)
		return;
	name = strrchr(path, '/');
	name = name ? name + 1 : path;
	end = strstr(name, ".ko");
	if (!end || end[3])
		return;
	*end = 0;
	add(answers, name, text, rest);
}

/* "# case<tab>KIND<tab>KIND": the number of the column, or -1. */
static int find_column(char *line, const char *kind)
{
	char *word;

	for (int i = 0; (word = strsep(&line, "\t")); i++)
		if (!strcmp(word, kind))
			return i;
	return -1;
}

static void add_row(struct answers *answers, char *line, int column)
{
	const char *test = strsep(&line, "\t"), *text = NULL;

	for (int i = 0; i < column; i++)
		text = strsep(&line, "\t");
	if (text && strcmp(text, "-") != 0)
		add(answers, test, text, NULL);
}

struct answers answers_read(const char *path, const char *kind)
{
	struct answers answers = { 0 };
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int column = -1;

	if (!file) {
		perror(path);
		exit(2);
	}
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "# case\t", 7))
			column = find_column(line, kind);
		else if (line[0] == '#' || line[0] == '\t')
			continue;
		else if (column > 0)
			add_row(&answers, line, column);
		else
			add_asked(&answers, line);
	}
	free(line);
	fclose(file);
	if (!answers.count) {
		fprintf(stderr, "%s has no answers of %s\n", path, kind);
		exit(2);
	}
	return answers;
}

void answers_deinit(struct answers *answers)
{
	for (size_t i = 0; i < answers->count; i++) {
		free(answers->all[i].test);
		free(answers->all[i].text);
		free(answers->all[i].stage);
	}
	free(answers->all);
}

const struct answer *answers_find(const struct answers *answers, const char *test)
{
	for (size_t i = 0; i < answers->count; i++)
		if (!strcmp(answers->all[i].test, test))
			return &answers->all[i];
	return NULL;
}
