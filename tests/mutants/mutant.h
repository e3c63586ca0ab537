/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Damaged modules by number: what a kind of kernel, a seed and a number stand for is always the
 * same bytes.
 *
 * A mutant is a stock module (its base) with one to three structural edits out of a catalogue. Most
 * leave the file well-formed, so that it is taken far into the kernel's pipeline.
 */
#ifndef MUTANTS_MUTANT_H
#define MUTANTS_MUTANT_H

#include "edit.h"
#include "place.h"

enum { NEEDS_MAX = 4, BASES_MAX = 64, NOTES_SIZE = 1024 };

/* A stock module that mutants are made from. */
struct base {
	char *path; /* owned */
	const char *name; /* in `path`, up to .ko */
	struct edit stock; /* unpacked, signature included; never changed */
	char *needs[NEEDS_MAX]; /* owned: paths of what has to be loaded before */
	unsigned int need_count;
};

struct bases {
	struct base all[BASES_MAX];
	unsigned int count;
	bool decompresses; /* the kernel does, so that compressed mutants are to be made */
};

/* Chooses them from a kernel's tree: small ones that have, together, every kind of section. */
void bases_choose(struct bases *bases, const struct place *place);
void bases_deinit(struct bases *bases);

struct mutant {
	const struct base *base;
	struct edit edit; /* the bytes; without a signature unless that is what is damaged */
	uint64_t random; /* the generator's state */
	bool packed; /* it is to be loaded as a compressed file */
	bool decompresses;
	char notes[NOTES_SIZE]; /* what was changed */
};

void mutant_make(struct mutant *mutant, const struct bases *bases, uint64_t seed, uint64_t number);
void mutant_deinit(struct mutant *mutant);

/* ---- for edits ---- */

/* Each changes the mutant and notes it; false: not with this base, and nothing was changed. */
typedef bool mutant_edit(struct mutant *mutant);

/* A number below `end`, which is not 0. */
uint64_t below(struct mutant *mutant, uint64_t end);
bool one_in(struct mutant *mutant, unsigned int n);
#define PICK(mutant, array) ((array)[below(mutant, sizeof(array) / sizeof((array)[0]))])
/* A number near a bound: of `was`, of a width, of nothing. */
uint64_t odd_number(struct mutant *mutant, uint64_t was);
void note(struct mutant *mutant, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The base's section of this index: header and name as they were; NULL: there was none. */
const Elf64_Shdr *stock_shdr(const struct mutant *mutant, unsigned int index);
const char *stock_name(const struct mutant *mutant, unsigned int index);
/* Index of a section of the base by name, 0: none. */
unsigned int stock_find(const struct mutant *mutant, const char *name);
unsigned int stock_count(const struct mutant *mutant);
/* The mutant's bytes of a section, wherever it was moved to. */
uint8_t *section_bytes(struct mutant *mutant, unsigned int index);
/* A section for which `wanted` says yes; 0: there is none. */
unsigned int pick_section(struct mutant *mutant,
			  bool (*wanted)(const struct mutant *mutant, unsigned int index));
/* The kernel acts on what is in it while the module is loaded, believing it. */
bool is_believed(const char *section);

/* ---- the catalogue ---- */

mutant_edit relocation_type, relocation_symbol, relocation_offset, relocation_addend,
	relocation_target, relocation_repeat, relocation_section;
mutant_edit symbol_section, symbol_value, symbol_name, symbol_info, symbol_null, symbol_add,
	symbol_table_size, string_byte, string_end, import_name;
mutant_edit modinfo_value, modinfo_drop, modinfo_add, modinfo_repeat, modinfo_zeros;
mutant_edit version_crc, version_name, version_drop, version_repeat, version_size, version_layout,
	version_extended;
mutant_edit module_name, module_bytes, module_size;
mutant_edit export_entry, export_name, export_crc, export_crcs, export_size;
mutant_edit param_field, param_name, param_size;
mutant_edit percpu_size, percpu_align;
mutant_edit btf_header, btf_bytes;
mutant_edit section_flags, section_type, section_align, section_size, section_offset, section_name,
	section_other, section_add, section_copy, section_swap;
mutant_edit ehdr_field, file_cut, file_longer;
mutant_edit signature_trailer, signature_der, signature_size;
mutant_edit xz_pack, xz_header, xz_payload, xz_end;

#endif
