/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A mutant from its seed and number: which edits of the catalogue, in which order. Edits of
 * contents come first, then those of headers, since the former find their way by the latter; what
 * is wrapped around the module comes last.
 */
#include "mutant.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EDITS_MAX = 3 };

/* When an edit is made. Those of SIGNATURE are not mixed with others: a signed module that was
 * changed is refused for that. */
enum phase { CONTENTS, TABLES, SECTIONS, HEADER, PACKED, SIGNATURE };

static const struct entry {
	mutant_edit *edit;
	enum phase phase;
	unsigned int weight;
} catalogue[] = {
	{ relocation_type, CONTENTS, 50 },
	{ relocation_symbol, CONTENTS, 50 },
	{ relocation_offset, CONTENTS, 50 },
	{ relocation_addend, CONTENTS, 60 },
	{ relocation_target, CONTENTS, 40 },
	{ relocation_repeat, CONTENTS, 30 },
	{ relocation_section, TABLES, 40 },

	{ symbol_section, CONTENTS, 60 },
	{ symbol_value, CONTENTS, 40 },
	{ symbol_name, CONTENTS, 40 },
	{ symbol_info, CONTENTS, 50 },
	{ symbol_null, CONTENTS, 10 },
	{ symbol_add, CONTENTS, 50 },
	{ symbol_table_size, TABLES, 4 },
	{ string_byte, CONTENTS, 30 },
	{ string_end, CONTENTS, 5 },
	{ import_name, CONTENTS, 30 },

	{ modinfo_value, CONTENTS, 40 },
	{ modinfo_drop, CONTENTS, 40 },
	{ modinfo_add, CONTENTS, 50 },
	{ modinfo_repeat, CONTENTS, 20 },
	{ modinfo_zeros, CONTENTS, 30 },

	{ version_crc, CONTENTS, 30 },
	{ version_name, CONTENTS, 30 },
	{ version_drop, CONTENTS, 25 },
	{ version_repeat, CONTENTS, 25 },
	{ version_size, CONTENTS, 15 },
	{ version_layout, CONTENTS, 8 },
	{ version_extended, CONTENTS, 20 },

	{ module_name, CONTENTS, 30 },
	{ module_bytes, CONTENTS, 8 },
	{ module_size, CONTENTS, 5 },

	{ export_entry, CONTENTS, 40 },
	{ export_name, CONTENTS, 40 },
	{ export_crc, CONTENTS, 10 },
	{ export_crcs, CONTENTS, 15 },
	{ export_size, CONTENTS, 20 },

	{ param_field, CONTENTS, 40 },
	{ param_name, CONTENTS, 40 },
	{ param_size, CONTENTS, 20 },

	{ percpu_size, CONTENTS, 30 },
	{ percpu_align, SECTIONS, 20 },

	{ btf_header, CONTENTS, 15 },
	{ btf_bytes, CONTENTS, 15 },

	{ section_flags, SECTIONS, 50 },
	{ section_type, SECTIONS, 35 },
	{ section_align, SECTIONS, 40 },
	{ section_size, SECTIONS, 30 },
	{ section_offset, SECTIONS, 25 },
	{ section_name, SECTIONS, 45 },
	{ section_other, SECTIONS, 25 },
	{ section_add, CONTENTS, 40 },
	{ section_copy, CONTENTS, 30 },
	{ section_swap, SECTIONS, 25 },

	{ ehdr_field, HEADER, 25 },
	{ file_cut, HEADER, 10 },
	{ file_longer, HEADER, 10 },

	{ signature_trailer, SIGNATURE, 25 },
	{ signature_der, SIGNATURE, 80 },
	{ signature_size, SIGNATURE, 15 },

	{ xz_pack, PACKED, 15 },
	{ xz_header, PACKED, 15 },
	{ xz_payload, PACKED, 20 },
	{ xz_end, PACKED, 20 },
};

enum { ENTRIES = sizeof(catalogue) / sizeof(catalogue[0]) };

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t below(struct mutant *mutant, uint64_t end)
{
	return next(&mutant->random) % end;
}

bool one_in(struct mutant *mutant, unsigned int n)
{
	return below(mutant, n) == 0;
}

uint64_t odd_number(struct mutant *mutant, uint64_t was)
{
	static const uint64_t fixed[] = {
		0,	    1,
		2,	    3,
		7,	    0xffff,
		0x7fffffff, UINT32_MAX,
		UINT64_MAX, UINT64_C(1) << 32,
		0x80,	    0xff00,
		0x1000,	    UINT64_C(1) << 63,
	};

	switch (below(mutant, 6)) {
	case 0:
		return was + 1 + below(mutant, 8);
	case 1:
		return was - 1 - below(mutant, 8);
	case 2:
		return was ^ UINT64_C(1) << below(mutant, 32);
	case 3:
		return was / 2;
	default:
		return PICK(mutant, fixed);
	}
}

void note(struct mutant *mutant, const char *format, ...)
{
	size_t len = strlen(mutant->notes);
	va_list arguments;

	if (len && len + 2 < sizeof(mutant->notes))
		len = (size_t)(stpcpy(mutant->notes + len, "; ") - mutant->notes);
	va_start(arguments, format);
	vsnprintf(mutant->notes + len, sizeof(mutant->notes) - len, format, arguments);
	va_end(arguments);
	/* Names may be anything; notes are one line. */
	for (char *text = mutant->notes + len; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/* The editor's functions change nothing; they take what can be changed. */
static struct edit *stock(const struct mutant *mutant)
{
	return (struct edit *)(uintptr_t)&mutant->base->stock;
}

unsigned int stock_count(const struct mutant *mutant)
{
	return edit_ehdr(stock(mutant))->e_shnum;
}

const Elf64_Shdr *stock_shdr(const struct mutant *mutant, unsigned int index)
{
	return index < stock_count(mutant) ? edit_shdr(stock(mutant), index) : NULL;
}

const char *stock_name(const struct mutant *mutant, unsigned int index)
{
	struct edit *edit = stock(mutant);

	if (index >= stock_count(mutant))
		return "(new)";
	return (const char *)edit->data + edit_shdr(edit, edit_ehdr(edit)->e_shstrndx)->sh_offset +
	       edit_shdr(edit, index)->sh_name;
}

unsigned int stock_find(const struct mutant *mutant, const char *name)
{
	return edit_find(stock(mutant), name);
}

uint8_t *section_bytes(struct mutant *mutant, unsigned int index)
{
	return mutant->edit.data + edit_shdr(&mutant->edit, index)->sh_offset;
}

unsigned int pick_section(struct mutant *mutant,
			  bool (*wanted)(const struct mutant *mutant, unsigned int index))
{
	unsigned int count = 0, left;

	for (unsigned int i = 1; i < stock_count(mutant); i++)
		count += wanted(mutant, i);
	if (!count)
		return 0;
	left = (unsigned int)below(mutant, count);
	for (unsigned int i = 1; i < stock_count(mutant); i++)
		if (wanted(mutant, i) && !left--)
			return i;
	return 0;
}

bool is_believed(const char *section)
{
	static const char *const starts[] = {
		"__jump_table", ".static_call",	 "__tracepoint", "_ftrace", "__trace",
		".alt",		".para",	 ".retpoline",	 ".return", ".call_sites",
		".ibt",		".smp_locks",	 "__mcount",	 ".orc",    "__bug_table",
		"__ex_table",	"__srcu",	 "__bpf",	 "_kprobe", "_error_injection",
		"__patchable",	".printk_index", ".static_call", ".ctors",  ".init_array",
		"__dyndbg",	".kunit",	 "__event",	 ".its",    ".cfi",
		".ref.data",	"__ksymtab",	 "__param",
	};

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (!strncmp(section, starts[i], strlen(starts[i])))
			return true;
	return false;
}

static const struct entry *pick_entry(struct mutant *mutant)
{
	unsigned int sum = 0, left, i = 0;

	for (unsigned int j = 0; j < ENTRIES; j++)
		sum += catalogue[j].weight;
	left = (unsigned int)below(mutant, sum);
	while (left >= catalogue[i].weight)
		left -= catalogue[i++].weight;
	return &catalogue[i];
}

/* Every second mutant has one edit, which is then all that can be wrong. */
static unsigned int pick_entries(struct mutant *mutant, const struct entry *picked[EDITS_MAX])
{
	uint64_t luck = below(mutant, 10);
	unsigned int count = luck < 5 ? 1 : luck < 8 ? 2 : 3;

	for (unsigned int i = 0; i < count; i++)
		picked[i] = pick_entry(mutant);
	return count;
}

static unsigned int apply(struct mutant *mutant, const struct entry *const *picked,
			  unsigned int count, enum phase first, enum phase last)
{
	unsigned int done = 0;

	for (enum phase phase = first; phase <= last; phase++)
		for (unsigned int i = 0; i < count; i++)
			if (picked[i]->phase == phase)
				done += picked[i]->edit(mutant);
	return done;
}

/* An edit may have put there what was there. */
static bool is_changed(const struct mutant *mutant)
{
	const struct edit *stock = &mutant->base->stock, *edit = &mutant->edit;

	return (edit->len != stock->len && edit->len != stock->signature) ||
	       memcmp(edit->data, stock->data, edit->len) != 0;
}

/* Applies the edits; how many there were to apply. */
static unsigned int change(struct mutant *mutant)
{
	const struct entry *picked[EDITS_MAX];
	unsigned int count = pick_entries(mutant, picked), done;

	done = apply(mutant, picked, count, SIGNATURE, SIGNATURE);
	if (done)
		return done;
	edit_strip_signature(&mutant->edit);
	return apply(mutant, picked, count, CONTENTS, PACKED);
}

void mutant_make(struct mutant *mutant, const struct bases *bases, uint64_t seed, uint64_t number)
{
	const struct base *base;
	uint64_t state = seed;

	*mutant = (struct mutant){ .decompresses = bases->decompresses };
	mutant->random = next(&state) ^ number * UINT64_C(0xd1342543de82ef95);
	base = mutant->base = &bases->all[below(mutant, bases->count)];
	do {
		mutant_deinit(mutant);
		mutant->notes[0] = 0;
		mutant->packed = false;
		mutant->edit = (struct edit){ .what = base->name };
		edit_set(&mutant->edit, base->stock.data, base->stock.len);
		mutant->edit.signature = base->stock.signature;
	} while (!change(mutant) || !is_changed(mutant));
}

void mutant_deinit(struct mutant *mutant)
{
	edit_close(&mutant->edit);
}
