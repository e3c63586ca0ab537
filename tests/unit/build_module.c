/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "build_module.h"

#include "unit.h"

#include <elf.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

enum {
	SECTION_TEXT = 1,
	SECTION_MODINFO,
	SECTION_MODULE,
	SECTION_KSYMTAB,
	SECTION_KSYMTAB_RELA,
	SECTION_STRINGS,
	SECTION_SYMTAB,
	SECTION_STRTAB,
	SECTION_NAMES,
	SECTION_COUNT,
};

/* Where struct module has its name in all kernels so far: behind state and list. */
enum { MODULE_NAME = 24 };

struct builder {
	struct kc_buffer file, modinfo, module, ksymtab, rela, strings, symtab, strtab, names;
	Elf64_Shdr headers[SECTION_COUNT];
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

static void add_section(struct builder *builder, int index, const char *name, uint32_t type,
			uint64_t flags, const struct kc_buffer *bytes)
{
	static const uint8_t zeros[8];

	append(&builder->file, zeros, (8 - builder->file.len % 8) % 8);
	builder->headers[index] = (Elf64_Shdr){
		.sh_name = append_string(&builder->names, name),
		.sh_type = type,
		.sh_flags = flags,
		.sh_offset = builder->file.len,
		.sh_size = bytes->len,
		.sh_addralign = 8,
	};
	append(&builder->file, bytes->data, bytes->len);
}

static uint32_t add_symbol(struct builder *builder, const char *name, int bind, uint16_t section,
			   uint64_t value)
{
	Elf64_Sym symbol = {
		.st_name = *name ? append_string(&builder->strtab, name) : 0,
		.st_info = (unsigned char)ELF64_ST_INFO(bind, STT_NOTYPE),
		.st_shndx = section,
		.st_value = value,
	};

	append(&builder->symtab, &symbol, sizeof(symbol));
	return (uint32_t)(builder->symtab.len / sizeof(symbol) - 1);
}

static void add_rela(struct builder *builder, uint64_t offset, uint32_t symbol, int64_t addend)
{
	Elf64_Rela rela = { offset, ELF64_R_INFO((uint64_t)symbol, R_X86_64_PC32), addend };

	append(&builder->rela, &rela, sizeof(rela));
}

/* Relative entries: value, name, namespace. */
static void add_export(struct builder *builder, const char *name, uint32_t text, uint32_t strings)
{
	static const uint8_t entry[12];
	uint64_t at = builder->ksymtab.len;

	append(&builder->ksymtab, entry, sizeof(entry));
	add_rela(builder, at, text, 0);
	add_rela(builder, at + 4, strings, append_string(&builder->strings, name));
}

static void add_modinfo(struct builder *builder, const struct kocoon_kernel *kernel,
			const struct module_recipe *recipe)
{
	char text[512];

	snprintf(text, sizeof(text), "vermagic=%s", kocoon_kernel_vermagic(kernel));
	append_string(&builder->modinfo, text);
	snprintf(text, sizeof(text), "name=%s", recipe->name);
	append_string(&builder->modinfo, text);
	append_string(&builder->modinfo, "license=GPL");
	if (recipe->modinfo)
		append_string(&builder->modinfo, recipe->modinfo);
}

static void add_module_struct(struct builder *builder, const struct kocoon_kernel *kernel,
			      const char *name)
{
	size_t size = kocoon_kernel_struct_size(kernel, "module");
	uint8_t *bytes = calloc(1, size);

	assert_non_null(bytes);
	strcpy((char *)bytes + MODULE_NAME, name);
	append(&builder->module, bytes, size);
	free(bytes);
}

static void compose(struct builder *builder)
{
	static const uint8_t code[16] = { 0xc3 };
	struct kc_buffer text = { .data = (uint8_t *)(uintptr_t)code, .len = sizeof(code) };
	Elf64_Ehdr ehdr = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_REL,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_ehsize = sizeof(ehdr),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = SECTION_COUNT,
		.e_shstrndx = SECTION_NAMES,
	};

	append(&builder->file, &ehdr, sizeof(ehdr));
	append_string(&builder->names, "");
	add_section(builder, SECTION_TEXT, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, &text);
	add_section(builder, SECTION_MODINFO, ".modinfo", SHT_PROGBITS, SHF_ALLOC,
		    &builder->modinfo);
	add_section(builder, SECTION_MODULE, ".gnu.linkonce.this_module", SHT_PROGBITS,
		    SHF_ALLOC | SHF_WRITE, &builder->module);
	add_section(builder, SECTION_KSYMTAB, "__ksymtab", SHT_PROGBITS, SHF_ALLOC,
		    &builder->ksymtab);
	add_section(builder, SECTION_KSYMTAB_RELA, ".rela__ksymtab", SHT_RELA, 0, &builder->rela);
	builder->headers[SECTION_KSYMTAB_RELA].sh_info = SECTION_KSYMTAB;
	builder->headers[SECTION_KSYMTAB_RELA].sh_link = SECTION_SYMTAB;
	add_section(builder, SECTION_STRINGS, "__ksymtab_strings", SHT_PROGBITS, SHF_ALLOC,
		    &builder->strings);
	add_section(builder, SECTION_SYMTAB, ".symtab", SHT_SYMTAB, 0, &builder->symtab);
	builder->headers[SECTION_SYMTAB].sh_link = SECTION_STRTAB;
	add_section(builder, SECTION_STRTAB, ".strtab", SHT_STRTAB, 0, &builder->strtab);
	append_string(&builder->names, ".shstrtab");
	add_section(builder, SECTION_NAMES, "", SHT_STRTAB, 0, &builder->names);
	ehdr.e_shoff = builder->file.len;
	append(&builder->file, builder->headers, sizeof(builder->headers));
	memcpy(builder->file.data, &ehdr, sizeof(ehdr));
}

void build_module_as(const struct kocoon_kernel *kernel, const char *path,
		     const struct module_recipe *recipe)
{
	struct builder builder = { 0 };
	uint32_t text, strings;
	FILE *file;

	append_string(&builder.strtab, "");
	add_symbol(&builder, "", STB_LOCAL, 0, 0);
	text = add_symbol(&builder, "", STB_LOCAL, SECTION_TEXT, 0);
	strings = add_symbol(&builder, "", STB_LOCAL, SECTION_STRINGS, 0);
	for (size_t i = 0; recipe->exports && recipe->exports[i]; i++)
		add_export(&builder, recipe->exports[i], text, strings);
	for (size_t i = 0; recipe->imports && recipe->imports[i]; i++) {
		bool weak = recipe->imports[i][0] == '?';

		add_symbol(&builder, recipe->imports[i] + weak, weak ? STB_WEAK : STB_GLOBAL, 0, 0);
	}
	add_modinfo(&builder, kernel, recipe);
	add_module_struct(&builder, kernel, recipe->name);
	compose(&builder);

	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(builder.file.data, 1, builder.file.len, file), builder.file.len);
	assert_int_equal(fclose(file), 0);
	kc_buffer_deinit(&builder.file);
	kc_buffer_deinit(&builder.modinfo);
	kc_buffer_deinit(&builder.module);
	kc_buffer_deinit(&builder.ksymtab);
	kc_buffer_deinit(&builder.rela);
	kc_buffer_deinit(&builder.strings);
	kc_buffer_deinit(&builder.symtab);
	kc_buffer_deinit(&builder.strtab);
	kc_buffer_deinit(&builder.names);
}

void build_module(const struct kocoon_kernel *kernel, const char *folder,
		  const struct module_recipe *recipe)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s.ko", folder, recipe->name);
	build_module_as(kernel, path, recipe);
}

char *stock_file(const char *kind, const char *pattern)
{
	const char *cache = getenv("KOCOON_CACHE");
	const char *home = getenv("HOME");
	char path[512];
	glob_t found;
	char *result;

	if (cache)
		snprintf(path, sizeof(path), "%s/kernels/by-kind/%s/%s", cache, kind, pattern);
	else
		snprintf(path, sizeof(path), "%s/.cache/kocoon/kernels/by-kind/%s/%s",
			 home ? home : "/root", kind, pattern);
	if (glob(path, 0, NULL, &found) != 0)
		fail_msg("%s: not in the cache; scripts/fetch-kernel gets it", path);
	result = strdup(found.gl_pathv[0]);
	globfree(&found);
	assert_non_null(result);
	return result;
}

struct kocoon_kernel *open_stock_kernel(const char *kind)
{
	char *path = stock_file(kind, "boot/vmlinuz-*");
	struct kocoon_kernel *kernel = NULL;

	assert_int_equal(kocoon_kernel_open(path, NULL, NULL, &kernel), 0);
	free(path);
	return kernel;
}

char *stock_tree(const char *kind)
{
	return stock_file(kind, "lib/modules/*");
}
