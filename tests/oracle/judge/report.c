/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was compared and what came of it: counts by category, the differences by place, and all of
 * it as JSON, a line a module, a line a difference that has no reason, a line a reason.
 */
#include "judge.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

enum outcome { EQUAL, EXPLAINED, DIFFERENT, OUTCOMES };

struct counts {
	uint64_t units[OUTCOMES];
};

struct totals {
	uint64_t units[OUTCOMES];
	uint64_t modules[OUTCOMES];
};

/* Differences of one place, with the first of them. */
struct kind {
	struct judge_difference first;
	char *module; /* owned */
	uint64_t units;
	uint32_t times, modules, last_module;
};

struct judge_report {
	struct judge_explanations explanations;
	FILE *json;
	char *path; /* of the module at hand; owned */
	struct counts counts[JUDGE_CATEGORIES];
	struct totals totals[JUDGE_CATEGORIES];
	uint32_t modules, equal_modules, different_modules;
	struct kind *kinds; /* owned */
	size_t kind_count;
	struct kc_index kind_index;
};

static const struct {
	const char *name, *unit;
} categories[] = {
	[JUDGE_ERRNO] = { "errno", "modules" },
	[JUDGE_REGIONS] = { "regions", "sizes" },
	[JUDGE_SECTIONS] = { "sections", "addresses" },
	[JUDGE_EXPORTS] = { "exports", "symbols" },
	[JUDGE_PERCPU] = { "per-cpu", "addresses" },
	[JUDGE_TAINTS] = { "taints", "masks" },
	[JUDGE_SYMBOLS] = { "kallsyms", "lines" },
	[JUDGE_KEYS] = { "code by the image", "bytes" },
	[JUDGE_CODE] = { "code", "bytes" },
	[JUDGE_DATA] = { "data", "bytes" },
	[JUDGE_RODATA] = { "rodata", "bytes" },
	[JUDGE_BSS] = { "bss", "bytes" },
	[JUDGE_STRUCT_MODULE] = { "struct module", "bytes" },
	[JUDGE_SYMBOL_TABLES] = { "symbol tables", "bytes" },
	[JUDGE_SORTED_TABLES] = { "sorted tables", "bytes" },
	[JUDGE_EXPORT_TABLES] = { "export tables", "bytes" },
	[JUDGE_PADDING] = { "padding", "bytes" },
};

const char *judge_category_name(enum judge_category category)
{
	return categories[category].name;
}

struct judge_report *judge_report_new(const char *explained, const char *json)
{
	struct judge_report *report = calloc(1, sizeof(*report));
	int err;

	if (!report)
		return NULL;
	err = judge_explanations_read(explained, &report->explanations);
	if (err)
		fprintf(stderr, "judge: %s: %s\n", explained, strerror(-err));
	if (!err && json) {
		report->json = fopen(json, "we");
		if (!report->json) {
			perror(json);
			err = -1;
		}
	}
	if (!err)
		err = kc_index_init(&report->kind_index, 256);
	if (!err)
		return report;
	judge_report_free(report);
	return NULL;
}

void judge_report_free(struct judge_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; i < report->kind_count; i++)
		free(report->kinds[i].module);
	free(report->kinds);
	free(report->path);
	kc_index_deinit(&report->kind_index);
	judge_explanations_free(&report->explanations);
	if (report->json)
		fclose(report->json);
	free(report);
}

/* Takes the object over. */
static void write_json(const struct judge_report *report, struct json_object *object)
{
	if (report->json)
		fprintf(report->json, "%s\n",
			json_object_to_json_string_ext(object, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static void add_number(struct json_object *object, const char *key, uint64_t number)
{
	json_object_object_add(object, key, json_object_new_int64((int64_t)number));
}

void judge_report_module(struct judge_report *report, const char *path)
{
	free(report->path);
	report->path = strdup(path);
	memset(report->counts, 0, sizeof(report->counts));
	report->modules++;
}

void judge_report_equal(struct judge_report *report, enum judge_category category, uint64_t units)
{
	report->counts[category].units[EQUAL] += units;
}

static struct kind *find_kind(struct judge_report *report,
			      const struct judge_difference *difference)
{
	uint32_t hash = kc_hash(difference->place), cursor = 0, found;
	struct kind *kinds;

	while ((found = kc_index_next(&report->kind_index, hash, &cursor)) != KC_INDEX_NONE) {
		struct kind *kind = &report->kinds[found];

		if (kind->first.category == difference->category &&
		    kind->first.value == difference->value &&
		    !strcmp(kind->first.place, difference->place))
			return kind;
	}
	kinds = reallocarray(report->kinds, report->kind_count + 1, sizeof(*kinds));
	if (!kinds || kc_index_add(&report->kind_index, hash, (uint32_t)report->kind_count))
		abort();
	report->kinds = kinds;
	kinds[report->kind_count] =
		(struct kind){ .first = *difference,
			       .module = strdup(report->path ? report->path : "") };
	return &kinds[report->kind_count++];
}

static void write_difference(const struct judge_report *report,
			     const struct judge_difference *difference)
{
	struct json_object *object = json_object_new_object();

	add_text(object, "what", "difference");
	add_text(object, "module", report->path ? report->path : "");
	add_text(object, "category", judge_category_name(difference->category));
	add_text(object, "place", difference->place);
	add_text(object, "detail", difference->detail);
	add_text(object, "value", judge_value_name(difference->value));
	add_text(object, "kernel", difference->kernel);
	add_text(object, "kocoon", difference->kocoon);
	add_number(object, "units", difference->units);
	write_json(report, object);
}

void judge_report_differs(struct judge_report *report, const struct judge_difference *difference)
{
	struct judge_explanation *explanation = judge_explain(&report->explanations, difference);
	struct kind *kind;

	if (explanation) {
		report->counts[difference->category].units[EXPLAINED] += difference->units;
		explanation->units += difference->units;
		explanation->modules += explanation->last_module != report->modules;
		explanation->last_module = report->modules;
		return;
	}
	report->counts[difference->category].units[DIFFERENT] += difference->units;
	kind = find_kind(report, difference);
	kind->units += difference->units;
	kind->times++;
	kind->modules += kind->last_module != report->modules;
	kind->last_module = report->modules;
	if (report->json)
		write_difference(report, difference);
}

void judge_report_item(struct judge_report *report, enum judge_category category, bool equal,
		       const char *place, const char *kernel, const char *kocoon)
{
	struct judge_difference difference = { .category = category,
					       .units = 1,
					       .value = JUDGE_VALUE_OTHER };

	if (equal) {
		judge_report_equal(report, category, 1);
		return;
	}
	snprintf(difference.place, sizeof(difference.place), "%s", place);
	snprintf(difference.kernel, sizeof(difference.kernel), "%s", kernel);
	snprintf(difference.kocoon, sizeof(difference.kocoon), "%s", kocoon);
	judge_report_differs(report, &difference);
}

static enum outcome outcome_of(const uint64_t units[OUTCOMES])
{
	if (units[DIFFERENT])
		return DIFFERENT;
	return units[EXPLAINED] ? EXPLAINED : EQUAL;
}

void judge_report_end_module(struct judge_report *report, const char *name, int kernel_errno)
{
	static const char *const outcomes[] = { "equal", "explained", "different" };
	struct json_object *object = json_object_new_object();
	uint64_t all[OUTCOMES] = { 0 };

	add_text(object, "what", "module");
	add_text(object, "module", name);
	add_text(object, "path", report->path ? report->path : "");
	add_text(object, "errno", kernel_errno ? kocoon_errno_name(kernel_errno) : "0");
	for (int i = 0; i < JUDGE_CATEGORIES; i++) {
		const uint64_t *units = report->counts[i].units;
		struct json_object *counts;

		if (!units[EQUAL] && !units[EXPLAINED] && !units[DIFFERENT])
			continue;
		counts = json_object_new_object();
		for (int o = 0; o < OUTCOMES; o++) {
			add_number(counts, outcomes[o], units[o]);
			report->totals[i].units[o] += units[o];
			all[o] += units[o];
		}
		report->totals[i].modules[outcome_of(units)]++;
		json_object_object_add(object, categories[i].name, counts);
	}
	report->equal_modules += outcome_of(all) == EQUAL;
	report->different_modules += outcome_of(all) == DIFFERENT;
	write_json(report, object);
}

/* ---- the printed report */

static void print_table(const struct judge_report *report, const char *mark)
{
	printf("%s%-18s %8s %8s %8s %8s  %12s %12s %10s %10s\n", mark, "", "modules", "equal",
	       "explain.", "differ", "compared", "equal", "explained", "different");
	for (int i = 0; i < JUDGE_CATEGORIES; i++) {
		const struct totals *totals = &report->totals[i];
		const uint64_t *m = totals->modules, *u = totals->units;

		if (!(m[EQUAL] + m[EXPLAINED] + m[DIFFERENT]))
			continue;
		printf("%s%-18s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 "  %12" PRIu64
		       " %12" PRIu64 " %10" PRIu64 " %10" PRIu64 " %s\n",
		       mark, categories[i].name, m[EQUAL] + m[EXPLAINED] + m[DIFFERENT], m[EQUAL],
		       m[EXPLAINED], m[DIFFERENT], u[EQUAL] + u[EXPLAINED] + u[DIFFERENT], u[EQUAL],
		       u[EXPLAINED], u[DIFFERENT], categories[i].unit);
	}
	printf("%s%" PRIu32 " modules, %" PRIu32 " of them different\n", mark, report->modules,
	       report->different_modules);
}

static int compare_kinds(const void *a, const void *b)
{
	const struct kind *left = a, *right = b;

	if (left->modules != right->modules)
		return left->modules > right->modules ? -1 : 1;
	return strcmp(left->first.place, right->first.place);
}

static void print_kind(const struct kind *kind, const char *mark)
{
	const struct judge_difference *first = &kind->first;

	printf("%s%s: %s [%s]: %" PRIu32 " modules, %" PRIu32 " times\n"
	       "%s    first in %s %s\n%s    kernel: %s\n%s    kocoon: %s\n",
	       mark, judge_category_name(first->category), first->place,
	       judge_value_name(first->value), kind->modules, kind->times, mark, kind->module,
	       first->detail, mark, first->kernel, mark, first->kocoon);
}

static void print_explanation(const struct judge_report *report,
			      const struct judge_explanation *explanation, const char *mark)
{
	struct json_object *object = json_object_new_object();

	printf("%s%s: %s [%s]: %" PRIu64 " in %" PRIu32 " modules: %s\n", mark,
	       explanation->category, explanation->place, explanation->value, explanation->units,
	       explanation->modules, explanation->reason);
	add_text(object, "what", "explained");
	add_text(object, "category", explanation->category);
	add_text(object, "place", explanation->place);
	add_text(object, "value", explanation->value);
	add_text(object, "reason", explanation->reason);
	add_number(object, "units", explanation->units);
	add_number(object, "modules", explanation->modules);
	write_json(report, object);
}

static void print_results(const struct judge_report *report)
{
	for (int i = 0; i < JUDGE_CATEGORIES; i++)
		printf("%sok %d - %s\n", report->totals[i].units[DIFFERENT] ? "not " : "", i + 1,
		       categories[i].name);
	printf("1..%d\n", JUDGE_CATEGORIES);
}

bool judge_report_print(const struct judge_report *report, bool tap)
{
	enum { SHOWN = 100 };
	const char *mark = tap ? "# " : "";

	if (report->kind_count)
		qsort(report->kinds, report->kind_count, sizeof(*report->kinds), compare_kinds);
	print_table(report, mark);
	printf("%s\n%sExplained differences:\n", mark, mark);
	for (size_t i = 0; i < report->explanations.count; i++)
		if (report->explanations.list[i].units)
			print_explanation(report, &report->explanations.list[i], mark);
	if (report->kind_count)
		printf("%s\n%sDifferences without a reason: %zu kinds\n", mark, mark,
		       report->kind_count);
	for (size_t i = 0; i < report->kind_count && i < SHOWN; i++)
		print_kind(&report->kinds[i], mark);
	if (tap)
		print_results(report);
	return !report->kind_count && report->modules;
}
