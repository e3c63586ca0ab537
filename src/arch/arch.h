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
 *  - `relocation_name`, `relocation_width`: the psABI's name of a type, and the size of its place.
 *  - `cpu_host`, `cpu_find`: capabilities of a CPU, of this machine as user code may use it, or by
 *    name.
 *  - `finalize`: module_finalize() of arch/.../kernel/module.c: patches code for that CPU.
 */
#ifndef KC_ARCH_ARCH_H
#define KC_ARCH_ARCH_H

#include <elf.h>

#include "base/report.h"
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

/*
 * A CPU as alternatives ask for it: bit n of word w is the kernel's feature number w * 32 + n
 * (arch/x86/include/asm/cpufeatures.h).
 */
#define KC_CPU_WORDS 24

struct kc_cpu {
	uint32_t capabilities[KC_CPU_WORDS];
};

/* A part of the module's memory: where the module sees it, and its bytes to be written. */
struct kc_place {
	uint64_t address;
	uint8_t *bytes;
	uint64_t size;
};

/*
 * What finalizing needs of a module whose relocations have been applied. Everything that a table in
 * the module points to is looked up by `at`, which knows what is inside.
 */
struct kc_finalize {
	void *context;
	/* A section of this name that is in memory. False: there is none. */
	bool (*section)(void *context, const char *name, struct kc_place *place_ret);
	/* From `address` to the end of the module's region; false: not the module's. */
	bool (*at)(void *context, uint64_t address, struct kc_place *place_ret);
	/* Address of a kernel symbol (a thunk, for example); 0: not known. */
	uint64_t (*symbol)(void *context, const char *name);
	/* Bytes of the kernel's image at a link address, where there is an image. */
	bool (*kernel_bytes)(void *context, uint64_t address, uint64_t size,
			     struct kc_span *bytes_ret);
	/* Size of a structure of the kernel's, from its BTF; 0: not known. */
	uint32_t (*struct_size)(void *context, const char *name);
	const struct kc_cpu *cpu;
	bool smp; /* more than one CPU is or may be on line: lock prefixes stay */
	struct kocoon_report *report;
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
	/* Bytes that a type writes; -1: it is not accepted. */
	int (*relocation_width)(uint32_t type);
	/* This machine's, less what user code can't use (in live space); with what a kernel would
	 * set of its own for it. */
	void (*cpu_host)(struct kc_cpu *cpu_ret);
	/* -EINVAL: no such name, or a flag that is none ("qemu64,+erms"); the report lists them. */
	int (*cpu_find)(const char *name, struct kocoon_report *report, struct kc_cpu *cpu_ret);
	/* Whether it is one of several: lock prefixes stay. */
	bool (*cpu_is_smp)(const struct kc_cpu *cpu);
	/*
	 * 0, or -ENOEXEC with a finding of stage KOCOON_STAGE_FINALIZE: a table that points out of
	 * the module, or to what can't be patched. -ENOTSUP: what the CPU needs isn't supported.
	 */
	int (*finalize)(const struct kc_finalize *finalize);
	/* Sorts the exception table: sort_extable(). */
	void (*sort_extable)(const struct kc_finalize *finalize);
};

/* NULL: an architecture that kocoon doesn't know. */
const struct kc_arch *kc_arch_find(const char *name);

#endif
