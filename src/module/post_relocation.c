/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What follows relocation: the exception table is sorted, kallsyms' tables are written, code is
 * patched for the CPU that the load is for (post_relocation() of kernel/module/main.c). Works in
 * the module's memory; what it points to is looked up in the module, in its imports, in the
 * kernel's image.
 */
#include "module/load.h"

#include <bpf/btf.h>
#include <errno.h>

static struct kc_place section_place(struct kc_load *load, uint32_t index)
{
	return (struct kc_place){
		.address = kc_section_address(load, index),
		.bytes = kc_section_memory(load, index),
		.size = load->sections[index].shdr.sh_size,
	};
}

static bool find_section(void *context, const char *name, struct kc_place *place_ret)
{
	struct kc_load *load = context;
	uint32_t index = kc_find_sec(load, name);

	if (!index || !load->sections[index].placed)
		return false;
	*place_ret = section_place(load, index);
	return place_ret->bytes;
}

static bool find_place(void *context, uint64_t address, struct kc_place *place_ret)
{
	struct kc_load *load = context;
	uint64_t room;
	uint8_t *bytes = kc_memory_at(&load->memory, address, 1, &room);

	if (!bytes)
		return false;
	*place_ret = (struct kc_place){ address, bytes, room };
	return true;
}

static const struct kc_import *find_import(const struct kc_load *load, const char *name,
					   uint32_t hash)
{
	uint32_t cursor = 0;
	uint32_t found;

	while ((found = kc_index_next(&load->imports_by_name, hash, &cursor)) != KC_INDEX_NONE)
		if (strcmp(load->imports[found].name, name) == 0)
			return &load->imports[found];
	return NULL;
}

/* Some tables ask for a name with each entry. */
static int index_imports(struct kc_load *load)
{
	int err = kc_index_init(&load->imports_by_name, load->import_count);

	for (size_t i = 0; !err && i < load->import_count; i++) {
		const struct kc_import *import = &load->imports[i];

		if (import->export && !find_import(load, import->name, import->hash))
			err = kc_index_add(&load->imports_by_name, import->hash, (uint32_t)i);
	}
	return err;
}

/* As the module was bound: an import's address goes before the kernel's own table. */
static uint64_t find_symbol(void *context, const char *name)
{
	const struct kc_load *load = context;
	const struct kc_import *import = find_import(load, name, kc_hash(name));
	uint64_t address;

	if (import)
		return import->export->address;
	/* Live code can't reach what is in an image only. */
	return !load->live && kc_kernel_find_symbol(load->kernel, name, &address) ? address : 0;
}

/* Zeroes for what is in no file. */
static bool find_in_bss(const struct kc_load *load, uint64_t address, uint64_t size,
			struct kc_span *bytes_ret)
{
	static const uint8_t zeroes[16];
	uint64_t start, stop;

	if (size > sizeof(zeroes) || !kc_kernel_find_symbol(load->kernel, "__bss_start", &start) ||
	    !kc_kernel_find_symbol(load->kernel, "__bss_stop", &stop) || address < start ||
	    address >= stop)
		return false;
	*bytes_ret = kc_span(zeroes, (size_t)size);
	return true;
}

static bool kernel_bytes(void *context, uint64_t address, uint64_t size, struct kc_span *bytes_ret)
{
	const struct kc_load *load = context;
	const struct kc_neighbours *neighbours = load->neighbours;

	if (load->live)
		return false;
	if (neighbours->memory && neighbours->memory(neighbours->context, address, size, bytes_ret))
		return true;
	return kc_kernel_bytes(load->kernel, address, size, bytes_ret) ||
	       find_in_bss(load, address, size, bytes_ret);
}

static uint32_t struct_size(void *context, const char *name)
{
	const struct kc_load *load = context;
	const struct btf *btf = kc_kernel_btf(load->kernel);
	int id = btf ? btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT) : 0;

	return id > 0 ? btf__type_by_id(btf, (uint32_t)id)->size : 0;
}

/* Without a CPU, sections stay as they are in the file, but for relocations. */
int kc_post_relocation(struct kc_load *load)
{
	const struct kc_finalize finalize = {
		.context = load,
		.section = find_section,
		.at = find_place,
		.symbol = find_symbol,
		.kernel_bytes = kernel_bytes,
		.struct_size = struct_size,
		.cpu = load->cpu,
		.smp = load->cpu && load->arch->cpu_is_smp(load->cpu),
		.report = load->report,
	};
	int err;

	if (load->cpu)
		load->arch->sort_extable(&finalize);
	err = kc_add_kallsyms(load);
	if (err || !load->cpu)
		return err;
	if (index_imports(load))
		return kc_finding(load->report, KOCOON_STAGE_FINALIZE, -ENOMEM, "out of memory");
	return load->arch->finalize(&finalize);
}
