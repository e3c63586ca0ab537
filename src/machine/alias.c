/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Aliases, as modprobe looks them up: "alias PATTERN MODULE" lines of modules.alias. */
#include "machine/alias.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"
#include "module/tree.h"

#define ALIASES_MAX (UINT64_C(256) << 20)

/* '-' becomes '_' but in brackets, where it is a range. */
static void normalise(char *text)
{
	bool inside = false;

	for (; *text; text++) {
		if (*text == '[' || *text == ']')
			inside = *text == '[';
		else if (*text == '-' && !inside)
			*text = '_';
	}
}

static int try_line(char *line, const char *name, kc_alias_fn *module_fn, void *context)
{
	char *rest, *pattern, *module;

	if (strncmp(line, "alias ", 6) != 0)
		return 0;
	pattern = strtok_r(line + 6, " \t", &rest);
	module = pattern ? strtok_r(NULL, " \t", &rest) : NULL;
	if (!module)
		return 0;
	normalise(pattern);
	return fnmatch(pattern, name, 0) == 0 ? module_fn(context, module) : 0;
}

static int try_lines(char *text, const char *name, kc_alias_fn *module_fn, void *context)
{
	char *rest;
	int err = 0;

	for (char *line = strtok_r(text, "\n", &rest); line && !err;
	     line = strtok_r(NULL, "\n", &rest))
		err = try_line(line, name, module_fn, context);
	return err;
}

int kc_each_alias(const struct kocoon_tree *tree, const char *name, kc_alias_fn *module_fn,
		  void *context)
{
	struct kc_buffer text = { 0 };
	char *path = NULL, *own = strdup(name);
	int err = 0;

	if (own && asprintf(&path, "%s/modules.alias", tree->folder) < 0)
		path = NULL;
	/* Where it can't be read, there are no aliases. */
	if (path && !kc_read_file(path, ALIASES_MAX, &text, NULL) &&
	    !kc_buffer_append(&text, "", 1)) {
		normalise(own);
		err = try_lines((char *)text.data, own, module_fn, context);
	}
	kc_buffer_deinit(&text);
	free(path);
	free(own);
	return err;
}
