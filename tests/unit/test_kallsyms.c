/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* module/kallsyms.c: letters, the core table, struct mod_kallsyms; and symbol tables that lie. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build_module.h"
#include "build_object.h"
#include "build_vmlinux.h"

enum {
	TEXT = 1,
	RODATA,
	DATA,
	BSS,
	DEBUG,
	COMMENT,
	PERCPU,
	INIT_TEXT,
	PLAIN_BSS,
	SECTIONS = PLAIN_BSS,
	FIRST_UNPLACED = 60, /* behind all sections */
	CHECKED_SYMBOLS = 16,
};

static const struct object_section sections[] = {
	{ ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, NULL, 64 },
	{ ".rodata", SHT_PROGBITS, SHF_ALLOC, NULL, 32 },
	{ ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, NULL, 32 },
	{ ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, NULL, 32 },
	{ ".debug_info", SHT_PROGBITS, 0, NULL, 16 },
	{ ".comment", SHT_PROGBITS, 0, NULL, 16 },
	{ ".data..percpu", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, NULL, 16 },
	{ ".init.text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, NULL, 16 },
	{ ".debug_gone", SHT_NOBITS, 0, NULL, 16 },
};

/* Each kind of symbol, its letter, and where it is kept: never, always, with data symbols. */
static const struct {
	struct object_symbol symbol;
	char letter;
	enum { NEVER, ALWAYS, WITH_DATA } kept;
} kinds[] = {
	{ { "function", STB_GLOBAL, STT_FUNC, TEXT, 8, 0 }, 't', ALWAYS },
	{ { "local_function", STB_LOCAL, STT_FUNC, TEXT, 16, 0 }, 't', ALWAYS },
	{ { "weak_function", STB_WEAK, STT_FUNC, TEXT, 24, 0 }, 'w', ALWAYS },
	{ { "weak_data", STB_WEAK, STT_OBJECT, DATA, 8, 0 }, 'v', WITH_DATA },
	{ { "weak_import", STB_WEAK, STT_NOTYPE, SHN_UNDEF, 0, 0 }, 'w', NEVER },
	{ { "weak_import_of_data", STB_WEAK, STT_OBJECT, SHN_UNDEF, 0, 0 }, 'v', NEVER },
	{ { "absolute", STB_GLOBAL, STT_NOTYPE, SHN_ABS, 0x1234, 0 }, 'a', NEVER },
	{ { "per_cpu", STB_GLOBAL, STT_OBJECT, PERCPU, 4, 0 }, 'a', WITH_DATA },
	{ { "constant", STB_LOCAL, STT_OBJECT, RODATA, 4, 0 }, 'r', WITH_DATA },
	{ { "variable", STB_GLOBAL, STT_OBJECT, DATA, 4, 0 }, 'd', WITH_DATA },
	{ { "zero", STB_LOCAL, STT_OBJECT, BSS, 4, 0 }, 'b', WITH_DATA },
	{ { "debug", STB_LOCAL, STT_NOTYPE, DEBUG, 0, 0 }, 'n', NEVER },
	{ { "debug_zero", STB_LOCAL, STT_NOTYPE, PLAIN_BSS, 0, 0 }, 'b', NEVER },
	{ { "comment", STB_LOCAL, STT_NOTYPE, COMMENT, 0, 0 }, '?', NEVER },
	{ { "livepatch", STB_GLOBAL, STT_NOTYPE, 0xff20, 0, 0 }, '?', NEVER },
	{ { "init_function", STB_LOCAL, STT_FUNC, INIT_TEXT, 4, 0 }, 't', NEVER },
};

static struct kocoon_kernel *kernels[2];
static const char *const kernel_kinds[] = { "6.12-cloud-amd64", "6.1-cloud-amd64" };

static int open_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(kernels); i++)
		kernels[i] = open_stock_kernel(kernel_kinds[i]);
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(kernels); i++)
		kocoon_kernel_free(kernels[i]);
	return 0;
}

static struct object_recipe recipe_of(const struct object_symbol *symbols, size_t count)
{
	return (struct object_recipe){
		.sections = sections,
		.section_count = KC_ARRAY_SIZE(sections),
		.symbols = symbols,
		.symbol_count = count,
	};
}

static void link_kinds(const struct kocoon_kernel *kernel, struct linked *linked)
{
	struct object_symbol symbols[KC_ARRAY_SIZE(kinds)];
	struct object_recipe recipe = recipe_of(symbols, KC_ARRAY_SIZE(symbols));

	for (size_t i = 0; i < KC_ARRAY_SIZE(kinds); i++)
		symbols[i] = kinds[i].symbol;
	if (!kocoon_kernel_struct_size(kernel, "module"))
		recipe.module_size = 1344;
	link_object(kernel, &recipe, linked);
}

/* ---- reading what was written ---- */

static const uint8_t *bytes_at(const struct linked *linked, uint64_t address, uint64_t size)
{
	const uint8_t *bytes = kc_memory_at(&linked->load.memory, address, size, NULL);

	assert_non_null(bytes);
	return bytes;
}

/* A struct mod_kallsyms, as it has been in all kernels: two words, a count in a word of its own. */
struct tables {
	uint64_t symtab, count, strtab, typetab;
};

static struct tables tables_at(const struct linked *linked, uint64_t address)
{
	struct tables tables;

	memcpy(&tables, bytes_at(linked, address, sizeof(tables)), sizeof(tables));
	return tables;
}

static struct tables full_tables(const struct linked *linked)
{
	return tables_at(linked, linked->load.memory.regions[KOCOON_REGION_INIT_DATA].address +
					 linked->load.kallsyms.init_header);
}

/* In struct module; by the kernel's BTF. */
static struct tables core_tables(const struct linked *linked)
{
	uint32_t offset = linked->load.members.offset[KC_MEMBER_CORE_KALLSYMS];

	assert_int_not_equal(offset, KC_NO_MEMBER);
	return tables_at(linked,
			 kc_section_address(&linked->load, linked->load.index.mod) + offset);
}

static Elf64_Sym symbol_of(const struct linked *linked, const struct tables *tables, uint64_t index)
{
	Elf64_Sym symbol;

	assert_true(index < tables->count);
	memcpy(&symbol, bytes_at(linked, tables->symtab + index * sizeof(symbol), sizeof(symbol)),
	       sizeof(symbol));
	return symbol;
}

static const char *name_of(const struct linked *linked, const struct tables *tables,
			   const Elf64_Sym *symbol)
{
	return (const char *)bytes_at(linked, tables->strtab + symbol->st_name, 1);
}

static char letter_of(const struct linked *linked, const struct tables *tables, uint64_t index)
{
	return (char)*bytes_at(linked, tables->typetab + index, 1);
}

static uint64_t value_of_kind(const struct linked *linked, size_t kind)
{
	const struct object_symbol *symbol = &kinds[kind].symbol;

	if (symbol->section == PERCPU)
		return OBJECT_PERCPU + symbol->value;
	return kc_section_address(&linked->load, symbol->section) + symbol->value;
}

/* ---- tests ---- */

static void every_kind_has_its_letter(void **state)
{
	(void)state;
	for (size_t k = 0; k < KC_ARRAY_SIZE(kernels); k++) {
		struct linked linked;
		struct tables full;

		link_kinds(kernels[k], &linked);
		full = full_tables(&linked);
		assert_int_equal(full.count, KC_ARRAY_SIZE(kinds) + 1);
		assert_int_equal(letter_of(&linked, &full, 0), 'U');
		for (size_t i = 0; i < KC_ARRAY_SIZE(kinds); i++) {
			Elf64_Sym symbol = symbol_of(&linked, &full, i + 1);

			assert_string_equal(name_of(&linked, &full, &symbol), kinds[i].symbol.name);
			if (letter_of(&linked, &full, i + 1) != kinds[i].letter)
				fail_msg("%s: %c", kinds[i].symbol.name,
					 letter_of(&linked, &full, i + 1));
		}
		free_linked(&linked);
	}
}

/* A symbol that is imported for real. */
static void undefined_symbols_are_upper_case(void **state)
{
	static const struct object_symbol symbols[] = {
		{ "_printk", STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0 },
	};
	struct object_recipe recipe = recipe_of(symbols, 1);

	(void)state;
	for (size_t k = 0; k < KC_ARRAY_SIZE(kernels); k++) {
		const struct kocoon_export *export = kocoon_kernel_export(kernels[k], "_printk");
		struct linked linked;
		struct tables full;

		assert_non_null(export);
		link_object(kernels[k], &recipe, &linked);
		full = full_tables(&linked);
		assert_int_equal(letter_of(&linked, &full, 1), 'U');
		assert_int_equal(symbol_of(&linked, &full, 1).st_value, export->address);
		assert_int_equal(core_tables(&linked).count, 1);
		free_linked(&linked);
	}
}

/* Names follow each other without a gap, from offset 0, in the table's order. */
static void assert_core(const struct linked *linked, const struct tables *core, bool with_data)
{
	uint64_t count = 1, name = 1;
	Elf64_Sym first = symbol_of(linked, core, 0);

	assert_int_equal(first.st_name, 0);
	assert_string_equal(name_of(linked, core, &first), "");
	for (size_t i = 0; i < KC_ARRAY_SIZE(kinds); i++) {
		Elf64_Sym symbol;

		if (kinds[i].kept == NEVER || (kinds[i].kept == WITH_DATA && !with_data))
			continue;
		symbol = symbol_of(linked, core, count);
		assert_int_equal(symbol.st_name, name);
		assert_string_equal(name_of(linked, core, &symbol), kinds[i].symbol.name);
		assert_int_equal(symbol.st_value, value_of_kind(linked, i));
		assert_int_equal(symbol.st_shndx, kinds[i].symbol.section);
		assert_int_equal(letter_of(linked, core, count), kinds[i].letter);
		name += strlen(kinds[i].symbol.name) + 1;
		count++;
	}
	assert_int_equal(core->count, count);
	/* As layout measured them: symbols, names, letters, and no byte between. */
	assert_int_equal(core->strtab, core->symtab + count * sizeof(Elf64_Sym));
	assert_int_equal(core->typetab, core->strtab + name);
	assert_int_equal(core->typetab + count,
			 linked->load.memory.regions[KOCOON_REGION_DATA].address +
				 linked->load.memory.regions[KOCOON_REGION_DATA].used);
}

static void the_core_table_is_rewritten(void **state)
{
	(void)state;
	for (size_t k = 0; k < KC_ARRAY_SIZE(kernels); k++) {
		struct linked linked;
		struct tables core;

		link_kinds(kernels[k], &linked);
		core = core_tables(&linked);
		assert_core(&linked, &core, true);
		free_linked(&linked);
	}
}

/* Where the kernel keeps functions only, a module does. No BTF there: by the layout. */
static void a_kernel_without_data_symbols(void **state)
{
	const struct vmlinux_recipe recipe = { .functions_only = true, .no_btf = true };
	struct kc_buffer image = build_vmlinux(&recipe);
	struct kocoon_kernel *kernel = NULL;
	struct linked linked;
	struct tables core;
	uint64_t data;

	(void)state;
	assert_int_equal(open_kernel_bytes(kc_buffer_span(&image), NULL, NULL, &kernel), 0);
	link_kinds(kernel, &linked);
	assert_int_equal(linked.load.members.offset[KC_MEMBER_KALLSYMS], KC_NO_MEMBER);
	data = linked.load.memory.regions[KOCOON_REGION_DATA].address;
	core = (struct tables){ data + linked.load.kallsyms.symtab, linked.load.kallsyms.core_count,
				data + linked.load.kallsyms.strtab,
				data + linked.load.kallsyms.typetab };
	assert_core(&linked, &core, false);
	/* The whole table has its header, in the form of today's kernels. */
	assert_int_equal(full_tables(&linked).count, KC_ARRAY_SIZE(kinds) + 1);
	free_linked(&linked);
	kocoon_kernel_free(kernel);
	kc_buffer_deinit(&image);
}

static void headers_lead_to_the_tables(void **state)
{
	(void)state;
	for (size_t k = 0; k < KC_ARRAY_SIZE(kernels); k++) {
		struct linked linked;
		const struct kc_load *load = &linked.load;
		struct tables full;
		uint64_t header, member;

		link_kinds(kernels[k], &linked);
		full = full_tables(&linked);
		assert_int_equal(full.symtab, kc_section_address(load, load->index.sym));
		assert_int_equal(full.strtab, kc_section_address(load, load->index.str));
		header = load->memory.regions[KOCOON_REGION_INIT_DATA].address +
			 load->kallsyms.init_header;
		assert_int_equal(full.typetab, header + 32);
		member = kc_section_address(load, load->index.mod) +
			 load->members.offset[KC_MEMBER_KALLSYMS];
		assert_int_equal(kc_load64(bytes_at(&linked, member, 8)), header);
		free_linked(&linked);
	}
}

/* ---- a stock module: the core table is what of the whole one stays ---- */

static bool stays(const struct linked *linked, const Elf64_Sym *symbol)
{
	const struct kc_load *load = &linked->load;
	const struct kc_section *section;

	if (!symbol->st_shndx || symbol->st_shndx >= load->ehdr.shnum || !symbol->st_name)
		return false;
	section = &load->sections[symbol->st_shndx];
	return symbol->st_shndx == load->index.pcpu ||
	       ((section->file_flags & SHF_ALLOC) && strncmp(section->name, ".init", 5) &&
		strcmp(section->name, ".modinfo") && strcmp(section->name, "__versions"));
}

static void tables_of_stock_modules(void **state)
{
	static const char *const patterns[] = { "lib/modules/*/kernel/drivers/net/dummy.ko*",
						"lib/modules/*/kernel/drivers/net/tun.ko*",
						"lib/modules/*/kernel/fs/overlayfs/overlay.ko*" };

	(void)state;
	for (size_t k = 0; k < KC_ARRAY_SIZE(kernels) * KC_ARRAY_SIZE(patterns); k++) {
		struct linked linked;
		struct tables full, core;
		uint64_t count = 1;

		link_stock(kernels[k % 2], kernel_kinds[k % 2], patterns[k / 2], &linked);
		full = full_tables(&linked);
		core = core_tables(&linked);
		for (uint64_t i = 1; i < full.count; i++) {
			Elf64_Sym symbol = symbol_of(&linked, &full, i), kept;

			if (!stays(&linked, &symbol))
				continue;
			kept = symbol_of(&linked, &core, count);
			assert_string_equal(name_of(&linked, &core, &kept),
					    name_of(&linked, &full, &symbol));
			assert_int_equal(kept.st_value, symbol.st_value);
			assert_int_equal(letter_of(&linked, &core, count++),
					 letter_of(&linked, &full, i));
		}
		assert_true(count > CHECKED_SYMBOLS);
		assert_int_equal(core.count, count);
		free_linked(&linked);
	}
}

/* ---- tables that lie ---- */

/* A name that ends nowhere in the file is refused where it would be kept, or is imported. */
static void names_outside_are_refused(void **state)
{
	static const struct {
		uint16_t section;
		int err;
	} cases[] = {
		{ TEXT, -ENOEXEC }, { PERCPU, -ENOEXEC }, { SHN_UNDEF, -ENOEXEC },
		{ INIT_TEXT, 0 },   { SHN_ABS, 0 },	  { COMMENT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(cases) * 2; i++) {
		const struct object_symbol symbols[] = {
			{ NULL, STB_GLOBAL, STT_NOTYPE, cases[i / 2].section, 0, 0x7fffffff },
		};
		struct object_recipe recipe = recipe_of(symbols, 1);
		struct linked linked;

		assert_int_equal(
			link_bytes(kernels[i % 2], build_object(kernels[i % 2], &recipe), &linked),
			cases[i / 2].err);
		free_linked(&linked);
	}
}

static void section_indices_outside_are_refused(void **state)
{
	static const uint16_t indices[] = { FIRST_UNPLACED, 0xfeff, SHN_LORESERVE, SHN_COMMON,
					    0xffff };

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(indices) * 2; i++) {
		const struct object_symbol symbols[] = {
			{ "before", STB_GLOBAL, STT_FUNC, TEXT, 0, 0 },
			{ "astray", STB_GLOBAL, STT_OBJECT, indices[i / 2], 0, 0 },
		};
		struct object_recipe recipe = recipe_of(symbols, 2);
		struct linked linked;

		assert_int_equal(
			link_bytes(kernels[i % 2], build_object(kernels[i % 2], &recipe), &linked),
			-ENOEXEC);
		free_linked(&linked);
	}
}

/* Names that begin in one string and end in the next, or all at one place: each gets a copy. */
static void names_that_overlap_are_copied(void **state)
{
	static const struct object_symbol symbols[] = {
		{ "one_name", STB_GLOBAL, STT_FUNC, TEXT, 0, 0 },
		{ NULL, STB_GLOBAL, STT_FUNC, TEXT, 4, 5 },
		{ NULL, STB_GLOBAL, STT_FUNC, TEXT, 8, 5 },
		{ NULL, STB_GLOBAL, STT_FUNC, TEXT, 12, 9 }, /* the empty end of it */
	};
	static const char *const names[] = { "", "one_name", "name", "name", "" };
	static const uint32_t offsets[] = { 0, 1, 10, 15, 20 };
	struct object_recipe recipe = recipe_of(symbols, KC_ARRAY_SIZE(symbols));
	struct linked linked;
	struct tables core;

	(void)state;
	link_object(kernels[0], &recipe, &linked);
	core = core_tables(&linked);
	assert_int_equal(core.count, KC_ARRAY_SIZE(names));
	for (size_t i = 0; i < KC_ARRAY_SIZE(names); i++) {
		Elf64_Sym symbol = symbol_of(&linked, &core, i);

		assert_string_equal(name_of(&linked, &core, &symbol), names[i]);
		assert_int_equal(symbol.st_name, offsets[i]);
	}
	assert_int_equal(core.typetab, core.strtab + 21);
	free_linked(&linked);
}

/* struct module as the symbols' string table: it would go with init. */
static void struct_module_is_no_string_table(void **state)
{
	struct object_recipe recipe = recipe_of(NULL, 0);

	(void)state;
	for (size_t k = 0; k < KC_ARRAY_SIZE(kernels); k++) {
		struct kc_buffer file = build_object(kernels[k], &recipe);
		Elf64_Shdr *headers;
		struct linked linked;
		Elf64_Ehdr ehdr;

		memcpy(&ehdr, file.data, sizeof(ehdr));
		headers = (Elf64_Shdr *)(void *)(file.data + ehdr.e_shoff);
		headers[SECTIONS + 1].sh_type = SHT_STRTAB;
		headers[SECTIONS + 4].sh_link = SECTIONS + 1;
		assert_int_equal(headers[SECTIONS + 4].sh_type, SHT_SYMTAB);
		assert_int_equal(link_bytes(kernels[k], file, &linked), -ENOEXEC);
		free_linked(&linked);
	}
}

/* Every 16-bit word of symbol and string tables and of the section headers, overwritten. */
static void any_damage_is_survived(void **state)
{
	static const uint16_t values[] = { 0, 1, 0x7fff, 0xff20, 0xffff };
	struct object_symbol symbols[KC_ARRAY_SIZE(kinds)];
	struct object_recipe recipe = recipe_of(symbols, KC_ARRAY_SIZE(symbols));
	struct kc_buffer whole;
	size_t step = 2, refused = 0, accepted = 0;
	Elf64_Ehdr ehdr;

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(kinds); i++)
		symbols[i] = kinds[i].symbol;
	whole = build_object(kernels[0], &recipe);
	memcpy(&ehdr, whole.data, sizeof(ehdr));
	for (size_t at = ehdr.e_shoff - 1024; at + 2 <= whole.len; at += step) {
		struct kc_buffer damaged = { 0 };
		struct linked linked;
		int err;

		assert_int_equal(kc_buffer_append(&damaged, whole.data, whole.len), 0);
		memcpy(damaged.data + at, &values[at / 2 % KC_ARRAY_SIZE(values)], 2);
		err = link_bytes(kernels[0], damaged, &linked);
		assert_true(err <= 0);
		refused += err != 0;
		accepted += err == 0;
		free_linked(&linked);
	}
	assert_true(refused > 50 && accepted > 50);
	kc_buffer_deinit(&whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_has_its_letter),
		cmocka_unit_test(undefined_symbols_are_upper_case),
		cmocka_unit_test(the_core_table_is_rewritten),
		cmocka_unit_test(a_kernel_without_data_symbols),
		cmocka_unit_test(headers_lead_to_the_tables),
		cmocka_unit_test(tables_of_stock_modules),
		cmocka_unit_test(names_outside_are_refused),
		cmocka_unit_test(section_indices_outside_are_refused),
		cmocka_unit_test(names_that_overlap_are_copied),
		cmocka_unit_test(struct_module_is_no_string_table),
		cmocka_unit_test(any_damage_is_survived),
	};

	return cmocka_run_group_tests(tests, open_all, free_all);
}
