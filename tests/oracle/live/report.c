/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counts what is compared, and writes down what differs: a table for people, an object a line for
 * programs.
 *
 * Differences that have a reason are in a file of lines CATEGORY, PLACE, KERNEL, KOCOON, REASON,
 * tabs between; all but the last are patterns of fnmatch(3). A line that begins with # is a
 * comment.
 */
#include <errno.h>
#include <fnmatch.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "texts.h"

enum { FIELDS = 5, TOLD = 20 };

struct count {
	size_t compared, equal, explained;
};

struct explanation {
	char *line; /* owned; the fields are in it */
	char *fields[FIELDS];
	size_t used;
};

struct texts_report {
	struct count counts[TEXTS_CATEGORIES];
	struct explanation *explanations; /* owned */
	size_t explanation_count;
	FILE *json;
	char *told[TOLD]; /* owned: the first differences without a reason */
	size_t told_count;
};

static const char *const category_names[] = {
	[TEXTS_LOAD] = "load",
	[TEXTS_REGIONS] = "regions",
	[TEXTS_ATTRIBUTES] = "attributes",
	[TEXTS_PARAMETERS] = "parameters",
	[TEXTS_SECTIONS] = "sections",
	[TEXTS_NOTES] = "notes",
	[TEXTS_HOLDERS] = "holders",
	[TEXTS_PROC_MODULES] = "proc_modules",
	[TEXTS_TAINTED] = "tainted",
	[TEXTS_DEBUG] = "debug",
	[TEXTS_SYMBOLS] = "symbols",
	[TEXTS_EXPORTS] = "exports",
	[TEXTS_HIDDEN] = "hidden",
	[TEXTS_UNLOAD] = "unload",
};
_Static_assert(KC_ARRAY_SIZE(category_names) == TEXTS_CATEGORIES, "a name each");

/* ---- differences that have a reason ---- */

static bool take_fields(struct explanation *explanation)
{
	char *rest = explanation->line;

	for (int i = 0; i < FIELDS; i++) {
		explanation->fields[i] = strsep(&rest, "\t");
		if (!explanation->fields[i] || !*explanation->fields[i])
			return false;
	}
	return !rest;
}

static int add_explanation(struct texts_report *report, const char *line)
{
	struct explanation *list =
		reallocarray(report->explanations, report->explanation_count + 1, sizeof(*list));
	struct explanation *new;

	if (!list)
		return -ENOMEM;
	report->explanations = list;
	new = &list[report->explanation_count];
	*new = (struct explanation){ .line = strdup(line) };
	if (!new->line)
		return -ENOMEM;
	report->explanation_count++;
	return take_fields(new) ? 0 : -EINVAL;
}

static int read_explanations(struct texts_report *report, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int err = file ? 0 : -errno;

	while (!err && getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (*line && *line != '#')
			err = add_explanation(report, line);
		if (err)
			fprintf(stderr, "%s: not CATEGORY, PLACE, KERNEL, KOCOON, REASON: %s\n",
				path, line);
	}
	free(line);
	if (file)
		fclose(file);
	return err;
}

static struct explanation *explain(struct texts_report *report, const char *const texts[4])
{
	for (size_t i = 0; i < report->explanation_count; i++) {
		struct explanation *explanation = &report->explanations[i];
		bool matches = true;

		for (int field = 0; field < 4 && matches; field++)
			matches = fnmatch(explanation->fields[field], texts[field], 0) == 0;
		if (matches)
			return explanation;
	}
	return NULL;
}

/* ---- the report ---- */

int texts_report_new(const char *explained, const char *json, struct texts_report **report_ret)
{
	struct texts_report *report = calloc(1, sizeof(*report));
	int err = report ? 0 : -ENOMEM;

	if (!err && explained)
		err = read_explanations(report, explained);
	if (!err && json) {
		report->json = fopen(json, "we");
		err = report->json ? 0 : -errno;
	}
	if (err)
		texts_report_free(report);
	else
		*report_ret = report;
	return err;
}

void texts_report_free(struct texts_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; i < report->explanation_count; i++)
		free(report->explanations[i].line);
	for (size_t i = 0; i < report->told_count; i++)
		free(report->told[i]);
	free(report->explanations);
	if (report->json)
		fclose(report->json);
	free(report);
}

static void write_line(FILE *file, struct json_object *object)
{
	fprintf(file, "%s\n",
		json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

static struct json_object *text_or_null(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

static void write_difference(FILE *file, const char *category, const char *place,
			     const char *theirs, const char *ours, const char *reason)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "category", json_object_new_string(category));
	json_object_object_add(object, "place", json_object_new_string(place));
	json_object_object_add(object, "kernel", text_or_null(theirs));
	json_object_object_add(object, "kocoon", text_or_null(ours));
	json_object_object_add(object, "reason", text_or_null(reason));
	write_line(file, object);
}

static void tell(struct texts_report *report, const char *category, const char *place,
		 const char *theirs, const char *ours)
{
	if (report->told_count < TOLD &&
	    asprintf(&report->told[report->told_count], "%s %s: kernel %s, kocoon %s", category,
		     place, theirs, ours) >= 0)
		report->told_count++;
}

void texts_compare(struct texts_report *report, enum texts_category category, const char *place,
		   const char *theirs, const char *ours)
{
	const char *texts[] = { category_names[category], place, theirs ? theirs : "missing",
				ours ? ours : "missing" };
	struct count *count = &report->counts[category];
	struct explanation *explanation;

	count->compared++;
	if (theirs && ours && !strcmp(theirs, ours)) {
		count->equal++;
		return;
	}
	explanation = explain(report, texts);
	if (explanation) {
		count->explained++;
		explanation->used++;
	} else {
		tell(report, texts[0], place, texts[2], texts[3]);
	}
	if (report->json)
		write_difference(report->json, texts[0], place, theirs, ours,
				 explanation ? explanation->fields[FIELDS - 1] : NULL);
}

/* ---- what comes of it ---- */

/* What was never compared tells nothing. */
static bool is_good(const struct count *count)
{
	return count->compared && count->compared == count->equal + count->explained;
}

static void write_counts(const struct texts_report *report)
{
	for (int i = 0; i < TEXTS_CATEGORIES; i++) {
		const struct count *count = &report->counts[i];
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "category",
				       json_object_new_string(category_names[i]));
		json_object_object_add(object, "compared", json_object_new_uint64(count->compared));
		json_object_object_add(object, "equal", json_object_new_uint64(count->equal));
		json_object_object_add(object, "explained",
				       json_object_new_uint64(count->explained));
		write_line(report->json, object);
	}
}

static void print_explanations(const struct texts_report *report)
{
	for (size_t i = 0; i < report->explanation_count; i++) {
		const struct explanation *explanation = &report->explanations[i];

		if (explanation->used)
			printf("# %zu of %s %s: %s\n", explanation->used, explanation->fields[0],
			       explanation->fields[1], explanation->fields[FIELDS - 1]);
	}
}

bool texts_report_print(const struct texts_report *report, bool tap)
{
	bool good = true;

	printf("# %-14s %10s %10s %10s %10s\n", "category", "compared", "equal", "explained",
	       "differ");
	for (int i = 0; i < TEXTS_CATEGORIES; i++) {
		const struct count *count = &report->counts[i];

		printf("# %-14s %10zu %10zu %10zu %10zu\n", category_names[i], count->compared,
		       count->equal, count->explained,
		       count->compared - count->equal - count->explained);
		good &= is_good(count);
	}
	print_explanations(report);
	for (size_t i = 0; i < report->told_count; i++)
		printf("# %.1000s\n", report->told[i]);
	if (report->json)
		write_counts(report);
	if (!tap)
		return good;
	printf("1..%d\n", TEXTS_CATEGORIES);
	for (int i = 0; i < TEXTS_CATEGORIES; i++)
		printf("%s %d - %s\n", is_good(&report->counts[i]) ? "ok" : "not ok", i + 1,
		       category_names[i]);
	return good;
}
