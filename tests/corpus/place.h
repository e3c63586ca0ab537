/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a kernel lies in the cache, and its stock modules. */
#ifndef CORPUS_PLACE_H
#define CORPUS_PLACE_H

#include "cases.h"

struct place {
	char vmlinuz[4096];
	char modules[4096]; /* .../lib/modules/RELEASE */
	bool decompresses; /* the kernel unpacks modules itself */
	char *dependencies; /* owned: the text of modules.dep */
};

/* Finds KIND in $KOCOON_CACHE, $XDG_CACHE_HOME/kocoon or ~/.cache/kocoon. False: it is not there,
 * and a message says what to do. */
bool place_find(struct place *place, const char *kind);
void place_deinit(struct place *place);
/* The path of a stock module; '-' and '_' are equal. False: there is none. */
bool place_module(const struct place *place, const char *module, char path[4096]);
/* Whether a case is one for this kernel. */
bool place_takes(const struct place *place, const struct corpus_case *test);

#endif
