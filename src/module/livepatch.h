/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Relocation sections of livepatch modules: whom they are for, and the symbols that they are about
 * (klp_write_section_relocs(), klp_resolve_symbols() of kernel/livepatch/core.c). Sections for
 * vmlinux are applied by relocate.c, those for modules by live/livepatch.c, when both are there.
 */
#ifndef KC_MODULE_LIVEPATCH_H
#define KC_MODULE_LIVEPATCH_H

#include "module/load.h"

enum {
	KC_KLP_OBJECT_SIZE = 56, /* MODULE_NAME_LEN */
	KC_KLP_FAULT_SIZE = 700,
};

/* The object of ".klp.rela.OBJECT.SECTION". False: the name has another form. */
bool kc_klp_section_object(const char *section, char object_ret[KC_KLP_OBJECT_SIZE]);

/*
 * The symbol of a name in an object: with position 0 the only one, else the n-th, from 1.
 * False: there is none, or several for position 0.
 */
typedef bool kc_klp_find_fn(void *context, const char *object, const char *name, uint64_t position,
			    uint64_t *address_ret);

struct kc_klp_resolution {
	struct kc_span entries; /* Elf64_Rela, of a section for `object` */
	const char *object;
	uint8_t *symbols; /* Elf64_Sym; values are written */
	uint64_t symbol_count;
	struct kc_span strtab;
	kc_klp_find_fn *find;
	void *context;
	char fault[KC_KLP_FAULT_SIZE]; /* Result: what is wrong */
};

/* Values for all symbols that the entries are about: 0, or -EINVAL with `fault` set. */
int kc_klp_resolve_symbols(struct kc_klp_resolution *resolution);

#endif
