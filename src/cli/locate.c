// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where kernels and module trees are. See locate.h.
 */
#include "cli/locate.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/text.h"

bool locate_is_folder(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool locate_is_file(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static char *cache_folder(const char *folder)
{
	const char *cache = environment("KOCOON_CACHE");
	const char *user_cache = environment("XDG_CACHE_HOME");
	const char *home = environment("HOME");

	if (cache)
		return cli_format("%s/%s", cache, folder);
	if (user_cache)
		return cli_format("%s/kocoon/%s", user_cache, folder);
	return cli_format("%s/.cache/kocoon/%s", home ? home : "", folder);
}

char *locate_cache(void)
{
	return cache_folder("kernels");
}

char *locate_images(void)
{
	return cache_folder("images");
}

char *locate_machines(void)
{
	return cache_folder("machines");
}

/* Takes `path` over: it comes back when a readable file is there, and is freed otherwise. */
static char *if_readable(char *path)
{
	if (locate_is_file(path) && access(path, R_OK) == 0)
		return path;
	free(path);
	return NULL;
}

static char *cached_image(const char *cache, const char *release)
{
	return if_readable(cli_format("%s/%s/boot/vmlinuz-%s", cache, release, release));
}

/* by-kind/KIND is a link to the folder of a release, whose name the image bears. */
static char *cached_kind(const char *cache, const char *kind)
{
	char target[PATH_MAX];
	char *link = cli_format("%s/by-kind/%s", cache, kind);
	char *folder = realpath(link, target);

	free(link);
	if (!folder)
		return NULL;
	return if_readable(cli_format("%s/boot/vmlinuz-%s", folder, basename(folder)));
}

char *locate_release(const char *release)
{
	char *cache = locate_cache();
	char *path = if_readable(cli_format("/boot/vmlinuz-%s", release));

	if (!path)
		path = if_readable(cli_format("/lib/modules/%s/vmlinuz", release));
	if (!path)
		path = cached_image(cache, release);
	if (!path)
		path = cached_kind(cache, release);
	free(cache);
	return path;
}

static char *newest_cached(const char *cache)
{
	struct dirent **releases = NULL;
	int count = scandir(cache, &releases, NULL, versionsort);
	char *newest = NULL;

	for (int i = count - 1; i >= 0; i--) {
		if (!newest)
			newest = cached_image(cache, releases[i]->d_name);
		free(releases[i]);
	}
	free(releases);
	return newest;
}

static char *running_image(void)
{
	struct utsname name;

	if (uname(&name) != 0)
		return NULL;
	char *path = if_readable(cli_format("/boot/vmlinuz-%s", name.release));
	if (path)
		return path;
	return if_readable(cli_format("/lib/modules/%s/vmlinuz", name.release));
}

char *locate_default(void)
{
	char *path = running_image();

	if (path)
		return path;
	char *cache = locate_cache();
	path = newest_cached(cache);
	free(cache);
	return path;
}

/* Takes `path` over: it comes back without links and ".." when a folder is there. */
static char *if_folder(char *path)
{
	char *folder = locate_is_folder(path) ? realpath(path, NULL) : NULL;

	free(path);
	return folder;
}

char *locate_tree(const char *image, const char *release)
{
	const char *slash = image ? strrchr(image, '/') : NULL;
	int length = slash ? (int)(slash - image) : 1;
	const char *folder = slash ? image : ".";
	char *path = NULL;

	if (image && *release)
		path = if_folder(cli_format("%.*s/../lib/modules/%s", length, folder, release));
	if (!path && image && *release)
		path = if_folder(cli_format("%.*s/../usr/lib/modules/%s", length, folder, release));
	/* /lib/modules/RELEASE/vmlinuz: the image stands in the tree. */
	if (!path && image) {
		char *own = if_folder(cli_format("%.*s/kernel", length, folder));

		path = own ? cli_format("%.*s", length, folder) : NULL;
		free(own);
	}
	if (!path && *release)
		path = if_folder(cli_format("/lib/modules/%s", release));
	return path;
}

char *locate_debug(const char *tree)
{
	return tree ? if_folder(cli_format("%s/../../../usr/lib/debug", tree)) : NULL;
}
