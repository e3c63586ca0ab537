/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands where in a module's regions: sections, and the tables that the loader adds. */
#include "judge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static enum judge_category category_of(const struct kc_load *load, uint32_t index)
{
	static const char *const sorted[] = { "__ex_table",	   ".orc_unwind",  ".orc_unwind_ip",
					      "__jump_table",	   "__mcount_loc", "__bug_table",
					      ".static_call_sites" };
	const struct kc_section *section = &load->sections[index];

	if (index == load->index.mod)
		return JUDGE_STRUCT_MODULE;
	if (index == load->index.sym || index == load->index.str)
		return JUDGE_SYMBOL_TABLES;
	if (is_one_of(section->name, sorted, KC_ARRAY_SIZE(sorted)))
		return JUDGE_SORTED_TABLES;
	if (!strncmp(section->name, "__ksymtab", 9) || !strncmp(section->name, "__kcrctab", 9))
		return JUDGE_EXPORT_TABLES;
	if (section->shdr.sh_flags & SHF_EXECINSTR)
		return JUDGE_CODE;
	if (section->shdr.sh_type == SHT_NOBITS)
		return JUDGE_BSS;
	return section->shdr.sh_flags & SHF_WRITE ? JUDGE_DATA : JUDGE_RODATA;
}

static void add_tables(const struct kc_load *load, struct judge_places *places)
{
	const struct kc_kallsyms_layout *tables = &load->kallsyms;
	uint64_t all = load->sections[load->index.sym].file.len / sizeof(Elf64_Sym);
	const struct judge_place list[] = {
		{ "core symbols", JUDGE_SYMBOL_TABLES, 0, KOCOON_REGION_DATA, tables->symtab,
		  tables->strtab - tables->symtab },
		{ "core names", JUDGE_SYMBOL_TABLES, 0, KOCOON_REGION_DATA, tables->strtab,
		  tables->typetab - tables->strtab },
		{ "core types", JUDGE_SYMBOL_TABLES, 0, KOCOON_REGION_DATA, tables->typetab,
		  tables->core_count },
		{ "mod_kallsyms", JUDGE_SYMBOL_TABLES, 0, KOCOON_REGION_INIT_DATA,
		  tables->init_header, load->abi->mod_kallsyms_size },
		{ "types", JUDGE_SYMBOL_TABLES, 0, KOCOON_REGION_INIT_DATA, tables->init_typetab,
		  all },
	};

	for (size_t i = 0; i < KC_ARRAY_SIZE(list); i++)
		places->list[places->count++] = list[i];
}

static int compare_places(const void *a, const void *b)
{
	const struct judge_place *left = a, *right = b;

	if (left->region != right->region)
		return left->region < right->region ? -1 : 1;
	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	return left->size < right->size ? -1 : left->size > right->size;
}

int judge_places_make(const struct kc_load *load, struct judge_places *places_ret)
{
	struct judge_places places = { calloc((size_t)load->ehdr.shnum + 5, sizeof(*places.list)),
				       0 };

	if (!places.list)
		return -ENOMEM;
	for (uint32_t i = 1; i < load->ehdr.shnum; i++) {
		const struct kc_section *section = &load->sections[i];

		if (section->placed)
			places.list[places.count++] = (struct judge_place){
				section->name,	 category_of(load, i), i,
				section->region, section->offset,      section->shdr.sh_size
			};
	}
	add_tables(load, &places);
	qsort(places.list, places.count, sizeof(*places.list), compare_places);
	*places_ret = places;
	return 0;
}

void judge_symbol_at(const struct kc_load *load, uint64_t address, char text_ret[128])
{
	struct kc_span symbols = load->sections[load->index.sym].file;
	const uint8_t *memory = kc_section_memory(load, load->index.sym);
	uint64_t closest = 0;
	const char *name = NULL;
	Elf64_Sym symbol;

	for (uint64_t i = 1; memory && kc_elf_sym(symbols, i, &symbol); i++) {
		uint64_t value =
			kc_load64(memory + i * sizeof(symbol) + offsetof(Elf64_Sym, st_value));

		if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= load->ehdr.shnum ||
		    ELF64_ST_TYPE(symbol.st_info) == STT_SECTION || value > address ||
		    value <= closest || !load->sections[symbol.st_shndx].placed)
			continue;
		closest = value;
		name = kc_symbol_name(load, symbol.st_name);
	}
	*text_ret = 0;
	if (name)
		snprintf(text_ret, 128, "%s+%#" PRIx64, name, address - closest);
}
