/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Symbol tables that stay with a module (add_kallsyms(), elf_type() of kernel/module/kallsyms.c).
 *
 * Consumes final symbol values in init data and the room that layout left. Produces struct
 * mod_kallsyms in init data, which stands for the whole table, and the core table in data, which
 * struct module's core_kallsyms stands for in live space; each with one letter a symbol.
 *
 * Differs from Linux: names of the core table come from the file, where layout measured them, so
 * what lies behind the string table in memory is never taken for a name.
 */
#include "kernel/layouts.h"
#include "module/kallsyms.h"

static char section_type(const struct kc_section *section)
{
	uint64_t flags = section->shdr.sh_flags;

	if (flags & SHF_EXECINSTR)
		return 't';
	if ((flags & SHF_ALLOC) && section->shdr.sh_type != SHT_NOBITS)
		return flags & SHF_WRITE ? 'd' : 'r';
	if (section->shdr.sh_type == SHT_NOBITS)
		return 'b';
	return strncmp(section->name, ".debug", 6) == 0 ? 'n' : '?';
}

static char elf_type(const struct kc_load *load, const Elf64_Sym *symbol)
{
	if (ELF64_ST_BIND(symbol->st_info) == STB_WEAK)
		return ELF64_ST_TYPE(symbol->st_info) == STT_OBJECT ? 'v' : 'w';
	if (symbol->st_shndx == SHN_UNDEF)
		return 'U';
	if (symbol->st_shndx == SHN_ABS || symbol->st_shndx == load->index.pcpu)
		return 'a';
	/* Differs from Linux: reserved indices are all told from the number of sections. */
	if (symbol->st_shndx >= load->ehdr.shnum)
		return '?';
	return section_type(&load->sections[symbol->st_shndx]);
}

/* Where one of the two tables is: addresses for the module, bytes for us. */
struct tables {
	uint64_t symtab, strtab, typetab;
	uint32_t count;
};

/* The core table as it grows. */
struct core {
	uint8_t *symbols;
	uint8_t *names;
	uint8_t *types;
	uint64_t room; /* for names */
	uint64_t name; /* offset of the next one */
	uint32_t count;
};

static struct core core_tables(const struct kc_load *load)
{
	const struct kc_kallsyms_layout *tables = &load->kallsyms;
	uint8_t *data = load->memory.regions[KOCOON_REGION_DATA].bytes;

	if (!data)
		return (struct core){ 0 };
	return (struct core){
		.symbols = data + tables->symtab,
		.names = data + tables->strtab,
		.types = data + tables->typetab,
		.room = tables->typetab - tables->strtab,
	};
}

/* `in_file` tells what it is, `in_memory` has its final value. */
static void add_core_symbol(const struct kc_load *load, struct core *core, const Elf64_Sym *in_file,
			    const uint8_t *in_memory, char type)
{
	const char *name = kc_symbol_name(load, in_file->st_name);
	uint64_t len = name ? strlen(name) + 1 : 0;
	uint8_t *symbol = core->symbols + core->count * sizeof(Elf64_Sym);

	/* Layout has counted them: there is room for each. */
	if (!len || core->count == load->kallsyms.core_count || len > core->room - core->name)
		return;
	memcpy(symbol, in_memory, sizeof(Elf64_Sym));
	kc_store32(symbol + offsetof(Elf64_Sym, st_name), (uint32_t)core->name);
	memcpy(core->names + core->name, name, len);
	core->types[core->count++] = (uint8_t)type;
	core->name += len;
}

/* Writes a struct mod_kallsyms. */
static void write_header(const struct kc_load *load, uint8_t *header, const struct tables *tables)
{
	const struct kc_layouts *layouts = kc_kernel_layouts(load->kernel);
	const struct {
		uint32_t offset;
		uint32_t size;
		uint64_t value;
	} members[] = {
		{ layouts->kallsyms_symtab, 8, tables->symtab },
		{ layouts->kallsyms_num_symtab, 4, tables->count },
		{ layouts->kallsyms_strtab, 8, tables->strtab },
		{ layouts->kallsyms_typetab, 8, tables->typetab },
	};

	for (size_t i = 0; i < KC_ARRAY_SIZE(members); i++) {
		uint64_t end = (uint64_t)members[i].offset + members[i].size;

		if (members[i].offset == KC_NO_MEMBER || end > load->abi->mod_kallsyms_size)
			continue;
		/* Little-endian: a 32-bit member is the lower half. */
		memcpy(header + members[i].offset, &members[i].value, members[i].size);
	}
}

/*
 * Into struct module, where its members are known: core_kallsyms, and the pointer to the other. In
 * link space struct module stays as it was linked.
 */
static void write_members(const struct kc_load *load, uint64_t header, const struct tables *core)
{
	const uint32_t *offset = load->abi->members.offset;
	uint64_t size = load->sections[load->index.mod].shdr.sh_size;
	uint8_t *module = kc_section_memory(load, load->index.mod);

	if (!module || !load->live)
		return;
	if (offset[KC_MEMBER_KALLSYMS] != KC_NO_MEMBER &&
	    offset[KC_MEMBER_KALLSYMS] + sizeof(uint64_t) <= size)
		kc_store64(module + offset[KC_MEMBER_KALLSYMS], header);
	if (offset[KC_MEMBER_CORE_KALLSYMS] != KC_NO_MEMBER &&
	    (uint64_t)offset[KC_MEMBER_CORE_KALLSYMS] + load->abi->mod_kallsyms_size <= size)
		write_header(load, module + offset[KC_MEMBER_CORE_KALLSYMS], core);
}

static void write_headers(const struct kc_load *load, uint32_t count, uint32_t core_count)
{
	const struct kc_kallsyms_layout *layout = &load->kallsyms;
	const struct kc_region *init = &load->memory.regions[KOCOON_REGION_INIT_DATA];
	uint64_t data = load->memory.regions[KOCOON_REGION_DATA].address;
	const struct tables full = {
		.symtab = kc_section_address(load, load->index.sym),
		.strtab = kc_section_address(load, load->index.str),
		.typetab = init->address + layout->init_typetab,
		.count = count,
	};
	const struct tables core = {
		.symtab = data + layout->symtab,
		.strtab = data + layout->strtab,
		.typetab = data + layout->typetab,
		.count = core_count,
	};

	write_header(load, init->bytes + layout->init_header, &full);
	write_members(load, init->address + layout->init_header, &core);
}

int kc_add_kallsyms(struct kc_load *load)
{
	struct kc_span symbols = load->sections[load->index.sym].file;
	const uint8_t *in_memory = kc_section_memory(load, load->index.sym);
	uint8_t *init = load->memory.regions[KOCOON_REGION_INIT_DATA].bytes;
	struct core core = core_tables(load);
	Elf64_Sym symbol;
	uint64_t i;

	if (!in_memory || !init)
		return 0;
	for (i = 0; kc_elf_sym(symbols, i, &symbol); i++) {
		char type = elf_type(load, &symbol);

		init[load->kallsyms.init_typetab + i] = (uint8_t)type;
		if (core.symbols && kc_keeps_symbol(load, i, &symbol))
			add_core_symbol(load, &core, &symbol, in_memory + i * sizeof(symbol), type);
	}
	write_headers(load, (uint32_t)i, core.count);
	return 0;
}
