/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "build_object.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "build_module.h"
#include "image/image.h"

/* Where struct module has its name in all kernels so far: behind state and list. */
enum { MODULE_NAME = 24, MAX_SECTIONS = 32 };

struct builder {
	struct kc_buffer file, names;
	Elf64_Shdr headers[MAX_SECTIONS];
	uint16_t count;
};

static void append(struct kc_buffer *buffer, const void *data, size_t len)
{
	assert_int_equal(kc_buffer_append(buffer, data, len), 0);
}

static uint32_t append_string(struct kc_buffer *buffer, const char *text)
{
	uint32_t at = (uint32_t)buffer->len;

	append(buffer, text, strlen(text) + 1);
	return at;
}

static void append_zeros(struct kc_buffer *buffer, size_t len)
{
	static const uint8_t zeros[64];

	for (; len > sizeof(zeros); len -= sizeof(zeros))
		append(buffer, zeros, sizeof(zeros));
	append(buffer, zeros, len);
}

static Elf64_Shdr *add_section(struct builder *builder, const struct object_section *section)
{
	Elf64_Shdr *shdr = &builder->headers[builder->count++];

	assert_true(builder->count <= MAX_SECTIONS);
	append_zeros(&builder->file, (8 - builder->file.len % 8) % 8);
	*shdr = (Elf64_Shdr){
		.sh_name = append_string(&builder->names, section->name),
		.sh_type = section->type,
		.sh_flags = section->flags,
		.sh_offset = builder->file.len,
		.sh_size = section->size,
		.sh_addralign = 8,
	};
	if (section->type != SHT_NOBITS && section->bytes)
		append(&builder->file, section->bytes, section->size);
	else if (section->type != SHT_NOBITS)
		append_zeros(&builder->file, section->size);
	return shdr;
}

static Elf64_Shdr *add_buffer(struct builder *builder, const char *name, uint32_t type,
			      uint64_t flags, struct kc_buffer *bytes)
{
	const struct object_section section = { name, type, flags, bytes->data, bytes->len };
	Elf64_Shdr *shdr = add_section(builder, &section);

	kc_buffer_deinit(bytes);
	return shdr;
}

static void add_symbols(struct builder *builder, const struct object_recipe *recipe)
{
	struct kc_buffer symbols = { 0 }, names = { 0 };
	Elf64_Shdr *shdr;

	append_string(&names, "");
	append_zeros(&symbols, sizeof(Elf64_Sym));
	for (size_t i = 0; i < recipe->symbol_count; i++) {
		const struct object_symbol *from = &recipe->symbols[i];
		const Elf64_Sym symbol = {
			.st_name = from->name ? append_string(&names, from->name) : from->raw_name,
			.st_info = (unsigned char)ELF64_ST_INFO(from->bind, from->type),
			.st_shndx = from->section,
			.st_value = from->value,
		};

		append(&symbols, &symbol, sizeof(symbol));
	}
	shdr = add_buffer(builder, ".symtab", SHT_SYMTAB, 0, &symbols);
	shdr->sh_link = builder->count;
	add_buffer(builder, ".strtab", SHT_STRTAB, 0, &names);
}

static void add_this_module(struct builder *builder, const struct kocoon_kernel *kernel,
			    const struct object_recipe *recipe)
{
	struct kc_buffer module = { 0 };
	uint32_t this_module = builder->count;
	size_t size = recipe->module_size ? recipe->module_size
					  : kocoon_kernel_struct_size(kernel, "module");
	const struct object_section relocations = { ".rela.gnu.linkonce.this_module", SHT_RELA, 0,
						    recipe->relocations,
						    recipe->relocation_count * sizeof(Elf64_Rela) };
	Elf64_Shdr *shdr;

	append_zeros(&module, size);
	strcpy((char *)module.data + MODULE_NAME, "object");
	add_buffer(builder, ".gnu.linkonce.this_module", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE,
		   &module);
	shdr = add_section(builder, &relocations);
	shdr->sh_info = this_module;
	shdr->sh_link = builder->count + 1; /* behind .modinfo */
}

static void add_modinfo(struct builder *builder, const struct kocoon_kernel *kernel,
			const struct object_recipe *recipe)
{
	struct kc_buffer modinfo = { 0 };
	char text[256];

	snprintf(text, sizeof(text), "vermagic=%s", kocoon_kernel_vermagic(kernel));
	append_string(&modinfo, text);
	append_string(&modinfo, "name=object");
	append_string(&modinfo, "license=GPL");
	if (recipe->modinfo)
		append_string(&modinfo, recipe->modinfo);
	add_buffer(builder, ".modinfo", SHT_PROGBITS, SHF_ALLOC, &modinfo);
}

struct kc_buffer build_object(const struct kocoon_kernel *kernel,
			      const struct object_recipe *recipe)
{
	struct builder builder = { .count = 1 };
	struct object_section names = { ".shstrtab", SHT_STRTAB, 0, NULL, 0 };
	Elf64_Ehdr ehdr = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_REL,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_ehsize = sizeof(ehdr),
		.e_shentsize = sizeof(Elf64_Shdr),
	};

	append(&builder.file, &ehdr, sizeof(ehdr));
	append_string(&builder.names, "");
	for (size_t i = 0; i < recipe->section_count; i++)
		add_section(&builder, &recipe->sections[i]);
	add_this_module(&builder, kernel, recipe);
	add_modinfo(&builder, kernel, recipe);
	add_symbols(&builder, recipe);
	ehdr.e_shstrndx = builder.count;
	add_section(&builder, &names)->sh_size = builder.names.len;
	append(&builder.file, builder.names.data, builder.names.len);
	append_zeros(&builder.file, (8 - builder.file.len % 8) % 8);
	ehdr.e_shoff = builder.file.len;
	ehdr.e_shnum = builder.count;
	append(&builder.file, builder.headers, builder.count * sizeof(Elf64_Shdr));
	memcpy(builder.file.data, &ehdr, sizeof(ehdr));
	kc_buffer_deinit(&builder.names);
	return builder.file;
}

/* ---- neighbours that say yes ---- */

static const char *nobody_exports(void *context, const char *name, uint32_t hash)
{
	(void)context, (void)name, (void)hash;
	return NULL;
}

static int place(void *context, struct kc_load *load)
{
	(void)context;
	kc_layout_place(load, OBJECT_BASE);
	return kc_memory_allocate(&load->memory);
}

static int admit(void *context, struct kc_load *load)
{
	(void)context, (void)load;
	return 0;
}

static int give_percpu(void *context, uint64_t size, uint64_t align, uint64_t *address_ret)
{
	(void)context, (void)size, (void)align;
	*address_ret = OBJECT_PERCPU;
	return 0;
}

static enum kocoon_import_state resolve(void *context, struct kc_load *load,
					struct kc_import *import)
{
	(void)context;
	return import->export ? KOCOON_IMPORT_OK : kc_resolve_symbol(load, import);
}

static uint64_t no_kernel_symbol(void *context, const char *name)
{
	(void)context, (void)name;
	return 0;
}

int link_bytes(const struct kocoon_kernel *kernel, struct kc_buffer file, struct linked *linked)
{
	static const struct kc_neighbours neighbours = {
		.exported = nobody_exports,
		.place = place,
		.admit = admit,
		.percpu = give_percpu,
		.resolve = resolve,
		.kernel_symbol = no_kernel_symbol,
	};

	*linked = (struct linked){
		.file = file,
		.policy = { .size = sizeof(linked->policy) },
		.report = kocoon_report_new(),
	};
	assert_non_null(linked->report);
	kc_load_init(&linked->load, kernel, &linked->policy, linked->report);
	kc_load_prepare(&linked->load, kc_buffer_span(&linked->file));
	if (linked->load.stopped)
		return linked->load.err;
	/* As modules of the living subsystem are: what was refused so far doesn't count. */
	linked->load.err = 0;
	linked->load.live = true;
	return kc_load_link(&linked->load, &neighbours);
}

static void must_link(const struct kocoon_kernel *kernel, struct kc_buffer file,
		      struct linked *linked)
{
	int err = link_bytes(kernel, file, linked);
	size_t count = kocoon_report_count(linked->report);

	if (err)
		fail_msg("%d: %s", err,
			 count ? kocoon_report_get(linked->report, count - 1)->what : "");
}

void link_object(const struct kocoon_kernel *kernel, const struct object_recipe *recipe,
		 struct linked *linked)
{
	must_link(kernel, build_object(kernel, recipe), linked);
}

void link_stock(const struct kocoon_kernel *kernel, const char *kind, const char *pattern,
		struct linked *linked)
{
	char *path = stock_file(kind, pattern);
	struct kc_buffer file = { 0 }, unpacked = { 0 };
	enum kc_format format;

	assert_int_equal(kc_read_file(path, 1 << 28, &file, NULL), 0);
	format = kc_format_detect(kc_buffer_span(&file));
	if (format != KC_FORMAT_NONE) {
		assert_int_equal(
			kc_unpack(format, kc_buffer_span(&file), 1 << 28, &unpacked, NULL, NULL),
			0);
		kc_buffer_deinit(&file);
		file = unpacked;
	}
	must_link(kernel, file, linked);
	free(path);
}

void free_linked(struct linked *linked)
{
	kc_load_deinit(&linked->load);
	kocoon_report_free(linked->report);
	kc_buffer_deinit(&linked->file);
}
