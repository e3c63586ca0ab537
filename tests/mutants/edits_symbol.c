/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Edits of the symbol table and its names. */
#include <stdio.h>
#include <string.h>

#include "mutant.h"

static unsigned int table(struct mutant *mutant)
{
	return edit_symtab(&mutant->edit);
}

static uint64_t count(struct mutant *mutant)
{
	return edit_shdr(&mutant->edit, table(mutant))->sh_size / sizeof(Elf64_Sym);
}

static Elf64_Sym *symbol(struct mutant *mutant, uint64_t index)
{
	return (Elf64_Sym *)(void *)section_bytes(mutant, table(mutant)) + index;
}

/* A name as the base has it, where the base has the symbol. */
static const char *name_of(struct mutant *mutant, uint64_t index)
{
	const Elf64_Shdr *symtab = stock_shdr(mutant, table(mutant));
	const uint8_t *data = mutant->base->stock.data;

	if (index >= symtab->sh_size / sizeof(Elf64_Sym))
		return "(new)";
	return (const char *)data + stock_shdr(mutant, symtab->sh_link)->sh_offset +
	       ((const Elf64_Sym *)(const void *)(data + symtab->sh_offset))[index].st_name;
}

/* The kernel patches what it finds there. */
static bool is_static_call(struct mutant *mutant, uint64_t index)
{
	return !strncmp(name_of(mutant, index), "__SC", 4);
}

static bool is_import(struct mutant *mutant, uint64_t index)
{
	return index && !is_static_call(mutant, index) &&
	       symbol(mutant, index)->st_shndx == SHN_UNDEF;
}

/* Tables of names are reached through symbols of sections. */
static bool is_defined(struct mutant *mutant, uint64_t index)
{
	const Elf64_Sym *at = symbol(mutant, index);

	return index && !is_static_call(mutant, index) && at->st_shndx != SHN_UNDEF &&
	       ELF64_ST_TYPE(at->st_info) != STT_SECTION;
}

static bool is_section(struct mutant *mutant, uint64_t index)
{
	return index && ELF64_ST_TYPE(symbol(mutant, index)->st_info) == STT_SECTION;
}

/* 0: there is none. */
static uint64_t pick_of(struct mutant *mutant,
			bool (*wanted)(struct mutant *mutant, uint64_t index))
{
	uint64_t from = below(mutant, count(mutant));

	for (uint64_t i = 0; i < count(mutant); i++)
		if (wanted(mutant, (from + i) % count(mutant)))
			return (from + i) % count(mutant);
	return 0;
}

/* An import or a defined symbol, as often the one as the other. */
static uint64_t pick(struct mutant *mutant)
{
	return pick_of(mutant, one_in(mutant, 2) ? is_import : is_defined);
}

static void note_symbol(struct mutant *mutant, uint64_t index, const char *what, uint64_t was,
			uint64_t is)
{
	note(mutant, "symbol %llu (%s) %s: %#llx -> %#llx", (unsigned long long)index,
	     name_of(mutant, index), what, (unsigned long long)was, (unsigned long long)is);
}

bool symbol_section(struct mutant *mutant)
{
	static const uint16_t reserved[] = { SHN_UNDEF,	 SHN_ABS,   SHN_COMMON, 0xff20,
					     SHN_XINDEX, SHN_UNDEF, SHN_ABS,	0xff00 };
	static const uint16_t refused[] = { SHN_UNDEF, SHN_COMMON, SHN_XINDEX, 0xff00 };
	bool section = one_in(mutant, 6);
	uint64_t index = section ? pick_of(mutant, is_section) : pick(mutant);
	uint16_t was, is;

	if (!index)
		return false;
	was = symbol(mutant, index)->st_shndx;
	is = section ? PICK(mutant, refused) : PICK(mutant, reserved);
	if (!section && one_in(mutant, 2))
		is = (uint16_t)(1 + below(mutant, stock_count(mutant)));
	symbol(mutant, index)->st_shndx = is;
	note_symbol(mutant, index, "section", was, is);
	return true;
}

bool symbol_value(struct mutant *mutant)
{
	uint64_t index = pick(mutant), was, is;

	if (!index)
		return false;
	was = symbol(mutant, index)->st_value;
	is = was + below(mutant, 65) - 32;
	if (one_in(mutant, 3))
		is = odd_number(mutant, was);
	symbol(mutant, index)->st_value = is;
	note_symbol(mutant, index, "value", was, is);
	return true;
}

/* Another symbol's name, a part of one, or what lies behind all names. */
bool symbol_name(struct mutant *mutant)
{
	uint64_t index = pick(mutant), other = pick(mutant);
	uint32_t was, is;

	if (!index || !other)
		return false;
	was = symbol(mutant, index)->st_name;
	is = symbol(mutant, other)->st_name;
	if (one_in(mutant, 4))
		is = was + 1;
	if (one_in(mutant, 8))
		is = 0;
	if (one_in(mutant, 300))
		is = UINT32_MAX - (uint32_t)below(mutant, 16);
	symbol(mutant, index)->st_name = is;
	note_symbol(mutant, index, "name", was, is);
	return true;
}

bool symbol_info(struct mutant *mutant)
{
	static const unsigned char binds[] = { STB_LOCAL, STB_GLOBAL, STB_WEAK, STB_WEAK, 5, 10 };
	static const unsigned char types[] = { STT_NOTYPE,  STT_OBJECT, STT_FUNC,
					       STT_SECTION, STT_FILE,	10 };
	uint64_t index = pick(mutant);
	unsigned char was, is;

	if (!index)
		return false;
	was = symbol(mutant, index)->st_info;
	is = ELF64_ST_INFO(PICK(mutant, binds), ELF64_ST_TYPE(was));
	if (one_in(mutant, 3))
		is = ELF64_ST_INFO(ELF64_ST_BIND(was), PICK(mutant, types));
	symbol(mutant, index)->st_info = is;
	if (one_in(mutant, 4))
		symbol(mutant, index)->st_size = odd_number(mutant, 8);
	if (one_in(mutant, 4))
		symbol(mutant, index)->st_other = (unsigned char)below(mutant, 256);
	note_symbol(mutant, index, "info", was, is);
	return true;
}

bool symbol_null(struct mutant *mutant)
{
	uint8_t *bytes = (uint8_t *)symbol(mutant, 0);
	size_t at = sizeof(Elf64_Word) + below(mutant, sizeof(Elf64_Sym) - sizeof(Elf64_Word));

	bytes[at] = (uint8_t)(1 + below(mutant, 255));
	note(mutant, "symbol 0, byte %zu: %#x", at, bytes[at]);
	return true;
}

bool symbol_add(struct mutant *mutant)
{
	static const char *const names[] = {
		"_printk",
		"kmalloc_noprof",
		"__fentry__",
		"vmalloc",
		"no_such_symbol",
		"init_module",
		"jiffies",
		"_GLOBAL_OFFSET_TABLE_",
		"__this_module",
		"__gnu_lto_slim",
		"memcpy",
		"dma_buf_get",
		"usb_stor_suspend",
		"cleanup_module",
		"",
		"module_layout",
		"rcu_read_unlock_strict",
	};
	static const unsigned char binds[] = { STB_GLOBAL, STB_GLOBAL, STB_LOCAL, STB_WEAK };
	static const uint16_t sections[] = { SHN_UNDEF, SHN_UNDEF, SHN_UNDEF, SHN_ABS, SHN_COMMON };
	const char *name = PICK(mutant, names);
	unsigned char bind = PICK(mutant, binds);
	uint16_t section = PICK(mutant, sections);

	if (one_in(mutant, 4))
		section = (uint16_t)(1 + below(mutant, stock_count(mutant) - 1));
	edit_add_symbol(&mutant->edit, name, bind, section, below(mutant, 16));
	note(mutant, "a symbol '%s', bind %u, section %u", name, bind, section);
	return true;
}

bool symbol_table_size(struct mutant *mutant)
{
	Elf64_Shdr *shdr = edit_shdr(&mutant->edit, table(mutant));
	uint64_t was = shdr->sh_size;

	shdr->sh_size -= one_in(mutant, 3) ? sizeof(Elf64_Sym) * below(mutant, count(mutant))
					   : 1 + below(mutant, 23);
	note(mutant, "symbol table's size: %#llx -> %#llx", (unsigned long long)was,
	     (unsigned long long)shdr->sh_size);
	return true;
}

static unsigned int strings(struct mutant *mutant)
{
	return stock_shdr(mutant, table(mutant))->sh_link;
}

/* A byte of some name: another letter, or an end, or none. */
bool string_byte(struct mutant *mutant)
{
	static const char bytes[] = { 0, 'x', '_', '.', '\x80', '\n' };
	uint8_t *text = section_bytes(mutant, strings(mutant));
	uint64_t at = below(mutant, stock_shdr(mutant, strings(mutant))->sh_size - 1);
	char was = (char)text[at], is = PICK(mutant, bytes);

	text[at] = (uint8_t)is;
	note(mutant, "byte %llu of the symbols' names: %#x -> %#x", (unsigned long long)at,
	     (unsigned char)was, (unsigned char)is);
	return true;
}

bool string_end(struct mutant *mutant)
{
	const Elf64_Shdr *shdr = edit_shdr(&mutant->edit, strings(mutant));

	mutant->edit.data[shdr->sh_offset + shdr->sh_size - 1] = 'x';
	note(mutant, "the symbols' names don't end");
	return true;
}

/* A letter of an import's name, in its own string alone. */
bool import_name(struct mutant *mutant)
{
	uint64_t index = pick(mutant);
	char text[256];
	size_t len;

	if (!index)
		return false;
	snprintf(text, sizeof(text), "%s", name_of(mutant, index));
	len = strlen(text);
	if (!len)
		return false;
	text[below(mutant, len)] = "x_0"[below(mutant, 3)];
	edit_add_symbol(&mutant->edit, text, STB_GLOBAL, SHN_UNDEF, 0);
	*symbol(mutant, index) = *symbol(mutant, count(mutant) - 1);
	note(mutant, "symbol %llu (%s) is an import of '%s'", (unsigned long long)index,
	     name_of(mutant, index), text);
	return true;
}
