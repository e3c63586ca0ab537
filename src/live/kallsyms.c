/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Symbols of modules by address and by name (kernel/module/kallsyms.c: find_kallsyms_symbol(),
 * module_address_lookup(), module_kallsyms_lookup_name()).
 *
 * Consumes the two tables that kc_add_kallsyms() wrote into the module's memory: the whole one
 * while it is COMING, the core one behind that. Readers hold RCU and nothing else.
 *
 * Differs from Linux: the kernel looks at every symbol for every question. Here the first question
 * to a table makes an index of it: addresses in order, and a hash of the names. It is published by
 * compare and swap; whoever comes second uses the other's. Without memory for one, the table is
 * walked as the kernel does. A module's indices, one a table at most but for readers of the same
 * instant, stand in a list that only grows and is freed with the module.
 */
#include "live/live.h"

#include <stdlib.h>

struct kc_symbol_index {
	struct kc_symbol_index *next;
	const struct kc_mod_kallsyms *table;
	struct kc_index names; /* hash to entry of the table, in the table's order */
	struct kc_symbol_places *places; /* owned */
};

/* ---- indices ---- */

static int collect_names(const struct kc_mod_kallsyms *table, struct kc_index *names)
{
	int err = kc_index_init(names, table->count);

	for (uint32_t i = 0; i < table->count && !err; i++) {
		Elf64_Sym symbol = kc_table_symbol(table, i);
		const char *name = kc_table_symbol_name(table, &symbol);

		if (symbol.st_shndx != SHN_UNDEF && *name)
			err = kc_index_add(names, kc_hash(name), i);
	}
	return err;
}

static void free_index(struct kc_symbol_index *index)
{
	if (!index)
		return;
	kc_index_deinit(&index->names);
	kc_symbol_places_free(index->places);
	free(index);
}

/* NULL: no memory. */
static struct kc_symbol_index *make_index(const struct kc_mod_kallsyms *table)
{
	struct kc_symbol_index *index = calloc(1, sizeof(*index));

	if (!index)
		return NULL;
	index->table = table;
	index->places = kc_symbol_places_new(table);
	if (!index->places || collect_names(table, &index->names)) {
		free_index(index);
		return NULL;
	}
	return index;
}

static struct kc_symbol_index *find_index(struct kc_symbol_index *index,
					  const struct kc_mod_kallsyms *table)
{
	while (index && index->table != table)
		index = index->next;
	return index;
}

/* The index of a module's table, made where there is none yet. NULL: no memory. */
static const struct kc_symbol_index *get_index(const struct kocoon_loaded *module,
					       const struct kc_mod_kallsyms *table)
{
	/* What readers add to a module doesn't show. */
	_Atomic(struct kc_symbol_index *) *list =
		&((struct kocoon_loaded *)(uintptr_t)module)->symbol_index;
	struct kc_symbol_index *first = atomic_load_explicit(list, memory_order_acquire);
	struct kc_symbol_index *found = find_index(first, table);
	struct kc_symbol_index *made;

	if (found)
		return found;
	made = make_index(table);
	if (!made)
		return NULL;
	made->next = first;
	/* Release: who finds the index finds what it holds. */
	while (!atomic_compare_exchange_weak_explicit(list, &made->next, made, memory_order_release,
						      memory_order_acquire)) {
		found = find_index(made->next, table);
		if (found) {
			free_index(made);
			return found;
		}
	}
	return made;
}

/* ---- address to symbol ---- */

/* The end of the region that holds an address. False: none does. */
static bool find_region_end(const struct kocoon_loaded *module, uint64_t address, uint64_t *end_ret)
{
	for (int i = 0; i < KOCOON_REGION_COUNT; i++) {
		uint64_t start = module->memory.regions[i].address;
		uint64_t size =
			atomic_load_explicit(&module->region_sizes[i], memory_order_relaxed);

		if (address - start >= size)
			continue;
		*end_ret = start + size;
		return true;
	}
	return false;
}

static void copy_text(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = 0;
}

/* find_kallsyms_symbol(): under RCU. */
static bool find_kallsyms_symbol(const struct kocoon_loaded *module, uint64_t address,
				 struct kocoon_address *address_ret)
{
	const struct kc_mod_kallsyms *table =
		atomic_load_explicit(&module->kallsyms, memory_order_acquire);
	const struct kc_symbol_index *index;
	struct kc_symbol_match match;
	uint64_t end;
	Elf64_Sym symbol;

	if (!table || !table->count || !find_region_end(module, address, &end))
		return false;
	index = get_index(module, table);
	match = kc_match_symbol(table, index ? index->places : NULL, address, end);
	if (!match.symbol)
		return false;
	symbol = kc_table_symbol(table, match.symbol);
	copy_text(address_ret->symbol, sizeof(address_ret->symbol),
		  kc_table_symbol_name(table, &symbol));
	address_ret->offset = address - match.value;
	address_ret->size = match.next - match.value;
	return true;
}

bool kocoon_lookup_address(const struct kocoon *kocoon, uint64_t address,
			   struct kocoon_address *address_ret)
{
	const struct kocoon_loaded *module;
	bool found = false;

	kc_rcu_read_lock();
	module = kocoon_module_address(kocoon, address);
	if (module && find_kallsyms_symbol(module, address, address_ret)) {
		copy_text(address_ret->module, sizeof(address_ret->module), module->name);
		copy_text(address_ret->build_id, sizeof(address_ret->build_id), module->build_id);
		found = true;
	}
	kc_rcu_read_unlock();
	return found;
}

/* ---- name to address ---- */

static bool is_named(const struct kc_mod_kallsyms *table, uint32_t index, const char *name,
		     uint64_t *value_ret)
{
	Elf64_Sym symbol = kc_table_symbol(table, index);

	if (symbol.st_shndx == SHN_UNDEF || strcmp(kc_table_symbol_name(table, &symbol), name) != 0)
		return false;
	*value_ret = symbol.st_value;
	return true;
}

/* find_kallsyms_symbol_value(): of the first symbol of that name; 0: there is none. Under RCU. */
static uint64_t find_value(const struct kocoon_loaded *module, const char *name, uint32_t hash)
{
	const struct kc_mod_kallsyms *table =
		atomic_load_explicit(&module->kallsyms, memory_order_acquire);
	const struct kc_symbol_index *index = table ? get_index(module, table) : NULL;
	uint64_t value = 0;
	uint32_t cursor = 0, at;

	if (!table || !*name)
		return 0;
	if (index) {
		while ((at = kc_index_next(&index->names, hash, &cursor)) != KC_INDEX_NONE)
			if (is_named(table, at, name, &value))
				return value;
		return 0;
	}
	for (at = 0; at < table->count; at++)
		if (is_named(table, at, name, &value))
			return value;
	return 0;
}

struct wanted {
	const char *name;
	uint32_t hash;
	uint64_t value;
};

static int find_in_module(struct kocoon_loaded *module, void *context)
{
	struct wanted *wanted = context;

	wanted->value = find_value(module, wanted->name, wanted->hash);
	return wanted->value != 0;
}

uint64_t kocoon_lookup_name(struct kocoon *kocoon, const char *name)
{
	char module_name[sizeof(((struct kocoon_loaded *)NULL)->name)];
	const char *colon = memchr(name, ':', strnlen(name, sizeof(module_name)));
	struct wanted wanted = { .name = colon ? colon + 1 : name };
	struct kocoon_loaded *module;

	wanted.hash = kc_hash(wanted.name);
	if (!colon) {
		kocoon_each_module(kocoon, find_in_module, &wanted);
		return wanted.value;
	}
	memcpy(module_name, name, (size_t)(colon - name));
	module_name[colon - name] = 0;
	kc_rcu_read_lock();
	module = kc_find_module_all(kocoon, module_name, false);
	if (module)
		find_in_module(module, &wanted);
	kc_rcu_read_unlock();
	return wanted.value;
}

bool kc_kallsyms_find_position(const struct kocoon_loaded *module, const char *name,
			       uint64_t position, uint64_t *address_ret)
{
	const struct kc_mod_kallsyms *table =
		atomic_load_explicit(&module->kallsyms, memory_order_acquire);
	uint64_t found = 0, value = 0;

	for (uint32_t i = 0; table && i < table->count; i++) {
		if (!is_named(table, i, name, &value))
			continue;
		found++;
		if (found == position || (!position && found > 1))
			break;
	}
	if (!value || found != (position ? position : 1))
		return false;
	*address_ret = value;
	return true;
}

/* ---- a module's tables ---- */

void kc_kallsyms_attach(struct kocoon_loaded *module, const struct kc_load *load)
{
	const struct kc_kallsyms_layout *layout = &load->kallsyms;
	const struct kc_section *strings = &load->sections[load->index.str];
	const struct kc_region *data = &load->memory.regions[KOCOON_REGION_DATA];
	const struct kc_region *init = &load->memory.regions[KOCOON_REGION_INIT_DATA];
	const uint8_t *symbols = kc_section_memory(load, load->index.sym);

	if (symbols && init->bytes)
		module->full_kallsyms = (struct kc_mod_kallsyms){
			.symtab = symbols,
			.count = (uint32_t)(load->sections[load->index.sym].file.len /
					    sizeof(Elf64_Sym)),
			.strtab = kc_span(kc_section_memory(load, load->index.str),
					  strings->shdr.sh_size),
			.typetab = init->bytes + layout->init_typetab,
		};
	if (data->bytes)
		module->core_kallsyms = (struct kc_mod_kallsyms){
			.symtab = data->bytes + layout->symtab,
			.count = layout->core_count,
			.strtab = kc_span(data->bytes + layout->strtab,
					  layout->typetab - layout->strtab),
			.typetab = data->bytes + layout->typetab,
		};
	atomic_store_explicit(&module->kallsyms, &module->full_kallsyms, memory_order_release);
}

/* Who reads it without a lock sees the old one or the new one, where it is aligned. */
static void store_pointer(uint8_t *place, uint64_t pointer)
{
	if ((uintptr_t)place % sizeof(pointer) == 0)
		/* NOLINTNEXTLINE(bugprone-casting-through-void) */
		__atomic_store((uint64_t *)(void *)place, &pointer, __ATOMIC_RELEASE);
	else
		kc_store64(place, pointer);
}

void kc_kallsyms_switch_to_core(struct kocoon_loaded *module)
{
	const uint32_t *offset = module->members.offset;
	uint64_t core = module->this_module + offset[KC_MEMBER_CORE_KALLSYMS];

	if (module->this_module_bytes && offset[KC_MEMBER_KALLSYMS] != KC_NO_MEMBER &&
	    offset[KC_MEMBER_CORE_KALLSYMS] != KC_NO_MEMBER)
		store_pointer(module->this_module_bytes + offset[KC_MEMBER_KALLSYMS], core);
	atomic_store_explicit(&module->kallsyms, &module->core_kallsyms, memory_order_release);
}

void kc_kallsyms_free(struct kocoon_loaded *module)
{
	struct kc_symbol_index *index =
		atomic_exchange_explicit(&module->symbol_index, NULL, memory_order_acquire);

	while (index) {
		struct kc_symbol_index *next = index->next;

		free_index(index);
		index = next;
	}
}

bool kc_kallsyms_get(const struct kocoon_loaded *module, uint32_t index, const char **name_ret,
		     uint64_t *address_ret, char *type_ret)
{
	const struct kc_mod_kallsyms *table =
		atomic_load_explicit(&module->kallsyms, memory_order_acquire);
	Elf64_Sym symbol;

	if (!table || index >= table->count)
		return false;
	symbol = kc_table_symbol(table, index);
	*name_ret = kc_table_symbol_name(table, &symbol);
	*address_ret = symbol.st_value;
	*type_ret = (char)table->typetab[index];
	return true;
}
