/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dump-views VERB WHAT ARGUMENT...
 *
 * Loads modules of tests/modules and writes down what the subsystem shows, as tests/oracle/init.c
 * does of a real kernel: for tests/oracle/views, which compares the two.
 *
 *	load MODULE ARGUMENTS	what can't be loaded ends the program
 *	show PATH root|user	a line an entry: PATH KIND MODE SIZE TEXT
 *	symbols MODULE root|user
 *				the module's lines of /proc/kallsyms
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supplies.h"
#include "texts.h"

static void show(struct kocoon *kocoon, const char *path, bool user)
{
	struct texts_lines lines = { 0 };

	texts_lines_show(&lines, kocoon, path, user);
	if (lines.failed)
		exit(2);
	for (size_t i = 0; i < lines.count; i++)
		printf("%s\n", lines.lines[i]);
	texts_lines_deinit(&lines);
}

static void show_symbols(struct kocoon *kocoon, const char *module, bool user)
{
	const struct kocoon_reader reader = { .show_addresses = !user };
	char end[128], *text, *rest, *line;
	size_t len;

	if (kocoon_view_read(kocoon, "/proc/kallsyms", &reader, &text, &len))
		exit(2);
	snprintf(end, sizeof(end), "\t[%s]", module);
	for (rest = text; (line = strsep(&rest, "\n"));) {
		len = strlen(line);
		if (len > strlen(end) && strcmp(line + len - strlen(end), end) == 0)
			printf("%s\n", line);
	}
	free(text);
}

static void obey(struct kocoon *kocoon, const char *verb, const char *what, const char *argument)
{
	bool user = strcmp(argument, "user") == 0;
	int err;

	if (strcmp(verb, "load") == 0) {
		err = live_load(kocoon, what, argument);
		if (err) {
			fprintf(stderr, "%s can't be loaded: %s\n", what, strerror(-err));
			exit(2);
		}
	} else if (strcmp(verb, "show") == 0) {
		show(kocoon, what, user);
	} else if (strcmp(verb, "symbols") == 0) {
		show_symbols(kocoon, what, user);
	} else {
		fprintf(stderr, "no verb %s\n", verb);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct kocoon_kernel *kernel = live_kernel();
	struct kocoon *kocoon = live_new(kernel, NULL);

	if (!kernel || !kocoon)
		return 2;
	for (int i = 1; i + 2 < argc; i += 3)
		obey(kocoon, argv[i], argv[i + 1], argv[i + 2]);
	kocoon_free(kocoon);
	kocoon_kernel_free(kernel);
	return 0;
}
