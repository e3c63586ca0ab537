/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pv_ops: the kernel's own table of privileged operations. Its entries are known by the native
 * function that each holds in the image.
 */
#include <asm/prctl.h>
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/parts.h"
#include "machine/entry.h"
#include "machine/machine.h"

enum { CR0 = 0x80050033, CR4 = 0x20 };
#define MSR_GS_BASE 0xc0000101u

void kc_set_gs(uint64_t base)
{
	kc_state.gs_base = base;
	syscall(SYS_arch_prctl, ARCH_SET_GS, base);
}

static uint64_t read_msr(uint32_t msr)
{
	return msr == MSR_GS_BASE ? kc_state.gs_base : 0;
}

static uint64_t read_msr_safe(uint32_t msr, int *err_ret)
{
	*err_ret = 0;
	return read_msr(msr);
}

static void write_msr(uint32_t msr, uint32_t low, uint32_t high)
{
	if (msr == MSR_GS_BASE)
		kc_set_gs((uint64_t)high << 32 | low);
}

static int write_msr_safe(uint32_t msr, uint32_t low, uint32_t high)
{
	write_msr(msr, low, high);
	return 0;
}

static uint64_t read_cr0(void)
{
	return kc_state.cr0;
}

static void write_cr0(uint64_t value)
{
	kc_state.cr0 = value;
}

static void write_cr4(uint64_t value)
{
	kc_state.cr4 = value;
}

/* As a reset leaves them. */
static uint64_t read_debug_register(int number)
{
	return number == 6 ? 0xffff0ff0 : number == 7 ? 0x400 : 0;
}

static uint64_t read_cr3(void)
{
	return kc_state.cr3;
}

static void write_cr3(uint64_t value)
{
	kc_state.cr3 = value;
}

#define BIT(number) (1u << (number))

/* Of the host's processor, without what its user code can't do. */
static void cpuid(uint32_t *eax, uint32_t *ebx, uint32_t *ecx, uint32_t *edx)
{
	uint32_t leaf = *eax, sub = *ecx;

	__cpuid_count(leaf, sub, *eax, *ebx, *ecx, *edx);
	if (leaf == 1) {
		/* monitor, vmx, pcid, x2apic, tsc deadline timer, hypervisor; apic */
		*ecx &= ~(BIT(3) | BIT(5) | BIT(17) | BIT(21) | BIT(24) | BIT(31));
		*edx &= ~BIT(9);
	} else if (leaf == 7 && sub == 0) {
		/* fsgsbase, smep, invpcid, smap; umip, pku, ospke, shstk, la57; ibt */
		*ebx &= ~(BIT(0) | BIT(7) | BIT(10) | BIT(20));
		*ecx &= ~(BIT(2) | BIT(3) | BIT(4) | BIT(7) | BIT(16));
		*edx &= ~BIT(20);
	} else if (leaf == 0xd && sub == 1) {
		/* xsaves, xfd */
		*eax &= ~(BIT(3) | BIT(4));
		*ecx = *edx = 0;
	}
}

/* The order is part of a booted machine's file: stubs are made in it. */
static const struct {
	const char *native;
	void (*function)(void);
	bool direct; /* keeps registers, and is called on the kernel's stack */
} operations[] = {
#define HOST(native, function)                            \
	{                                                 \
		native, (void (*)(void))(function), false \
	}
#define DIRECT(native, function)       \
	{                              \
		native, function, true \
	}
	DIRECT("native_io_delay", kc_pv_nop),
	HOST("pv_native_get_debugreg", read_debug_register),
	DIRECT("pv_native_set_debugreg", kc_pv_nop),
	HOST("native_read_cr0", read_cr0),
	HOST("native_write_cr0", write_cr0),
	HOST("native_write_cr4", write_cr4),
	DIRECT("native_load_tr_desc", kc_pv_nop),
	DIRECT("native_load_gdt", kc_pv_nop),
	DIRECT("native_load_idt", kc_pv_nop),
	DIRECT("native_set_ldt", kc_pv_nop),
	DIRECT("native_store_tr", kc_pv_zero),
	DIRECT("native_load_tls", kc_pv_nop),
	DIRECT("native_load_gs_index", kc_pv_nop),
	DIRECT("pv_native_wbinvd", kc_pv_nop),
	HOST("native_cpuid", cpuid),
	HOST("native_read_msr", read_msr),
	HOST("native_write_msr", write_msr),
	HOST("native_read_msr_safe", read_msr_safe),
	HOST("native_write_msr_safe", write_msr_safe),
	DIRECT("native_read_pmc", kc_pv_zero),
	DIRECT("pv_native_save_fl", kc_pv_save_fl),
	DIRECT("pv_native_irq_disable", kc_pv_irq_disable),
	DIRECT("pv_native_irq_enable", kc_pv_irq_enable),
	HOST("native_flush_tlb_local", kc_mmu_flush),
	HOST("native_flush_tlb_global", kc_mmu_flush),
	HOST("native_flush_tlb_one_user", kc_mmu_flush_one),
	DIRECT("native_flush_tlb_multi", kc_pv_nop),
	DIRECT("pv_native_read_cr2", kc_pv_read_cr2),
	DIRECT("pv_native_write_cr2", kc_pv_nop),
	HOST("__native_read_cr3", read_cr3),
	HOST("native_write_cr3", write_cr3),
	DIRECT("pv_native_safe_halt", kc_pv_safe_halt),
	DIRECT("native_set_fixmap", kc_pv_nop),
	DIRECT("native_tss_invalidate_io_bitmap", kc_pv_nop),
	DIRECT("native_tss_update_io_bitmap", kc_pv_nop),
#undef HOST
#undef DIRECT
};

static void put(uint64_t native, uint64_t ours)
{
	uint64_t *table = kc_pointer(kc_needed("pv_ops"));
	size_t count = (kc_needed("pv_info") - kc_needed("pv_ops")) / sizeof(*table);

	for (size_t i = 0; i < count; i++)
		if (table[i] == native)
			table[i] = ours;
}

void kc_take_over_pv_ops(void)
{
	for (size_t i = 0; i < KC_ARRAY_SIZE(operations); i++) {
		uint64_t stub = operations[i].direct ? kc_direct_stub(operations[i].function)
						     : kc_stub(operations[i].function);

		if (kc_machine.booting)
			put(kc_needed(operations[i].native), stub);
	}
	if (!kc_machine.booting) {
		kc_set_gs(kc_state.gs_base);
		return;
	}
	kc_state.cr0 = CR0;
	kc_state.cr4 = CR4;
	kc_set_gs(kc_needed("__per_cpu_load"));
}
