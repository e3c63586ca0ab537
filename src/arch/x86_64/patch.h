/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files that patch a module's code share. Every one of them takes a table of the module,
 * a section, and changes what the table points to; each place is looked up through
 * kc_finalize.at() before a byte of it is read.
 *
 * A table that points out of the module, or to what can't be patched, is -ENOEXEC with a finding;
 * the kernel would warn, or write wildly.
 */
#ifndef KC_ARCH_X86_64_PATCH_H
#define KC_ARCH_X86_64_PATCH_H

#include "arch/arch.h"
#include "arch/x86_64/features.h"

enum {
	KC_OP_CALL = 0xe8,
	KC_OP_JMP = 0xe9,
	KC_OP_JMP_SHORT = 0xeb,
	KC_OP_RET = 0xc3,
	KC_OP_INT3 = 0xcc,
	KC_OP_NOP = 0x90,
	KC_BRANCH_SIZE = 5, /* of a call or a jump with 32 bits of displacement */
	KC_REGISTERS = 16,
};

/* What a kernel's patching is like: each is probed for; the comments name the evidence. */
struct kc_patch {
	const struct kc_finalize *to;
	/* Replacements are relocated instruction by instruction, nops of any form are merged: a
	 * symbol of that function; without an image, the size of struct alt_instr. */
	bool by_instruction;
	uint32_t alt_instr_size; /* BTF; without, what the module's table looks like */
	unsigned int nop_max; /* longest nop: the table x86_nops */
	uint32_t endbr_poison; /* what stands for a sealed endbr64: code of apply_seal_endbr */
	bool sorts_pairs; /* struct kc_sorting's `pairs`: code of sort_r */
	uint64_t return_thunk; /* __x86_return_thunk: what code was compiled to jump to */
	uint64_t thunks[KC_REGISTERS]; /* __x86_indirect_thunk_rax, ...; 0: not known */
};

bool kc_cpu_has(const struct kc_cpu *cpu, unsigned int feature);

/* The writable bytes at an address, at least `size`; NULL after a finding about `table`. */
uint8_t *kc_patch_at(const struct kc_patch *patch, const char *table, uint64_t address,
		     uint64_t size, struct kc_place *place_ret);
/* -ENOEXEC, and a finding about `table`. */
int kc_patch_refuse(const struct kc_patch *patch, const char *table, uint64_t address,
		    const char *what);
/* Address of a kernel symbol; 0: not known. */
uint64_t kc_patch_symbol(const struct kc_patch *patch, const char *name);
/* 8 bytes of the module, else of the kernel's image. */
bool kc_patch_read64(const struct kc_patch *patch, uint64_t address, uint64_t *value_ret);
bool kc_patch_read32(const struct kc_patch *patch, uint64_t address, uint32_t *value_ret);
/* Whether it is the module's. */
bool kc_patch_owns(const struct kc_patch *patch, uint64_t address);

/* Code that goes when the module's init is through; empty: there is none. */
struct kc_place kc_patch_init_code(const struct kc_patch *patch);

static inline bool kc_place_holds(const struct kc_place *place, uint64_t address)
{
	return address >= place->address && address - place->address < place->size;
}

/* Calls `apply` with each place that a table of self-relative 32-bit offsets points to. */
typedef int kc_site_fn(const struct kc_patch *patch, const char *table, uint64_t address,
		       const struct kc_place *place);
int kc_patch_sites(const struct kc_patch *patch, const char *table, kc_site_fn *apply);

/* A call or jump of 5 bytes that stands at `address`. */
void kc_write_branch(uint8_t *code, uint8_t opcode, uint64_t address, uint64_t target);
/* Where a branch of `length` bytes that ends with its displacement goes. */
uint64_t kc_branch_target(const uint8_t *code, uint64_t address, uint8_t length);

/* ---- nops.c */
/* One effective nop of this length: over nop_max, a jump behind int3s. */
void kc_write_nop(const struct kc_patch *patch, uint8_t *code, uint64_t len);
/* Nops one behind the other, each as long as can be. */
void kc_write_nops(const struct kc_patch *patch, uint8_t *code, uint64_t len);
/* optimize_nops(): as few nops as can be for those in `code`. */
void kc_optimize_nops(const struct kc_patch *patch, uint8_t *code, uint64_t len);

/* ---- the tables, in the order in which finalize.c applies them */
int kc_apply_paravirt(const struct kc_patch *patch); /* paravirt.c: .parainstructions */
int kc_apply_retpolines(const struct kc_patch *patch); /* thunk_sites.c: .retpoline_sites */
int kc_apply_returns(const struct kc_patch *patch); /* thunk_sites.c: .return_sites */
int kc_apply_alternatives(const struct kc_patch *patch); /* alternatives.c: .altinstructions */
int kc_apply_seal_endbr(const struct kc_patch *patch); /* endbr.c: .ibt_endbr_seal */
int kc_apply_smp_locks(const struct kc_patch *patch); /* smp_locks.c: .smp_locks */
int kc_ftrace_module_init(const struct kc_patch *patch); /* fentry.c: __mcount_loc */
int kc_jump_label_add_module(const struct kc_patch *patch); /* jump_labels.c: __jump_table */
int kc_static_call_add_module(const struct kc_patch *patch); /* static_calls.c */

/* Where a return at `address` goes: a thunk, or 0, which is a plain one. */
uint64_t kc_return_target(const struct kc_patch *patch, uint64_t address);
/* Size of struct alt_instr where BTF doesn't tell: alternatives.c. 0: no table. */
uint32_t kc_alt_instr_size(const struct kc_finalize *to);

#endif
