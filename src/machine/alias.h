/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KC_MACHINE_ALIAS_H
#define KC_MACHINE_ALIAS_H

#include "base/span.h"
#include "kocoon/kocoon.h"

/* Not 0: no further module, and kc_each_alias() returns that value. */
typedef int kc_alias_fn(void *context, const char *module);

/*
 * Calls for each module that a tree's modules.alias has for a name, in its order; '-' and '_' are
 * equal. 0, or what the call returned; also where there is no such file.
 */
KC_MUST_CHECK int kc_each_alias(const struct kocoon_tree *tree, const char *name,
				kc_alias_fn *module_fn, void *context);

#endif
