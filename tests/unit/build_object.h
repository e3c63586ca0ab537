/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modules section by section and symbol by symbol, as no compiler would make them, and what the
 * pipeline makes of them: up to post_relocation() and, as in live space, to struct module.
 */
#ifndef KC_TESTS_BUILD_OBJECT_H
#define KC_TESTS_BUILD_OBJECT_H

#include "module/load.h"

struct object_section {
	const char *name;
	uint32_t type;
	uint64_t flags;
	const void *bytes; /* NULL: zeros */
	size_t size;
};

struct object_symbol {
	const char *name; /* NULL: `raw_name` */
	unsigned char bind, type;
	uint16_t section; /* from 1: of the recipe's; or a reserved index */
	uint64_t value;
	uint32_t raw_name; /* st_name */
};

struct object_recipe {
	const struct object_section *sections;
	size_t section_count;
	const struct object_symbol *symbols; /* behind the first, empty one */
	size_t symbol_count;
	const Elf64_Rela *relocations; /* of struct module */
	size_t relocation_count;
	size_t module_size; /* 0: as the kernel's */
	const char *modinfo; /* one more "tag=value", or NULL */
};

/* A load and what it borrows from. */
struct linked {
	struct kc_buffer file;
	struct kocoon_policy policy;
	struct kocoon_report *report;
	struct kc_load load;
};

enum { OBJECT_PERCPU = 0x21000 }; /* where per-CPU data is put */

#define OBJECT_BASE UINT64_C(0xffffffffc0000000)

/* To be freed with kc_buffer_deinit(). */
struct kc_buffer build_object(const struct kocoon_kernel *kernel,
			      const struct object_recipe *recipe);
/*
 * Prepares a load of the bytes, which become the load's, and links it. What a kernel would refuse
 * of its signature or versions doesn't end it. 0, or -errno of what does.
 */
int link_bytes(const struct kocoon_kernel *kernel, struct kc_buffer file, struct linked *linked);
/* The same for a recipe, which has to be accepted. */
void link_object(const struct kocoon_kernel *kernel, const struct object_recipe *recipe,
		 struct linked *linked);
/* The same for a stock module: the file of this kind that matches the pattern. */
void link_stock(const struct kocoon_kernel *kernel, const char *kind, const char *pattern,
		struct linked *linked);
void free_linked(struct linked *linked);

#endif
