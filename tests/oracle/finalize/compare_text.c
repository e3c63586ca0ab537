/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel as a second opinion on patched code: modules are linked at the addresses where the
 * real kernel had them, for the CPU that it ran on, and every byte of code is compared with what
 * `dump` brought back.
 *
 *	compare_text VMLINUZ TREE CPU LIST DUMP
 *	compare_text --offsets VMLINUZ	where struct module has kallsyms, core_kallsyms
 *
 * Twice: as kocoon links it for a program, where sites of jump labels and static calls are left out
 * if their key is the kernel's, since booting has changed some of these and the image doesn't tell;
 * and as it patches code with the kernel's data as they were in the machine, where nothing is left
 * out. Then struct module and symbol tables (compare_tables.c). Prints TAP, a test a module.
 */
#include <bpf/btf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "compare.h"
#include "image/image.h"
#include "module/module.h"

enum { MAX_MODULES = 256, MAX_SECTIONS = 128, MAX_OVERRIDES = 1 << 16, MAX_MEMORY = 8 };

struct section {
	char name[96];
	uint64_t address;
	struct kc_span bytes;
};

/* Data of the kernel's, as they were. */
struct memory {
	uint64_t address;
	struct kc_span bytes;
};

struct dumped {
	bool there;
	struct section sections[MAX_SECTIONS];
	size_t count;
};

struct comparison {
	const struct kocoon_kernel *kernel;
	const struct kocoon_tree *tree;
	const char *cpu;
	struct dumped *dumped;
	struct memory memory[MAX_MEMORY];
	size_t memory_count;
	struct kocoon_symbol_override *overrides;
	size_t override_count;
	struct kocoon_module *modules[MAX_MODULES];
	size_t bytes, left_out, table_bytes;
};

static const struct kc_load *load_of(const struct kocoon_module *module)
{
	return &module->session.entries[0]->job->load;
}

/* One line of a dump and the bytes behind it. False: the end. */
static bool take_line(struct kc_span *rest, char line_ret[512])
{
	const uint8_t *end = memchr(rest->data, '\n', rest->len);
	size_t len = end ? (size_t)(end - rest->data) : 0;

	if (!end || len >= 512)
		return false;
	memcpy(line_ret, rest->data, len);
	line_ret[len] = 0;
	*rest = kc_span(end + 1, rest->len - len - 1);
	return true;
}

static void read_dump(struct kc_span rest, struct comparison *comparison)
{
	struct dumped *current = NULL;
	char line[512];

	while (take_line(&rest, line)) {
		struct section section = { .name = "" };
		unsigned int index;
		size_t size;

		if (sscanf(line, "module %u", &index) == 1 && index < MAX_MODULES) {
			current = &comparison->dumped[index];
			current->there = true;
		} else if (sscanf(line, "section %95s %" SCNx64 " %zu", section.name,
				  &section.address, &size) == 3) {
			if (!current || current->count == MAX_SECTIONS ||
			    !kc_span_sub(rest, 0, size, &section.bytes))
				return;
			current->sections[current->count++] = section;
			rest = kc_span(rest.data + size, rest.len - size);
		} else if (sscanf(line, "memory %*s %" SCNx64 " %zu", &section.address, &size) ==
			   2) {
			if (comparison->memory_count == MAX_MEMORY ||
			    !kc_span_sub(rest, 0, size, &section.bytes))
				return;
			comparison->memory[comparison->memory_count++] =
				(struct memory){ section.address, section.bytes };
			rest = kc_span(rest.data + size, rest.len - size);
		} else if (strcmp(line, "end") != 0) {
			printf("# the machine: %s\n", line);
		}
	}
}

static const struct kc_section *find_section(const struct kc_load *load, const char *name,
					     uint32_t *index_ret)
{
	for (uint32_t i = 1; i < load->ehdr.shnum; i++) {
		if (load->sections[i].placed && !strcmp(load->sections[i].name, name)) {
			*index_ret = i;
			return &load->sections[i];
		}
	}
	return NULL;
}

static struct kocoon_module *load_module(const struct comparison *comparison, const char *path,
					 const uint64_t *bases, uint64_t percpu, const char *cpu)
{
	const struct kocoon_module_options options = {
		.size = sizeof(options),
		.overrides = comparison->overrides,
		.override_count = comparison->override_count,
		.region_bases = bases,
		.cpu = cpu,
		.percpu = percpu,
	};
	struct kocoon_module *module = NULL;
	const struct kocoon_verdict *verdict;

	if (kocoon_module_load(comparison->kernel, comparison->tree, NULL, path, &options, &module))
		return NULL;
	verdict = kocoon_module_verdict(module);
	for (size_t i = 0; i < kocoon_report_count(verdict->report); i++)
		printf("# %s\n", kocoon_report_get(verdict->report, i)->what);
	return module;
}

/* Where the real kernel had each region: by any section of it. */
static bool find_bases(const struct kocoon_module *module, const struct dumped *dumped,
		       uint64_t bases[KOCOON_REGION_COUNT])
{
	for (size_t i = 0; i < dumped->count; i++) {
		const struct section *real = &dumped->sections[i];
		uint32_t index;
		const struct kc_section *section =
			find_section(load_of(module), real->name, &index);
		uint64_t base = section ? real->address - section->offset : 0;

		if (!section)
			continue;
		if (bases[section->region] && bases[section->region] != base) {
			printf("# %s is elsewhere in its region\n", real->name);
			return false;
		}
		bases[section->region] = base;
	}
	return true;
}

static uint64_t percpu_of(const struct dumped *dumped)
{
	for (size_t i = 0; i < dumped->count; i++)
		if (!strcmp(dumped->sections[i].name, ".data..percpu"))
			return dumped->sections[i].address;
	return 0;
}

/* ---- finalizing with the kernel's data as they were ---- */

struct running {
	const struct comparison *comparison;
	const struct kc_load *load;
};

static bool running_section(void *context, const char *name, struct kc_place *place_ret)
{
	const struct running *running = context;
	uint32_t index;
	const struct kc_section *section = find_section(running->load, name, &index);

	if (!section)
		return false;
	*place_ret =
		(struct kc_place){ kc_section_address(running->load, index),
				   kc_section_memory(running->load, index), section->shdr.sh_size };
	return true;
}

static bool running_place(void *context, uint64_t address, struct kc_place *place_ret)
{
	const struct running *running = context;

	for (int i = 0; i < KOCOON_REGION_COUNT; i++) {
		const struct kc_region *region = &running->load->memory.regions[i];
		uint64_t offset = address - region->address;

		if (!region->bytes || address < region->address || offset >= region->size)
			continue;
		*place_ret =
			(struct kc_place){ address, region->bytes + offset, region->size - offset };
		return true;
	}
	return false;
}

static uint64_t running_symbol(void *context, const char *name)
{
	const struct running *running = context;
	uint64_t address;

	return kc_kernel_find_symbol(running->comparison->kernel, name, &address) ? address : 0;
}

/* Data of the kernel as they were; of modules that are there already; else as in the image. */
static bool running_bytes(void *context, uint64_t address, uint64_t size, struct kc_span *bytes_ret)
{
	const struct comparison *comparison = ((const struct running *)context)->comparison;

	for (size_t i = 0; i < comparison->memory_count; i++)
		if (kc_span_sub(comparison->memory[i].bytes,
				address - comparison->memory[i].address, size, bytes_ret))
			return true;
	/* The newest first: init regions of others have given their addresses back. */
	for (size_t i = MAX_MODULES; i-- > 0;) {
		const struct kocoon_module *module = comparison->modules[i];
		const uint8_t *bytes =
			module ? kc_memory_at(&load_of(module)->memory, address, size, NULL) : NULL;

		if (!bytes)
			continue;
		*bytes_ret = kc_span(bytes, (size_t)size);
		return true;
	}
	return kc_kernel_bytes(comparison->kernel, address, size, bytes_ret);
}

static uint32_t running_struct_size(void *context, const char *name)
{
	const struct running *running = context;
	const struct btf *btf = kc_kernel_btf(running->comparison->kernel);
	int id = btf ? btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT) : 0;

	return id > 0 ? btf__type_by_id(btf, (uint32_t)id)->size : 0;
}

static int finalize_as_running(const struct comparison *comparison,
			       const struct kocoon_module *module)
{
	struct running running = { comparison, load_of(module) };
	const struct kc_arch *arch = running.load->arch;
	struct kc_cpu cpu;
	int err = arch->cpu_find(comparison->cpu, NULL, &cpu);
	const struct kc_finalize finalize = {
		.context = &running,
		.section = running_section,
		.at = running_place,
		.symbol = running_symbol,
		.kernel_bytes = running_bytes,
		.struct_size = running_struct_size,
		.cpu = &cpu,
		.smp = arch->cpu_is_smp(&cpu),
	};

	return err ? err : arch->finalize(&finalize);
}

/* ---- what is left out ---- */

static bool is_own(const struct kc_load *load, uint64_t address)
{
	return kc_memory_at(&load->memory, address, 1, NULL);
}

static uint8_t *mark(const struct kc_load *load, uint32_t index, uint8_t *marks, uint64_t site,
		     size_t len)
{
	uint64_t start = kc_section_address(load, index);
	uint64_t size = load->sections[index].shdr.sh_size;

	if (site < start || site - start >= size)
		return NULL;
	for (size_t i = 0; i < len && site - start + i < size; i++)
		marks[site - start + i] = 1;
	return marks;
}

static uint64_t relative(const struct kc_load *load, uint32_t table, uint64_t at, bool wide)
{
	const uint8_t *place = kc_section_memory(load, table) + at;

	return kc_section_address(load, table) + at +
	       (wide ? kc_load64(place) : (uint64_t)(int32_t)kc_load32(place));
}

/* Sites of a table of entries `size` long, with the key at `key`. */
static size_t leave_out(const struct kc_load *load, const char *name, uint64_t size, uint64_t key,
			uint32_t index, uint8_t *marks)
{
	uint32_t table;
	size_t count = 0;

	if (!find_section(load, name, &table))
		return 0;
	for (uint64_t at = 0; at + size <= load->sections[table].shdr.sh_size; at += size) {
		uint64_t named = relative(load, table, at + key, size - key == 8) & ~UINT64_C(3);

		if (!is_own(load, named) &&
		    mark(load, index, marks, relative(load, table, at, false), 5))
			count++;
	}
	return count;
}

/* ---- the comparison ---- */

static void show(const char *name, uint64_t at, const uint8_t *real, const uint8_t *ours,
		 uint64_t size)
{
	printf("# %s+%#" PRIx64 "\n#   kernel:", name, at);
	for (uint64_t i = at > 4 ? at - 4 : 0; i < at + 12 && i < size; i++)
		printf(" %02x", real[i]);
	printf("\n#   kocoon:");
	for (uint64_t i = at > 4 ? at - 4 : 0; i < at + 12 && i < size; i++)
		printf(" %02x", ours[i]);
	printf("\n");
}

static size_t compare_section(struct comparison *comparison, const struct kc_load *load,
			      const struct section *real, bool exact)
{
	uint32_t index;
	const struct kc_section *section = find_section(load, real->name, &index);
	const uint8_t *ours = section ? kc_section_memory(load, index) : NULL;
	uint8_t *marks = calloc(1, real->bytes.len + 1);
	size_t different = 0;

	if (!ours || !marks || section->shdr.sh_size != real->bytes.len) {
		free(marks);
		return 1;
	}
	if (!exact) {
		comparison->left_out += leave_out(load, "__jump_table", 16, 8, index, marks);
		comparison->left_out += leave_out(load, ".static_call_sites", 8, 4, index, marks);
	}
	for (size_t i = 0; i < real->bytes.len; i++) {
		if (marks[i] || ours[i] == real->bytes.data[i])
			continue;
		if (different++ < 8)
			show(real->name, i, real->bytes.data, ours, real->bytes.len);
		i += 7;
	}
	comparison->bytes += real->bytes.len;
	free(marks);
	return different;
}

/* Modules behind it are to find its exports where the real ones were. */
static void add_overrides(struct comparison *comparison, const struct kc_load *load)
{
	for (size_t i = 0; i < load->export_count; i++) {
		if (comparison->override_count == MAX_OVERRIDES)
			return;
		comparison->overrides[comparison->override_count++] =
			(struct kocoon_symbol_override){ load->exports[i].name,
							 load->exports[i].address };
	}
}

static size_t compare_sections(struct comparison *comparison, const struct kc_load *load,
			       const struct dumped *dumped, bool exact)
{
	size_t different = 0;

	for (size_t i = 0; i < dumped->count; i++)
		if (dumped->sections[i].bytes.len && !is_table(dumped->sections[i].name))
			different += compare_section(comparison, load, &dumped->sections[i], exact);
	return different;
}

/* Behind the code, as it fills in struct module. */
static size_t compare_all_tables(struct comparison *comparison, const struct kocoon_module *module,
				 const struct dumped *dumped)
{
	struct kc_load *load = &module->session.entries[0]->job->load;
	size_t different = 0;

	/* The verdict has taken the signature over. */
	load->signature.sig_ok =
		kocoon_module_verdict(module)->signature.state == KOCOON_SIGNATURE_OK;
	fill_struct_module(load);
	for (size_t i = 0; i < dumped->count; i++) {
		const struct section *section = &dumped->sections[i];

		if (section->bytes.len)
			different += compare_tables(load, section->name, section->address,
						    section->bytes, &comparison->table_bytes);
	}
	return different;
}

static bool compare_module(struct comparison *comparison, unsigned int index, const char *path)
{
	const struct dumped *dumped = &comparison->dumped[index];
	uint64_t bases[KOCOON_REGION_COUNT] = { 0 };
	struct kocoon_module *layout = load_module(comparison, path, NULL, 0, NULL);
	struct kocoon_module *module, *exact;
	size_t different = 0;
	bool placed = layout && dumped->there && find_bases(layout, dumped, bases);

	kocoon_module_free(layout);
	if (!placed)
		return false;
	module = load_module(comparison, path, bases, percpu_of(dumped), comparison->cpu);
	comparison->modules[index] = module;
	if (!module || kocoon_module_verdict(module)->err)
		return false;
	different = compare_sections(comparison, load_of(module), dumped, false);
	exact = load_module(comparison, path, bases, percpu_of(dumped), NULL);
	different += exact && finalize_as_running(comparison, exact) == 0
			     ? compare_sections(comparison, load_of(exact), dumped, true)
			     : 1;
	kocoon_module_free(exact);
	different += compare_all_tables(comparison, module, dumped);
	if (different)
		printf("# %zu places differ\n", different);
	add_overrides(comparison, load_of(module));
	return !different;
}

static int compare_all(struct comparison *comparison, FILE *list)
{
	char path[4096];
	unsigned int count = 0;
	int failures = 0;

	for (; count < MAX_MODULES && fgets(path, sizeof(path), list); count++) {
		path[strcspn(path, "\n")] = 0;
		bool same = compare_module(comparison, count, path);

		printf("%sok %u - %s\n", same ? "" : "not ", count + 1, strrchr(path, '/') + 1);
		failures += !same;
	}
	printf("1..%u\n# %zu bytes of code compared, %zu sites of the kernel's keys "
	       "once left out; %zu of struct module and symbol tables\n",
	       count, comparison->bytes, comparison->left_out, comparison->table_bytes);
	for (unsigned int i = 0; i < count; i++)
		kocoon_module_free(comparison->modules[i]);
	return failures || !count ? 1 : 0;
}

/* For the machine, which doesn't read BTF. */
static int tell_offsets(const char *path)
{
	struct kocoon_kernel *kernel = NULL;
	const uint32_t *offset;

	if (kocoon_kernel_open(path, NULL, NULL, &kernel))
		return 1;
	offset = kc_kernel_abi(kernel)->members.offset;
	printf("%" PRIu32 ",%" PRIu32 "\n", offset[KC_MEMBER_KALLSYMS],
	       offset[KC_MEMBER_CORE_KALLSYMS]);
	kocoon_kernel_free(kernel);
	return 0;
}

int main(int argc, char **argv)
{
	struct comparison comparison = { 0 };
	struct kocoon_kernel *kernel = NULL;
	struct kocoon_tree *tree = NULL;
	struct kc_buffer dump = { 0 };
	int status = 1;
	FILE *list;

	if (argc == 3 && !strcmp(argv[1], "--offsets"))
		return tell_offsets(argv[2]);
	if (argc != 6)
		return 2;
	list = fopen(argv[4], "re");
	comparison.dumped = calloc(MAX_MODULES, sizeof(*comparison.dumped));
	comparison.overrides = calloc(MAX_OVERRIDES, sizeof(*comparison.overrides));
	if (list && comparison.dumped && comparison.overrides &&
	    kocoon_kernel_open(argv[1], NULL, NULL, &kernel) == 0 &&
	    kocoon_tree_open(argv[2], NULL, &tree) == 0 &&
	    kc_read_file(argv[5], UINT32_MAX, &dump, NULL) == 0) {
		comparison.kernel = kernel;
		comparison.tree = tree;
		comparison.cpu = argv[3];
		read_dump(kc_buffer_span(&dump), &comparison);
		status = compare_all(&comparison, list);
	}
	if (list)
		fclose(list);
	kocoon_tree_free(tree);
	kocoon_kernel_free(kernel);
	kc_buffer_deinit(&dump);
	free(comparison.overrides);
	free(comparison.dumped);
	return status;
}
