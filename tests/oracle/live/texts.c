/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 *	texts [OPTION...] IMAGE LIST RECORDS
 *
 * Follows LIST, as the machine has that made RECORDS of it (ask --views --capture), with a living
 * subsystem for the kernel IMAGE, and compares all that is shown of modules on the way. Exit: 0
 * nothing differs but what is explained, 1 something does, 2 there was nothing to judge by.
 *
 *	--explained=FILE  the differences that have a reason (report.c)
 *	--json=FILE       the report as JSON, an object a line
 *	--tap             print TAP, a test a category
 *
 * Of the lines of LIST these are followed: modules, !show, !symbols *, !delete-all.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "texts.h"

enum { LINE = 4096 };

struct options {
	const char *explained, *json;
	bool tap;
};

struct following {
	struct kc_records records;
	struct texts_subject subject;
	struct texts_places places;
	struct texts_report *report;
};

/* ---- loading ---- */

static const char *errno_text(int err)
{
	const char *name = err ? kocoon_errno_name(err) : "0";

	return name ? name : "?";
}

static int load(struct following *following, uint32_t index, const char *path,
		const char *arguments)
{
	struct kc_record_group group = kc_records_of(&following->records, index);
	const struct kc_record *result = kc_records_first(group, RECORD_RESULT);
	int err = texts_subject_load(&following->subject, path, arguments);

	texts_compare(following->report, TEXTS_LOAD, path,
		      result ? errno_text(kc_record_errno(result)) : NULL, errno_text(err));
	if (err || !result || kc_record_errno(result))
		return 0;
	return texts_places_add(&following->places, group, &following->subject, following->report);
}

/* ---- views ---- */

static enum texts_category category_of(const char *path, bool user)
{
	static const struct {
		const char *part;
		enum texts_category category;
	} table[] = {
		{ "/parameters", TEXTS_PARAMETERS },
		{ "/sections", TEXTS_SECTIONS },
		{ "/notes", TEXTS_NOTES },
		{ "/holders", TEXTS_HOLDERS },
		{ "/proc/modules", TEXTS_PROC_MODULES },
		{ "/tainted\t", TEXTS_TAINTED },
		{ "/kernel/debug", TEXTS_DEBUG },
	};

	if (user)
		return TEXTS_HIDDEN;
	for (size_t i = 0; i < KC_ARRAY_SIZE(table); i++) {
		const char *part = strstr(path, table[i].part);

		if (part && part < path + strcspn(path, "\t"))
			return table[i].category;
	}
	return TEXTS_ATTRIBUTES;
}

/* The module whose folder a path leads into. */
static const struct texts_module *module_of(struct following *following, const char *path)
{
	static const char folder[] = "/sys/module/";
	char name[TEXTS_NAME];
	size_t len;

	if (strncmp(path, folder, strlen(folder)) != 0)
		return NULL;
	path += strlen(folder);
	len = strcspn(path, "/\t");
	if (len >= sizeof(name))
		return NULL;
	memcpy(name, path, len);
	name[len] = 0;
	return texts_places_find(&following->places, name);
}

/* Addresses are in sections/ only. */
static void compare_entry(struct following *following, const char *theirs, const char *ours,
			  bool user)
{
	const char *path = theirs ? theirs : ours;
	enum texts_category category = category_of(path, user);
	const struct texts_module *module = module_of(following, path);
	char place[LINE], *expected = NULL;

	if (theirs && module && category == TEXTS_SECTIONS)
		expected = texts_translate(module, theirs);
	snprintf(place, sizeof(place), "%.*s", (int)strcspn(path, "\t"), path);
	texts_compare(following->report, category, place, expected ? expected : theirs, ours);
	free(expected);
}

static void compare_lines(struct following *following, const struct texts_lines *theirs,
			  const struct texts_lines *ours, bool user)
{
	size_t at = 0, at_ours = 0;

	while (at < theirs->count || at_ours < ours->count) {
		const char *of_kernel = at < theirs->count ? theirs->lines[at] : NULL;
		const char *of_kocoon = at_ours < ours->count ? ours->lines[at_ours] : NULL;
		int order = !of_kernel	 ? 1
			    : !of_kocoon ? -1
					 : texts_compare_paths(of_kernel, of_kocoon);

		if (order > 0)
			of_kernel = NULL;
		else if (order < 0)
			of_kocoon = NULL;
		compare_entry(following, of_kernel, of_kocoon, user);
		at += of_kernel != NULL;
		at_ours += of_kocoon != NULL;
	}
}

/* ---- /proc/modules ---- */

/* The machine's helper module is nobody's but its own. */
static void compare_modules_line(struct following *following, const char *theirs, const char *ours,
				 bool user)
{
	const char *line = theirs ? theirs : ours;
	char name[TEXTS_NAME], place[LINE], *expected = NULL;
	const struct texts_module *module;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(line, " "), line);
	module = texts_places_find(&following->places, name);
	snprintf(place, sizeof(place), "/proc/modules/%s", name);
	if (theirs && module)
		expected = texts_translate(module, theirs);
	texts_compare(following->report, user ? TEXTS_HIDDEN : TEXTS_PROC_MODULES, place,
		      expected ? expected : theirs, ours);
	free(expected);
}

/* The contents' lines, escaped as they are: an end of line is \0a. */
static void split(struct texts_lines *lines, const char *view)
{
	static const char end_of_line[] = "\\0a", helper[] = "witness ";
	const char *at = strrchr(view, '\t');

	for (at = at ? at + 1 : ""; *at;) {
		const char *end = strstr(at, end_of_line);
		size_t len = end ? (size_t)(end - at) : strlen(at);

		if (strncmp(at, helper, strlen(helper)) != 0)
			texts_lines_add(lines, at, len);
		at += end ? len + strlen(end_of_line) : len;
	}
}

/* Their order is the order of loading, so they are compared one by one. */
static void compare_modules(struct following *following, const char *theirs, const char *ours,
			    bool user)
{
	struct texts_lines of_kernel = { 0 }, of_kocoon = { 0 };

	split(&of_kernel, theirs);
	split(&of_kocoon, ours);
	for (size_t i = 0; i < of_kernel.count || i < of_kocoon.count; i++)
		compare_modules_line(following, i < of_kernel.count ? of_kernel.lines[i] : NULL,
				     i < of_kocoon.count ? of_kocoon.lines[i] : NULL, user);
	texts_lines_deinit(&of_kernel);
	texts_lines_deinit(&of_kocoon);
}

/* ---- showing ---- */

/* What of the machine's has to be here: nothing is built in here, and the helper is not there. */
static bool is_wanted(struct following *following, const char *line)
{
	static const char folder[] = "/sys/module/";

	return strncmp(line, folder, strlen(folder)) != 0 || module_of(following, line);
}

static void collect_theirs(struct following *following, struct kc_record_group group,
			   struct texts_lines *lines)
{
	const struct kc_record *record;
	size_t at = 0;

	while ((record = kc_records_next(group, RECORD_VIEW, &at))) {
		texts_lines_add(lines, (const char *)record->bytes.data, record->bytes.len);
		if (lines->count && !is_wanted(following, lines->lines[lines->count - 1]))
			free(lines->lines[--lines->count]);
	}
	texts_lines_sort(lines);
}

static int show(struct following *following, uint32_t index, const char *path, bool user)
{
	struct texts_lines theirs = { 0 }, ours = { 0 };
	bool failed;

	collect_theirs(following, kc_records_of(&following->records, index), &theirs);
	texts_lines_show(&ours, following->subject.kocoon, path, user);
	texts_lines_sort(&ours);
	failed = theirs.failed || ours.failed;
	if (!strcmp(path, "/proc/modules") && theirs.count == 1 && ours.count == 1)
		compare_modules(following, theirs.lines[0], ours.lines[0], user);
	else
		compare_lines(following, &theirs, &ours, user);
	texts_lines_deinit(&theirs);
	texts_lines_deinit(&ours);
	return failed ? -ENOMEM : 0;
}

/* The newest module's line is the first one of /proc/modules, in the form of a view. */
static void show_newest_line(struct texts_lines *lines, struct kocoon *kocoon)
{
	const struct kocoon_reader reader = { .show_addresses = true };
	char *text, *line;
	size_t len;

	if (kocoon_view_read(kocoon, "/proc/modules", &reader, &text, &len))
		return;
	text[strcspn(text, "\n")] = 0;
	if (asprintf(&line, "/proc/modules\tf\t0444\t0\t%s", text) >= 0) {
		texts_lines_add(lines, line, strlen(line));
		free(line);
	}
	free(text);
}

/* ask --views: what is shown of a module that has just been loaded. */
static int show_loaded(struct following *following, uint32_t index)
{
	struct texts_lines theirs = { 0 }, ours = { 0 };
	char path[LINE];
	bool failed;

	collect_theirs(following, kc_records_of(&following->records, index), &theirs);
	snprintf(path, sizeof(path), "/sys/module/%s", following->subject.newest);
	show_newest_line(&ours, following->subject.kocoon);
	texts_lines_show(&ours, following->subject.kocoon, path, false);
	texts_lines_sort(&ours);
	failed = theirs.failed || ours.failed;
	if (theirs.count && ours.count) {
		/* "/proc/modules" comes first of both. */
		compare_modules(following, theirs.lines[0], ours.lines[0], false);
		free(theirs.lines[0]);
		free(ours.lines[0]);
		memmove(theirs.lines, theirs.lines + 1, --theirs.count * sizeof(char *));
		memmove(ours.lines, ours.lines + 1, --ours.count * sizeof(char *));
	}
	compare_lines(following, &theirs, &ours, false);
	texts_lines_deinit(&theirs);
	texts_lines_deinit(&ours);
	return failed ? -ENOMEM : 0;
}

/* ---- deleting ---- */

/* What the machine has tried to delete, in its order. */
static void delete_all(struct following *following, uint32_t index)
{
	struct kc_record_group group = kc_records_of(&following->records, index);
	const struct kc_record *record;
	size_t at = 0;

	while ((record = kc_records_next(group, RECORD_UNLOAD, &at))) {
		size_t len = record->bytes.len - sizeof(int32_t);
		char name[TEXTS_NAME], place[2 * TEXTS_NAME];
		int err;

		snprintf(name, sizeof(name), "%.*s", (int)len,
			 (const char *)record->bytes.data + sizeof(int32_t));
		snprintf(place, sizeof(place), "delete/%s", name);
		err = kocoon_delete_module(following->subject.kocoon, name, O_NONBLOCK);
		texts_compare(following->report, TEXTS_UNLOAD, place,
			      errno_text(kc_record_errno(record)), errno_text(err));
	}
}

/* ---- the list ---- */

/* The machine's kernel is tainted by its helper module: so is this one, from the start. */
static void start_tainted(struct following *following, uint32_t index)
{
	const struct kc_record *record =
		kc_records_first(kc_records_of(&following->records, index), RECORD_VIEW);
	char line[LINE];
	uint64_t taints;

	if (!record)
		return;
	snprintf(line, sizeof(line), "%.*s", (int)record->bytes.len,
		 (const char *)record->bytes.data);
	taints = strtoull(strrchr(line, '\t') ? strrchr(line, '\t') : "", NULL, 10);
	for (unsigned int bit = 0; bit < 64; bit++)
		if (taints >> bit & 1)
			kocoon_add_taint(following->subject.kocoon, bit);
}

static int follow_line(struct following *following, uint32_t index, char *line)
{
	const char *first = strsep(&line, "\t"), *second = line ? strsep(&line, "\t") : "";
	const char *third = line ? strsep(&line, "\t") : "";
	bool user = !strcmp(third, "user");
	int err;

	if (!strcmp(first, "!show")) {
		if (!following->places.count)
			start_tainted(following, index);
		return show(following, index, second, user);
	}
	if (!strcmp(first, "!symbols"))
		return texts_compare_symbols(&following->places,
					     kc_records_of(&following->records, index),
					     following->subject.kocoon, user, following->report);
	if (!strcmp(first, "!delete-all")) {
		delete_all(following, index);
		return 0;
	}
	if (*first == '!')
		return -ENOTSUP;
	err = load(following, index, first, third);
	return err || !*following->subject.newest ? err : show_loaded(following, index);
}

static int follow(struct following *following, const char *list)
{
	FILE *file = fopen(list, "re");
	char *line = NULL;
	size_t size = 0;
	uint32_t index = 0;
	int err = file ? 0 : -errno;

	while (!err && getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (*line)
			err = follow_line(following, index++, line);
	}
	free(line);
	if (file)
		fclose(file);
	return err;
}

/* ---- the program ---- */

static bool read_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "explained", required_argument, NULL, 'e' },
		{ "json", required_argument, NULL, 'j' },
		{ "tap", no_argument, NULL, 't' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		if (option == 'e')
			options->explained = optarg;
		else if (option == 'j')
			options->json = optarg;
		else if (option == 't')
			options->tap = true;
		else
			return false;
	}
	return argc - optind == 3;
}

static int run(struct following *following, const struct options *options, char **arguments)
{
	int err = texts_report_new(options->explained, options->json, &following->report);

	if (!err)
		err = kc_records_open(arguments[2], &following->records, NULL);
	if (!err)
		err = following->records.complete ? 0 : -EBADMSG;
	if (!err)
		err = texts_places_init(&following->places, following->records.group_count);
	if (!err)
		err = texts_subject_init(&following->subject, arguments[0], &following->records);
	return err ? err : follow(following, arguments[1]);
}

int main(int argc, char **argv)
{
	struct following following = { 0 };
	struct options options = { 0 };
	bool good = false;
	int err;

	if (!read_options(argc, argv, &options)) {
		fprintf(stderr, "usage: texts [OPTION...] IMAGE LIST RECORDS\n");
		return 2;
	}
	err = run(&following, &options, argv + optind);
	if (err)
		fprintf(stderr, "texts: %s\n", strerror(-err));
	else
		good = texts_report_print(following.report, options.tap);
	texts_subject_deinit(&following.subject);
	texts_places_deinit(&following.places);
	kc_records_close(&following.records);
	texts_report_free(following.report);
	return err ? 2 : !good;
}
