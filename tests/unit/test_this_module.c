/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * module/this_module.c: struct module in the module's memory, of a 6.12 and a 6.1 kernel. Members
 * are found in the kernels' BTF by name here, apart from how the library finds them.
 */
#include "unit.h"

#include <bpf/btf.h>
#include <stdlib.h>
#include <string.h>

#include "build_module.h"
#include "build_object.h"
#include "build_vmlinux.h"

enum { TEXT = 1, INIT_TEXT, DATA, MODERN_SIZE = 1344 };

static const uint8_t notes[] = {
	/* of another owner; of the right one and another type; too long; and the one */
	4, 0, 0, 0, 4,	0, 0, 0, 3, 0, 0, 0, 'X', 'E', 'N', 0, 9, 9, 9, 9, /* */
	4, 0, 0, 0, 4,	0, 0, 0, 2, 0, 0, 0, 'G', 'N', 'U', 0, 8, 8, 8, 8, /* */
	4, 0, 0, 0, 24, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 7, 7, 7, 7, 7, 7, 7, 7, /* */
	7, 7, 7, 7, 7,	7, 7, 7, 7, 7, 7, 7, 7,	  7,   7,   7, /* */
	4, 0, 0, 0, 5,	0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 1, 2, 3, 4, 5, 0, 0, 0,
};

/* What struct module counts: name, size of an entry, members. */
static const struct table {
	const char *section;
	uint32_t entry;
	const char *address, *count; /* members; NULL: none */
} tables[] = {
	{ "__param", 40, "kp", "num_kp" },
	{ "__ksymtab", 12, "syms", "num_syms" },
	{ "__kcrctab", 4, "crcs", NULL },
	{ "__ksymtab_gpl", 12, "gpl_syms", "num_gpl_syms" },
	{ "__kcrctab_gpl", 4, "gpl_crcs", NULL },
	{ "__tracepoints_ptrs", 4, "tracepoints_ptrs", "num_tracepoints" },
	{ "___srcu_struct_ptrs", 8, "srcu_struct_ptrs", "num_srcu_structs" },
	{ "__bpf_raw_tp_map", 32, "bpf_raw_events", "num_bpf_raw_events" },
	{ "__jump_table", 16, "jump_entries", "num_jump_entries" },
	{ "__trace_printk_fmt", 8, "trace_bprintk_fmt_start", "num_trace_bprintk_fmt" },
	{ "_ftrace_events", 8, "trace_events", "num_trace_events" },
	{ "_ftrace_eval_map", 8, "trace_evals", "num_trace_evals" },
	{ "__mcount_loc", 8, "ftrace_callsites", "num_ftrace_callsites" },
	{ ".noinstr.text", 1, "noinstr_text_start", "noinstr_text_size" },
	{ ".kprobes.text", 1, "kprobes_text_start", "kprobes_text_size" },
	{ "_kprobe_blacklist", 8, "kprobe_blacklist", "num_kprobe_blacklist" },
	{ ".static_call_sites", 8, "static_call_sites", "num_static_call_sites" },
	{ "__ex_table", 12, "extable", "num_exentries" },
	{ "__bug_table", 12, "bug_table", "num_bugs" },
};

enum { OWN_SECTIONS = 6, ALL_SECTIONS = OWN_SECTIONS + KC_ARRAY_SIZE(tables), ENTRIES = 3 };

static const struct object_section own_sections[OWN_SECTIONS] = {
	{ ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, NULL, 64 },
	{ ".init.text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, NULL, 5000 },
	{ ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, NULL, 32 },
	{ ".data..percpu", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, NULL, 24 },
	{ ".note.gnu.build-id", SHT_NOTE, SHF_ALLOC, notes, sizeof(notes) },
	{ "__dyndbg", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, NULL, 112 },
};

static const struct object_symbol symbols[] = {
	{ "init_module", STB_GLOBAL, STT_FUNC, INIT_TEXT, 16, 0 },
	{ "cleanup_module", STB_GLOBAL, STT_FUNC, TEXT, 32, 0 },
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

/* ---- BTF, by name ---- */

static const struct btf_type *struct_of(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);

	assert_true(id > 0);
	return btf__type_by_id(btf, (uint32_t)id);
}

/* Also of a union or structure without a name. -1: there is none. */
static int64_t offset_in(const struct btf *btf, const struct btf_type *type, const char *name)
{
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *member = &btf_members(type)[i];
		const char *found = btf__name_by_offset(btf, member->name_off);
		int64_t at = btf_member_bit_offset(type, i) / 8, below;

		if (!strcmp(found, name))
			return at;
		if (*found)
			continue;
		below = offset_in(btf, btf__type_by_id(btf, member->type), name);
		if (below >= 0)
			return at + below;
	}
	return -1;
}

struct reader {
	const struct btf *btf;
	const struct kc_load *load;
	uint64_t address;
	const uint8_t *bytes; /* of struct module */
};

static struct reader reader_of(const struct linked *linked)
{
	const struct kc_load *load = &linked->load;

	return (struct reader){
		.btf = kc_kernel_btf(load->kernel),
		.load = load,
		.address = kc_section_address(load, load->index.mod),
		.bytes = kc_section_memory(load, load->index.mod),
	};
}

static bool has(const struct reader *reader, const char *name)
{
	return offset_in(reader->btf, struct_of(reader->btf, "module"), name) >= 0;
}

static uint64_t place_of(const struct reader *reader, const char *name)
{
	int64_t offset = offset_in(reader->btf, struct_of(reader->btf, "module"), name);

	if (offset < 0)
		fail_msg("no member %s", name);
	return (uint64_t)offset;
}

static uint64_t read64(const struct reader *reader, const char *name)
{
	return kc_load64(reader->bytes + place_of(reader, name));
}

static uint32_t read32(const struct reader *reader, const char *name)
{
	return kc_load32(reader->bytes + place_of(reader, name));
}

static uint64_t within(const struct reader *reader, const char *type, const char *name)
{
	int64_t offset = offset_in(reader->btf, struct_of(reader->btf, type), name);

	assert_true(offset >= 0);
	return (uint64_t)offset;
}

/* ---- modules ---- */

static void link_tables(const struct kocoon_kernel *kernel, struct linked *linked)
{
	const Elf64_Shdr *shdr;
	struct object_section sections[ALL_SECTIONS];
	struct reader reader = { .btf = kc_kernel_btf(kernel) };
	const Elf64_Rela relocations[] = {
		{ place_of(&reader, "init"), ELF64_R_INFO(UINT64_C(1), R_X86_64_64), 0 },
		{ place_of(&reader, "exit"), ELF64_R_INFO(UINT64_C(2), R_X86_64_64), 0 },
	};
	const struct object_recipe recipe = {
		.sections = sections,
		.section_count = ALL_SECTIONS,
		.symbols = symbols,
		.symbol_count = KC_ARRAY_SIZE(symbols),
		.relocations = relocations,
		.relocation_count = KC_ARRAY_SIZE(relocations),
	};

	memcpy(sections, own_sections, sizeof(own_sections));
	for (size_t i = 0; i < KC_ARRAY_SIZE(tables); i++)
		sections[OWN_SECTIONS + i] = (struct object_section){
			tables[i].section,
			SHT_PROGBITS,
			SHF_ALLOC | SHF_WRITE,
			NULL,
			/* A piece of an entry at the end doesn't count. */
			(size_t)tables[i].entry * ENTRIES + (tables[i].entry > 1),
		};
	link_object(kernel, &recipe, linked);
	shdr = &linked->load.sections[linked->load.index.mod].shdr;
	assert_int_equal(shdr->sh_size, struct_of(reader.btf, "module")->size);
}

/* ---- tests ---- */

static void state_of_a_coming_module(void **state)
{
	(void)state;
	for (size_t k = 0; k < KC_ARRAY_SIZE(kernels); k++) {
		struct linked linked;
		struct reader reader;

		link_tables(kernels[k], &linked);
		reader = reader_of(&linked);
		assert_int_equal(read32(&reader, "state"), 1); /* MODULE_STATE_COMING */
		assert_string_equal(reader.bytes + place_of(&reader, "name"), "object");
		assert_int_equal(read32(&reader, "refcnt"), 2);
		assert_int_equal(read64(&reader, "taints"), linked.load.taints);
		assert_true(linked.load.taints & (1u << KC_TAINT_OOT_MODULE));
		assert_int_equal(reader.bytes[place_of(&reader, "sig_ok")], 0);
		assert_int_equal(reader.bytes[place_of(&reader, "using_gplonly_symbols")], 0);
		if (has(&reader, "klp"))
			assert_int_equal(reader.bytes[place_of(&reader, "klp")], 0);
		assert_int_equal(read64(&reader, "init"),
				 kc_section_address(reader.load, INIT_TEXT) + 16);
		assert_int_equal(read64(&reader, "exit"),
				 kc_section_address(reader.load, TEXT) + 32);
		free_linked(&linked);
	}
}

static void tables_are_counted(void **state)
{
	(void)state;
	for (size_t k = 0; k < KC_ARRAY_SIZE(kernels); k++) {
		struct linked linked;
		struct reader reader;
		size_t found = 0;

		link_tables(kernels[k], &linked);
		reader = reader_of(&linked);
		for (size_t i = 0; i < KC_ARRAY_SIZE(tables); i++) {
			uint32_t section = (uint32_t)(OWN_SECTIONS + 1 + i);

			if (!has(&reader, tables[i].address))
				continue;
			found++;
			assert_int_equal(read64(&reader, tables[i].address),
					 kc_section_address(reader.load, section));
			if (tables[i].count)
				assert_int_equal(read32(&reader, tables[i].count), ENTRIES);
		}
		assert_true(found >= KC_ARRAY_SIZE(tables) - 1);
		/* Sections that it doesn't have. */
		assert_int_equal(read64(&reader, "btf_data"), 0);
		assert_int_equal(read32(&reader, "btf_data_size"), 0);
		free_linked(&linked);
	}
}

static void lists_are_empty_and_owners_known(void **state)
{
	static const char *const lists[] = { "list", "source_list", "target_list", "bug_list" };

	(void)state;
	for (size_t k = 0; k < KC_ARRAY_SIZE(kernels); k++) {
		struct linked linked;
		struct reader reader;
		const uint8_t *owner;
		uint64_t wait_list;

		link_tables(kernels[k], &linked);
		reader = reader_of(&linked);
		for (size_t i = 0; i < KC_ARRAY_SIZE(lists); i++) {
			uint64_t at = place_of(&reader, lists[i]);

			assert_int_equal(kc_load64(reader.bytes + at), reader.address + at);
			assert_int_equal(kc_load64(reader.bytes + at + 8), reader.address + at);
		}
		owner = reader.bytes + place_of(&reader, "mkobj") +
			within(&reader, "module_kobject", "mod");
		assert_int_equal(kc_load64(owner), 0);
		kc_write_owner(&linked.load);
		assert_int_equal(kc_load64(owner), reader.address);
		wait_list = place_of(&reader, "param_lock") + within(&reader, "mutex", "wait_list");
		assert_int_equal(kc_load64(reader.bytes + wait_list), reader.address + wait_list);
		assert_int_equal(kc_load64(reader.bytes + wait_list + 8),
				 reader.address + wait_list);
		free_linked(&linked);
	}
}

static void percpu_data(void **state)
{
	(void)state;
	for (size_t k = 0; k < KC_ARRAY_SIZE(kernels); k++) {
		struct linked linked;
		struct reader reader;

		link_tables(kernels[k], &linked);
		reader = reader_of(&linked);
		assert_int_equal(read64(&reader, "percpu"), OBJECT_PERCPU);
		assert_int_equal(read32(&reader, "percpu_size"), 24);
		free_linked(&linked);
	}
}

static void seven_regions(void **state)
{
	struct linked linked;
	struct reader reader;
	uint64_t size;

	(void)state;
	link_tables(kernels[0], &linked);
	reader = reader_of(&linked);
	size = struct_of(reader.btf, "module_memory")->size;
	for (uint64_t i = 0; i < KOCOON_REGION_COUNT; i++) {
		const struct kc_region *region = &linked.load.memory.regions[i];
		const uint8_t *memory = reader.bytes + place_of(&reader, "mem") + i * size;

		assert_int_equal(kc_load64(memory + within(&reader, "module_memory", "base")),
				 region->size ? region->address : 0);
		assert_int_equal(kc_load32(memory + within(&reader, "module_memory", "size")),
				 region->size);
		assert_int_equal(kc_load64(memory + within(&reader, "module_memory", "mtn") +
					   within(&reader, "mod_tree_node", "mod")),
				 reader.address);
	}
	free_linked(&linked);
}

static void assert_layout(const struct reader *reader, const char *name, uint64_t base,
			  const uint64_t sizes[4])
{
	static const char *const ends[] = { "text_size", "ro_size", "ro_after_init_size", "size" };
	const uint8_t *layout = reader->bytes + place_of(reader, name);
	uint64_t end = 0;

	assert_int_equal(kc_load64(layout + within(reader, "module_layout", "base")), base);
	for (size_t i = 0; i < KC_ARRAY_SIZE(ends); i++) {
		end += sizes[i];
		assert_int_equal(kc_load32(layout + within(reader, "module_layout", ends[i])), end);
	}
}

static void two_layouts(void **state)
{
	struct linked linked;
	struct reader reader;
	const struct kc_region *regions = linked.load.memory.regions;

	(void)state;
	link_tables(kernels[1], &linked);
	reader = reader_of(&linked);
	assert_false(has(&reader, "mem"));
	assert_layout(&reader, "core_layout", regions[KOCOON_REGION_TEXT].address,
		      (const uint64_t[]){ regions[KOCOON_REGION_TEXT].size,
					  regions[KOCOON_REGION_RODATA].size,
					  regions[KOCOON_REGION_RO_AFTER_INIT].size,
					  regions[KOCOON_REGION_DATA].size });
	assert_layout(&reader, "init_layout", regions[KOCOON_REGION_INIT_TEXT].address,
		      (const uint64_t[]){ regions[KOCOON_REGION_INIT_TEXT].size,
					  regions[KOCOON_REGION_INIT_RODATA].size, 0,
					  regions[KOCOON_REGION_INIT_DATA].size });
	free_linked(&linked);
}

/* Only state, name, and what relocations tell. */
static void a_kernel_without_btf(void **state)
{
	enum { INIT = 320, EXIT = 1208 };
	const struct vmlinux_recipe vmlinux = { .no_btf = true };
	const Elf64_Rela relocations[] = {
		{ INIT, ELF64_R_INFO(UINT64_C(1), R_X86_64_64), 0 },
		{ EXIT, ELF64_R_INFO(UINT64_C(2), R_X86_64_64), 0 },
	};
	const struct object_recipe recipe = {
		.sections = own_sections,
		.section_count = OWN_SECTIONS,
		.symbols = symbols,
		.symbol_count = KC_ARRAY_SIZE(symbols),
		.relocations = relocations,
		.relocation_count = KC_ARRAY_SIZE(relocations),
		.module_size = MODERN_SIZE,
	};
	struct kc_buffer image = build_vmlinux(&vmlinux);
	struct kocoon_kernel *kernel = NULL;
	uint8_t expected[MODERN_SIZE] = { 1 };
	struct linked linked;
	uint64_t value;

	(void)state;
	assert_int_equal(open_kernel_bytes(kc_buffer_span(&image), NULL, NULL, &kernel), 0);
	link_object(kernel, &recipe, &linked);
	for (int i = 0; i < KC_MEMBER_COUNT; i++) {
		uint32_t offset = linked.load.members.offset[i];

		assert_int_equal(offset, i == KC_MEMBER_STATE  ? 0
					 : i == KC_MEMBER_NAME ? 24
					 : i == KC_MEMBER_INIT ? INIT
					 : i == KC_MEMBER_EXIT ? EXIT
							       : KC_NO_MEMBER);
	}
	strcpy((char *)expected + 24, "object");
	value = kc_section_address(&linked.load, INIT_TEXT) + 16;
	memcpy(expected + INIT, &value, sizeof(value));
	value = kc_section_address(&linked.load, TEXT) + 32;
	memcpy(expected + EXIT, &value, sizeof(value));
	/* And nothing else is touched. */
	assert_memory_equal(kc_section_memory(&linked.load, linked.load.index.mod), expected,
			    MODERN_SIZE);
	free_linked(&linked);
	kocoon_kernel_free(kernel);
	kc_buffer_deinit(&image);
}

/* The image's struct module may be of any size where nobody knows it. */
static void a_short_struct_module(void **state)
{
	const struct vmlinux_recipe vmlinux = { .no_btf = true };
	const Elf64_Rela inside[] = { { 80, ELF64_R_INFO(UINT64_C(1), R_X86_64_64), 0 } };
	const Elf64_Rela across[] = { { 93, ELF64_R_INFO(UINT64_C(2), R_X86_64_64), 0 } };
	struct object_recipe recipe = {
		.sections = own_sections,
		.section_count = OWN_SECTIONS,
		.symbols = symbols,
		.symbol_count = KC_ARRAY_SIZE(symbols),
		.relocations = inside,
		.relocation_count = 1,
		.module_size = 96,
	};
	struct kc_buffer image = build_vmlinux(&vmlinux);
	struct kocoon_kernel *kernel = NULL;
	struct linked linked;

	(void)state;
	assert_int_equal(open_kernel_bytes(kc_buffer_span(&image), NULL, NULL, &kernel), 0);
	link_object(kernel, &recipe, &linked);
	assert_int_equal(linked.load.members.offset[KC_MEMBER_INIT], 80);
	free_linked(&linked);

	/* What would reach behind its end is no member. */
	recipe.relocations = across;
	(void)link_bytes(kernel, build_object(kernel, &recipe), &linked);
	kc_find_members(&linked.load);
	assert_int_equal(linked.load.members.offset[KC_MEMBER_EXIT], KC_NO_MEMBER);
	free_linked(&linked);
	kocoon_kernel_free(kernel);
	kc_buffer_deinit(&image);
}

/* Of several notes the first that is one; of those that lie about their lengths none. */
static void build_ids(void **state)
{
	static const uint8_t lies[][20] = {
		{ 4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 3, 0, 0, 0, 'G', 'N', 'U', 0, 1, 2, 3, 4 },
		{ 0xff, 0xff, 0xff, 0xff, 4, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 1, 2, 3, 4 },
		{ 4, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 1, 2, 3, 4 },
		{ 4, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 1, 2, 3, 4 },
		{ 3, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 1, 2, 3, 4 },
	};
	static const uint8_t none[20], expected[20] = { 1, 2, 3, 4, 5 };
	const struct vmlinux_recipe vmlinux = { 0 };
	struct kc_buffer image = build_vmlinux(&vmlinux);
	struct kocoon_kernel *kernel = NULL;

	(void)state;
	assert_int_equal(open_kernel_bytes(kc_buffer_span(&image), NULL, NULL, &kernel), 0);
	for (size_t i = 0; i <= KC_ARRAY_SIZE(lies); i++) {
		bool lie = i < KC_ARRAY_SIZE(lies);
		const struct object_section section = { ".note", SHT_NOTE, SHF_ALLOC,
							lie ? lies[i] : notes,
							lie ? sizeof(lies[0]) : sizeof(notes) };
		const struct object_recipe recipe = { .sections = &section, .section_count = 1 };
		struct linked linked;
		struct reader reader;

		link_object(kernel, &recipe, &linked);
		reader = reader_of(&linked);
		assert_memory_equal(reader.bytes + place_of(&reader, "build_id"),
				    lie ? none : expected, sizeof(none));
		free_linked(&linked);
	}
	kocoon_kernel_free(kernel);
	kc_buffer_deinit(&image);
}

/* As it stands in the symbol table in memory. */
static uint64_t value_of(const struct kc_load *load, const char *name)
{
	const uint8_t *table = kc_section_memory(load, load->index.sym);
	Elf64_Sym symbol;

	for (uint64_t i = 0; kc_elf_sym(load->sections[load->index.sym].file, i, &symbol); i++)
		if (!strcmp(kc_symbol_name(load, symbol.st_name), name))
			return kc_load64(table + i * sizeof(symbol) +
					 offsetof(Elf64_Sym, st_value));
	fail_msg("no symbol %s", name);
	return 0;
}

/* The members that its own compiler filled in by relocation are where BTF says. */
static void stock_modules(void **state)
{
	(void)state;
	for (size_t k = 0; k < KC_ARRAY_SIZE(kernels); k++) {
		struct linked linked;
		struct reader reader;

		link_stock(kernels[k], kernel_kinds[k],
			   "lib/modules/*/kernel/drivers/net/dummy.ko*", &linked);
		reader = reader_of(&linked);
		assert_string_equal(reader.bytes + place_of(&reader, "name"), "dummy");
		assert_int_equal(read64(&reader, "init"), value_of(reader.load, "init_module"));
		assert_int_equal(read64(&reader, "exit"), value_of(reader.load, "cleanup_module"));
		assert_int_equal(read32(&reader, "num_kp"), 1);
		assert_int_equal(
			read64(&reader, "kp"),
			kc_section_address(reader.load, kc_find_sec(reader.load, "__param")));
		free_linked(&linked);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_of_a_coming_module),
		cmocka_unit_test(tables_are_counted),
		cmocka_unit_test(lists_are_empty_and_owners_known),
		cmocka_unit_test(percpu_data),
		cmocka_unit_test(seven_regions),
		cmocka_unit_test(two_layouts),
		cmocka_unit_test(a_kernel_without_btf),
		cmocka_unit_test(a_short_struct_module),
		cmocka_unit_test(build_ids),
		cmocka_unit_test(stock_modules),
	};

	return cmocka_run_group_tests(tests, open_all, free_all);
}
