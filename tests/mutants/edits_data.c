/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Edits of exports, parameters and per-CPU data. */
#include <stdio.h>
#include <string.h>

#include "mutant.h"

/* Some entry of the relocations of one of two tables. NULL: there is none. */
static Elf64_Rela *pick_entry(struct mutant *mutant, const char *first, const char *second,
			      const char **table_ret)
{
	const char *name = one_in(mutant, 2) ? first : second;
	unsigned int section = stock_find(mutant, name);

	if (!section) {
		name = name == first ? second : first;
		section = stock_find(mutant, name);
	}
	if (!section || stock_shdr(mutant, section)->sh_size < sizeof(Elf64_Rela))
		return NULL;
	*table_ret = name;
	return (Elf64_Rela *)(void *)section_bytes(mutant, section) +
	       below(mutant, stock_shdr(mutant, section)->sh_size / sizeof(Elf64_Rela));
}

/* Where an export is, what it is called, or its namespace: somewhere near. */
bool export_entry(struct mutant *mutant)
{
	const char *table;
	Elf64_Rela *rela = pick_entry(mutant, ".rela__ksymtab", ".rela__ksymtab_gpl", &table);

	if (!rela)
		return false;
	rela->r_addend += (int64_t)below(mutant, 33) - 16;
	note(mutant, "%s: the entry for offset %#llx, addend %lld", table,
	     (unsigned long long)rela->r_offset, (long long)rela->r_addend);
	return true;
}

/* A name of an export becomes one of the kernel's, or of nobody. */
bool export_name(struct mutant *mutant)
{
	static const char *const names[] = { "_printk", "memcpy", "kfree", "jiffies", "", "a" };
	unsigned int section = stock_find(mutant, "__ksymtab_strings");
	const char *name = PICK(mutant, names);
	uint64_t size = section ? stock_shdr(mutant, section)->sh_size : 0, at;
	char *text;

	if (size < 2)
		return false;
	text = (char *)section_bytes(mutant, section);
	at = below(mutant, size);
	if (one_in(mutant, 2)) {
		while (at && text[at - 1])
			at--;
		if (strlen(name) < size - at)
			strcpy(text + at, name);
		note(mutant, "the export at %llu is called '%s'", (unsigned long long)at, name);
		return true;
	}
	text[at] ^= (char)(1 + below(mutant, 127));
	note(mutant, "byte %llu of the exports' names", (unsigned long long)at);
	return true;
}

static unsigned int find_either(struct mutant *mutant, const char *first, const char *second)
{
	unsigned int one = stock_find(mutant, first), other = stock_find(mutant, second);

	if (one && other)
		return one_in(mutant, 2) ? one : other;
	return one ? one : other;
}

bool export_crc(struct mutant *mutant)
{
	unsigned int section = find_either(mutant, "__kcrctab", "__kcrctab_gpl");
	uint64_t at;

	if (!section || !stock_shdr(mutant, section)->sh_size)
		return false;
	at = below(mutant, stock_shdr(mutant, section)->sh_size);
	section_bytes(mutant, section)[at] ^= 1;
	note(mutant, "byte %llu of %s", (unsigned long long)at, stock_name(mutant, section));
	return true;
}

/* The CRCs are gone, or are somebody else's. */
bool export_crcs(struct mutant *mutant)
{
	static const char *const names[] = { "__kcrctab_gone", "__kcrctab_gpl", "__kcrctab",
					     "__obsparm" };
	unsigned int section = find_either(mutant, "__kcrctab", "__kcrctab_gpl");
	const char *name = PICK(mutant, names);

	if (!section || edit_find(&mutant->edit, stock_name(mutant, section)) != section)
		return false;
	edit_rename_section(&mutant->edit, stock_name(mutant, section), name);
	note(mutant, "%s is called %s", stock_name(mutant, section), name);
	return true;
}

bool export_size(struct mutant *mutant)
{
	unsigned int section = one_in(mutant, 2)
				       ? find_either(mutant, "__ksymtab", "__ksymtab_gpl")
				       : find_either(mutant, "__kcrctab", "__kcrctab_gpl");
	Elf64_Shdr *shdr = section ? edit_shdr(&mutant->edit, section) : NULL;

	if (!shdr || !shdr->sh_size)
		return false;
	shdr->sh_size -= 1 + below(mutant, shdr->sh_size);
	note(mutant, "%s' size: %#llx", stock_name(mutant, section),
	     (unsigned long long)shdr->sh_size);
	return true;
}

/* struct kernel_param: three pointers, then permissions, level, flags; then the argument. */
enum { PARAM_SIZE = 40, PARAM_PERM = 24, PARAM_LEVEL = 26, PARAM_FLAGS = 27 };

bool param_field(struct mutant *mutant)
{
	static const uint16_t permissions[] = { 0, 0644, 0444, 0200, 0777, 01777, 0x8000, 0xffff };
	unsigned int section = stock_find(mutant, "__param");
	uint64_t count = section ? stock_shdr(mutant, section)->sh_size / PARAM_SIZE : 0, index;
	uint8_t *param;
	uint16_t perm;

	if (!count)
		return false;
	index = below(mutant, count);
	param = section_bytes(mutant, section) + index * PARAM_SIZE;
	if (one_in(mutant, 3)) {
		param[PARAM_LEVEL + below(mutant, 2)] = (uint8_t)below(mutant, 256);
		note(mutant, "level %d, flags %#x of parameter %llu", param[PARAM_LEVEL],
		     param[PARAM_FLAGS], (unsigned long long)index);
		return true;
	}
	perm = PICK(mutant, permissions);
	memcpy(param + PARAM_PERM, &perm, sizeof(perm));
	note(mutant, "permissions %#o of parameter %llu", perm, (unsigned long long)index);
	return true;
}

/* A parameter is called as another one, as something else, or as nothing. */
bool param_name(struct mutant *mutant)
{
	const char *table;
	Elf64_Rela *rela, *other;
	unsigned int section = stock_find(mutant, ".rela__param");
	uint64_t count = section ? stock_shdr(mutant, section)->sh_size / sizeof(*rela) : 0;
	uint64_t from = count ? below(mutant, count) : 0;

	for (uint64_t i = 0; i < count; i++) {
		rela = (Elf64_Rela *)(void *)section_bytes(mutant, section) + (from + i) % count;
		other = pick_entry(mutant, ".rela__param", ".rela__param", &table);
		if (rela->r_offset % PARAM_SIZE)
			continue;
		if (other->r_offset % PARAM_SIZE == 0 && other != rela) {
			rela->r_info = other->r_info;
			rela->r_addend = other->r_addend;
		} else {
			rela->r_addend += (int64_t)below(mutant, 9) - 4;
		}
		note(mutant, "the name of parameter %llu: addend %lld",
		     (unsigned long long)rela->r_offset / PARAM_SIZE, (long long)rela->r_addend);
		return true;
	}
	return false;
}

bool param_size(struct mutant *mutant)
{
	unsigned int section = stock_find(mutant, "__param");
	Elf64_Shdr *shdr = section ? edit_shdr(&mutant->edit, section) : NULL;

	if (!shdr || !shdr->sh_size)
		return false;
	shdr->sh_size -= 1 + below(mutant, shdr->sh_size);
	note(mutant, "__param's size: %#llx", (unsigned long long)shdr->sh_size);
	return true;
}

bool percpu_size(struct mutant *mutant)
{
	static const uint64_t sizes[] = { 1, 8, 100, 3000, 8193, 16384, 1 << 20 };
	unsigned int section = stock_find(mutant, ".data..percpu");
	uint64_t size = PICK(mutant, sizes);

	if (!section) {
		section = edit_add_section(&mutant->edit, ".data..percpu", SHT_PROGBITS,
					   SHF_ALLOC | SHF_WRITE, NULL, size);
	} else if (size > stock_shdr(mutant, section)->sh_size) {
		edit_grow(&mutant->edit, section, size - stock_shdr(mutant, section)->sh_size);
	}
	edit_shdr(&mutant->edit, section)->sh_size = size;
	note(mutant, "%llu bytes of per-CPU data", (unsigned long long)size);
	return true;
}

bool percpu_align(struct mutant *mutant)
{
	static const uint64_t aligns[] = { 0, 1, 2, 64, 4096, 8192, 1 << 20, UINT64_C(1) << 32 };
	unsigned int section = stock_find(mutant, ".data..percpu");

	if (!section)
		return false;
	edit_shdr(&mutant->edit, section)->sh_addralign = PICK(mutant, aligns);
	note(mutant, "per-CPU data's alignment: %llu",
	     (unsigned long long)edit_shdr(&mutant->edit, section)->sh_addralign);
	return true;
}
