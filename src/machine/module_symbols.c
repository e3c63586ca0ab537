/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * find_kallsyms_symbol() of kernel/module/kallsyms.c in a machine: which symbol of a module an
 * address belongs to. The function tracer asks that of every function of a module that is loaded,
 * and the kernel would walk the module's whole table each time.
 */
#include "kernel/layouts.h"
#include "machine/loader.h"
#include "module/symbol_table.h"

/* The last ones that were asked. Which one goes makes no difference but of time. */
enum { TABLES = 8 };

static struct known_table {
	struct kc_mod_kallsyms table; /* no symtab: none */
	struct kc_symbol_places *places; /* owned; NULL: no memory */
} known[TABLES];

static unsigned int next_known;

static void forget(struct known_table *table)
{
	kc_symbol_places_free(table->places);
	*table = (struct known_table){ 0 };
}

void kc_forget_symbols(uint64_t address, uint64_t size)
{
	for (size_t i = 0; i < TABLES; i++)
		if (kc_address(known[i].table.symtab) - address < size)
			forget(&known[i]);
}

static const struct known_table *find_table(const struct kc_mod_kallsyms *wanted)
{
	struct known_table *table;

	for (size_t i = 0; i < TABLES; i++)
		if (known[i].table.symtab == wanted->symtab &&
		    known[i].table.count == wanted->count)
			return &known[i];
	table = &known[next_known++ % TABLES];
	forget(table);
	table->table = *wanted;
	table->places = kc_symbol_places_new(wanted);
	return table;
}

/* struct mod_kallsyms, of the kernel's memory. */
static struct kc_mod_kallsyms read_table(uint64_t module)
{
	const struct kc_layouts *layouts = kc_kernel_layouts(kc_machine.kernel);
	const uint8_t *header = kc_pointer(kc_load64(kc_module_member(module, KC_MEMBER_KALLSYMS)));
	uint64_t names = kc_load64(header + layouts->kallsyms_strtab);

	return (struct kc_mod_kallsyms){
		.symtab = kc_pointer(kc_load64(header + layouts->kallsyms_symtab)),
		.count = kc_load32(header + layouts->kallsyms_num_symtab),
		.strtab = kc_span(kc_pointer(names), KC_MODULE_END - names),
	};
}

/* The end of the region that holds an address; 0: none does. */
static uint64_t find_region_end(uint64_t module, uint64_t address)
{
	const struct kc_layouts *layouts = kc_kernel_layouts(kc_machine.kernel);
	const uint8_t *regions = kc_module_member(module, KC_MEMBER_MEM);

	for (uint64_t i = 0; i < KOCOON_REGION_COUNT; i++) {
		const uint8_t *region = regions + i * layouts->memory_size;
		uint64_t base = kc_load64(region + layouts->memory_base);
		uint32_t size = kc_load32(region + layouts->memory_bytes);

		if (address - base < size)
			return base + size;
	}
	return 0;
}

const char *kc_find_kallsyms_symbol(uint64_t module, uint64_t address, uint64_t *size_ret,
				    uint64_t *offset_ret)
{
	const struct kc_mod_kallsyms wanted = read_table(module);
	uint64_t end = find_region_end(module, address);
	const struct known_table *table;
	struct kc_symbol_match match;
	Elf64_Sym symbol;

	if (!end || !wanted.count)
		return NULL;
	table = find_table(&wanted);
	match = kc_match_symbol(&table->table, table->places, address, end);
	if (!match.symbol)
		return NULL;
	if (size_ret)
		*size_ret = match.next - match.value;
	if (offset_ret)
		*offset_ret = address - match.value;
	symbol = kc_table_symbol(&table->table, match.symbol);
	return kc_table_symbol_name(&table->table, &symbol);
}
