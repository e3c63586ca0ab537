/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Architectures, and the guide to adding one.
 *
 * An architecture is one `struct kc_arch` in a folder of its own, named in the table of arch.c:
 *
 *  - `machine`: the ELF machine number that the kernel's elf_check_arch() takes.
 *  - `module_base`, `module_space`: where the kernel places modules, and how much room it has.
 *  - `image_base`: an address such as the kernel's temporary copy of the file has while it is
 *    loaded. Symbols of sections that are not kept point there; a relocation against one mostly
 *    overflows.
 *  - `apply_relocate_add`: the kernel's function of that name (arch/.../kernel/module.c): every
 *    type that it accepts, its range checks and its errno. It writes to `target` only, never
 *    outside; what the kernel would not notice and then write wildly is refused. It is called once
 *    a SHT_RELA section; nothing is kept between calls.
 *  - `relocation_name`: the psABI's name of a type.
 */
#ifndef KC_ARCH_ARCH_H
#define KC_ARCH_ARCH_H

#include <elf.h>

#include "base/span.h"

enum kc_relocation_fault {
	KC_RELOCATION_OK,
	KC_RELOCATION_TYPE, /* not one that the kernel's loader knows */
	KC_RELOCATION_OVERFLOW, /* the value does not fit */
	KC_RELOCATION_NONZERO, /* the place was not zero before */
	KC_RELOCATION_PLACE, /* outside of the section; Linux does not look */
	KC_RELOCATION_SYMBOL, /* outside of the symbol table; Linux does not look */
};

/* The types that are counted one by one; others share the last row. */
#define KC_RELOCATION_TYPES 64

struct kc_relocations {
	struct kc_span entries; /* the table of Elf64_Rela */
	struct kc_span symbols; /* the table of Elf64_Sym, values final */
	uint8_t *target; /* the section's bytes in memory */
	uint64_t target_len;
	uint64_t target_address; /* where the module will see the first of them */
	/* Results. */
	uint64_t applied;
	uint64_t counts[KC_RELOCATION_TYPES];
	enum kc_relocation_fault fault;
	Elf64_Rela at; /* the entry at fault, and its index, value and what stood in its place */
	uint64_t at_index;
	uint64_t value;
	uint64_t existing;
};

struct kc_arch {
	const char *name;
	uint16_t machine;
	uint64_t module_base;
	uint64_t module_space;
	uint64_t image_base;
	/* 0, or -ENOEXEC with `fault` and what belongs to it set. */
	int (*apply_relocate_add)(struct kc_relocations *relocations);
	/* NULL: no such type. */
	const char *(*relocation_name)(uint32_t type);
};

/* NULL: an architecture that kocoon doesn't know. */
const struct kc_arch *kc_arch_find(const char *name);

#endif
