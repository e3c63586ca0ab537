/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Edits of the ELF header, of section headers, and of which sections there are. Sizes stay far
 * from those that would only tell how much memory the machine has. None is made by which the kernel
 * would write over memory that isn't the module's: it has 32 bits for sizes and alignments, and
 * does not look where relocations point.
 */
#include <stdio.h>
#include <string.h>

#include "mutant.h"

static bool is_any(const struct mutant *mutant, unsigned int index)
{
	(void)mutant;
	return index > 0;
}

static bool is_loaded(const struct mutant *mutant, unsigned int index)
{
	return stock_shdr(mutant, index)->sh_flags & SHF_ALLOC;
}

/* Relocations write there, wherever they were told to. */
static bool is_relocated(const struct mutant *mutant, unsigned int index)
{
	for (unsigned int i = 1; i < stock_count(mutant); i++)
		if (stock_shdr(mutant, i)->sh_type == SHT_RELA &&
		    stock_shdr(mutant, i)->sh_info == index)
			return true;
	return false;
}

static bool is_code(const struct mutant *mutant, unsigned int index)
{
	return stock_shdr(mutant, index)->sh_flags & SHF_EXECINSTR;
}

static bool is_quiet(const struct mutant *mutant, unsigned int index)
{
	const char *name = stock_name(mutant, index);

	return is_loaded(mutant, index) && !is_believed(name) &&
	       strcmp(name, ".gnu.linkonce.this_module") != 0;
}

/* What can change places without code being looked for where it isn't any more. */
static bool is_data(const struct mutant *mutant, unsigned int index)
{
	return is_quiet(mutant, index) && !is_code(mutant, index) && !is_relocated(mutant, index);
}

static bool is_unloaded(const struct mutant *mutant, unsigned int index)
{
	return !is_loaded(mutant, index) && stock_shdr(mutant, index)->sh_type != SHT_RELA;
}

/* One that ends up in memory, and mostly not one whose contents the kernel would follow. */
static unsigned int pick(struct mutant *mutant)
{
	if (one_in(mutant, 100))
		return pick_section(mutant, is_loaded);
	return pick_section(mutant, one_in(mutant, 6) ? is_unloaded : is_quiet);
}

static Elf64_Shdr *header(struct mutant *mutant, unsigned int index)
{
	return edit_shdr(&mutant->edit, index);
}

/* Nothing but names behind the end of the file would come of other symbols or names. */
static bool is_of_symbols(const struct mutant *mutant, unsigned int index)
{
	uint32_t type = stock_shdr(mutant, index)->sh_type;

	return type == SHT_SYMTAB || type == SHT_STRTAB;
}

static void note_section(struct mutant *mutant, unsigned int index, const char *what, uint64_t was,
			 uint64_t is)
{
	note(mutant, "section %u (%s) %s: %#llx -> %#llx", index, stock_name(mutant, index), what,
	     (unsigned long long)was, (unsigned long long)is);
}

bool section_flags(struct mutant *mutant)
{
	static const uint64_t bits[] = { SHF_ALLOC,	 SHF_WRITE,   SHF_EXECINSTR,
					 0x00100000,	 0x00200000,  SHF_ALLOC,
					 SHF_MERGE,	 SHF_STRINGS, SHF_INFO_LINK,
					 SHF_GROUP,	 SHF_TLS,     SHF_COMPRESSED,
					 SHF_LINK_ORDER, SHF_EXCLUDE, UINT64_C(1) << 63 };
	unsigned int index = pick(mutant);
	uint64_t was = header(mutant, index)->sh_flags, bit = PICK(mutant, bits);

	/* Tables lead from there to code. */
	if (bit == SHF_ALLOC && is_code(mutant, index))
		bit = SHF_WRITE;
	header(mutant, index)->sh_flags ^= bit;
	note_section(mutant, index, "flags", was, header(mutant, index)->sh_flags);
	return true;
}

bool section_type(struct mutant *mutant)
{
	static const uint32_t types[] = { SHT_NULL,   SHT_PROGBITS, SHT_STRTAB, SHT_RELA,
					  SHT_NOBITS, SHT_NOBITS,   SHT_NOTE,	SHT_SYMTAB,
					  SHT_REL,    SHT_GROUP,    0x12345678, SHT_INIT_ARRAY };
	unsigned int index = pick(mutant);
	uint32_t was = header(mutant, index)->sh_type;

	header(mutant, index)->sh_type = PICK(mutant, types);
	if (header(mutant, index)->sh_type == SHT_RELA && header(mutant, index)->sh_info)
		header(mutant, index)->sh_type = SHT_REL;
	note_section(mutant, index, "type", was, header(mutant, index)->sh_type);
	return true;
}

bool section_align(struct mutant *mutant)
{
	static const uint64_t aligns[] = { 0, 1, 2, 16, 64, 4096, 8192, 1 << 16, 1U << 31 };
	unsigned int index = pick(mutant);
	uint64_t was = header(mutant, index)->sh_addralign;

	header(mutant, index)->sh_addralign = PICK(mutant, aligns);
	note_section(mutant, index, "alignment", was, header(mutant, index)->sh_addralign);
	return true;
}

bool section_size(struct mutant *mutant)
{
	unsigned int index = pick(mutant);
	Elf64_Shdr *shdr = header(mutant, index);
	uint64_t was = shdr->sh_size;

	if (is_of_symbols(mutant, index))
		return false;
	if (is_relocated(mutant, index) || (one_in(mutant, 4) && shdr->sh_type != SHT_NOBITS))
		shdr = shdr->sh_type == SHT_NOBITS
			       ? shdr
			       : edit_grow(&mutant->edit, index, 1 + below(mutant, 5000));
	else if (one_in(mutant, 2))
		shdr->sh_size = odd_number(mutant, was) &
				(shdr->sh_type == SHT_NOBITS ? UINT16_MAX : UINT64_MAX);
	else if (was)
		shdr->sh_size -= 1 + below(mutant, was < 16 ? was : 16);
	note_section(mutant, index, "size", was, shdr->sh_size);
	return true;
}

bool section_offset(struct mutant *mutant)
{
	unsigned int index = pick(mutant), other = pick_section(mutant, is_any);
	Elf64_Shdr *shdr = header(mutant, index);
	uint64_t was = shdr->sh_offset;

	if (is_of_symbols(mutant, index))
		return false;
	switch (below(mutant, 4)) {
	case 0:
		shdr->sh_offset = header(mutant, other)->sh_offset;
		break;
	case 1:
		shdr->sh_offset = odd_number(mutant, was);
		break;
	case 2:
		shdr->sh_offset = mutant->edit.len - shdr->sh_size + below(mutant, 3) - 1;
		break;
	default:
		shdr->sh_offset += below(mutant, 17) - 8;
	}
	note_section(mutant, index, "offset", was, shdr->sh_offset);
	return true;
}

/* Called as another section, or as one that a loader looks for. */
bool section_name(struct mutant *mutant)
{
	static const char *const names[] = {
		"__versions",
		".modinfo",
		".data..percpu",
		"__ksymtab",
		"__kcrctab",
		"__kcrctab_gpl",
		".init.text",
		".init.x",
		".exit.text",
		".exit.x",
		"__obsparm",
		".data..ro_after_init",
		".ctors",
		".init_array",
		".BTF",
		".BTF.base",
		".note.x",
		".text",
		"",
		".gnu.linkonce.this_module",
		"__version_ext_crcs",
		".symtab",
		".debug_x",
		"__param",
		".codetag.alloc_tags",
		".rodata",
		"no",
		"__jump_table",
	};
	unsigned int index = pick(mutant), other;
	const char *name = PICK(mutant, names);

	if (one_in(mutant, 20)) {
		header(mutant, index)->sh_name = (uint32_t)odd_number(
			mutant, stock_shdr(mutant, edit_ehdr(&mutant->edit)->e_shstrndx)->sh_size);
		name = "(some offset)";
	} else if (one_in(mutant, 4)) {
		other = pick_section(mutant, is_quiet);
		header(mutant, index)->sh_name = header(mutant, other)->sh_name;
		name = stock_name(mutant, other);
	} else {
		if (edit_find(&mutant->edit, stock_name(mutant, index)) != index)
			return false;
		edit_rename_section(&mutant->edit, stock_name(mutant, index), name);
	}
	note(mutant, "section %u (%s) is called %s", index, stock_name(mutant, index), name);
	return true;
}

bool section_other(struct mutant *mutant)
{
	unsigned int index = one_in(mutant, 8) ? 0 : pick(mutant);
	Elf64_Shdr *shdr = header(mutant, index);

	switch (below(mutant, index ? 4 : 7)) {
	case 0:
		shdr->sh_link = (uint32_t)odd_number(mutant, shdr->sh_link);
		break;
	case 1:
		/* Where relocations write is for edits_relocation.c to say. */
		if (shdr->sh_type != SHT_RELA)
			shdr->sh_info = (uint32_t)odd_number(mutant, shdr->sh_info);
		break;
	case 2:
		shdr->sh_entsize = odd_number(mutant, shdr->sh_entsize);
		break;
	case 3:
		shdr->sh_addr = odd_number(mutant, shdr->sh_addr);
		break;
	case 4:
		shdr->sh_type = (uint32_t)below(mutant, 12);
		break;
	case 5:
		shdr->sh_size = below(mutant, 3);
		break;
	default:
		shdr->sh_name = (uint32_t)odd_number(mutant, 0);
	}
	note(mutant, "section %u (%s): type %u, name %u, size %llu, link %u, info %u, entsize %llu",
	     index, stock_name(mutant, index), shdr->sh_type, shdr->sh_name,
	     (unsigned long long)shdr->sh_size, shdr->sh_link, shdr->sh_info,
	     (unsigned long long)shdr->sh_entsize);
	return true;
}

bool section_add(struct mutant *mutant)
{
	static const char *const names[] = {
		".x",
		".init.x",
		".exit.x",
		"__obsparm",
		".ctors",
		".init_array",
		"__ksymtab",
		"__kcrctab",
		".note.x",
		".data..ro_after_init",
		".modinfo",
		".text.x",
		"__param",
		".bss.x",
		"__ksymtab_gpl",
		".data..percpu",
	};
	static const uint64_t flags[] = { SHF_ALLOC,
					  SHF_ALLOC | SHF_WRITE,
					  SHF_ALLOC | SHF_EXECINSTR,
					  SHF_ALLOC | SHF_WRITE | 0x00200000,
					  SHF_WRITE | SHF_EXECINSTR,
					  0,
					  SHF_ALLOC | SHF_WRITE };
	static const uint32_t types[] = { SHT_PROGBITS, SHT_NOBITS, SHT_NOTE, SHT_PROGBITS };
	static const uint64_t sizes[] = { 0, 1, 8, 100, 4096, 70000 };
	const char *name = PICK(mutant, names);
	uint64_t flag = PICK(mutant, flags), size = PICK(mutant, sizes);
	uint32_t type = PICK(mutant, types);
	unsigned int index;

	/* Zeros would be constructors, or parameters without operations. */
	if (!strcmp(name, ".ctors") || !strcmp(name, ".init_array") || !strcmp(name, "__param"))
		size = below(mutant, 8);
	index = edit_add_section(&mutant->edit, name, type, flag, NULL, size);
	edit_shdr(&mutant->edit, index)->sh_addralign = UINT64_C(1) << below(mutant, 13);
	note(mutant, "a section %s, type %u, flags %#llx, %llu bytes", name, type,
	     (unsigned long long)flag, (unsigned long long)size);
	return true;
}

/* A second section of that name with the same contents. */
bool section_copy(struct mutant *mutant)
{
	unsigned int index = pick(mutant), copy;
	Elf64_Shdr old = *header(mutant, index);
	bool bits = old.sh_type != SHT_NOBITS;

	if (old.sh_type == SHT_RELA || old.sh_type == SHT_REL)
		return false;
	copy = edit_add_section(&mutant->edit, stock_name(mutant, index), old.sh_type, old.sh_flags,
				NULL, bits ? old.sh_size : 0);
	if (bits)
		memcpy(section_bytes(mutant, copy), section_bytes(mutant, index), old.sh_size);
	header(mutant, copy)->sh_size = old.sh_size;
	header(mutant, copy)->sh_addralign = old.sh_addralign;
	header(mutant, copy)->sh_link = old.sh_link;
	header(mutant, copy)->sh_info = old.sh_info;
	note(mutant, "section %u (%s) twice", index, stock_name(mutant, index));
	return true;
}

/* Two headers change places, so that symbols and relocations mean the other one. */
bool section_swap(struct mutant *mutant)
{
	unsigned int one = pick_section(mutant, is_data), other = pick_section(mutant, is_data);
	Elf64_Shdr old = *header(mutant, one);

	*header(mutant, one) = *header(mutant, other);
	*header(mutant, other) = old;
	note(mutant, "sections %u (%s) and %u (%s) change places", one, stock_name(mutant, one),
	     other, stock_name(mutant, other));
	return true;
}

/* ---- the file */

#define FIELD(member) offsetof(Elf64_Ehdr, member), sizeof(((Elf64_Ehdr *)0)->member), #member

bool ehdr_field(struct mutant *mutant)
{
	static const struct {
		size_t at, width;
		const char *name;
	} fields[] = {
		{ FIELD(e_ident[EI_CLASS]) },
		{ FIELD(e_ident[EI_DATA]) },
		{ FIELD(e_ident[EI_MAG2]) },
		{ FIELD(e_ident[EI_OSABI]) },
		{ FIELD(e_type) },
		{ FIELD(e_machine) },
		{ FIELD(e_version) },
		{ FIELD(e_entry) },
		{ FIELD(e_phoff) },
		{ FIELD(e_shoff) },
		{ FIELD(e_flags) },
		{ FIELD(e_ehsize) },
		{ FIELD(e_phentsize) },
		{ FIELD(e_phnum) },
		{ FIELD(e_shentsize) },
		{ FIELD(e_shnum) },
		{ FIELD(e_shstrndx) },
		{ FIELD(e_shnum) },
	};
	unsigned int field = (unsigned int)below(mutant, sizeof(fields) / sizeof(fields[0]));
	uint8_t *place = mutant->edit.data + fields[field].at;
	uint64_t was = 0, is = 0;

	memcpy(&was, place, fields[field].width);
	is = odd_number(mutant, was);
	memcpy(place, &is, fields[field].width);
	note(mutant, "%s: %#llx -> %#llx", fields[field].name, (unsigned long long)was,
	     (unsigned long long)is);
	return true;
}

bool file_cut(struct mutant *mutant)
{
	size_t len = mutant->edit.len;

	len -= one_in(mutant, 2) ? 1 + below(mutant, 200) : 1 + below(mutant, len - 1);
	edit_truncate(&mutant->edit, len);
	note(mutant, "the file is cut to %zu bytes", len);
	return true;
}

bool file_longer(struct mutant *mutant)
{
	size_t len = mutant->edit.len;

	edit_append_exactly(&mutant->edit, NULL, 1 + below(mutant, 5000));
	if (one_in(mutant, 2))
		memset(mutant->edit.data + len, 0x5a, mutant->edit.len - len);
	note(mutant, "%zu bytes behind the file", mutant->edit.len - len);
	return true;
}
