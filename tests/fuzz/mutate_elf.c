/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mutator for ELF files, modules and kernels: one edit at a time, of a field of the headers, of a
 * symbol, of a relocation, of the bytes of one section, with all else as it was; so that most
 * inputs get past the checks of the headers. Now and then libFuzzer's own mutations of the whole
 * file, so that those checks get theirs; and now and then a repair of the header.
 */
#include "fuzz.h"

#include <elf.h>
#include <string.h>

struct field {
	size_t offset, size;
};

#define FIELD(type, member)                                            \
	{                                                              \
		offsetof(type, member), sizeof(((type *)NULL)->member) \
	}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct field file_fields[] = {
	FIELD(Elf64_Ehdr, e_type),  FIELD(Elf64_Ehdr, e_machine),   FIELD(Elf64_Ehdr, e_shoff),
	FIELD(Elf64_Ehdr, e_shnum), FIELD(Elf64_Ehdr, e_shentsize), FIELD(Elf64_Ehdr, e_shstrndx),
	FIELD(Elf64_Ehdr, e_phoff), FIELD(Elf64_Ehdr, e_phnum),	    FIELD(Elf64_Ehdr, e_phentsize),
};

static const struct field section_fields[] = {
	FIELD(Elf64_Shdr, sh_name),   FIELD(Elf64_Shdr, sh_type),   FIELD(Elf64_Shdr, sh_flags),
	FIELD(Elf64_Shdr, sh_addr),   FIELD(Elf64_Shdr, sh_offset), FIELD(Elf64_Shdr, sh_size),
	FIELD(Elf64_Shdr, sh_link),   FIELD(Elf64_Shdr, sh_info),   FIELD(Elf64_Shdr, sh_addralign),
	FIELD(Elf64_Shdr, sh_entsize)
};

static const struct field segment_fields[] = {
	FIELD(Elf64_Phdr, p_type),  FIELD(Elf64_Phdr, p_flags),	 FIELD(Elf64_Phdr, p_offset),
	FIELD(Elf64_Phdr, p_vaddr), FIELD(Elf64_Phdr, p_filesz), FIELD(Elf64_Phdr, p_memsz),
};

static const struct field symbol_fields[] = {
	FIELD(Elf64_Sym, st_name),  FIELD(Elf64_Sym, st_info),	FIELD(Elf64_Sym, st_other),
	FIELD(Elf64_Sym, st_shndx), FIELD(Elf64_Sym, st_value), FIELD(Elf64_Sym, st_size),
};

static const struct field rela_fields[] = {
	FIELD(Elf64_Rela, r_offset),
	FIELD(Elf64_Rela, r_addend),
	{ offsetof(Elf64_Rela, r_info), 4 }, /* type */
	{ offsetof(Elf64_Rela, r_info) + 4, 4 }, /* symbol */
};

/* Flags and types that decide something, rather than random bits. */
static const uint64_t flag_values[] = { SHF_WRITE,	SHF_ALLOC,   SHF_EXECINSTR,
					SHF_MERGE,	SHF_STRINGS, SHF_INFO_LINK,
					SHF_COMPRESSED, 0x100000,    0x200000 };
static const uint32_t type_values[] = { SHT_NULL, SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB,	   SHT_RELA,
					SHT_NOTE, SHT_NOBITS,	SHT_REL,    SHT_INIT_ARRAY };

struct file {
	uint8_t *data;
	size_t len, max;
	Elf64_Ehdr ehdr;
	uint8_t *sections; /* NULL: no table inside the file */
	uint8_t *segments;
	struct fuzz_random random;
};

static bool inside(const struct file *file, uint64_t offset, uint64_t len)
{
	return offset <= file->len && len <= file->len - offset;
}

/* False: not even a header. */
static bool look(struct file *file)
{
	const Elf64_Ehdr *ehdr = &file->ehdr;

	if (file->len < sizeof(*ehdr))
		return false;
	memcpy(&file->ehdr, file->data, sizeof(*ehdr));
	if (ehdr->e_shnum && inside(file, ehdr->e_shoff, ehdr->e_shnum * sizeof(Elf64_Shdr)))
		file->sections = file->data + ehdr->e_shoff;
	if (ehdr->e_phnum && inside(file, ehdr->e_phoff, ehdr->e_phnum * sizeof(Elf64_Phdr)))
		file->segments = file->data + ehdr->e_phoff;
	return true;
}

static void change_field(struct file *file, uint8_t *record, const struct field *fields,
			 size_t count)
{
	const struct field *field = &fields[fuzz_below(&file->random, count)];
	uint64_t value = 0;

	memcpy(&value, record + field->offset, field->size);
	value = fuzz_odd(&file->random, value);
	memcpy(record + field->offset, &value, field->size);
}

static uint8_t *any_section(struct file *file)
{
	return file->sections + fuzz_below(&file->random, file->ehdr.e_shnum) * sizeof(Elf64_Shdr);
}

/* One whose contents are in the file, of this type where it isn't 0. False: none was met. */
static bool section_with_bytes(struct file *file, uint32_t type, Elf64_Shdr *shdr_ret,
			       uint8_t **record_ret)
{
	for (int tries = 0; tries < 200; tries++) {
		*record_ret = any_section(file);
		memcpy(shdr_ret, *record_ret, sizeof(*shdr_ret));
		if (shdr_ret->sh_size && inside(file, shdr_ret->sh_offset, shdr_ret->sh_size) &&
		    (type ? shdr_ret->sh_type == type : shdr_ret->sh_type != SHT_NOBITS))
			return true;
	}
	return false;
}

static void change_record(struct file *file, uint32_t type, size_t size, const struct field *fields,
			  size_t count)
{
	uint8_t *record, *table;
	Elf64_Shdr shdr;
	uint64_t all;

	if (!section_with_bytes(file, type, &shdr, &record) || shdr.sh_size < size)
		return;
	all = shdr.sh_size / size;
	table = file->data + shdr.sh_offset;
	if (fuzz_below(&file->random, 4))
		change_field(file, table + fuzz_below(&file->random, all) * size, fields, count);
	else /* one in the place of another */
		memmove(table + fuzz_below(&file->random, all) * size,
			table + fuzz_below(&file->random, all) * size, size);
}

static void change_bytes(struct file *file)
{
	uint8_t *record;
	Elf64_Shdr shdr;

	if (section_with_bytes(file, 0, &shdr, &record))
		LLVMFuzzerMutate(file->data + shdr.sh_offset, shdr.sh_size, shdr.sh_size);
}

/* The contents move to the end, longer or shorter by what a mutation makes of them. */
static void move_bytes(struct file *file)
{
	size_t at = (file->len + 15) & ~(size_t)15;
	uint8_t *record;
	Elf64_Shdr shdr;

	if (!section_with_bytes(file, 0, &shdr, &record) || at > file->max ||
	    shdr.sh_size > file->max - at)
		return;
	memset(file->data + file->len, 0, at - file->len);
	memcpy(file->data + at, file->data + shdr.sh_offset, shdr.sh_size);
	shdr.sh_offset = at;
	shdr.sh_size = LLVMFuzzerMutate(file->data + at, shdr.sh_size, file->max - at);
	memcpy(record, &shdr, sizeof(shdr));
	file->len = at + shdr.sh_size;
}

/* A field of one section for that of another: its name, most of all. */
static void copy_field(struct file *file)
{
	const struct field *field =
		&section_fields[fuzz_below(&file->random, 2)
					? 0
					: fuzz_below(&file->random, COUNT(section_fields))];

	memmove(any_section(file) + field->offset, any_section(file) + field->offset, field->size);
}

static void set_type_or_flag(struct file *file)
{
	uint8_t *record = any_section(file);
	Elf64_Shdr shdr;

	memcpy(&shdr, record, sizeof(shdr));
	if (fuzz_below(&file->random, 2))
		shdr.sh_flags ^= flag_values[fuzz_below(&file->random, COUNT(flag_values))];
	else
		shdr.sh_type = type_values[fuzz_below(&file->random, COUNT(type_values))];
	memcpy(record, &shdr, sizeof(shdr));
}

static void repair(struct file *file)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT };
	Elf64_Ehdr ehdr = file->ehdr;

	memcpy(ehdr.e_ident, ident, sizeof(ident));
	ehdr.e_machine = EM_X86_64;
	ehdr.e_type = ehdr.e_phnum ? ET_EXEC : ET_REL;
	ehdr.e_shentsize = sizeof(Elf64_Shdr);
	ehdr.e_phentsize = ehdr.e_phnum ? sizeof(Elf64_Phdr) : 0;
	if (!inside(file, ehdr.e_shoff, ehdr.e_shnum * sizeof(Elf64_Shdr)) &&
	    ehdr.e_shoff < file->len)
		ehdr.e_shnum = (uint16_t)((file->len - ehdr.e_shoff) / sizeof(Elf64_Shdr));
	memcpy(file->data, &ehdr, sizeof(ehdr));
}

static void edit_sections(struct file *file)
{
	switch (fuzz_below(&file->random, 16)) {
	case 0:
	case 1:
	case 2:
		change_field(file, any_section(file), section_fields, COUNT(section_fields));
		break;
	case 3:
		copy_field(file);
		break;
	case 4:
		set_type_or_flag(file);
		break;
	case 5:
	case 6:
		change_record(file, SHT_SYMTAB, sizeof(Elf64_Sym), symbol_fields,
			      COUNT(symbol_fields));
		break;
	case 7:
	case 8:
	case 9:
		change_record(file, SHT_RELA, sizeof(Elf64_Rela), rela_fields, COUNT(rela_fields));
		break;
	case 10:
		move_bytes(file);
		break;
	default: /* modinfo, versions, tables for the loader, names among them */
		change_bytes(file);
		break;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned int seed)
{
	struct file file = { .data = data, .len = len, .max = max, .random = fuzz_random(seed) };
	uint64_t choice = fuzz_below(&file.random, 32);

	if (!look(&file) || !choice)
		return LLVMFuzzerMutate(data, len, max);
	if (choice == 1)
		change_field(&file, data, file_fields, COUNT(file_fields));
	else if (choice == 2)
		repair(&file);
	else if (choice == 3) /* what a target takes its settings from */
		data[EI_PAD + fuzz_below(&file.random, 7)] ^=
			(uint8_t)(1 << fuzz_below(&file.random, 8));
	else if (file.segments && choice < 8)
		change_field(&file,
			     file.segments + fuzz_below(&file.random, file.ehdr.e_phnum) *
						     sizeof(Elf64_Phdr),
			     segment_fields, COUNT(segment_fields));
	else if (file.sections)
		edit_sections(&file);
	else
		return LLVMFuzzerMutate(data, len, max);
	return file.len;
}
