/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which answers agree. Consumes a judged batch and the table `oddities`, whose head says what its
 * columns are. Produces TAP: a point for the agreement, one for what was left behind, one for how
 * deep mutants came, one for what the kernel died of.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"
#include "kocoon/kocoon.h"

enum {
	ODDITIES_MAX = 64,
	REASON = 5,
	COLUMNS = 8,
	SHOWN_MAX = 200,
	STAGES = KOCOON_STAGE_KERNEL + 1
};

struct oddity {
	char *columns
		[COLUMNS]; /* name, kind, kernel, kocoon, stage, reason, log, notes; in `line` */
	char *line; /* owned */
	size_t times;
};

static size_t read_oddities(const char *path, struct oddity *oddities)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0, count = 0;

	if (!file) {
		perror(path);
		exit(2);
	}
	while (getline(&line, &size, file) > 0) {
		struct oddity *oddity = &oddities[count];
		char *rest = line;

		line[strcspn(line, "\n")] = 0;
		if (!*line || *line == '#' || *line == '\t')
			continue;
		*oddity = (struct oddity){ .line = line };
		for (int i = 0; i < COLUMNS; i++)
			oddity->columns[i] = strsep(&rest, "\t");
		if (!oddity->columns[COLUMNS - 1] || rest || ++count == ODDITIES_MAX) {
			fprintf(stderr, "mutants: %s: a line without %d columns, or too many\n",
				path, COLUMNS);
			exit(2);
		}
		line = NULL;
		size = 0;
	}
	free(line);
	fclose(file);
	return count;
}

static const char *answer_of(const struct judged *judged)
{
	const char *name = judged->err ? kocoon_errno_name(judged->err) : "0";

	if (judged->died)
		return "CRASH";
	return name ? name : "?";
}

static const char *stage_of(const struct judged *judged)
{
	return judged->stage < 0 ? "taken" : kocoon_stage_name((enum kocoon_stage)judged->stage);
}

/* One of several patterns, with a bar between them. */
static bool matches(const char *patterns, const char *text)
{
	char copy[512], *rest = copy, *pattern;

	snprintf(copy, sizeof(copy), "%s", patterns);
	while ((pattern = strsep(&rest, "|")))
		if (!fnmatch(pattern, text, 0))
			return true;
	return false;
}

static struct oddity *explain(const struct judged *judged, struct oddity *oddities, size_t count,
			      const char *kind)
{
	const char *texts[COLUMNS] = { "",
				       kind,
				       judged->answer,
				       answer_of(judged),
				       stage_of(judged),
				       judged->reason,
				       judged->log,
				       judged->notes };

	for (size_t i = 0; i < count; i++) {
		int column = 1;

		while (column < COLUMNS && matches(oddities[i].columns[column], texts[column]))
			column++;
		if (column == COLUMNS)
			return &oddities[i];
	}
	return NULL;
}

static void show(const struct judged *judged, const char *why)
{
	printf("# %s %llu (%s: %s): kernel %s%s%s, kocoon %s at %s: %s\n", why,
	       (unsigned long long)judged->number, judged->base->name, judged->notes,
	       judged->answer, *judged->unload ? ", unload " : "", judged->unload,
	       answer_of(judged), stage_of(judged), judged->reason);
}

/* How many differ without a reason. */
static size_t compare(const struct batch *batch, struct oddity *oddities, size_t count,
		      const char *kind, FILE *again)
{
	size_t differ = 0;

	for (size_t i = 0; i < batch->count; i++) {
		const struct judged *judged = &batch->all[i];
		struct oddity *oddity;

		if (!*judged->answer || !strcmp(judged->answer, answer_of(judged)))
			continue;
		oddity = explain(judged, oddities, count, kind);
		/* A reason of the library's own is one whatever came before. */
		if (!oddity || !strcmp(oddity->columns[REASON], "*"))
			judge_list(judged, batch->live, again);
		if (oddity) {
			oddity->times++;
			if (getenv("MUTANTS_VERBOSE"))
				show(judged, oddity->columns[0]);
		} else if (++differ <= SHOWN_MAX) {
			show(judged, "differ");
		}
	}
	for (size_t i = 0; i < count; i++)
		if (oddities[i].times)
			printf("# explained: %s: %zu\n", oddities[i].columns[0], oddities[i].times);
	return differ;
}

/* What could not be unloaded would be in the way of those behind it. */
static size_t left_behind(const struct batch *batch)
{
	size_t count = 0;

	for (size_t i = 0; i < batch->count; i++) {
		const struct judged *judged = &batch->all[i];

		if (((*judged->unload && strcmp(judged->unload, "0") != 0) ||
		     (*judged->left && strcmp(judged->left, "0") != 0)) &&
		    ++count <= SHOWN_MAX)
			show(judged, "not unloaded");
	}
	return count;
}

/* Of how many the kernel died: its answer is worth nothing then, so they have to be few. */
static size_t count_deaths(const struct batch *batch)
{
	size_t count = 0;

	for (size_t i = 0; i < batch->count; i++)
		count += !strcmp(batch->all[i].answer, "CRASH") ||
			 !strcmp(batch->all[i].answer, "HANG");
	return count;
}

/* How many came as far as the layout of their memory, and a line a stage. */
static size_t count_deep(const struct batch *batch)
{
	size_t stages[STAGES] = { 0 }, taken = 0, deep = 0;

	for (size_t i = 0; i < batch->count; i++) {
		const struct judged *judged = &batch->all[i];

		if (judged->stage < 0)
			taken++;
		else
			stages[judged->stage]++;
		deep += judged->stage < 0 || judged->stage >= KOCOON_STAGE_LAYOUT;
	}
	for (int i = 0; i < STAGES; i++)
		if (stages[i])
			printf("# refused at %s: %zu\n", kocoon_stage_name((enum kocoon_stage)i),
			       stages[i]);
	printf("# taken: %zu\n", taken);
	return deep;
}

static bool point(bool good, int number, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", number, what);
	return good;
}

bool judge_report(const struct batch *batch, const char *oddities_file, const char *kind,
		  uint64_t seed, FILE *again)
{
	struct oddity oddities[ODDITIES_MAX];
	size_t count = read_oddities(oddities_file, oddities);
	size_t differ = compare(batch, oddities, count, kind, again), left = left_behind(batch);
	size_t deep = count_deep(batch), deaths = count_deaths(batch);
	char what[256];
	bool good;

	snprintf(what, sizeof(what), "%s, seed %llu: %zu mutants, %zu differ without a reason",
		 kind, (unsigned long long)seed, batch->count, differ);
	good = point(!differ, 1, what);
	snprintf(what, sizeof(what), "%zu could not be unloaded", left);
	good &= point(!left, 2, what);
	snprintf(what, sizeof(what), "%zu of %zu came to layout or behind it", deep, batch->count);
	good &= point(deep * 3 >= batch->count * 2, 3, what);
	snprintf(what, sizeof(what), "%zu killed the kernel", deaths);
	good &= point(deaths * 50 <= batch->count + 50, 4, what);
	for (size_t i = 0; i < count; i++)
		free(oddities[i].line);
	return good;
}
