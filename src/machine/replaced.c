/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions of the kernel that are replaced, all of them, each with the reason: it touches hardware
 * or privilege, or does what this library is for.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/parts.h"
#include "machine/loader.h"
#include "machine/machine.h"

enum {
	EXECMEM_INFO = 0x8000, /* where in the device page */
	PAGE_KERNEL = 0x163,
	MODULE_GAP = 1 << 20
};
#define HIGHER_HALF UINT64_C(0xffff800000000000)
#define ADDRESS_END ((UINT64_C(1) << 46) - 1)

/* ---- memory ---- */

static void set_if_there(const char *variable, uint64_t value)
{
	if (kc_symbol(variable))
		kc_set_variable(variable, value);
}

static void call(const char *function, uint64_t a, uint64_t b, uint64_t c)
{
	kc_call(kc_needed(function), a, b, c, 0);
}

static void setup_arch(char **command_line_ret)
{
	uint64_t pages = kc_state.ram_size / KC_MACHINE_PAGE;
	uint64_t text = kc_needed("_text"), end = kc_needed("_end");
	char *command_line = kc_pointer(kc_needed("command_line"));
	char *boot_command_line = kc_pointer(kc_needed("boot_command_line"));

	snprintf(boot_command_line, 2048, "%s", kc_machine.command_line);
	snprintf(command_line, 2048, "%s", kc_machine.command_line);
	*command_line_ret = command_line;
	set_if_there("direct_map_physmem_end", ADDRESS_END);
	set_if_there("physmem_end", ADDRESS_END);
	call("early_cpu_init", 0, 0, 0);
	call("jump_label_init", 0, 0, 0);
	call("static_call_init", 0, 0, 0);
	call("e820__range_add", 0, kc_state.ram_size, 1);
	call("parse_early_param", 0, 0, 0);
	kc_set_variable("max_pfn", pages);
	kc_set_variable("max_low_pfn", pages);
	kc_set_variable("max_pfn_mapped", pages);
	kc_set_variable("max_low_pfn_mapped", pages);
	kc_set_variable("high_memory", KC_RAM_BASE + kc_state.ram_size);
	call("memblock_reserve", text - KC_RAM_BASE, end - text, 0);
	call("memblock_reserve", 0, KC_MACHINE_PAGE, 0);
	call("e820__memblock_setup", 0, 0, 0);
	call("memblock_set_current_limit", kc_state.ram_size, 0, 0);
	call("initmem_init", 0, 0, 0);
	call("paging_init", 0, 0, 0);
	kc_firmware_init();
	call("register_refined_jiffies", 1193182, 0, 0);
	call("unwind_init", 0, 0, 0);
}

static int vmemmap_populate(uint64_t start, uint64_t end)
{
	return kc_template_map_pages(start, end);
}

/* Of tables that the firmware left; before there is a vmalloc space. */
static uint64_t acpi_map_table(uint64_t physical)
{
	return KC_RAM_BASE + physical;
}

/* struct execmem_info: one range, for all that is executed. */
static uint64_t execmem_arch_setup(void)
{
	uint64_t info = KC_DEVICE_BASE + EXECMEM_INFO;
	uint8_t *range = kc_pointer(info + kc_offset("execmem_info", "ranges"));

	kc_store64(range + kc_offset("execmem_range", "start"),
		   KC_RAM_BASE + kc_state.ram_size + MODULE_GAP);
	kc_store64(range + kc_offset("execmem_range", "end"), KC_MODULE_END);
	kc_store64(range + kc_offset("execmem_range", "pgprot"), PAGE_KERNEL);
	kc_store32(range + kc_offset("execmem_range", "alignment"), KC_MACHINE_PAGE);
	return info;
}

/* text_poke_memset(): `from` is the address of an int. */
static void fill_text(uint64_t at, const int *value, size_t len)
{
	uint8_t bytes[64];

	memset(bytes, *value, sizeof(bytes));
	for (size_t part; len; len -= part, at += part) {
		part = len < sizeof(bytes) ? len : sizeof(bytes);
		if (!kc_mmu_write(at, bytes, part))
			return;
	}
}

/*
 * What was written at another address than it runs at, the processor may have fetched before: it
 * has to be told, as the kernel's own change of page tables does.
 */
static void *text_poke(uint64_t how, void *place, const void *from, size_t len)
{
	static uint64_t fills;
	uint32_t leaf = 0, sub = 0;

	if (!fills)
		fills = kc_needed("text_poke_memset");
	if (how == fills)
		fill_text(kc_address(place), from, len);
	else
		(void)kc_mmu_write(kc_address(place), from, len);
	asm volatile("cpuid" : "+a"(leaf), "+c"(sub) : : "ebx", "edx", "memory");
	return place;
}

/* ---- the processor ---- */

static uint64_t nothing(void)
{
	return 0;
}

/* Whether an address may be the kernel's. What is below is a program's; so is the host's part. */
static int is_kernel_address(uint64_t address)
{
	return (address >= KC_STUB_BASE && address < KC_MODULE_END) ||
	       (address >= KC_VMEMMAP_BASE && address < KC_VMALLOC_END) || address >= HIGHER_HALF;
}

/* Where WARN and BUG may be: the kernel is where programs are elsewhere. */
static int is_valid_bugaddr(uint64_t address)
{
	enum { UD2 = 0x0b0f };

	return kc_load16(kc_pointer(address)) == UD2;
}

/*
 * Called when the processor is known and before alternatives are applied: with a feature that asks
 * for pv_ops, calls of them stay calls, instead of becoming the instructions themselves.
 */
static void keep_pv_ops(void)
{
	enum { XENPV_WORD = 8, XENPV_BIT = 16 };
	uint8_t *words =
		kc_pointer(kc_needed("boot_cpu_data") + kc_offset("cpuinfo_x86", "x86_capability"));
	uint8_t *word = words + XENPV_WORD * sizeof(uint32_t);

	kc_store32(word, kc_load32(word) | 1u << XENPV_BIT);
}

/* ---- the end ---- */

static void restart(void)
{
	kc_machine_end(KC_EXIT_DIED, "the kernel has ended the machine");
}

/* The order is part of a booted machine's file: stubs are made in it. */
static const struct {
	const char *name;
	void (*function)(void);
	bool direct; /* it runs on its caller's stack */
	const char *reason;
} replaced[] = {
#define ROW(name, function, reason)                             \
	{                                                       \
		name, (void (*)(void))(function), false, reason \
	}
#define DIRECT_ROW(name, function, reason)                     \
	{                                                      \
		name, (void (*)(void))(function), true, reason \
	}
	ROW("setup_arch", setup_arch, "memory map, firmware, page tables"),
	ROW("vmemmap_populate", vmemmap_populate, "page tables; 0 or -ENOMEM"),
	ROW("execmem_arch_setup", execmem_arch_setup, "the place of modules: below 2 GiB here"),
	ROW("__acpi_map_table", acpi_map_table, "page tables of its own"),
	ROW("__acpi_unmap_table", nothing, "the same"),
	ROW("__text_poke", text_poke, "writes through page tables of its own"),
	ROW("trap_init", nothing, "descriptor tables, exception stacks"),
	ROW("poking_init", nothing, "page tables"),
	ROW("pti_init", nothing, "page tables"),
	ROW("init_espfix_bsp", nothing, "page tables"),
	ROW("init_real_mode", nothing, "real mode"),
	ROW("int3_selftest", keep_pv_ops, "a breakpoint, and the moment before alternatives"),
	ROW("native_init_IRQ", nothing, "interrupt controllers"),
	ROW("copy_from_kernel_nofault_allowed", is_kernel_address,
	    "the kernel is where programs are elsewhere"),
	ROW("is_valid_bugaddr", is_valid_bugaddr, "the same"),
	ROW("native_machine_emergency_restart", restart, "the reset line"),
	ROW("native_machine_halt", restart, "the processor"),
	ROW("native_machine_power_off", restart, "the power supply"),
	ROW("kernel_execve", kc_execve, "programs: the first is us, modprobe is us"),
	DIRECT_ROW("syscall_exit_to_user_mode", kc_enter_program, "user mode: the same"),
	DIRECT_ROW("prepare_namespace", kc_settle,
		   "the root device; and all of booting is done before the machine is kept"),
	ROW("__switch_to", kc_switch_to, "segments, debug and FPU registers of the processor"),
	ROW("hpet_time_init", kc_add_timers, "the timers: ours are registered instead"),
	ROW("calibrate_delay", kc_calibrate_delay, "the processor's speed"),
	ROW("__delay", kc_delay_loops, "the same: the machine's own time passes"),
	ROW("__udelay", kc_delay_usec, "the same"),
	ROW("__ndelay", kc_delay_nsec, "the same"),
	ROW("__const_udelay", kc_delay_scaled, "the same"),
	ROW("native_sched_clock", kc_sched_clock, "the time stamp counter"),
	DIRECT_ROW("arch_irq_work_raise", kc_raise_irq_work, "an interrupt to itself"),
	DIRECT_ROW("load_module", kc_load_module_here, "modules are loaded by libkocoon"),
	ROW("find_kallsyms_symbol", kc_find_kallsyms_symbol, "and their symbols found"),
#undef ROW
#undef DIRECT_ROW
};

/*
 * Loads of FS become nothing: the host's thread-local storage hangs on it, and no program of the
 * kernel's own ever runs.
 */
static const char *const fs_loaders[] = { "mm_release", "cpu_init", "check_null_seg_clears_base",
					  "start_thread_common" };

static bool is_or_is_part_of(const char *name, const char *function)
{
	size_t len = strlen(function);

	return strncmp(name, function, len) == 0 && (!name[len] || name[len] == '.');
}

static void remove_fs_loads(const struct kocoon_symbol *symbol, uint64_t size)
{
	uint8_t *code = kc_pointer(symbol->address + kc_machine.shift);

	for (uint64_t i = 0; i + 1 < size; i++)
		if (code[i] == 0x8e && (code[i + 1] & 0xf8) == 0xe0)
			code[i] = code[i + 1] = 0x90;
}

static void keep_fs(void)
{
	const struct kocoon_symbol *symbols;
	size_t count = kocoon_kernel_symbols(kc_machine.kernel, &symbols);

	for (size_t i = 0; i + 1 < count; i++)
		for (size_t j = 0; j < KC_ARRAY_SIZE(fs_loaders); j++)
			if (is_or_is_part_of(symbols[i].name, fs_loaders[j]))
				remove_fs_loads(&symbols[i],
						symbols[i + 1].address - symbols[i].address);
}

void kc_replace_all(void)
{
	for (size_t i = 0; i < KC_ARRAY_SIZE(replaced); i++) {
		uint64_t stub = replaced[i].direct ? kc_direct_stub(replaced[i].function)
						   : kc_stub(replaced[i].function);

		/* A kernel without what is only left out is as good. */
		if (replaced[i].function != (void (*)(void))nothing || kc_symbol(replaced[i].name))
			kc_replace(replaced[i].name, stub);
	}
	if (kc_machine.booting)
		keep_fs();
}
