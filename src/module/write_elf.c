/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The relocated module as an ELF file: every section that is in memory stands at its final address
 * with its final bytes, symbols have final values. Type ET_EXEC, so that debuggers and objdump take
 * the addresses as they are; one PT_LOAD a region, so that loaders of cores and emulators can map
 * it. Sections that are not in memory are left out, their symbols become absolute, relocations are
 * gone.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "module/module.h"

struct writer {
	const struct kc_load *load;
	struct kc_buffer file;
	struct kc_buffer names;
	Elf64_Shdr *headers; /* owned */
	uint16_t *section_map; /* owned: index in the module to index in the file; 0: left out */
	uint16_t count;
};

static bool is_kept(const struct kc_load *load, uint32_t index)
{
	return load->sections[index].placed && index != load->index.sym && index != load->index.str;
}

static int add_name(struct writer *writer, const char *name, uint32_t *offset_ret)
{
	*offset_ret = (uint32_t)writer->names.len;
	return kc_buffer_append(&writer->names, name, strlen(name) + 1);
}

static int pad(struct kc_buffer *file, size_t alignment)
{
	static const uint8_t zeros[KC_PAGE_SIZE];
	size_t rest = file->len % alignment;

	return rest ? kc_buffer_append(file, zeros, alignment - rest) : 0;
}

/* Regions follow each other at page boundaries; sections lie within them. */
static int write_regions(struct writer *writer, uint64_t *offsets)
{
	int err = 0;

	for (int i = 0; i < KOCOON_REGION_COUNT && !err; i++) {
		const struct kc_region *region = &writer->load->memory.regions[i];

		if (!region->size)
			continue;
		err = pad(&writer->file, KC_PAGE_SIZE);
		offsets[i] = writer->file.len;
		if (!err)
			err = kc_buffer_append(&writer->file, region->bytes, region->size);
	}
	return err;
}

static int list_sections(struct writer *writer, const uint64_t *offsets)
{
	const struct kc_load *load = writer->load;
	int err = 0;

	for (uint32_t i = 1; i < load->ehdr.shnum && !err; i++) {
		const struct kc_section *section = &load->sections[i];
		Elf64_Shdr *header = &writer->headers[writer->count];

		if (!is_kept(load, i))
			continue;
		*header = (Elf64_Shdr){
			.sh_type = section->shdr.sh_type,
			.sh_flags = section->file_flags & (SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR),
			.sh_addr = kc_section_address(load, i),
			.sh_offset = offsets[section->region] + section->offset,
			.sh_size = section->shdr.sh_size,
			.sh_addralign = section->shdr.sh_addralign,
		};
		err = add_name(writer, section->name, &header->sh_name);
		writer->section_map[i] = writer->count++;
	}
	return err;
}

static uint16_t final_section(const struct writer *writer, uint16_t section)
{
	if (section == SHN_UNDEF || section >= writer->load->ehdr.shnum)
		return section == SHN_UNDEF ? SHN_ABS : section;
	return writer->section_map[section] ? writer->section_map[section] : SHN_ABS;
}

static int copy_symbols(struct writer *writer, struct kc_buffer *table, bool local)
{
	const struct kc_load *load = writer->load;
	struct kc_span symbols = kc_span(kc_section_memory(load, load->index.sym),
					 load->sections[load->index.sym].file.len);
	Elf64_Sym symbol;
	int err = 0;

	for (uint64_t i = 1; !err && kc_elf_sym(symbols, i, &symbol); i++) {
		if ((ELF64_ST_BIND(symbol.st_info) == STB_LOCAL) != local)
			continue;
		symbol.st_shndx = final_section(writer, symbol.st_shndx);
		err = kc_buffer_append(table, &symbol, sizeof(symbol));
	}
	return err;
}

/* Local symbols have to come first; the module's own order need not be kept to. */
static int write_symbols(struct writer *writer)
{
	const struct kc_load *load = writer->load;
	struct kc_span strings = load->sections[load->index.str].file;
	struct kc_buffer table = { 0 };
	static const Elf64_Sym null_symbol;
	Elf64_Shdr *header = &writer->headers[writer->count];
	int err = kc_buffer_append(&table, &null_symbol, sizeof(null_symbol));

	if (!err)
		err = copy_symbols(writer, &table, true);
	*header = (Elf64_Shdr){
		.sh_type = SHT_SYMTAB,
		.sh_link = (uint32_t)writer->count + 1,
		.sh_info = (uint32_t)(table.len / sizeof(Elf64_Sym)),
		.sh_addralign = 8,
		.sh_entsize = sizeof(Elf64_Sym),
	};
	if (!err)
		err = copy_symbols(writer, &table, false);
	if (!err)
		err = pad(&writer->file, 8);
	header->sh_offset = writer->file.len;
	header->sh_size = table.len;
	if (!err)
		err = kc_buffer_append(&writer->file, table.data, table.len);
	kc_buffer_deinit(&table);
	writer->headers[writer->count + 1] = (Elf64_Shdr){
		.sh_type = SHT_STRTAB,
		.sh_offset = writer->file.len,
		.sh_size = strings.len,
		.sh_addralign = 1,
	};
	if (!err)
		err = add_name(writer, ".symtab", &header[0].sh_name);
	if (!err)
		err = add_name(writer, ".strtab", &header[1].sh_name);
	writer->count = (uint16_t)(writer->count + 2);
	return err ? err : kc_buffer_append(&writer->file, strings.data, strings.len);
}

static int write_section_headers(struct writer *writer, Elf64_Ehdr *ehdr)
{
	Elf64_Shdr *header = &writer->headers[writer->count];
	int err;

	*header = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_addralign = 1 };
	err = add_name(writer, ".shstrtab", &header->sh_name);
	header->sh_offset = writer->file.len;
	header->sh_size = writer->names.len;
	ehdr->e_shstrndx = writer->count++;
	if (!err)
		err = kc_buffer_append(&writer->file, writer->names.data, writer->names.len);
	if (!err)
		err = pad(&writer->file, 8);
	ehdr->e_shoff = writer->file.len;
	ehdr->e_shnum = writer->count;
	return err ? err
		   : kc_buffer_append(&writer->file, writer->headers,
				      writer->count * sizeof(*writer->headers));
}

static uint32_t segment_flags(int kind)
{
	if (kind == KOCOON_REGION_TEXT || kind == KOCOON_REGION_INIT_TEXT)
		return PF_R | PF_X;
	return kind == KOCOON_REGION_DATA || kind == KOCOON_REGION_INIT_DATA ? PF_R | PF_W : PF_R;
}

static void set_segments(struct writer *writer, const uint64_t *offsets, Elf64_Ehdr *ehdr)
{
	for (int i = 0; i < KOCOON_REGION_COUNT; i++) {
		const struct kc_region *region = &writer->load->memory.regions[i];
		Elf64_Phdr segment = {
			.p_type = PT_LOAD,
			.p_flags = segment_flags(i),
			.p_offset = offsets[i],
			.p_vaddr = region->address,
			.p_paddr = region->address,
			.p_filesz = region->size,
			.p_memsz = region->size,
			.p_align = KC_PAGE_SIZE,
		};

		if (!region->size)
			continue;
		memcpy(writer->file.data + sizeof(*ehdr) + ehdr->e_phnum * sizeof(segment),
		       &segment, sizeof(segment));
		ehdr->e_phnum++;
	}
	memcpy(writer->file.data, ehdr, sizeof(*ehdr));
}

static int compose(struct writer *writer)
{
	static const uint8_t room[sizeof(Elf64_Ehdr) + KOCOON_REGION_COUNT * sizeof(Elf64_Phdr)];
	uint64_t offsets[KOCOON_REGION_COUNT] = { 0 };
	Elf64_Ehdr ehdr = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = writer->load->arch->machine,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_shentsize = sizeof(Elf64_Shdr),
	};
	uint32_t offset;
	int err = kc_buffer_append(&writer->file, room, sizeof(room));

	if (!err)
		err = add_name(writer, "", &offset);
	if (!err)
		err = write_regions(writer, offsets);
	writer->count = 1;
	if (!err)
		err = list_sections(writer, offsets);
	if (!err)
		err = write_symbols(writer);
	if (!err)
		err = write_section_headers(writer, &ehdr);
	if (!err)
		set_segments(writer, offsets, &ehdr);
	return err;
}

static int write_all(int fd, struct kc_span bytes)
{
	while (bytes.len) {
		ssize_t done = write(fd, bytes.data, bytes.len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		bytes = kc_span(bytes.data + done, bytes.len - (size_t)done);
	}
	return 0;
}

/* A kernel without image and System.map tells no addresses: 0 would be none of them. */
static bool addresses_known(const struct kc_load *load)
{
	if (kc_kernel_has_image(load->kernel))
		return true;
	for (size_t i = 0; i < load->import_count; i++) {
		const struct kc_import *import = &load->imports[i];

		if (import->state == KOCOON_IMPORT_OK && !import->export->address)
			return false;
	}
	return true;
}

int kocoon_module_write_elf(const struct kocoon_module *module, int fd)
{
	const struct kc_load *load = &module->session.entries[0]->job->load;
	struct writer writer = { .load = load };
	int err = -ENOMEM;

	if (!load->relocated)
		return -EINVAL;
	if (!addresses_known(load))
		return -ENOTSUP;
	writer.headers = calloc((size_t)load->ehdr.shnum + 4, sizeof(*writer.headers));
	writer.section_map = calloc(load->ehdr.shnum, sizeof(*writer.section_map));
	if (writer.headers && writer.section_map)
		err = compose(&writer);
	if (!err)
		err = write_all(fd, kc_buffer_span(&writer.file));
	free(writer.headers);
	free(writer.section_map);
	kc_buffer_deinit(&writer.file);
	kc_buffer_deinit(&writer.names);
	return err;
}
