/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module's symbols by address, in the two tables that kc_add_kallsyms() writes into its memory:
 * what find_kallsyms_symbol() of kernel/module/kallsyms.c looks for.
 *
 * Differs from Linux: the kernel looks at every symbol for every question. Here addresses can be
 * put in order once, and then a question costs the logarithm of their number.
 */
#ifndef KC_MODULE_SYMBOL_TABLE_H
#define KC_MODULE_SYMBOL_TABLE_H

#include <elf.h>

#include "base/span.h"

/* One of the two tables of struct mod_kallsyms: spans of the module's memory. */
struct kc_mod_kallsyms {
	const uint8_t *symtab; /* Elf64_Sym, `count` of them */
	uint32_t count;
	struct kc_span strtab;
	const uint8_t *typetab; /* one letter a symbol */
};

Elf64_Sym kc_table_symbol(const struct kc_mod_kallsyms *table, uint32_t index);
/* Never NULL: a name that isn't in the table is none. */
const char *kc_table_symbol_name(const struct kc_mod_kallsyms *table, const Elf64_Sym *symbol);

/* The addresses of a table in order. */
struct kc_symbol_places;

/* NULL: no memory. */
struct kc_symbol_places *kc_symbol_places_new(const struct kc_mod_kallsyms *table);
void kc_symbol_places_free(struct kc_symbol_places *places);

struct kc_symbol_match {
	uint32_t symbol; /* entry of the table; 0: none */
	uint64_t value;
	uint64_t next; /* value of the next greater symbol, or the bound that was given */
};

/*
 * The symbol that an address belongs to. `end` bounds what belongs to the last one. `places` are
 * the table's, or NULL: then it is walked.
 */
struct kc_symbol_match kc_match_symbol(const struct kc_mod_kallsyms *table,
				       const struct kc_symbol_places *places, uint64_t address,
				       uint64_t end);

#endif
