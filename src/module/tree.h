/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A folder of modules: what dependencies are looked for in. Listing reads no module. What depmod
 * wrote beside them (modules.dep, modules.symbols) is a hint: it says which modules to look at
 * first, never what is true of them. Read-only once open, but for the symbol hint, which is read at
 * the first question: one thread then.
 */
#ifndef KC_MODULE_TREE_H
#define KC_MODULE_TREE_H

#include "base/hash.h"
#include "base/span.h"
#include "kocoon/kocoon.h"

struct kc_tree_module {
	char *path; /* owned */
	char *name; /* owned; '-' is '_' */
	uint32_t *depends; /* owned: indices of modules, from modules.dep; NULL: none known */
	uint32_t depend_count;
};

struct kocoon_tree {
	char *folder; /* owned */
	struct kc_tree_module *modules; /* owned, by path */
	uint32_t count;
	struct kc_index by_name;
	bool has_depends; /* modules.dep was there */
};

/*
 * The module's name as its file is named: "snd-pcm.ko.xz" is snd_pcm. To be freed; NULL: no memory.
 */
char *kc_tree_module_name(const char *path);

/* KC_INDEX_NONE: there is none of this name ('_' spelling). */
uint32_t kc_tree_find(const struct kocoon_tree *tree, const char *name);

/*
 * Indices in an order in which dependencies come first, as far as the hints tell. `order_ret` has
 * room for all. 0 or -ENOMEM.
 */
KC_MUST_CHECK int kc_tree_order(const struct kocoon_tree *tree, uint32_t *order_ret);

/* modules.symbols: which module exports a symbol, as depmod saw it. */
struct kc_tree_symbols;
/* NULL: no hint, or no memory. */
struct kc_tree_symbols *kc_tree_symbols_open(const struct kocoon_tree *tree);
void kc_tree_symbols_free(struct kc_tree_symbols *symbols);
/* KC_INDEX_NONE: not known. */
uint32_t kc_tree_symbol(const struct kc_tree_symbols *symbols, const char *name, uint32_t hash);

#endif
