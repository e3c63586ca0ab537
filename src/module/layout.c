/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layout: which section goes to which region, at which offset, and where the kernel's own tables go
 * (layout_sections(), layout_symtab(), move_module(); kernel/module/main.c and kallsyms.c).
 *
 * Two forms of kernels. With seven regions each is allocated by itself. Before that there were two
 * allocations (core and init; three where data is apart), in which text, read-only data, data that
 * is read-only after init and data follow each other at page boundaries. The seven are the same
 * runs of bytes; only their addresses then hang together, and an alignment of more than a page
 * counts from the start of the allocation.
 *
 * The kernel computes with 32-bit sizes. Differs from Linux: what would wrap around there is
 * refused with -ENOMEM, what an alignment that is no power of two would lay over another section
 * with -ENOEXEC.
 */
#include "module/kallsyms.h"

#include <errno.h>
#include <inttypes.h>

struct pass {
	uint64_t wanted;
	uint64_t unwanted;
	enum kocoon_region_kind core;
	enum kocoon_region_kind init;
};

static const struct pass passes[] = {
	{ SHF_EXECINSTR | SHF_ALLOC, 0, KOCOON_REGION_TEXT, KOCOON_REGION_INIT_TEXT },
	{ SHF_ALLOC, SHF_WRITE, KOCOON_REGION_RODATA, KOCOON_REGION_INIT_RODATA },
	{ KC_SHF_RO_AFTER_INIT | SHF_ALLOC, 0, KOCOON_REGION_RO_AFTER_INIT,
	  KOCOON_REGION_INIT_DATA },
	{ SHF_WRITE | SHF_ALLOC, 0, KOCOON_REGION_DATA, KOCOON_REGION_INIT_DATA },
};

/*
 * The order of regions within one allocation, and which of them start a new one, by form of kernel.
 */
static const enum kocoon_region_kind region_order[] = {
	KOCOON_REGION_TEXT,	 KOCOON_REGION_RODATA,	  KOCOON_REGION_RO_AFTER_INIT,
	KOCOON_REGION_DATA,	 KOCOON_REGION_INIT_TEXT, KOCOON_REGION_INIT_RODATA,
	KOCOON_REGION_INIT_DATA,
};

static bool starts_allocation(const struct kc_load *load, enum kocoon_region_kind kind)
{
	if (load->abi->memory_regions)
		return true;
	return kind == KOCOON_REGION_TEXT || kind == KOCOON_REGION_INIT_TEXT ||
	       (load->abi->data_layout && kind == KOCOON_REGION_RODATA);
}

static uint64_t page_align(uint64_t size)
{
	return kc_align(size, KC_PAGE_SIZE);
}

/* How far into its allocation a region starts: 0 wherever regions are allocated one by one. */
static uint64_t start_in_allocation(const struct kc_load *load, enum kocoon_region_kind kind)
{
	uint64_t start = 0;

	for (size_t i = 0; i < KC_ARRAY_SIZE(region_order); i++) {
		if (starts_allocation(load, region_order[i]))
			start = 0;
		if (region_order[i] == kind)
			return start;
		start += page_align(load->memory.regions[region_order[i]].used);
	}
	return 0;
}

int kc_enforce_rwx_sections(struct kc_load *load)
{
	const uint64_t both = SHF_WRITE | SHF_EXECINSTR;

	if (!load->behaviour->strict_rwx)
		return 0;
	for (uint32_t i = 0; i < load->ehdr.shnum; i++) {
		if ((load->sections[i].shdr.sh_flags & both) != both)
			continue;
		kc_finding(load->report, KOCOON_STAGE_RWX, -ENOEXEC,
			   "section %u (%s) is writable and executable", i, load->sections[i].name);
		kc_hint(load->report, "keep code and data in sections of their own");
		return -ENOEXEC;
	}
	return 0;
}

static int too_large(struct kc_load *load, uint32_t section)
{
	kc_finding(load->report, KOCOON_STAGE_LAYOUT, -ENOMEM,
		   "no room for the module's memory at section %u (%s)", section,
		   load->sections[section].name);
	kc_expected(load->report, "at most %" PRIu64 " bytes in all", load->arch->module_space);
	kc_found(load->report, "section size %" PRIu64 ", alignment %" PRIu64,
		 load->sections[section].shdr.sh_size, load->sections[section].shdr.sh_addralign);
	return -ENOMEM;
}

/* Room for `size` bytes at the end of a region: module_get_offset_and_type(). */
static int reserve(struct kc_load *load, enum kocoon_region_kind kind, uint32_t index,
		   uint64_t size)
{
	struct kc_section *section = &load->sections[index];
	struct kc_region *region = &load->memory.regions[kind];
	uint64_t start = start_in_allocation(load, kind);
	uint32_t align = (uint32_t)section->shdr.sh_addralign;
	uint32_t mask = section->shdr.sh_addralign ? align - 1 : 0;
	uint64_t end = start + region->used;
	uint64_t aligned = (end + mask) & ~(uint64_t)mask;

	if (aligned < end) {
		kc_finding(load->report, KOCOON_STAGE_LAYOUT, -ENOEXEC,
			   "section %u (%s) has an alignment that is no power of two", index,
			   section->name);
		kc_found(load->report, "%" PRIu64, section->shdr.sh_addralign);
		return -ENOEXEC;
	}
	if (size > load->arch->module_space || aligned > load->arch->module_space - size)
		return too_large(load, index);
	section->placed = true;
	section->region = kind;
	section->offset = aligned - start;
	region->used = section->offset + size;
	return 0;
}

static bool is_init_section(const char *name)
{
	return strncmp(name, ".init", 5) == 0;
}

static int layout_pass(struct kc_load *load, const struct pass *pass, bool init)
{
	enum kocoon_region_kind kind = init ? pass->init : pass->core;

	for (uint32_t i = 0; i < load->ehdr.shnum; i++) {
		struct kc_section *section = &load->sections[i];
		uint64_t flags = section->shdr.sh_flags;
		int err;

		if ((flags & pass->wanted) != pass->wanted || (flags & pass->unwanted) ||
		    section->placed || init != is_init_section(section->name))
			continue;
		err = reserve(load, kind, i, section->shdr.sh_size);
		if (err)
			return err;
	}
	return 0;
}

/*
 * Differs from Linux: contents that are outside of the file (of a section of type SHT_NULL) are
 * refused, not read.
 */
static int check_contents(struct kc_load *load)
{
	for (uint32_t i = 0; i < load->ehdr.shnum; i++) {
		const struct kc_section *section = &load->sections[i];

		if (!section->placed || section->shdr.sh_type == SHT_NOBITS ||
		    kc_span_contains(load->whole, section->shdr.sh_offset, section->shdr.sh_size))
			continue;
		return kc_finding(load->report, KOCOON_STAGE_LAYOUT, -ENOEXEC,
				  "section %u (%s) is to be loaded, but is not in the file", i,
				  section->name);
	}
	return 0;
}

bool kc_is_core_symbol(const struct kc_load *load, const Elf64_Sym *symbol)
{
	const struct kc_section *section;

	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx >= load->ehdr.shnum ||
	    !symbol->st_name)
		return false;
	if (load->behaviour->kallsyms_all && symbol->st_shndx == load->index.pcpu)
		return true;
	section = &load->sections[symbol->st_shndx];
	if (!(section->shdr.sh_flags & SHF_ALLOC))
		return false;
	if (!load->behaviour->kallsyms_all && !(section->shdr.sh_flags & SHF_EXECINSTR))
		return false;
	return section->region < KOCOON_REGION_INIT_TEXT;
}

/* Counts what the core table will hold, and the bytes of its names. */
static int measure_core_symbols(struct kc_load *load, uint32_t *count_ret, uint64_t *names_ret)
{
	struct kc_span symbols = load->sections[load->index.sym].file;
	uint64_t names = 0;
	uint32_t count = 0;
	Elf64_Sym symbol;

	for (uint64_t i = 0; kc_elf_sym(symbols, i, &symbol); i++) {
		const char *name;

		if (!kc_keeps_symbol(load, i, &symbol))
			continue;
		name = kc_symbol_name(load, symbol.st_name);
		/* Differs from Linux: a name behind the end of the file is refused, not read. */
		if (!name)
			return kc_finding(load->report, KOCOON_STAGE_LAYOUT, -ENOEXEC,
					  "the name of symbol %" PRIu64 " is outside of the file",
					  i);
		names += strlen(name) + 1;
		count++;
		if (names > load->arch->module_space)
			return too_large(load, load->index.str);
	}
	*count_ret = count;
	*names_ret = names;
	return 0;
}

/* Kernels of two allocations have rounded these up by then: the tables start a page. */
static void align_for_tables(struct kc_load *load)
{
	static const enum kocoon_region_kind kinds[] = { KOCOON_REGION_DATA,
							 KOCOON_REGION_INIT_DATA };

	for (size_t i = 0; i < KC_ARRAY_SIZE(kinds) && !load->abi->memory_regions; i++)
		load->memory.regions[kinds[i]].used =
			page_align(load->memory.regions[kinds[i]].used);
}

/* The symbol tables: the whole one with init data, a core one behind the module's data. */
static int layout_symtab(struct kc_load *load)
{
	struct kc_section *sym = &load->sections[load->index.sym];
	struct kc_section *str = &load->sections[load->index.str];
	struct kc_region *data = &load->memory.regions[KOCOON_REGION_DATA];
	struct kc_region *init = &load->memory.regions[KOCOON_REGION_INIT_DATA];
	struct kc_kallsyms_layout *tables = &load->kallsyms;
	uint64_t count = sym->shdr.sh_size / sizeof(Elf64_Sym);
	uint64_t start = start_in_allocation(load, KOCOON_REGION_DATA);
	uint32_t mask = sym->shdr.sh_addralign ? (uint32_t)sym->shdr.sh_addralign - 1 : 0;
	uint64_t names = 0;
	int err;

	/* Differs from Linux: struct module would be freed with the tables, behind init. */
	if (load->index.mod == load->index.sym || load->index.mod == load->index.str)
		return kc_finding(load->report, KOCOON_STAGE_LAYOUT, -ENOEXEC,
				  "the module's struct module is a symbol or string table");
	align_for_tables(load);
	sym->shdr.sh_flags |= SHF_ALLOC;
	err = reserve(load, KOCOON_REGION_INIT_DATA, load->index.sym, sym->shdr.sh_size);
	if (!err)
		err = measure_core_symbols(load, &tables->core_count, &names);
	if (err)
		return err;
	tables->symtab = ((start + data->used + mask) & ~(uint64_t)mask) - start;
	if (tables->symtab < data->used)
		return kc_finding(load->report, KOCOON_STAGE_LAYOUT, -ENOEXEC,
				  "the symbol table has an alignment that is no power of two");
	tables->strtab = tables->symtab + tables->core_count * sizeof(Elf64_Sym);
	tables->typetab = tables->strtab + names;
	data->used = tables->typetab + tables->core_count;
	if (data->used > load->arch->module_space)
		return too_large(load, load->index.sym);

	str->shdr.sh_flags |= SHF_ALLOC;
	err = reserve(load, KOCOON_REGION_INIT_DATA, load->index.str, str->shdr.sh_size);
	if (err)
		return err;
	tables->init_header = kc_align(init->used, load->abi->mod_kallsyms_align);
	tables->init_typetab = tables->init_header + load->abi->mod_kallsyms_size;
	init->used = tables->init_typetab + count;
	return 0;
}

/* Sizes become whole pages; all of them together have to fit where modules live. */
static int round_regions(struct kc_load *load)
{
	uint64_t total = 0;

	for (int i = 0; i < KOCOON_REGION_COUNT; i++) {
		struct kc_region *region = &load->memory.regions[i];

		region->size = page_align(region->used);
		total += region->size;
	}
	return total > load->arch->module_space ? too_large(load, load->index.str) : 0;
}

int kc_layout_sections(struct kc_load *load)
{
	uint32_t index;
	int err = 0;

	load->sections[load->index.pcpu].shdr.sh_flags &= ~(uint64_t)SHF_ALLOC;
	index = kc_find_sec(load, ".data..ro_after_init");
	if (index)
		load->sections[index].shdr.sh_flags |= KC_SHF_RO_AFTER_INIT;
	index = kc_find_sec(load, "__jump_table");
	if (index)
		load->sections[index].shdr.sh_flags |= KC_SHF_RO_AFTER_INIT;

	for (int init = 0; init < 2; init++)
		for (size_t i = 0; i < KC_ARRAY_SIZE(passes) && !err; i++)
			err = layout_pass(load, &passes[i], init);
	if (!err)
		err = check_contents(load);
	if (!err)
		err = layout_symtab(load);
	if (!err)
		err = round_regions(load);
	return err;
}

uint64_t kc_layout_place(struct kc_load *load, uint64_t base)
{
	uint64_t next = base;

	for (size_t i = 0; i < KC_ARRAY_SIZE(region_order); i++) {
		struct kc_region *region = &load->memory.regions[region_order[i]];

		/* vmalloc keeps a page free behind each allocation. */
		if (i && next != base && starts_allocation(load, region_order[i]))
			next += KC_PAGE_SIZE;
		region->address = next;
		next += region->size;
	}
	return next + KC_PAGE_SIZE;
}

uint64_t kc_section_address(const struct kc_load *load, uint32_t index)
{
	const struct kc_section *section = &load->sections[index];

	if (!section->placed)
		return 0;
	return load->memory.regions[section->region].address + section->offset;
}

uint8_t *kc_section_memory(const struct kc_load *load, uint32_t index)
{
	const struct kc_section *section = &load->sections[index];

	if (!section->placed || !load->memory.regions[section->region].bytes)
		return NULL;
	return load->memory.regions[section->region].bytes + section->offset;
}

/* What isn't allocated has no address: sections without contents are at 0 there. */
static void take_no_address(struct kc_load *load)
{
	for (int i = 0; i < KOCOON_REGION_COUNT && load->abi->memory_regions; i++)
		if (!load->memory.regions[i].size)
			load->memory.regions[i].address = 0;
}

int kc_move_module(struct kc_load *load)
{
	int err = load->live ? load->neighbours->place(load->neighbours->context, load)
			     : kc_memory_allocate(&load->memory);

	if (err)
		return kc_finding(load->report, KOCOON_STAGE_LAYOUT, err, "out of memory");
	take_no_address(load);
	for (uint32_t i = 0; i < load->ehdr.shnum; i++) {
		const Elf64_Shdr *shdr = &load->sections[i].shdr;
		uint8_t *memory = kc_section_memory(load, i);
		struct kc_span contents;

		if (!memory || shdr->sh_type == SHT_NOBITS || !shdr->sh_size)
			continue;
		if (!kc_span_sub(load->whole, shdr->sh_offset, shdr->sh_size, &contents))
			return -ENOEXEC;
		memcpy(memory, contents.data, contents.len);
	}
	return 0;
}
