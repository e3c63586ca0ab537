/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One module to be looked at from all sides: a session whose first entry keeps its load. */
#include <errno.h>
#include <stdlib.h>

#include "module/module.h"

static struct kc_load *kept_load(const struct kocoon_module *module)
{
	return &module->session.entries[0]->job->load;
}

static int compare_sections(const void *a, const void *b)
{
	const struct kocoon_section *left = a;
	const struct kocoon_section *right = b;

	if (left->region != right->region)
		return left->region < right->region ? -1 : 1;
	if (left->offset != right->offset)
		return left->offset < right->offset ? -1 : 1;
	/* Empty ones stand before what starts at the same place. */
	if (left->size != right->size)
		return left->size < right->size ? -1 : 1;
	return left->index < right->index ? -1 : left->index > right->index;
}

static void add_table(struct kocoon_module *module, const char *name,
		      enum kocoon_region_kind region, uint64_t offset, uint64_t size,
		      uint64_t align)
{
	const struct kc_load *load = kept_load(module);

	module->sections[module->section_count++] = (struct kocoon_section){
		.name = name,
		.region = region,
		.address = load->memory.regions[region].address + offset,
		.offset = offset,
		.size = size,
		.align = align,
	};
}

/* The tables that the kernel adds to what is in the file. */
static void add_kallsyms(struct kocoon_module *module)
{
	const struct kc_load *load = kept_load(module);
	const struct kc_kallsyms_layout *tables = &load->kallsyms;
	uint64_t all = load->sections[load->index.sym].file.len / sizeof(Elf64_Sym);

	add_table(module, "(kallsyms symbols)", KOCOON_REGION_DATA, tables->symtab,
		  tables->strtab - tables->symtab, 8);
	add_table(module, "(kallsyms names)", KOCOON_REGION_DATA, tables->strtab,
		  tables->typetab - tables->strtab, 1);
	add_table(module, "(kallsyms types)", KOCOON_REGION_DATA, tables->typetab,
		  tables->core_count, 1);
	add_table(module, "(kallsyms header)", KOCOON_REGION_INIT_DATA, tables->init_header,
		  load->abi->mod_kallsyms_size, load->abi->mod_kallsyms_align);
	add_table(module, "(kallsyms init types)", KOCOON_REGION_INIT_DATA, tables->init_typetab,
		  all, 1);
}

/* Gaps are the same whether they come from alignment or from an empty section. */
static void measure_padding(struct kocoon_module *module)
{
	for (size_t i = 0; i < module->section_count; i++) {
		struct kocoon_section *section = &module->sections[i];
		const struct kocoon_section *before = i ? section - 1 : NULL;
		uint64_t end = before && before->region == section->region
				       ? before->offset + before->size
				       : 0;

		section->padding = section->offset > end ? section->offset - end : 0;
	}
}

static int list_sections(struct kocoon_module *module)
{
	const struct kc_load *load = kept_load(module);

	if (!load->sections)
		return 0;
	module->sections = calloc((size_t)load->ehdr.shnum + 5, sizeof(*module->sections));
	if (!module->sections)
		return -ENOMEM;
	for (uint32_t i = 0; i < load->ehdr.shnum; i++) {
		const struct kc_section *section = &load->sections[i];

		if (!section->placed)
			continue;
		module->sections[module->section_count++] = (struct kocoon_section){
			.name = section->name,
			.index = i,
			.type = section->shdr.sh_type,
			.flags = section->file_flags,
			.region = section->region,
			.address = kc_section_address(load, i),
			.offset = section->offset,
			.size = section->shdr.sh_size,
			.align = section->shdr.sh_addralign,
		};
	}
	if (!load->stopped || load->memory.regions[KOCOON_REGION_INIT_DATA].size)
		add_kallsyms(module);
	qsort(module->sections, module->section_count, sizeof(*module->sections), compare_sections);
	measure_padding(module);
	return 0;
}

static void list_regions(struct kocoon_module *module)
{
	static const char *const permissions[KOCOON_REGION_COUNT] = {
		[KOCOON_REGION_TEXT] = "r-x",	     [KOCOON_REGION_DATA] = "rw-",
		[KOCOON_REGION_RODATA] = "r--",	     [KOCOON_REGION_RO_AFTER_INIT] = "r--",
		[KOCOON_REGION_INIT_TEXT] = "r-x",   [KOCOON_REGION_INIT_DATA] = "rw-",
		[KOCOON_REGION_INIT_RODATA] = "r--",
	};
	const struct kc_load *load = kept_load(module);

	for (int i = 0; i < KOCOON_REGION_COUNT; i++) {
		const struct kc_region *region = &load->memory.regions[i];

		if (!region->size)
			continue;
		module->regions[module->region_count++] = (struct kocoon_region){
			.kind = (enum kocoon_region_kind)i,
			.address = region->address,
			.size = region->size,
			.used = region->used,
			.permissions = permissions[i],
			.freed_after_init = i >= KOCOON_REGION_INIT_TEXT,
			.bytes = region->bytes,
		};
	}
}

static int list_imports(struct kocoon_module *module)
{
	const struct kc_load *load = kept_load(module);

	module->imports =
		calloc(load->import_count ? load->import_count : 1, sizeof(*module->imports));
	if (!module->imports)
		return -ENOMEM;
	for (size_t i = 0; i < load->import_count; i++) {
		const struct kc_import *import = &load->imports[i];
		const struct kocoon_export *export = import->export;
		struct kocoon_import *to = &module->imports[i];
		uint64_t wanted = 0;

		*to = (struct kocoon_import){
			.name = import->name,
			.provider = import->provider_name,
			.state = export || import->state ? import->state : KOCOON_IMPORT_UNKNOWN,
		};
		to->has_wanted = kc_version_wanted(load, import->name, import->hash, &wanted);
		to->crc_wanted = (uint32_t)wanted;
		if (!export)
			continue;
		to->ns = export->ns;
		to->address = export->address;
		to->crc_found = export->crc;
		to->has_found = export->has_crc;
		to->gpl_only = export->gpl_only;
	}
	return 0;
}

static void list_relocations(struct kocoon_module *module)
{
	const struct kc_load *load = kept_load(module);

	for (uint32_t i = 0; load->arch && i < KC_RELOCATION_TYPES; i++) {
		const char *name = load->arch->relocation_name(i);

		if (load->relocation_counts[i])
			module->relocations[module->relocation_count++] =
				(struct kocoon_relocation_count){ name ? name : "unknown",
								  load->relocation_counts[i] };
	}
}

static struct kc_span modinfo_texts(const struct kc_load *load)
{
	return load->sections && load->index.info ? load->sections[load->index.info].file
						  : kc_span(NULL, 0);
}

/* A private copy of .modinfo, cut at each '=' and NUL. */
static int list_modinfo(struct kocoon_module *module)
{
	struct kc_span texts = modinfo_texts(kept_load(module));
	char *at = module->modinfo_text = calloc(1, texts.len + 1);
	char *end = at + texts.len;
	size_t capacity = 0;

	if (!at)
		return -ENOMEM;
	if (texts.len)
		memcpy(at, texts.data, texts.len);
	for (const char *c = at; c < end; c++)
		capacity += *c == '=';
	module->modinfo = calloc(capacity ? capacity : 1, sizeof(*module->modinfo));
	if (!module->modinfo)
		return -ENOMEM;
	for (; at < end; at += strlen(at) + 1) {
		char *value = strchr(at, '=');

		if (!value)
			continue;
		*value++ = 0;
		module->modinfo[module->modinfo_count].tag = at;
		module->modinfo[module->modinfo_count++].value = value;
		at = value;
	}
	return 0;
}

static int find_cpu(const struct kocoon_kernel *kernel, const char *name,
		    struct kocoon_report *report, struct kc_cpu *cpu_ret)
{
	const struct kc_arch *arch = kc_arch_find(kocoon_kernel_arch(kernel));

	if (!arch)
		return kc_finding(report, KOCOON_STAGE_KERNEL, -ENOTSUP,
				  "kernels for %s are not supported", kocoon_kernel_arch(kernel));
	return arch->cpu_find(name, report, cpu_ret);
}

int kocoon_cpu_check(const struct kocoon_kernel *kernel, const char *name,
		     struct kocoon_report *report)
{
	struct kc_cpu cpu;

	return find_cpu(kernel, name, report, &cpu);
}

static int set_options(struct kocoon_module *module, const struct kocoon_module_options *options)
{
	if (!options)
		return 0;
	memcpy(&module->options, options,
	       options->size < sizeof(*options) ? options->size : sizeof(*options));
	if (module->options.base % KC_PAGE_SIZE)
		return -EINVAL;
	for (int i = 0; module->options.region_bases && i < KOCOON_REGION_COUNT; i++)
		if (module->options.region_bases[i] % KC_PAGE_SIZE)
			return -EINVAL;
	module->session.options = &module->options;
	if (!module->options.cpu)
		return 0;
	module->session.cpu = &module->cpu;
	return find_cpu(module->session.kernel, module->options.cpu, NULL, &module->cpu);
}

static int run(struct kocoon_module *module, const char *path)
{
	struct kc_session *session = &module->session;
	int err = kc_session_add(session, path);

	session->kept = 0;
	if (!err)
		err = kc_session_add_depends(session);
	if (!err)
		err = kc_session_run(session);
	if (err)
		return err;
	/* The file could not be read: there is nothing to look at. */
	if (kept_load(module)->stage == KOCOON_STAGE_READ && kept_load(module)->err)
		return kept_load(module)->err;
	list_regions(module);
	list_relocations(module);
	err = list_sections(module);
	if (!err)
		err = list_modinfo(module);
	return err ? err : list_imports(module);
}

int kocoon_module_load(const struct kocoon_kernel *kernel, const struct kocoon_tree *tree,
		       const struct kocoon_policy *policy, const char *path,
		       const struct kocoon_module_options *options,
		       struct kocoon_module **module_ret)
{
	struct kocoon_module *module = calloc(1, sizeof(*module));
	int err;

	if (!module)
		return -ENOMEM;
	err = kc_session_init(&module->session, kernel, tree, policy);
	if (err) {
		free(module);
		return err;
	}
	err = set_options(module, options);
	if (!err)
		err = run(module, path);
	if (err) {
		kocoon_module_free(module);
		return err;
	}
	*module_ret = module;
	return 0;
}

void kocoon_module_free(struct kocoon_module *module)
{
	if (!module)
		return;
	kc_session_deinit(&module->session);
	free(module->sections);
	free(module->imports);
	free(module->modinfo);
	free(module->modinfo_text);
	free(module);
}

const struct kocoon_verdict *kocoon_module_verdict(const struct kocoon_module *module)
{
	return &module->session.entries[0]->verdict->public;
}

bool kocoon_module_modinfo(const struct kocoon_module *module, size_t index, const char **tag_ret,
			   const char **value_ret)
{
	if (index >= module->modinfo_count)
		return false;
	*tag_ret = module->modinfo[index].tag;
	*value_ret = module->modinfo[index].value;
	return true;
}

const struct kocoon_region *kocoon_module_region(const struct kocoon_module *module, size_t index)
{
	return index < module->region_count ? &module->regions[index] : NULL;
}

const struct kocoon_section *kocoon_module_section(const struct kocoon_module *module, size_t index)
{
	return index < module->section_count ? &module->sections[index] : NULL;
}

const struct kocoon_import *kocoon_module_import(const struct kocoon_module *module, size_t index)
{
	return index < kept_load(module)->import_count ? &module->imports[index] : NULL;
}

const struct kocoon_export *kocoon_module_export(const struct kocoon_module *module, size_t index)
{
	return index < kept_load(module)->export_count ? &kept_load(module)->exports[index] : NULL;
}

const struct kocoon_relocation_count *kocoon_module_relocations(const struct kocoon_module *module,
								size_t index)
{
	return index < module->relocation_count ? &module->relocations[index] : NULL;
}

void kocoon_module_abi(const struct kocoon_module *module, struct kocoon_abi *abi_ret)
{
	const struct kc_job *job = module->session.entries[0]->job;
	const struct kc_load *load = &job->load;

	*abi_ret = (struct kocoon_abi){
		.module_size_wanted = load->abi->module_size,
		.module_size_found = load->sections && load->index.mod
					     ? load->sections[load->index.mod].shdr.sh_size
					     : 0,
		.image_size = job->bytes.len,
		.file_size = job->file.len,
		.compression = kc_format_name(job->format),
	};
}
