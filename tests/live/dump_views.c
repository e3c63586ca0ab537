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
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supplies.h"

enum { PATH_LEN = 1024 };

struct dump {
	struct kocoon *kocoon;
	const char *path;
	bool user;
};

static void print_bytes(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		printf(byte >= 32 && byte < 127 && byte != '\\' ? "%c" : "\\%02x", byte);
	}
}

/* Permissions are told, not enforced: opening a file is up to us. */
static void print_contents(const struct dump *dump, const char *path, unsigned int mode)
{
	const struct kocoon_reader reader = { .show_addresses = !dump->user };
	char *data;
	size_t len;
	int err = mode & (dump->user ? 0004 : 0444) ? 0 : -EACCES;

	if (!err)
		err = kocoon_view_read(dump->kocoon, path, &reader, &data, &len);
	if (err) {
		printf("!%d", -err);
		return;
	}
	print_bytes(data, len);
	free(data);
}

static void print_target(const struct dump *dump, const char *path)
{
	char *target;
	int err = kocoon_view_readlink(dump->kocoon, path, &target);

	if (err) {
		printf("!%d", -err);
		return;
	}
	printf("%s", target);
	free(target);
}

static void show(const struct dump *dump, const struct kocoon_view *view);

static int show_below(void *context, const char *name, const struct kocoon_view *view)
{
	const struct dump *folder = context;
	char path[PATH_LEN];
	const struct dump below = { folder->kocoon, path, folder->user };
	struct kocoon_view again;

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	if (kocoon_view_stat(folder->kocoon, path, &again) || again.kind != view->kind ||
	    again.mode != view->mode || again.size != view->size)
		printf("%s: listed otherwise than it is\n", path);
	show(&below, view);
	return 0;
}

static void show(const struct dump *dump, const struct kocoon_view *view)
{
	static const char kinds[] = {
		[KOCOON_VIEW_FOLDER] = 'd', [KOCOON_VIEW_FILE] = 'f', [KOCOON_VIEW_LINK] = 'l'
	};
	struct dump here = *dump;

	printf("%s\t%c\t%04o\t%llu\t", dump->path, kinds[view->kind], view->mode,
	       (unsigned long long)view->size);
	if (view->kind == KOCOON_VIEW_FILE)
		print_contents(dump, dump->path, view->mode);
	else if (view->kind == KOCOON_VIEW_LINK)
		print_target(dump, dump->path);
	printf("\n");
	if (view->kind == KOCOON_VIEW_FOLDER)
		kocoon_view_list(dump->kocoon, dump->path, show_below, &here);
}

static void show_symbols(const struct dump *dump, const char *module)
{
	const struct kocoon_reader reader = { .show_addresses = !dump->user };
	char end[128], *text, *rest, *line;
	size_t len;

	if (kocoon_view_read(dump->kocoon, "/proc/kallsyms", &reader, &text, &len))
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
	const struct dump dump = { kocoon, what, strcmp(argument, "user") == 0 };
	struct kocoon_view view;
	int err;

	if (strcmp(verb, "load") == 0) {
		err = live_load(kocoon, what, argument);
		if (err) {
			fprintf(stderr, "%s can't be loaded: %s\n", what, strerror(-err));
			exit(2);
		}
	} else if (strcmp(verb, "show") == 0) {
		err = kocoon_view_stat(kocoon, what, &view);
		if (err)
			printf("%s\t-\t0\t0\t!%d\n", what, -err);
		else
			show(&dump, &view);
	} else if (strcmp(verb, "symbols") == 0) {
		show_symbols(&dump, what);
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
