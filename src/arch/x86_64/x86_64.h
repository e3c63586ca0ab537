/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * x86-64: relocate.c is apply_relocate_add() of arch/x86/kernel/module.c, finalize.c its
 * module_finalize(), with a file a table beside it; cpu.c knows CPUs by name.
 */
#ifndef KC_ARCH_X86_64_X86_64_H
#define KC_ARCH_X86_64_X86_64_H

#include "arch/arch.h"

extern const struct kc_arch kc_arch_x86_64;

int kc_x86_finalize(const struct kc_finalize *finalize); /* finalize.c */

void kc_x86_cpu_host(struct kc_cpu *cpu_ret); /* cpu.c */
int kc_x86_cpu_find(const char *name, struct kocoon_report *report, struct kc_cpu *cpu_ret);
bool kc_x86_cpu_is_smp(const struct kc_cpu *cpu);

/* Flags as /proc/cpuinfo has them, and the kernel's own that it doesn't show: cpu_flags.c. */
struct kc_cpu_flag {
	const char *name;
	uint16_t number; /* word * 32 + bit */
};

/* The n-th; NULL behind the last. */
const struct kc_cpu_flag *kc_cpu_flag(size_t index);

#endif
