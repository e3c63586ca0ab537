/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where kernels and module trees are. Pure look-ups in the file system: nothing is opened.
 */
#ifndef CLI_LOCATE_H
#define CLI_LOCATE_H

#include <stdbool.h>

/* $KOCOON_CACHE, or where it is by default, and "/kernels" behind it; to be freed. */
char *locate_cache(void);
/* The same for kernels that were unpacked: "/images"; and that have booted: "/machines". */
char *locate_images(void);
char *locate_machines(void);

/*
 * The image of a release ("6.12.117+deb12-amd64") or of a kind ("6.12-amd64", as
 * scripts/fetch-kernel names them); to be freed. NULL: nowhere.
 */
char *locate_release(const char *release);

/* $KOCOON_KERNEL, which may be a file or a release, is the caller's affair. This is what comes
 * behind: the running kernel's image, if it is readable, or else the newest in the cache. */
char *locate_default(void);

/* The tree of a kernel by where its image is, or under /lib/modules; to be freed. NULL: nowhere. */
char *locate_tree(const char *image, const char *release);

/* Debug information beside a tree, as /usr/lib/debug is; to be freed. NULL: none; or no tree. */
char *locate_debug(const char *tree);

bool locate_is_folder(const char *path);
bool locate_is_file(const char *path);

#endif
