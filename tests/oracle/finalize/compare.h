/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* struct module and symbol tables in the module's memory, beside those of the real kernel. */
#ifndef KC_ORACLE_COMPARE_H
#define KC_ORACLE_COMPARE_H

#include "module/load.h"

/* Fills in what in link space stays as it was linked: struct module, as for a COMING module. */
void fill_struct_module(struct kc_load *load);
/*
 * How many members or symbols differ, which are shown; `name` is that of a dumped section. `bytes`
 * grows by what was compared. 0 for sections that are others' business.
 */
size_t compare_tables(const struct kc_load *load, const char *name, uint64_t address,
		      struct kc_span real, size_t *bytes);
/* Whether a dumped section is for compare_tables(). */
bool is_table(const char *name);

#endif
