/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One module through kocoon's link space, with what the machine gave it: addresses of its regions
 * and of its per-CPU data, the place of the kernel's own copy of the file, the exports of modules
 * before at their addresses, the kernel's data as they were.
 */
#include "judge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "image/image.h"

static const char *exported(void *context, const char *name, uint32_t hash)
{
	const struct judge_linker *linker = context;

	if (kc_kernel_find_export(linker->kernel, name, hash))
		return "";
	return judge_neighbours_exported(linker->neighbours, name, hash);
}

static bool exists(void *context, const char *name)
{
	const struct judge_linker *linker = context;

	return judge_neighbours_exists(linker->neighbours, name);
}

static bool memory(void *context, uint64_t address, uint64_t size, struct kc_span *bytes_ret)
{
	const struct judge_linker *linker = context;

	return judge_world_bytes(linker->world, address, size, bytes_ret);
}

static void forget(struct judge_linker *linker)
{
	if (linker->loaded)
		kc_load_deinit(&linker->load);
	kc_report_deinit(&linker->report);
	linker->loaded = false;
}

void judge_linker_deinit(struct judge_linker *linker)
{
	forget(linker);
	kc_unpacker_deinit(&linker->unpacker);
	kc_buffer_deinit(&linker->file);
	kc_buffer_deinit(&linker->image);
}

/* ---- addresses */

/* The regions that stand one behind the other in an allocation, up to KOCOON_REGION_COUNT. */
static const enum kocoon_region_kind allocations[2][5] = {
	{ KOCOON_REGION_TEXT, KOCOON_REGION_RODATA, KOCOON_REGION_RO_AFTER_INIT, KOCOON_REGION_DATA,
	  KOCOON_REGION_COUNT },
	{ KOCOON_REGION_INIT_TEXT, KOCOON_REGION_INIT_RODATA, KOCOON_REGION_INIT_DATA,
	  KOCOON_REGION_COUNT },
};

static void size_differs(struct judge_report *report, const char *name, uint64_t real,
			 uint64_t ours)
{
	char of_kernel[32], of_kocoon[32];

	snprintf(of_kernel, sizeof(of_kernel), "%" PRIu64, real);
	snprintf(of_kocoon, sizeof(of_kocoon), "%" PRIu64, ours);
	judge_report_item(report, JUDGE_REGIONS, real == ours, name, of_kernel, of_kocoon);
}

static void split_allocation(const struct kc_load *load, struct judge_real *real,
			     const enum kocoon_region_kind *kinds, uint64_t address,
			     struct kc_span bytes, struct judge_report *report)
{
	uint64_t at = 0;

	for (; *kinds != KOCOON_REGION_COUNT; kinds++) {
		uint64_t size = load->memory.regions[*kinds].size;

		real->addresses[*kinds] = address + at;
		if (size && !kc_span_sub(bytes, at, size, &real->regions[*kinds]))
			real->regions[*kinds] = kc_span(NULL, 0);
		at += size;
	}
	size_differs(report, kinds[-1] == KOCOON_REGION_DATA ? "core" : "init", bytes.len, at);
}

/*
 * The regions of the records, each where kocoon has it: kernels of two allocations have several in
 * one.
 */
static void split_regions(const struct kc_load *load, struct judge_real *real,
			  struct judge_report *report)
{
	const struct kc_record *record;
	size_t at = 0;

	while ((record = kc_records_next(real->records, RECORD_REGION, &at))) {
		struct kc_span bytes;
		struct record_region region = kc_record_region(record, &bytes);
		bool init = region.type >= KOCOON_REGION_INIT_TEXT;

		if (region.type >= KOCOON_REGION_COUNT || bytes.len != region.size) {
			size_differs(report, "record", region.size, bytes.len);
		} else if (load->abi->memory_regions) {
			real->regions[region.type] = bytes;
			real->addresses[region.type] = region.address;
		} else {
			split_allocation(load, real, allocations[init], region.address, bytes,
					 report);
		}
	}
	for (int i = 0; i < KOCOON_REGION_COUNT; i++)
		size_differs(report, kocoon_region_name((enum kocoon_region_kind)i),
			     real->regions[i].len, load->memory.regions[i].size);
}

/*
 * Symbols of sections that are not loaded lead into the kernel's copy of the file: the first of
 * them tells where that was, and all others have to agree.
 */
static void place_image(struct judge_linker *linker, const struct judge_real *real)
{
	const struct kc_load *load = &linker->load;
	const struct kc_section *symtab = &load->sections[load->index.sym];
	struct kc_span table;
	Elf64_Sym symbol, theirs;

	if (!symtab->placed || !kc_span_sub(real->regions[symtab->region], symtab->offset,
					    symtab->shdr.sh_size, &table))
		return;
	for (uint64_t i = 1; kc_elf_sym(symtab->file, i, &symbol) && kc_elf_sym(table, i, &theirs);
	     i++) {
		const struct kc_section *section = &load->sections[symbol.st_shndx];

		if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= load->ehdr.shnum ||
		    symbol.st_shndx == load->index.pcpu || section->placed)
			continue;
		linker->arch.image_base =
			theirs.st_value - symbol.st_value - section->shdr.sh_offset;
		return;
	}
}

static void place(struct judge_linker *linker, const struct judge_real *real)
{
	struct kc_load *load = &linker->load;

	kc_layout_place(load, load->arch->module_base);
	if (!real->captured)
		return;
	for (int i = 0; i < KOCOON_REGION_COUNT; i++)
		if (real->addresses[i])
			load->memory.regions[i].address = real->addresses[i];
	load->percpu_address = real->module.percpu;
	place_image(linker, real);
}

/* ---- the link */

static int read_module(struct judge_linker *linker, const struct judge_line *line,
		       struct kc_span *bytes_ret)
{
	const struct kc_decompressor *decompressor =
		&kc_kernel_behaviour(linker->kernel)->decompressor;
	enum kc_format format;
	int err = kc_read_file(line->path, KC_MODULE_IMAGE_MAX, &linker->file, &linker->report);

	if (!line->compressed)
		*bytes_ret = kc_buffer_span(&linker->file);
	return err || !line->compressed
		       ? err
		       : kc_module_decompress(decompressor, kc_buffer_span(&linker->file),
					      &linker->unpacker, &linker->image, &linker->report,
					      &format, bytes_ret);
}

int judge_link(struct judge_linker *linker, const struct judge_line *line, struct judge_real *real,
	       struct judge_report *report)
{
	struct kc_load *load = &linker->load;
	const struct kc_neighbours neighbours = {
		.context = linker,
		.exported = exported,
		.exists = exists,
		.memory = linker->world ? memory : NULL,
	};
	struct kc_span bytes;
	int err;

	forget(linker);
	err = read_module(linker, line, &bytes);
	if (err)
		return err;
	linker->policy.force_vermagic = line->force_vermagic;
	linker->policy.force_modversions = line->force_modversions;
	kc_load_init(load, linker->kernel, &linker->policy, &linker->report);
	linker->loaded = true;
	if (!load->arch)
		return -ENOTSUP;
	linker->arch = *load->arch;
	load->arch = &linker->arch;
	load->cpu = linker->cpu;
	kc_load_prepare(load, bytes);
	if (load->stopped)
		return load->err;
	judge_neighbours_bind(linker->neighbours, load);
	if (real->captured && report)
		split_regions(load, real, report);
	place(linker, real);
	return kc_load_finish(load, &neighbours);
}

void judge_fill_in(struct kc_load *load)
{
	load->live = true;
	kc_find_members(load);
	if (kc_add_kallsyms(load))
		printf("# struct module can't be filled in\n");
	kc_write_this_module(load);
	kc_write_empty_lists(load);
	load->live = false;
}
