/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sections that a loader looks for in a module in memory, and what is checked of them: per-CPU
 * data, constructors, export tables (find_module_sections(), check_export_symbol_versions(),
 * verify_exported_symbols() of kernel/module/main.c).
 */
#include "module/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* What the per-CPU allocator keeps for all modules together (PERCPU_MODULE_RESERVE). */
enum { PERCPU_RESERVE = 8 << 10 };

/*
 * The per-CPU section gets an offset behind the kernel's own per-CPU data.
 * Differs from Linux: what other modules have taken of the reserve is not counted.
 */
int kc_percpu_modalloc(struct kc_load *load)
{
	const Elf64_Shdr *shdr = &load->sections[load->index.pcpu].shdr;
	uint64_t align = shdr->sh_addralign ? shdr->sh_addralign : 1;
	uint64_t end = 0;

	if (!load->index.pcpu || !shdr->sh_size)
		return 0;
	if (align > KC_PAGE_SIZE)
		align = KC_PAGE_SIZE;
	if (shdr->sh_size > PERCPU_RESERVE) {
		kc_finding(load->report, KOCOON_STAGE_PERCPU, -ENOMEM,
			   "no room for the module's per-CPU data");
		kc_expected(load->report, "at most %d bytes", PERCPU_RESERVE);
		kc_found(load->report, "%" PRIu64, shdr->sh_size);
		kc_hint(load->report,
			"allocate large per-CPU data with alloc_percpu() at run time");
		return -ENOMEM;
	}
	if (load->live) {
		const struct kc_neighbours *neighbours = load->neighbours;

		return neighbours->percpu(neighbours->context, shdr->sh_size, align,
					  &load->percpu_address);
	}
	if (load->percpu_address)
		return 0;
	if (!kc_kernel_find_symbol(load->kernel, "__per_cpu_end", &end))
		end = KC_PAGE_SIZE;
	load->percpu_address = kc_align(end, align);
	return 0;
}

static struct kc_table find_table(const struct kc_load *load, const char *name, uint64_t size)
{
	uint32_t section = kc_find_sec(load, name);

	if (!section || !size)
		return (struct kc_table){ 0 };
	return (struct kc_table){ section, load->sections[section].shdr.sh_size / size };
}

int kc_find_module_sections(struct kc_load *load)
{
	load->syms = find_table(load, "__ksymtab", load->abi->kernel_symbol_size);
	load->gpl_syms = find_table(load, "__ksymtab_gpl", load->abi->kernel_symbol_size);
	load->crcs = find_table(load, "__kcrctab", sizeof(uint32_t));
	load->gpl_crcs = find_table(load, "__kcrctab_gpl", sizeof(uint32_t));

	if (load->behaviour->constructors && kc_find_sec(load, ".ctors") &&
	    kc_find_sec(load, ".init_array")) {
		kc_finding(load->report, KOCOON_STAGE_SECTIONS, -EINVAL,
			   "the module has both .ctors and .init_array");
		kc_hint(load->report, "build all of its parts with one compiler");
		return -EINVAL;
	}
	if (kc_find_sec(load, "__obsparm"))
		kc_finding(load->report, KOCOON_STAGE_SECTIONS, 0,
			   "obsolete parameters (__obsparm) are ignored");
	return 0;
}

int kc_check_export_symbol_versions(struct kc_load *load)
{
	if (!load->behaviour->modversions)
		return 0;
	if (!(load->syms.count && !load->crcs.section) &&
	    !(load->gpl_syms.count && !load->gpl_crcs.section))
		return 0;
	if (kc_try_to_force_load(load) == 0) {
		kc_finding(load->report, KOCOON_STAGE_EXPORTS, 0,
			   "no versions for exported symbols: the kernel is tainted");
		return 0;
	}
	kc_finding(load->report, KOCOON_STAGE_EXPORTS, -ENOEXEC,
		   "no versions for exported symbols");
	kc_hint(load->report,
		"build the module by Kbuild with CONFIG_MODVERSIONS as in the kernel");
	return -ENOEXEC;
}

/* One field of an entry of a relocated export table: the address that it holds. */
static uint64_t entry_field(const struct kc_load *load, const uint8_t *entry, uint64_t address,
			    size_t field)
{
	if (load->abi->kernel_symbol_relative) {
		uint64_t offset = (uint64_t)(int64_t)(int32_t)kc_load32(entry + field * 4);

		return address + field * 4 + offset;
	}
	return kc_load64(entry + field * 8);
}

/* A namespace alone can be none. */
static bool has_field(const struct kc_load *load, const uint8_t *entry, size_t field)
{
	return load->abi->kernel_symbol_relative ? kc_load32(entry + field * 4)
						 : kc_load64(entry + field * 8);
}

static int collect_table(struct kc_load *load, const struct kc_table *table,
			 const struct kc_table *crcs, bool gpl_only)
{
	const uint8_t *entry = kc_section_memory(load, table->section);
	const uint8_t *crc = kc_section_memory(load, crcs->section);
	uint64_t address = kc_section_address(load, table->section);
	uint32_t size = load->abi->kernel_symbol_size;
	unsigned int fields = load->abi->kernel_symbol_relative ? size / 4 : size / 8;
	uint64_t names = 0;

	for (uint64_t i = 0; i < table->count; i++, entry += size, address += size) {
		struct kocoon_export *export = &load->exports[load->export_count];

		*export = (struct kocoon_export){
			.name = kc_memory_string(&load->memory,
						 entry_field(load, entry, address, 1)),
			.address = entry_field(load, entry, address, 0),
			.gpl_only = gpl_only,
		};
		/* Differs from Linux: a name that is outside of the module is refused, not read. */
		if (!export->name)
			return kc_finding(load->report, KOCOON_STAGE_FORMATION, -ENOEXEC,
					  "the name of export %" PRIu64
					  " of %s is outside of the module",
					  i, load->sections[table->section].name);
		if (fields > 2 && has_field(load, entry, 2))
			export->ns = kc_memory_string(&load->memory,
						      entry_field(load, entry, address, 2));
		if (export->ns && !*export->ns)
			export->ns = NULL;
		if (crc && i < crcs->count) {
			export->has_crc = true;
			export->crc = kc_load32(crc + i * sizeof(uint32_t));
		}
		load->export_count++;
		names += strlen(export->name) + (export->ns ? strlen(export->ns) : 0);
		if (names > KC_NAMES_MAX)
			return kc_too_much(load, KOCOON_STAGE_FORMATION, "names of exports");
	}
	return 0;
}

int kc_collect_exports(struct kc_load *load)
{
	int err;

	if (load->syms.count + load->gpl_syms.count == 0)
		return 0;
	if (load->syms.count > KC_SYMBOLS_MAX || load->gpl_syms.count > KC_SYMBOLS_MAX)
		return kc_too_much(load, KOCOON_STAGE_FORMATION, "exports");
	load->exports = calloc(load->syms.count + load->gpl_syms.count, sizeof(*load->exports));
	if (!load->exports)
		return kc_finding(load->report, KOCOON_STAGE_FORMATION, -ENOMEM, "out of memory");
	err = collect_table(load, &load->syms, &load->crcs, false);
	if (!err)
		err = collect_table(load, &load->gpl_syms, &load->gpl_crcs, true);
	return err;
}

int kc_verify_exported_symbols(struct kc_load *load)
{
	for (size_t i = 0; i < load->export_count; i++) {
		const char *name = load->exports[i].name;
		const char *owner =
			load->neighbours->exported(load->neighbours->context, name, kc_hash(name));

		if (!owner)
			continue;
		kc_finding(load->report, KOCOON_STAGE_FORMATION, -ENOEXEC,
			   "exports %s, which %s exports already", name,
			   *owner ? owner : "the kernel");
		kc_hint(load->report,
			*owner ? "the two modules exclude each other: load one of them"
			       : "the kernel has this built in: the module is not needed");
		return -ENOEXEC;
	}
	return 0;
}

/* Its folder under /sys/module: the name has to be one, and not a built-in part's. */
int kc_mod_sysfs_init(struct kc_load *load)
{
	const char *name = load->struct_name;

	if (!*name) {
		kc_finding(load->report, KOCOON_STAGE_SYSFS, -EINVAL,
			   "the module's name is empty: it can have no folder under /sys/module");
		return -EINVAL;
	}
	if (!kc_kernel_has_builtin(load->kernel, name))
		return 0;
	kc_finding(load->report, KOCOON_STAGE_SYSFS, -EINVAL,
		   "/sys/module/%s belongs to a part of the kernel itself", name);
	kc_hint(load->report,
		"%s is built into this kernel: the module is not needed, or needs "
		"another name",
		name);
	return -EINVAL;
}

/* The name that an entry's name field will point to, from the relocation of that field. */
static const char *claimed_name(const struct kc_load *load, const Elf64_Rela *rela)
{
	struct kc_span symbols = load->sections[load->index.sym].file;
	Elf64_Sym symbol;

	if (!kc_elf_sym(symbols, ELF64_R_SYM(rela->r_info), &symbol) ||
	    symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= load->ehdr.shnum)
		return NULL;
	return kc_span_string(load->sections[symbol.st_shndx].file,
			      symbol.st_value + (uint64_t)rela->r_addend);
}

/* What there may still be of claims. */
struct claim_room {
	uint64_t names, count;
};

/* A module that has more is refused when its exports are collected, so none is missed. */
static int claim_table(const struct kc_load *load, uint32_t relocations, struct claim_room *room,
		       kc_claim_fn *claim, void *context)
{
	struct kc_span entries = load->sections[relocations].file;
	uint32_t size = load->abi->kernel_symbol_size;
	uint32_t name_field = load->abi->kernel_symbol_relative ? 4 : 8;
	Elf64_Rela rela;

	for (uint64_t i = 0; kc_elf_rela(entries, i, &rela) && room->count; i++) {
		const char *name =
			rela.r_offset % size == name_field ? claimed_name(load, &rela) : NULL;
		size_t len = name ? strlen(name) + 1 : 0;
		int err;

		if (!name)
			continue;
		if (len > room->names)
			room->count = 0;
		if (!room->count)
			break;
		room->count--;
		room->names -= len;
		err = claim(context, name);
		if (err)
			return err;
	}
	return 0;
}

int kc_claimed_exports(const struct kc_load *load, kc_claim_fn *claim, void *context)
{
	static const char *const tables[] = { "__ksymtab", "__ksymtab_gpl" };
	struct claim_room room = { KC_NAMES_MAX, UINT64_C(2) * KC_SYMBOLS_MAX };

	if (!load->abi->kernel_symbol_size)
		return 0;
	for (size_t t = 0; t < KC_ARRAY_SIZE(tables); t++) {
		uint32_t table = kc_find_sec(load, tables[t]);

		for (uint32_t i = 1; table && i < load->ehdr.shnum; i++) {
			const Elf64_Shdr *shdr = &load->sections[i].shdr;
			int err;

			if (shdr->sh_type != SHT_RELA || shdr->sh_info != table)
				continue;
			err = claim_table(load, i, &room, claim, context);
			if (err)
				return err;
		}
	}
	return 0;
}
