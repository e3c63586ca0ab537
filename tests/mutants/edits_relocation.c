/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Edits of relocations. Where a relocation writes stays inside of its section: the kernel would
 * write over memory that is not the module's, and its answers would be worth nothing from then on.
 */
#include <string.h>

#include "mutant.h"

static const char *target_name(const struct mutant *mutant, unsigned int index)
{
	return stock_name(mutant, stock_shdr(mutant, index)->sh_info);
}

/* Relocations that the kernel applies. */
static bool is_applied(const struct mutant *mutant, unsigned int index)
{
	const Elf64_Shdr *shdr = stock_shdr(mutant, index), *target;

	if (shdr->sh_type != SHT_RELA || shdr->sh_size < sizeof(Elf64_Rela))
		return false;
	target = stock_shdr(mutant, shdr->sh_info);
	return target && (target->sh_flags & SHF_ALLOC);
}

static bool is_quiet(const struct mutant *mutant, unsigned int index)
{
	return is_applied(mutant, index) && !is_believed(target_name(mutant, index));
}

static unsigned int pick_relocations(struct mutant *mutant)
{
	return pick_section(mutant, one_in(mutant, 150) ? is_applied : is_quiet);
}

struct place_of {
	unsigned int section;
	Elf64_Rela *all;
	uint64_t count, index;
	Elf64_Rela *at;
};

static bool pick_relocation(struct mutant *mutant, struct place_of *place)
{
	place->section = pick_relocations(mutant);
	if (!place->section)
		return false;
	place->all = (void *)section_bytes(mutant, place->section);
	place->count = stock_shdr(mutant, place->section)->sh_size / sizeof(Elf64_Rela);
	place->index = below(mutant, place->count);
	place->at = &place->all[place->index];
	return true;
}

static void note_relocation(struct mutant *mutant, const struct place_of *place, const char *what,
			    uint64_t was, uint64_t is)
{
	note(mutant, "%s[%llu] %s: %#llx -> %#llx", stock_name(mutant, place->section),
	     (unsigned long long)place->index, what, (unsigned long long)was,
	     (unsigned long long)is);
}

bool relocation_type(struct mutant *mutant)
{
	static const unsigned char known[] = { R_X86_64_NONE, R_X86_64_64,   R_X86_64_PC32,
					       R_X86_64_32,   R_X86_64_32S,  R_X86_64_PLT32,
					       R_X86_64_PC64, R_X86_64_PC32, R_X86_64_64 };
	struct place_of place;
	uint64_t was, is;

	if (!pick_relocation(mutant, &place))
		return false;
	was = ELF64_R_TYPE(place.at->r_info);
	is = one_in(mutant, 4) ? below(mutant, 44) : PICK(mutant, known);
	if (one_in(mutant, 16))
		is = odd_number(mutant, was) & UINT32_MAX;
	place.at->r_info = ELF64_R_INFO(ELF64_R_SYM(place.at->r_info), is);
	note_relocation(mutant, &place, "type", was, is);
	return true;
}

static uint64_t symbol_count(struct mutant *mutant)
{
	return edit_shdr(&mutant->edit, edit_symtab(&mutant->edit))->sh_size / sizeof(Elf64_Sym);
}

bool relocation_symbol(struct mutant *mutant)
{
	struct place_of place;
	uint64_t was, is;

	if (!pick_relocation(mutant, &place))
		return false;
	was = ELF64_R_SYM(place.at->r_info);
	is = below(mutant, symbol_count(mutant));
	if (one_in(mutant, 300))
		is = symbol_count(mutant) + below(mutant, 4);
	place.at->r_info = ELF64_R_INFO(is, ELF64_R_TYPE(place.at->r_info));
	note_relocation(mutant, &place, "symbol", was, is);
	return true;
}

/* Another place in the section, mostly that of another relocation. */
bool relocation_offset(struct mutant *mutant)
{
	struct place_of place;
	uint64_t was, is, size;

	if (!pick_relocation(mutant, &place))
		return false;
	size = stock_shdr(mutant, stock_shdr(mutant, place.section)->sh_info)->sh_size;
	if (size < 8)
		return false;
	was = place.at->r_offset;
	is = place.all[below(mutant, place.count)].r_offset;
	if (one_in(mutant, 3))
		is = below(mutant, size - 7);
	if (one_in(mutant, 4))
		is += below(mutant, 9) - 4;
	if (is > size - 8)
		is = size - 8;
	place.at->r_offset = is;
	note_relocation(mutant, &place, "offset", was, is);
	return true;
}

bool relocation_addend(struct mutant *mutant)
{
	static const uint64_t far[] = { UINT64_C(1) << 33, UINT64_C(1) << 40, UINT64_C(1) << 62,
					UINT64_C(3) << 62, 0 - (UINT64_C(1) << 34) };
	struct place_of place;
	const char *target;
	uint64_t was, is;

	if (!pick_relocation(mutant, &place))
		return false;
	target = target_name(mutant, place.section);
	was = (uint64_t)place.at->r_addend;
	is = was + below(mutant, 129) - 64;
	if (one_in(mutant, 2) && !is_believed(target))
		is = PICK(mutant, far);
	place.at->r_addend = (int64_t)is;
	note_relocation(mutant, &place, "addend", was, is);
	return true;
}

bool relocation_target(struct mutant *mutant)
{
	struct place_of place;
	const Elf64_Shdr *target;
	unsigned int index;

	if (!pick_relocation(mutant, &place))
		return false;
	index = stock_shdr(mutant, place.section)->sh_info;
	target = stock_shdr(mutant, index);
	if (target->sh_type == SHT_NOBITS || place.at->r_offset >= target->sh_size)
		return false;
	section_bytes(mutant, index)[place.at->r_offset] |= 1 + (uint8_t)below(mutant, 255);
	note(mutant, "%s[%llu]: its place is not 0", stock_name(mutant, place.section),
	     (unsigned long long)place.index);
	return true;
}

bool relocation_repeat(struct mutant *mutant)
{
	struct place_of place;
	uint64_t from;

	if (!pick_relocation(mutant, &place))
		return false;
	from = below(mutant, place.count);
	*place.at = place.all[from];
	note_relocation(mutant, &place, "is another's copy", place.index, from);
	return true;
}

/* A field of the section's header. */
bool relocation_section(struct mutant *mutant)
{
	static const uint64_t flags[] = { 0x00100000, SHF_ALLOC, SHF_INFO_LINK | 0x00100000, 0 };
	unsigned int index = pick_relocations(mutant);
	Elf64_Shdr *shdr = index ? edit_shdr(&mutant->edit, index) : NULL;

	if (!shdr)
		return false;
	switch (below(mutant, 6)) {
	case 0:
		shdr->sh_info =
			one_in(mutant, 2) ? stock_count(mutant) + (uint32_t)below(mutant, 500) : 0;
		note(mutant, "%s sh_info: %u", stock_name(mutant, index), shdr->sh_info);
		break;
	case 1:
		shdr->sh_link = (uint32_t)odd_number(mutant, shdr->sh_link);
		note(mutant, "%s sh_link: %u", stock_name(mutant, index), shdr->sh_link);
		break;
	case 2:
		shdr->sh_type = SHT_REL;
		note(mutant, "%s is REL", stock_name(mutant, index));
		break;
	case 3:
		shdr->sh_size -= 1 + below(mutant, 23);
		note(mutant, "%s sh_size: %#llx", stock_name(mutant, index),
		     (unsigned long long)shdr->sh_size);
		break;
	default:
		shdr->sh_flags = PICK(mutant, flags);
		note(mutant, "%s sh_flags: %#llx", stock_name(mutant, index),
		     (unsigned long long)shdr->sh_flags);
	}
	return true;
}
