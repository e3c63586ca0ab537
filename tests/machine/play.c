/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * play KERNEL FOLDER CACHE: has one machine do what standard input says, a line each, with tabs
 * between, and prints what it says.
 *
 *	load PATH [ARGUMENTS]	"load ERRNO", "load oops"
 *	unload NAME		the same; *: all that can go, newest first, without a word
 *	read PATH [TEXT]	"read ERRNO"; the lines of the file that hold TEXT, each behind "| "
 *
 * Lines of the machine's log come as they are said, behind "> ". KERNEL is a kernel's image, FOLDER
 * its tree of modules, CACHE keeps what has booted.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kocoon/machine.h"

static void print_line(void *context, int level, uint64_t usec, const char *text, size_t len)
{
	(void)context;
	(void)level;
	(void)usec;
	printf("> %.*s\n", (int)len, text);
}

static void print_result(const char *what, int err, const struct kocoon_machine_result *result)
{
	if (err)
		printf("%s died\n", what);
	else
		printf("%s %s\n", what,
		       result->oops  ? "oops"
		       : result->err ? kocoon_errno_name(result->err)
				     : "0");
}

/* Whether one has gone. */
static bool unload_some(struct kocoon_machine *machine)
{
	bool gone = false;
	size_t index = 0;

	while (kocoon_machine_loaded(machine, index))
		index++;
	while (index) {
		struct kocoon_machine_result result = { 0 };
		const char *name = kocoon_machine_loaded(machine, --index);
		int err = kocoon_machine_remove(machine, name, &result);

		gone |= !err && !result.err;
	}
	return gone;
}

static void print_file(struct kocoon_machine *machine, const char *path, const char *wanted)
{
	char *text = NULL, *rest = NULL;
	size_t len;
	int err = kocoon_machine_read(machine, path, &text, &len);

	printf("read %s\n", err ? kocoon_errno_name(err) : "0");
	for (char *line = err ? NULL : strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		if (!wanted || strstr(line, wanted))
			printf("| %s\n", line);
	free(text);
}

static int play(struct kocoon_machine *machine)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		struct kocoon_machine_result result = { 0 };
		char *rest = NULL, *what, *first, *second;
		int err;

		line[strcspn(line, "\n")] = 0;
		what = strtok_r(line, "\t", &rest);
		first = what ? strtok_r(NULL, "\t", &rest) : NULL;
		second = first ? strtok_r(NULL, "\t", &rest) : NULL;
		if (!first)
			return fprintf(stderr, "play: nothing to do\n"), 2;
		if (!strcmp(what, "read")) {
			print_file(machine, first, second);
			continue;
		}
		if (!strcmp(first, "*")) {
			while (unload_some(machine))
				;
			continue;
		}
		err = !strcmp(what, "load") ? kocoon_machine_insert(machine, first, second, &result)
					    : kocoon_machine_remove(machine, first, &result);
		print_result(what, err, &result);
	}
	free(line);
	if (kocoon_machine_end(machine))
		printf("end %s\n", kocoon_machine_end(machine));
	return 0;
}

int main(int argc, char **argv)
{
	struct kocoon_machine_options options = { .size = sizeof(options) };
	struct kocoon_report *report = kocoon_report_new();
	struct kocoon_kernel *kernel = NULL;
	struct kocoon_tree *tree = NULL;
	struct kocoon_booted *booted = NULL;
	struct kocoon_machine *machine = NULL;
	int status = 2;

	if (argc != 4)
		return fprintf(stderr, "usage: play KERNEL FOLDER CACHE\n"), 2;
	options.cache = argv[3];
	if (!report || kocoon_kernel_open(argv[1], NULL, report, &kernel) ||
	    kocoon_tree_open(argv[2], report, &tree))
		return fprintf(stderr, "play: %s, %s: can't be opened\n", argv[1], argv[2]), 2;
	options.tree = tree;
	if (!kocoon_machine_boot(kernel, &options, report, &booted) &&
	    !kocoon_machine_start(booted, print_line, NULL, &machine))
		status = play(machine);
	else
		fprintf(stderr, "play: no machine\n");
	kocoon_machine_free(machine);
	kocoon_booted_free(booted);
	kocoon_tree_free(tree);
	kocoon_kernel_free(kernel);
	kocoon_report_free(report);
	return status;
}
