/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What layout.c, which measures the core symbol table, shares with kallsyms.c, which writes it. */
#ifndef KC_MODULE_KALLSYMS_H
#define KC_MODULE_KALLSYMS_H

#include "module/load.h"

/* is_core_symbol(): whether a symbol outlives init; as it stands in the file, after layout. */
bool kc_is_core_symbol(const struct kc_load *load, const Elf64_Sym *symbol);

/* Whether entry `index` of the symbol table is in the core table too. */
static inline bool kc_keeps_symbol(const struct kc_load *load, uint64_t index,
				   const Elf64_Sym *symbol)
{
	return index == 0 || load->livepatch || kc_is_core_symbol(load, symbol);
}

#endif
