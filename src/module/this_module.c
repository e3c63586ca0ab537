/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * struct module in the module's memory, as the kernel has filled it in by the time that the module
 * is COMING: find_module_sections(), module_memory_alloc(), percpu_modalloc(),
 * module_unload_init(), module_bug_finalize(), init_build_id() and others of kernel/module.
 *
 * Offsets are the kernel's own, from its BTF; a member that it doesn't have, or that lies outside
 * of the section, is left alone. Relocations have filled in init and exit.
 */
#include "kernel/layouts.h"
#include "module/load.h"

/* ---- where members are ---- */

/* The member of the relocation's symbol; KC_MEMBER_COUNT: another one. */
static enum kc_module_member member_of_symbol(const struct kc_load *load, const Elf64_Rela *rela)
{
	struct kc_span symbols = load->sections[load->index.sym].file;
	const char *name = NULL;
	Elf64_Sym symbol;

	if (kc_elf_sym(symbols, ELF64_R_SYM(rela->r_info), &symbol))
		name = kc_symbol_name(load, symbol.st_name);
	if (name && strcmp(name, "init_module") == 0)
		return KC_MEMBER_INIT;
	if (name && strcmp(name, "cleanup_module") == 0)
		return KC_MEMBER_EXIT;
	return KC_MEMBER_COUNT;
}

static void find_functions(struct kc_load *load, uint32_t relocations)
{
	struct kc_span entries = load->sections[relocations].file;
	uint64_t size = load->sections[load->index.mod].shdr.sh_size;
	Elf64_Rela rela;

	for (uint64_t i = 0; kc_elf_rela(entries, i, &rela); i++) {
		enum kc_module_member member = member_of_symbol(load, &rela);

		if (member != KC_MEMBER_COUNT && rela.r_offset < UINT32_MAX &&
		    rela.r_offset + sizeof(uint64_t) <= size &&
		    load->members.offset[member] == KC_NO_MEMBER)
			load->members.offset[member] = (uint32_t)rela.r_offset;
	}
}

/* Those that a section shorter than the kernel's struct module has no room for. */
static void drop_members_outside(struct kc_load *load)
{
	uint64_t size = load->sections[load->index.mod].shdr.sh_size;

	for (size_t i = 0; i < KC_MEMBER_COUNT; i++) {
		uint32_t *offset = &load->members.offset[i];

		if (*offset != KC_NO_MEMBER && *offset + sizeof(uint64_t) > size)
			*offset = KC_NO_MEMBER;
	}
}

void kc_find_members(struct kc_load *load)
{
	load->members = load->abi->members;
	for (uint32_t i = 1; i < load->ehdr.shnum; i++) {
		const Elf64_Shdr *shdr = &load->sections[i].shdr;

		if (shdr->sh_type == SHT_RELA && shdr->sh_info == load->index.mod)
			find_functions(load, i);
	}
	drop_members_outside(load);
}

/* `size` bytes at an offset in a member, to be written; NULL: not there. */
static uint8_t *find_place(const struct kc_load *load, enum kc_module_member member,
			   uint64_t offset, uint64_t size)
{
	const struct kc_section *section = &load->sections[load->index.mod];
	uint8_t *memory = kc_section_memory(load, load->index.mod);
	uint32_t at = load->members.offset[member];
	uint64_t room = section->shdr.sh_size;

	if (!memory || at == KC_NO_MEMBER || offset >= KC_NO_MEMBER || at + offset > room ||
	    size > room - at - offset)
		return NULL;
	return memory + at + offset;
}

static void write_at(const struct kc_load *load, enum kc_module_member member, uint64_t offset,
		     uint64_t value, uint32_t size)
{
	uint8_t *place = find_place(load, member, offset, size);

	/* Little-endian: what is shorter is the lower part. */
	if (place)
		memcpy(place, &value, size);
}

static void write64(const struct kc_load *load, enum kc_module_member member, uint64_t value)
{
	write_at(load, member, 0, value, sizeof(uint64_t));
}

static void write32(const struct kc_load *load, enum kc_module_member member, uint64_t value)
{
	write_at(load, member, 0, value, sizeof(uint32_t));
}

static void write_bool(const struct kc_load *load, enum kc_module_member member, bool value)
{
	write_at(load, member, 0, value, 1);
}

/* ---- tables: find_module_sections() ---- */

enum entry {
	ENTRY_BYTE,
	ENTRY_INT,
	ENTRY_POINTER,
	ENTRY_SYMBOL,
	ENTRY_PARAM,
	ENTRY_EXCEPTION,
	ENTRY_BUG,
	ENTRY_JUMP,
	ENTRY_STATIC_CALL,
	ENTRY_RAW_EVENT,
	ENTRY_ERROR_INJECTION,
};

static uint32_t entry_size(const struct kc_load *load, enum entry entry)
{
	const struct kc_layouts *layouts = kc_kernel_layouts(load->kernel);

	switch (entry) {
	case ENTRY_INT:
		return sizeof(uint32_t);
	case ENTRY_POINTER:
		return sizeof(uint64_t);
	case ENTRY_SYMBOL:
		return load->abi->kernel_symbol_size;
	case ENTRY_PARAM:
		return load->abi->kernel_param_size;
	case ENTRY_EXCEPTION:
		return load->abi->extable_entry_size;
	case ENTRY_BUG:
		return layouts->bug_entry;
	case ENTRY_JUMP:
		return layouts->jump_entry;
	case ENTRY_STATIC_CALL:
		return layouts->static_call_site;
	case ENTRY_RAW_EVENT:
		return layouts->bpf_raw_event_map;
	case ENTRY_ERROR_INJECTION:
		return layouts->error_injection_entry;
	default:
		return 1;
	}
}

struct table {
	const char *section;
	enum kc_module_member address;
	enum kc_module_member count; /* KC_MEMBER_COUNT: none is kept */
	enum entry entry;
};

static const struct table tables[] = {
	{ "__param", KC_MEMBER_KP, KC_MEMBER_NUM_KP, ENTRY_PARAM },
	{ "__ksymtab", KC_MEMBER_SYMS, KC_MEMBER_NUM_SYMS, ENTRY_SYMBOL },
	{ "__kcrctab", KC_MEMBER_CRCS, KC_MEMBER_COUNT, ENTRY_INT },
	{ "__ksymtab_gpl", KC_MEMBER_GPL_SYMS, KC_MEMBER_NUM_GPL_SYMS, ENTRY_SYMBOL },
	{ "__kcrctab_gpl", KC_MEMBER_GPL_CRCS, KC_MEMBER_COUNT, ENTRY_INT },
	{ ".init_array", KC_MEMBER_CTORS, KC_MEMBER_NUM_CTORS, ENTRY_POINTER },
	{ ".ctors", KC_MEMBER_CTORS, KC_MEMBER_NUM_CTORS, ENTRY_POINTER },
	{ "__tracepoints_ptrs", KC_MEMBER_TRACEPOINTS_PTRS, KC_MEMBER_NUM_TRACEPOINTS, ENTRY_INT },
	{ "___srcu_struct_ptrs", KC_MEMBER_SRCU_STRUCT_PTRS, KC_MEMBER_NUM_SRCU_STRUCTS,
	  ENTRY_POINTER },
	{ "__bpf_raw_tp_map", KC_MEMBER_BPF_RAW_EVENTS, KC_MEMBER_NUM_BPF_RAW_EVENTS,
	  ENTRY_RAW_EVENT },
	{ ".BTF", KC_MEMBER_BTF_DATA, KC_MEMBER_BTF_DATA_SIZE, ENTRY_BYTE },
	{ "__jump_table", KC_MEMBER_JUMP_ENTRIES, KC_MEMBER_NUM_JUMP_ENTRIES, ENTRY_JUMP },
	{ "__trace_printk_fmt", KC_MEMBER_TRACE_BPRINTK_FMT_START, KC_MEMBER_NUM_TRACE_BPRINTK_FMT,
	  ENTRY_POINTER },
	{ "_ftrace_events", KC_MEMBER_TRACE_EVENTS, KC_MEMBER_NUM_TRACE_EVENTS, ENTRY_POINTER },
	{ "_ftrace_eval_map", KC_MEMBER_TRACE_EVALS, KC_MEMBER_NUM_TRACE_EVALS, ENTRY_POINTER },
	{ "__mcount_loc", KC_MEMBER_FTRACE_CALLSITES, KC_MEMBER_NUM_FTRACE_CALLSITES,
	  ENTRY_POINTER },
	{ "_error_injection_whitelist", KC_MEMBER_EI_FUNCS, KC_MEMBER_NUM_EI_FUNCS,
	  ENTRY_ERROR_INJECTION },
	{ ".noinstr.text", KC_MEMBER_NOINSTR_TEXT_START, KC_MEMBER_NOINSTR_TEXT_SIZE, ENTRY_BYTE },
	{ ".kprobes.text", KC_MEMBER_KPROBES_TEXT_START, KC_MEMBER_KPROBES_TEXT_SIZE, ENTRY_BYTE },
	{ "_kprobe_blacklist", KC_MEMBER_KPROBE_BLACKLIST, KC_MEMBER_NUM_KPROBE_BLACKLIST,
	  ENTRY_POINTER },
	{ ".printk_index", KC_MEMBER_PRINTK_INDEX_START, KC_MEMBER_PRINTK_INDEX_SIZE,
	  ENTRY_POINTER },
	{ ".static_call_sites", KC_MEMBER_STATIC_CALL_SITES, KC_MEMBER_NUM_STATIC_CALL_SITES,
	  ENTRY_STATIC_CALL },
	{ "__ex_table", KC_MEMBER_EXTABLE, KC_MEMBER_NUM_EXENTRIES, ENTRY_EXCEPTION },
	{ "__bug_table", KC_MEMBER_BUG_TABLE, KC_MEMBER_NUM_BUGS, ENTRY_BUG },
};

/* A section in memory, as section_objs() finds it. 0: there is none. */
static uint64_t section_objs(const struct kc_load *load, const char *name, uint32_t size,
			     uint64_t *count_ret)
{
	uint32_t section = kc_find_sec(load, name);

	if (!section || !load->sections[section].placed || !size)
		return 0;
	*count_ret = load->sections[section].shdr.sh_size / size;
	return kc_section_address(load, section);
}

static void write_tables(const struct kc_load *load)
{
	for (size_t i = 0; i < KC_ARRAY_SIZE(tables); i++) {
		const struct table *table = &tables[i];
		uint64_t count = 0;
		uint64_t address =
			section_objs(load, table->section, entry_size(load, table->entry), &count);

		if (!address)
			continue;
		write64(load, table->address, address);
		if (table->count != KC_MEMBER_COUNT)
			write32(load, table->count, count);
	}
}

static void write_dyndbg(const struct kc_load *load)
{
	const struct kc_layouts *layouts = kc_kernel_layouts(load->kernel);
	uint64_t count = 0;
	uint64_t address = section_objs(load, "__dyndbg", layouts->ddebug, &count);

	if (address) {
		write_at(load, KC_MEMBER_DYNDBG_INFO, layouts->dyndbg_descs, address, 8);
		write_at(load, KC_MEMBER_DYNDBG_INFO, layouts->dyndbg_num_descs, count, 4);
	}
	address = section_objs(load, "__dyndbg_classes", layouts->ddebug_class_map, &count);
	if (address) {
		write_at(load, KC_MEMBER_DYNDBG_INFO, layouts->dyndbg_classes, address, 8);
		write_at(load, KC_MEMBER_DYNDBG_INFO, layouts->dyndbg_num_classes, count, 4);
	}
}

/* What unwind_module_init() leaves behind; nothing where the two tables don't belong together. */
static void write_orc(const struct kc_load *load)
{
	enum { ORC_ENTRY_SIZE = 6 };
	const struct kc_layouts *layouts = kc_kernel_layouts(load->kernel);
	uint32_t ips = kc_find_sec(load, ".orc_unwind_ip"), orcs = kc_find_sec(load, ".orc_unwind");
	uint64_t ip_size = load->sections[ips].shdr.sh_size;
	uint64_t orc_size = load->sections[orcs].shdr.sh_size;
	uint64_t count = ip_size / sizeof(uint32_t);

	if (!ips || !orcs || ip_size % sizeof(uint32_t) || orc_size % ORC_ENTRY_SIZE ||
	    orc_size / ORC_ENTRY_SIZE != count)
		return;
	write_at(load, KC_MEMBER_ARCH, layouts->arch_num_orcs, count, 4);
	write_at(load, KC_MEMBER_ARCH, layouts->arch_orc_unwind_ip, kc_section_address(load, ips),
		 8);
	write_at(load, KC_MEMBER_ARCH, layouts->arch_orc_unwind, kc_section_address(load, orcs), 8);
}

/* ---- memory ---- */

static uint64_t this_module(const struct kc_load *load)
{
	return kc_section_address(load, load->index.mod);
}

/* struct module_memory, one a region. */
static void write_regions(const struct kc_load *load)
{
	const struct kc_layouts *layouts = kc_kernel_layouts(load->kernel);

	for (uint64_t i = 0; i < KOCOON_REGION_COUNT; i++) {
		const struct kc_region *region = &load->memory.regions[i];
		uint64_t at = i * layouts->memory_size;

		write_at(load, KC_MEMBER_MEM, at + layouts->memory_base,
			 region->size ? region->address : 0, 8);
		write_at(load, KC_MEMBER_MEM, at + layouts->memory_bytes, region->size, 4);
		if (layouts->memory_mtn != KC_NO_MEMBER)
			write_at(load, KC_MEMBER_MEM, at + layouts->memory_mtn + layouts->mtn_mod,
				 this_module(load), 8);
	}
}

/* struct module_layout: one allocation, in which regions follow each other. */
static void write_layout(const struct kc_load *load, enum kc_module_member member,
			 const enum kocoon_region_kind kinds[4])
{
	const struct kc_layouts *layouts = kc_kernel_layouts(load->kernel);
	const uint32_t ends[] = { layouts->layout_text, layouts->layout_ro,
				  layouts->layout_ro_after_init, layouts->layout_bytes };
	uint64_t size = 0, base = 0;

	for (size_t i = 0; i < KC_ARRAY_SIZE(ends); i++) {
		if (kinds[i] != KOCOON_REGION_COUNT) {
			const struct kc_region *region = &load->memory.regions[kinds[i]];

			if (region->size && !base)
				base = region->address;
			size += region->size;
		}
		write_at(load, member, ends[i], size, 4);
	}
	write_at(load, member, layouts->layout_base, base, 8);
	if (layouts->layout_mtn != KC_NO_MEMBER)
		write_at(load, member, (uint64_t)layouts->layout_mtn + layouts->mtn_mod,
			 this_module(load), 8);
}

static void write_memory(const struct kc_load *load)
{
	static const enum kocoon_region_kind core[4] = {
		KOCOON_REGION_TEXT,
		KOCOON_REGION_RODATA,
		KOCOON_REGION_RO_AFTER_INIT,
		KOCOON_REGION_DATA,
	};
	static const enum kocoon_region_kind init[4] = {
		KOCOON_REGION_INIT_TEXT,
		KOCOON_REGION_INIT_RODATA,
		KOCOON_REGION_COUNT,
		KOCOON_REGION_INIT_DATA,
	};

	write_regions(load);
	write_layout(load, KC_MEMBER_CORE_LAYOUT, core);
	write_layout(load, KC_MEMBER_INIT_LAYOUT, init);
	if (!load->index.pcpu)
		return;
	write64(load, KC_MEMBER_PERCPU, load->percpu_address);
	write32(load, KC_MEMBER_PERCPU_SIZE, load->sections[load->index.pcpu].shdr.sh_size);
}

/* ---- the rest ---- */

/* An empty list, `offset` in a member, is one whose head points to itself. */
static void write_empty_list(const struct kc_load *load, enum kc_module_member member,
			     uint64_t offset)
{
	uint64_t address = this_module(load) + load->members.offset[member] + offset;

	write_at(load, member, offset, address, 8);
	write_at(load, member, offset + 8, address, 8);
}

enum { BUILD_ID_MAX = 20 };

/* The first NT_GNU_BUILD_ID of a section of notes that has room; empty: none. */
static struct kc_span find_build_id(struct kc_span notes)
{
	while (notes.len >= sizeof(Elf64_Nhdr)) {
		uint32_t name_len = kc_load32(notes.data);
		uint32_t len = kc_load32(notes.data + 4);
		uint64_t name = sizeof(Elf64_Nhdr);
		uint64_t at = name + kc_align(name_len, 4);
		uint64_t end = at + kc_align(len, 4);

		if (!kc_span_contains(notes, at, len))
			break;
		if (kc_load32(notes.data + 8) == NT_GNU_BUILD_ID && name_len == 4 && len &&
		    len <= BUILD_ID_MAX && memcmp(notes.data + name, "GNU", 4) == 0)
			return kc_span(notes.data + at, len);
		if (end > notes.len)
			break;
		notes = kc_span(notes.data + end, notes.len - (size_t)end);
	}
	return kc_span(NULL, 0);
}

static void write_build_id(const struct kc_load *load)
{
	struct kc_span id = { 0 };
	uint8_t *place;

	for (uint32_t i = 1; i < load->ehdr.shnum && !id.len; i++)
		if (load->sections[i].shdr.sh_type == SHT_NOTE)
			id = find_build_id(load->sections[i].file);
	place = id.len ? find_place(load, KC_MEMBER_BUILD_ID, 0, BUILD_ID_MAX) : NULL;
	if (place)
		memcpy(place, id.data, id.len);
}

static void write_state(const struct kc_load *load)
{
	enum {
		STATE_COMING = 1,
		REF_BASE = 1,
	};

	write32(load, KC_MEMBER_STATE, STATE_COMING);
	write64(load, KC_MEMBER_TAINTS, load->taints);
	write_bool(load, KC_MEMBER_SIG_OK, load->signature.sig_ok);
	write_bool(load, KC_MEMBER_USING_GPLONLY_SYMBOLS, load->uses_gpl_only);
	write_bool(load, KC_MEMBER_KLP, load->livepatch);
	/* The load itself holds one until init is through. */
	write32(load, KC_MEMBER_REFCNT, REF_BASE + 1);
}

void kc_write_this_module(struct kc_load *load)
{
	write_state(load);
	write_tables(load);
	write_dyndbg(load);
	write_memory(load);
	write_build_id(load);
	write_orc(load);
}

void kc_write_empty_lists(struct kc_load *load)
{
	write_empty_list(load, KC_MEMBER_LIST, 0);
	write_empty_list(load, KC_MEMBER_SOURCE_LIST, 0);
	write_empty_list(load, KC_MEMBER_TARGET_LIST, 0);
	write_empty_list(load, KC_MEMBER_BUG_LIST, 0);
	write_empty_list(load, KC_MEMBER_PARAM_LOCK,
			 kc_kernel_layouts(load->kernel)->mutex_wait_list);
}

void kc_write_owner(struct kc_load *load)
{
	write_at(load, KC_MEMBER_MKOBJ, kc_kernel_layouts(load->kernel)->mkobj_mod,
		 this_module(load), 8);
}
