/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * live/kallsyms.c: symbols by address and by name, on tables made here; the same with every
 * allocation failing, which leads it to walk the tables, and must answer alike.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_allocations.h"
#include "live/lifecycle.h"

/* ---- a module of two pages of code, one of data, one of code for init ---- */

enum { PAGE = 4096, MAX_SYMBOLS = 24, NAMES = 1200 };

struct table {
	Elf64_Sym symbols[MAX_SYMBOLS];
	char names[NAMES];
	uint8_t types[MAX_SYMBOLS];
	uint32_t count, name;
};

struct fixture {
	struct kocoon *kocoon;
	struct kocoon_loaded *module;
	struct table full, core;
	uint64_t text, data, init; /* addresses */
};

static void add(struct table *table, const char *name, uint16_t section, uint64_t value)
{
	size_t len = strlen(name) + 1;

	assert_true(table->count < MAX_SYMBOLS && table->name + len <= NAMES);
	memcpy(table->names + table->name, name, len);
	table->types[table->count] = section ? 't' : 'U';
	table->symbols[table->count++] = (Elf64_Sym){
		.st_name = table->name,
		.st_shndx = section,
		.st_value = value,
	};
	table->name += (uint32_t)len;
}

static struct kc_mod_kallsyms tables_of(const struct table *table)
{
	return (struct kc_mod_kallsyms){
		.symtab = (const uint8_t *)table->symbols,
		.count = table->count,
		.strtab = kc_span((const uint8_t *)table->names, table->name),
		.typetab = table->types,
	};
}

/* Out of order, several at one address, labels between them, imports, names out of bounds. */
static void fill(struct fixture *fixture, struct table *table)
{
	uint64_t text = fixture->text, data = fixture->data;

	add(table, "", SHN_UNDEF, 0);
	add(table, "second", 1, text + 0x100);
	add(table, "imported", SHN_UNDEF, text + 0x120);
	add(table, "first", 1, text + 0x10);
	add(table, "first_again", 1, text + 0x10);
	add(table, "$x", 1, text + 0x18);
	add(table, ".Llabel", 1, text + 0x20);
	add(table, "L0label", 1, text + 0x28);
	add(table, "", 1, text + 0x30);
	add(table, "last_of_text", 1, text + 0x1f00);
	add(table, "variable", 2, data + 0x40);
	add(table, "twice", 2, data + 0x80);
	add(table, "twice", 2, data + 0xc0);
	add(table, "absolute", SHN_ABS, 0x10);
	add(table, "lost", 1, text + 0x40);
	table->symbols[table->count - 1].st_name = 0x7fffffff;
}

static void set_region(struct fixture *fixture, enum kocoon_region_kind kind, uint64_t address,
		       uint64_t size)
{
	fixture->module->memory.regions[kind].address = address;
	atomic_store(&fixture->module->region_sizes[kind], size);
	kc_live_space_set_owner(&fixture->kocoon->space, address, size, fixture->module);
}

static int make(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct kocoon *kocoon = calloc(1, sizeof(*kocoon));

	assert_true(fixture && kocoon);
	pthread_mutex_init(&kocoon->mutex, NULL);
	pthread_cond_init(&kocoon->changed, NULL);
	kc_garbage_init(&kocoon->garbage);
	assert_int_equal(kc_name_table_init(&kocoon->names, &kocoon->garbage), 0);
	assert_int_equal(kc_name_table_reserve(&kocoon->names, 1), 0);
	assert_int_equal(kc_live_space_init(&kocoon->space, UINT64_C(64) * PAGE, NULL), 0);
	fixture->kocoon = kocoon;
	fixture->module = kc_loaded_new(kocoon, "object");
	assert_non_null(fixture->module);
	assert_int_equal(kc_live_space_allocate(&kocoon->space, 4 * PAGE, &fixture->text), 0);
	fixture->data = fixture->text + 2 * PAGE;
	fixture->init = fixture->text + 3 * PAGE;
	set_region(fixture, KOCOON_REGION_TEXT, fixture->text, 2 * PAGE);
	set_region(fixture, KOCOON_REGION_DATA, fixture->data, PAGE);
	set_region(fixture, KOCOON_REGION_INIT_TEXT, fixture->init, PAGE);
	fill(fixture, &fixture->core);
	fill(fixture, &fixture->full);
	add(&fixture->full, "of_init", 3, fixture->init + 8);
	fixture->module->core_kallsyms = tables_of(&fixture->core);
	fixture->module->full_kallsyms = tables_of(&fixture->full);
	atomic_store(&fixture->module->kallsyms, &fixture->module->full_kallsyms);
	strcpy(fixture->module->build_id, "0123abcd");
	kc_list_add(fixture->module);
	kc_set_state(fixture->module, KOCOON_STATE_COMING);
	*state = fixture;
	return 0;
}

static int unmake(void **state)
{
	struct fixture *fixture = *state;
	struct kocoon *kocoon = fixture->kocoon;

	(void)stop_failing();
	kc_list_remove(fixture->module);
	kc_synchronize_rcu();
	kc_kallsyms_free(fixture->module);
	pthread_mutex_destroy(&fixture->module->param_lock);
	free(fixture->module);
	kc_live_space_set_owner(&kocoon->space, fixture->text, 4 * PAGE, NULL);
	kc_live_space_free(&kocoon->space, fixture->text, 4 * PAGE);
	kc_live_space_deinit(&kocoon->space);
	kc_name_table_deinit(&kocoon->names);
	kc_garbage_deinit(&kocoon->garbage);
	pthread_cond_destroy(&kocoon->changed);
	pthread_mutex_destroy(&kocoon->mutex);
	free(kocoon);
	free(fixture);
	return 0;
}

static void assert_address(const struct fixture *fixture, uint64_t address, const char *symbol,
			   uint64_t offset, uint64_t size)
{
	struct kocoon_address found;

	if (!kocoon_lookup_address(fixture->kocoon, address, &found))
		fail_msg("nothing at %s+%#lx", symbol, (unsigned long)offset);
	assert_string_equal(found.symbol, symbol);
	assert_string_equal(found.module, "object");
	assert_string_equal(found.build_id, "0123abcd");
	assert_int_equal(found.offset, offset);
	assert_int_equal(found.size, size);
}

static void assert_nowhere(const struct fixture *fixture, uint64_t address)
{
	struct kocoon_address found;

	assert_false(kocoon_lookup_address(fixture->kocoon, address, &found));
}

/* ---- what is to be answered, by an index and by a walk ---- */

static void assert_addresses(const struct fixture *fixture)
{
	uint64_t text = fixture->text, data = fixture->data;

	/* The first in the table of those at one address; labels don't cut it short. */
	assert_address(fixture, text + 0x10, "first", 0, 0xf0);
	assert_address(fixture, text + 0x18, "first", 8, 0xf0);
	assert_address(fixture, text + 0x48, "first", 0x38, 0xf0);
	assert_address(fixture, text + 0xff, "first", 0xef, 0xf0);
	/* An import isn't there, whatever its value. */
	assert_address(fixture, text + 0x130, "second", 0x30, 0x1e00);
	/* Up to the region's end. */
	assert_address(fixture, text + 0x1f00, "last_of_text", 0, 0x100);
	assert_address(fixture, text + 0x1fff, "last_of_text", 0xff, 0x100);
	assert_address(fixture, data + 0x40, "variable", 0, 0x40);
	assert_address(fixture, data + 0xc1, "twice", 1, PAGE - 0xc0);
	/* What stands before all symbols of its region: the one before, as the kernel has it. */
	assert_address(fixture, data + 1, "last_of_text", 0x101, 0x140);
	assert_address(fixture, text + 1, "absolute", text + 1 - 0x10, text);
	assert_nowhere(fixture, text - 1);
	assert_nowhere(fixture, fixture->init + PAGE);
	assert_nowhere(fixture, 0);
}

static void assert_names(const struct fixture *fixture)
{
	struct kocoon *kocoon = fixture->kocoon;
	static const char *const nowhere[] = {
		"",
		":",
		"object:",
		"imported",
		"object:imported",
		"other:first",
		"nothing",
		"object:nothing",
		"first:",
		"object:first:",
	};

	assert_int_equal(kocoon_lookup_name(kocoon, "first"), fixture->text + 0x10);
	assert_int_equal(kocoon_lookup_name(kocoon, "first_again"), fixture->text + 0x10);
	assert_int_equal(kocoon_lookup_name(kocoon, "object:second"), fixture->text + 0x100);
	/* The first in the table. */
	assert_int_equal(kocoon_lookup_name(kocoon, "twice"), fixture->data + 0x80);
	assert_int_equal(kocoon_lookup_name(kocoon, "object:twice"), fixture->data + 0x80);
	/* By name labels are found. */
	assert_int_equal(kocoon_lookup_name(kocoon, "$x"), fixture->text + 0x18);
	assert_int_equal(kocoon_lookup_name(kocoon, "object:absolute"), 0x10);
	for (size_t i = 0; i < KC_ARRAY_SIZE(nowhere); i++)
		if (kocoon_lookup_name(kocoon, nowhere[i]))
			fail_msg("found '%s'", nowhere[i]);
}

static void indices_answer(void **state)
{
	const struct fixture *fixture = *state;
	const struct kc_symbol_index *index;

	assert_null(atomic_load(&fixture->module->symbol_index));
	assert_addresses(fixture);
	index = atomic_load(&fixture->module->symbol_index);
	assert_non_null(index);
	assert_names(fixture);
	/* And is made once. */
	assert_ptr_equal(atomic_load(&fixture->module->symbol_index), index);
}

static void walks_answer_alike(void **state)
{
	const struct fixture *fixture = *state;

	start_failing(0, true);
	assert_addresses(fixture);
	assert_names(fixture);
	assert_true(stop_failing());
	assert_null(atomic_load(&fixture->module->symbol_index));
	/* With memory, the next question makes one. */
	assert_names(fixture);
	assert_non_null(atomic_load(&fixture->module->symbol_index));
}

static void every_failing_allocation(void **state)
{
	const struct fixture *fixture = *state;
	long allowed = 0;

	for (bool failed = true; failed; allowed++) {
		start_failing(allowed, true);
		assert_address(fixture, fixture->text + 0x18, "first", 8, 0xf0);
		failed = stop_failing();
		assert_int_equal(atomic_load(&fixture->module->symbol_index) != NULL, !failed);
	}
	assert_true(allowed > 3);
}

static void init_goes(void **state)
{
	struct fixture *fixture = *state;
	uint64_t init = fixture->init;

	assert_address(fixture, init + 9, "of_init", 1, PAGE - 8);
	assert_int_equal(kocoon_lookup_name(fixture->kocoon, "of_init"), init + 8);
	kc_kallsyms_switch_to_core(fixture->module);
	atomic_store(&fixture->module->region_sizes[KOCOON_REGION_INIT_TEXT], 0);
	assert_nowhere(fixture, init + 9);
	assert_int_equal(kocoon_lookup_name(fixture->kocoon, "of_init"), 0);
	assert_addresses(fixture);
	assert_names(fixture);
}

/* Its name is cut to what fits, and ends. */
static void long_names_are_cut(void **state)
{
	struct fixture *fixture = *state;
	struct kocoon_address found;
	char name[sizeof(found.symbol) + 20];

	if (sizeof(name) > NAMES - fixture->full.name)
		fail_msg("no room for a name of %zu bytes", sizeof(name));
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	add(&fixture->full, name, 1, fixture->text + 0x200);
	fixture->module->full_kallsyms = tables_of(&fixture->full);
	assert_true(kocoon_lookup_address(fixture->kocoon, fixture->text + 0x200, &found));
	assert_int_equal(strlen(found.symbol), sizeof(found.symbol) - 1);
	assert_memory_equal(found.symbol, name, sizeof(found.symbol) - 1);
	assert_int_equal(kocoon_lookup_name(fixture->kocoon, name), fixture->text + 0x200);
}

/* klp_find_object_symbol(): by position, or the only one. */
static void positions(void **state)
{
	const struct fixture *fixture = *state;
	uint64_t address = 0;

	assert_true(kc_kallsyms_find_position(fixture->module, "first", 0, &address));
	assert_int_equal(address, fixture->text + 0x10);
	assert_true(kc_kallsyms_find_position(fixture->module, "twice", 2, &address));
	assert_int_equal(address, fixture->data + 0xc0);
	assert_true(kc_kallsyms_find_position(fixture->module, "twice", 1, &address));
	assert_int_equal(address, fixture->data + 0x80);
	assert_false(kc_kallsyms_find_position(fixture->module, "twice", 0, &address));
	assert_false(kc_kallsyms_find_position(fixture->module, "twice", 3, &address));
	assert_false(kc_kallsyms_find_position(fixture->module, "imported", 0, &address));
	assert_false(kc_kallsyms_find_position(fixture->module, "nothing", 1, &address));
}

static void unformed_modules_are_not_there(void **state)
{
	const struct fixture *fixture = *state;

	kc_set_state(fixture->module, KOCOON_STATE_UNFORMED);
	assert_nowhere(fixture, fixture->text + 0x10);
	assert_int_equal(kocoon_lookup_name(fixture->kocoon, "first"), 0);
	assert_int_equal(kocoon_lookup_name(fixture->kocoon, "object:first"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(indices_answer, make, unmake),
		cmocka_unit_test_setup_teardown(walks_answer_alike, make, unmake),
		cmocka_unit_test_setup_teardown(every_failing_allocation, make, unmake),
		cmocka_unit_test_setup_teardown(init_goes, make, unmake),
		cmocka_unit_test_setup_teardown(long_names_are_cut, make, unmake),
		cmocka_unit_test_setup_teardown(positions, make, unmake),
		cmocka_unit_test_setup_teardown(unformed_modules_are_not_there, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
