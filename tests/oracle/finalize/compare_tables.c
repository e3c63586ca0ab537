/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * struct module member by member, and the symbol tables symbol by symbol, as a real kernel has them
 * when a module's init would run.
 *
 * Not compared: members that a kernel points to memory of its own with, what the helper module that
 * keeps init from running has changed (init, exit), and values of symbols in sections that are not
 * loaded, which lead into the kernel's copy of the file.
 */
#include "compare.h"

#include <bpf/btf.h>
#include <inttypes.h>
#include <stdio.h>

#include "kernel/layouts.h"

static const char this_module[] = ".gnu.linkonce.this_module";

bool is_table(const char *name)
{
	return !strcmp(name, this_module) || !strcmp(name, ".symtab") || !strcmp(name, ".strtab") ||
	       !strcmp(name, "core-tables") || !strcmp(name, "mod_kallsyms");
}

void fill_struct_module(struct kc_load *load)
{
	load->live = true;
	kc_find_members(load);
	if (kc_add_kallsyms(load) || kc_write_this_module(load))
		printf("# struct module can't be filled in\n");
	load->live = false;
}

/* ---- struct module ---- */

/*
 * Lists of others, objects, locks, allocations of the kernel's; types that stay in its copy of the
 * file; init and exit are the helper's. klp_alive is set when live patches hear of the module:
 * live/livepatch.c.
 */
static bool is_the_kernels(const char *member)
{
	static const char *const members[] = {
		"list",		 "mkobj",	  "modinfo_attrs",  "version",	  "srcversion",
		"holders_dir",	 "sect_attrs",	  "notes_attrs",    "args",	  "bug_list",
		"source_list",	 "target_list",	  "klp_info",	    "arch",	  "init",
		"exit",		 "its_num_pages", "its_page_array", "param_lock", "btf_data",
		"btf_data_size", "klp_alive",
	};

	for (size_t i = 0; i < KC_ARRAY_SIZE(members); i++)
		if (!strcmp(members[i], member))
			return true;
	return false;
}

/* The tree that finds modules by address is the kernel's, but for whose node it is. */
static void leave_out_node(const struct kc_layouts *layouts, uint8_t *marks, uint64_t node,
			   uint64_t end)
{
	for (uint64_t i = node; i < end; i++)
		if (i < node + layouts->mtn_mod || i >= node + layouts->mtn_mod + 8)
			marks[i] = 1;
}

static uint64_t end_of_member(const struct btf *btf, const struct btf_type *type, uint32_t index)
{
	int64_t size = btf__resolve_size(btf, btf_members(type)[index].type);

	return btf_member_bit_offset(type, index) / 8 + (size > 0 ? (uint64_t)size : 0);
}

/* Which bytes of a member are not to be compared. */
static void leave_out(const struct kc_load *load, const char *member, uint64_t start, uint64_t end,
		      uint8_t *marks)
{
	const struct kc_layouts *layouts = kc_kernel_layouts(load->kernel);

	if (is_the_kernels(member))
		memset(marks + start, 1, end - start);
	else if (!strcmp(member, "mem"))
		for (uint64_t at = start; at + layouts->memory_size <= end;
		     at += layouts->memory_size)
			leave_out_node(layouts, marks, at + layouts->memory_mtn,
				       at + layouts->memory_size);
	else if (!strcmp(member, "core_layout") || !strcmp(member, "init_layout"))
		leave_out_node(layouts, marks, start + layouts->layout_mtn, end);
}

static void show(const char *what, const char *name, const uint8_t *real, const uint8_t *ours,
		 uint64_t size)
{
	printf("# %s %s\n#   kernel:", what, name);
	for (uint64_t i = 0; i < size && i < 32; i++)
		printf(" %02x", real[i]);
	printf("\n#   kocoon:");
	for (uint64_t i = 0; i < size && i < 32; i++)
		printf(" %02x", ours[i]);
	printf("\n");
}

static size_t compare_struct_module(const struct kc_load *load, struct kc_span real, size_t *bytes)
{
	const struct btf *btf = kc_kernel_btf(load->kernel);
	int id = btf__find_by_name_kind(btf, "module", BTF_KIND_STRUCT);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
	const uint8_t *ours = kc_section_memory(load, load->index.mod);
	static uint8_t marks[8192];
	size_t different = 0;

	if (!type || !ours || type->size != real.len || real.len > sizeof(marks))
		return 1;
	memset(marks, 0, sizeof(marks));
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const char *name = btf__name_by_offset(btf, btf_members(type)[i].name_off);
		uint64_t start = btf_member_bit_offset(type, i) / 8;
		uint64_t end = end_of_member(btf, type, i);
		bool same = true;

		leave_out(load, name, start, end, marks);
		for (uint64_t at = start; at < end; at++) {
			same = same && (marks[at] || ours[at] == real.data[at]);
			*bytes += !marks[at];
		}
		if (same)
			continue;
		show("struct module:", name, real.data + start, ours + start, end - start);
		different++;
	}
	return different;
}

/* ---- symbols ---- */

static bool has_value(const struct kc_load *load, const Elf64_Sym *symbol)
{
	return symbol->st_shndx == SHN_UNDEF || symbol->st_shndx >= load->ehdr.shnum ||
	       symbol->st_shndx == load->index.pcpu || load->sections[symbol->st_shndx].placed;
}

static size_t compare_symbols(const struct kc_load *load, struct kc_span real, size_t *bytes)
{
	struct kc_span file = load->sections[load->index.sym].file;
	const uint8_t *ours = kc_section_memory(load, load->index.sym);
	Elf64_Sym symbol, theirs, own;
	size_t different = 0;

	if (!ours || real.len != file.len)
		return 1;
	for (uint64_t i = 0; kc_elf_sym(file, i, &symbol) && kc_elf_sym(real, i, &theirs); i++) {
		const char *name = kc_symbol_name(load, symbol.st_name);

		memcpy(&own, ours + i * sizeof(own), sizeof(own));
		if (!has_value(load, &symbol))
			own.st_value = theirs.st_value;
		else
			*bytes += sizeof(own.st_value);
		*bytes += sizeof(own) - sizeof(own.st_value);
		if (!memcmp(&own, &theirs, sizeof(own)))
			continue;
		if (different++ < 4)
			show("symbol", name ? name : "", (const uint8_t *)&theirs,
			     (const uint8_t *)&own, sizeof(own));
	}
	return different;
}

static size_t compare_bytes(const struct kc_load *load, const char *name, uint64_t address,
			    struct kc_span real, size_t *bytes)
{
	const uint8_t *ours = kc_memory_at(&load->memory, address, real.len, NULL);

	if (!ours) {
		printf("# %s is elsewhere\n", name);
		return 1;
	}
	*bytes += real.len;
	for (size_t i = 0; i < real.len; i++) {
		if (ours[i] == real.data[i])
			continue;
		printf("# at %#zx of %#zx:\n", i, real.len);
		show("table", name, real.data + i, ours + i, real.len - i);
		return 1;
	}
	return 0;
}

size_t compare_tables(const struct kc_load *load, const char *name, uint64_t address,
		      struct kc_span real, size_t *bytes)
{
	if (!strcmp(name, this_module))
		return compare_struct_module(load, real, bytes);
	if (!strcmp(name, ".symtab"))
		return compare_symbols(load, real, bytes);
	return is_table(name) ? compare_bytes(load, name, address, real, bytes) : 0;
}
