/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernels in the cache; see place.h. */
#include "place.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool cache_folder(char folder[2048])
{
	static const struct {
		const char *variable, *below;
	} places[] = { { "KOCOON_CACHE", "" },
		       { "XDG_CACHE_HOME", "/kocoon" },
		       { "HOME", "/.cache/kocoon" } };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *value = getenv(places[i].variable);

		if (!value || !*value)
			continue;
		snprintf(folder, 2048, "%s%s", value, places[i].below);
		return true;
	}
	return false;
}

static bool one_match(const char *folder, const char *pattern, char path[4096])
{
	char whole[4096];
	glob_t found;
	bool one;

	snprintf(whole, sizeof(whole), "%s/%s", folder, pattern);
	one = !glob(whole, 0, NULL, &found) && found.gl_pathc == 1;
	if (one)
		snprintf(path, 4096, "%s", found.gl_pathv[0]);
	globfree(&found);
	return one;
}

/* The whole of a text file, or NULL. */
static char *read_text(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

bool place_find(struct place *place, const char *kind)
{
	char cache[2048], folder[3072], path[4096], *config;

	if (!cache_folder(cache))
		return false;
	snprintf(folder, sizeof(folder), "%s/kernels/by-kind/%s", cache, kind);
	if (!one_match(folder, "boot/vmlinuz-*", place->vmlinuz) ||
	    !one_match(folder, "lib/modules/*", place->modules) ||
	    !one_match(folder, "boot/config-*", path)) {
		fprintf(stderr, "no kernel in %s: run scripts/fetch-kernel %s\n", folder, kind);
		return false;
	}
	config = read_text(path);
	place->decompresses = config && strstr(config, "\nCONFIG_MODULE_DECOMPRESS=y\n");
	free(config);
	one_match(place->modules, "modules.dep", path);
	place->dependencies = read_text(path);
	if (!place->dependencies)
		fprintf(stderr, "no modules.dep in %s: run scripts/fetch-kernel %s\n",
			place->modules, kind);
	return place->dependencies != NULL;
}

void place_deinit(struct place *place)
{
	free(place->dependencies);
	place->dependencies = NULL;
}

static bool named(const char *path, size_t len, const char *module)
{
	const char *name = memrchr(path, '/', len);

	name = name ? name + 1 : path;
	for (; *module; name++, module++) {
		bool equal = *name == *module || (strchr("-_", *name) && strchr("-_", *module));

		if (!*name || !equal)
			return false;
	}
	return !strncmp(name, ".ko", 3);
}

bool place_module(const struct place *place, const char *module, char path[4096])
{
	for (const char *line = place->dependencies; *line;) {
		size_t len = strcspn(line, ":\n");

		if (named(line, len, module))
			return snprintf(path, 4096, "%s/%.*s", place->modules, (int)len, line) <
			       4096;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return false;
}

bool place_takes(const struct place *place, const struct corpus_case *test)
{
	return place->decompresses || !(test->flags & NEW_ONLY);
}
