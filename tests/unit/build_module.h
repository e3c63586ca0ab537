/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Builds small modules: a name, what it exports, what it imports. Unsigned, no versions. */
#ifndef KC_TESTS_BUILD_MODULE_H
#define KC_TESTS_BUILD_MODULE_H

#include <stddef.h>

#include "kocoon/kocoon.h"

struct module_recipe {
	const char *name;
	const char *const *exports; /* ended by NULL; NULL: none */
	const char *const *imports; /* ended by NULL; a leading '?' makes one weak */
	const char *modinfo; /* further "tag=value" text, or NULL */
};

/* Writes FOLDER/NAME.ko, for a kernel whose vermagic and struct module it takes over. */
void build_module(const struct kocoon_kernel *kernel, const char *folder,
		  const struct module_recipe *recipe);
/* The same under another file name. */
void build_module_as(const struct kocoon_kernel *kernel, const char *path,
		     const struct module_recipe *recipe);

/* The stock kernel of this kind in the cache; the test fails where there is none. */
struct kocoon_kernel *open_stock_kernel(const char *kind);
/* "CACHE/kernels/by-kind/KIND/lib/modules/RELEASE", to be freed. */
char *stock_tree(const char *kind);
/* The file of this kind that matches the pattern, such as "boot/config-*"; to be freed. */
char *stock_file(const char *kind, const char *pattern);

#endif
