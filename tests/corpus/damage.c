/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Damage to the file, its header, sections, module information, symbols and relocations. */
#include "damage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *place(struct edit *edit, int64_t at)
{
	int64_t offset = at < 0 ? (int64_t)edit->len + at : at;

	if (offset < 0 || offset >= (int64_t)edit->len)
		edit_fail(edit, "no byte %lld", (long long)at);
	return edit->data + offset;
}

static void store(struct edit *edit, uint8_t *where, unsigned int width, uint64_t value)
{
	if (where < edit->data || where + width > edit->data + edit->len)
		edit_fail(edit, "a value outside of the file");
	memcpy(where, &value, width);
}

void set_byte(struct edit *edit, const struct corpus_case *test)
{
	*place(edit, test->at) = (uint8_t)test->value;
}

void flip_byte(struct edit *edit, const struct corpus_case *test)
{
	*place(edit, test->at) ^= (uint8_t)test->value;
}

void truncate_file(struct edit *edit, const struct corpus_case *test)
{
	edit_truncate(edit, (size_t)(test->at < 0 ? (int64_t)edit->len + test->at : test->at));
}

void halve_file(struct edit *edit, const struct corpus_case *test)
{
	(void)test;
	edit_truncate(edit, edit->len / 2);
}

void empty_file(struct edit *edit, const struct corpus_case *test)
{
	(void)test;
	edit_truncate(edit, 0);
}

void append_bytes(struct edit *edit, const struct corpus_case *test)
{
	edit_append_exactly(edit, test->text, strlen(test->text));
}

void append_zeros(struct edit *edit, const struct corpus_case *test)
{
	edit_append_exactly(edit, NULL, test->value);
}

void pad_to_page(struct edit *edit, const struct corpus_case *test)
{
	(void)test;
	edit_append_exactly(edit, NULL, -edit->len & 4095);
}

/* header and section table */

void set_ehdr(struct edit *edit, const struct corpus_case *test)
{
	store(edit, edit->data + test->at, test->width, test->value);
}

static unsigned int section_index(struct edit *edit, const char *text)
{
	if (!strcmp(text, "#0"))
		return 0;
	if (!strcmp(text, "#symtab"))
		return edit_symtab(edit);
	if (!strcmp(text, "#strtab"))
		return edit_shdr(edit, edit_symtab(edit))->sh_link;
	if (!strcmp(text, "#shstrtab"))
		return edit_ehdr(edit)->e_shstrndx;
	return edit_index(edit, text);
}

static uint8_t *shdr_field(struct edit *edit, const struct corpus_case *test)
{
	return (uint8_t *)edit_shdr(edit, section_index(edit, test->text)) + test->at;
}

void set_shdr(struct edit *edit, const struct corpus_case *test)
{
	store(edit, shdr_field(edit, test), test->width, test->value);
}

void add_shdr(struct edit *edit, const struct corpus_case *test)
{
	uint64_t value = 0;

	memcpy(&value, shdr_field(edit, test), test->width);
	store(edit, shdr_field(edit, test), test->width, value + test->value);
}

void section_end_plus(struct edit *edit, const struct corpus_case *test)
{
	Elf64_Shdr *shdr = edit_shdr(edit, section_index(edit, test->text));

	shdr->sh_offset = edit->len - shdr->sh_size + test->value;
}

void offset_near_overflow(struct edit *edit, const struct corpus_case *test)
{
	Elf64_Shdr *shdr = edit_shdr(edit, section_index(edit, test->text));

	shdr->sh_offset = -shdr->sh_size + 16;
}

void table_at_end(struct edit *edit, const struct corpus_case *test)
{
	(void)test;
	edit_ehdr(edit)->e_shoff = edit->len;
}

void table_unaligned(struct edit *edit, const struct corpus_case *test)
{
	size_t size = edit_ehdr(edit)->e_shnum * sizeof(Elf64_Shdr), at;

	(void)test;
	at = edit_append(edit, NULL, size + 1) + 1;
	memcpy(edit->data + at, edit_shdr(edit, 0), size);
	edit_ehdr(edit)->e_shoff = at;
}

void table_before_sections(struct edit *edit, const struct corpus_case *test)
{
	size_t count = edit_ehdr(edit)->e_shnum, size = count * sizeof(Elf64_Shdr);
	size_t shift = (size + 63) & ~(size_t)63, body = edit_ehdr(edit)->e_shoff;
	uint8_t *file = calloc(1, body + shift);
	Elf64_Shdr *table;

	if (!file)
		edit_fail(edit, "out of memory");
	memcpy(file, edit->data, sizeof(Elf64_Ehdr));
	memcpy(file + sizeof(Elf64_Ehdr), edit_shdr(edit, 0), size);
	memcpy(file + sizeof(Elf64_Ehdr) + shift, edit->data + sizeof(Elf64_Ehdr),
	       body - sizeof(Elf64_Ehdr));
	edit_set(edit, file, body + shift - test->value);
	free(file);
	edit_ehdr(edit)->e_shoff = sizeof(Elf64_Ehdr);
	table = edit_shdr(edit, 0);
	for (size_t i = 1; i < count; i++)
		table[i].sh_offset += shift;
}

void cut_in_table(struct edit *edit, const struct corpus_case *test)
{
	const Elf64_Ehdr *ehdr = edit_ehdr(edit);

	(void)test;
	edit_truncate(edit, ehdr->e_shoff + ehdr->e_shnum / 2 * sizeof(Elf64_Shdr));
}

void cut_before_table(struct edit *edit, const struct corpus_case *test)
{
	(void)test;
	edit_truncate(edit, edit_ehdr(edit)->e_shoff);
}

void names_are(struct edit *edit, const struct corpus_case *test)
{
	edit_ehdr(edit)->e_shstrndx = (uint16_t)section_index(edit, test->text);
}

void unterminate_names(struct edit *edit, const struct corpus_case *test)
{
	const Elf64_Shdr *names = edit_shdr(edit, edit_ehdr(edit)->e_shstrndx);

	(void)test;
	edit->data[names->sh_offset + names->sh_size - 1] = 'x';
}

void name_out_of_range(struct edit *edit, const struct corpus_case *test)
{
	Elf64_Shdr *shdr = edit_section(edit, test->text);

	shdr->sh_name = (uint32_t)edit_shdr(edit, edit_ehdr(edit)->e_shstrndx)->sh_size;
}

void add_section(struct edit *edit, const struct corpus_case *test)
{
	edit_add_section(edit, test->text, (uint32_t)test->at, test->value, NULL, test->width);
}

void add_two_sections(struct edit *edit, const struct corpus_case *test)
{
	add_section(edit, test);
	edit_add_section(edit, test->more, (uint32_t)test->at, test->value, NULL, test->width);
}

void add_nobits(struct edit *edit, const struct corpus_case *test)
{
	unsigned int index = edit_add_section(edit, test->text, SHT_NOBITS, test->value, NULL, 0);
	Elf64_Shdr *shdr = edit_shdr(edit, index);

	shdr->sh_size = (uint64_t)test->at;
	shdr->sh_offset = UINT64_MAX;
}

void rename_section(struct edit *edit, const struct corpus_case *test)
{
	edit_rename_section(edit, test->text, test->more);
}

void copy_section(struct edit *edit, const struct corpus_case *test)
{
	Elf64_Shdr old = *edit_section(edit, test->text);
	unsigned int copy =
		edit_add_section(edit, test->text, old.sh_type, old.sh_flags, NULL, old.sh_size);
	Elf64_Shdr *shdr = edit_shdr(edit, copy);

	memcpy(edit->data + shdr->sh_offset, edit->data + old.sh_offset, old.sh_size);
	shdr->sh_addralign = old.sh_addralign;
}

void grow_section(struct edit *edit, const struct corpus_case *test)
{
	edit_grow(edit, section_index(edit, test->text), test->value);
}

void set_in_section(struct edit *edit, const struct corpus_case *test)
{
	store(edit, edit_bytes(edit, test->text) + test->at, test->width, test->value);
}

void second_symtab(struct edit *edit, const struct corpus_case *test)
{
	unsigned int first = edit_symtab(edit), second;
	static const Elf64_Sym nothing;

	(void)test;
	second = edit_add_section(edit, ".symtab2", SHT_SYMTAB, 0, &nothing, sizeof(nothing));
	edit_shdr(edit, second)->sh_link = edit_shdr(edit, first)->sh_link;
}

/* struct module begins with its state and a list head; then comes the name. */
enum { MODULE_NAME = 24, MODULE_NAME_LEN = 56 };

void set_module_name(struct edit *edit, const struct corpus_case *test)
{
	char *name = (char *)edit_bytes(edit, ".gnu.linkonce.this_module") + MODULE_NAME;

	memset(name, 0, MODULE_NAME_LEN);
	memcpy(name, test->text, strlen(test->text));
}

void set_module_name_both(struct edit *edit, const struct corpus_case *test)
{
	set_module_name(edit, test);
	edit_replace_modinfo(edit, "name", test->text);
}

void struct_name_only(struct edit *edit, const struct corpus_case *test)
{
	set_module_name(edit, test);
	edit_drop_modinfo(edit, "name");
}

/* .modinfo and __versions */

void drop_modinfo(struct edit *edit, const struct corpus_case *test)
{
	edit_drop_modinfo(edit, test->text);
}

void add_modinfo(struct edit *edit, const struct corpus_case *test)
{
	edit_add_modinfo(edit, test->text);
}

void replace_modinfo(struct edit *edit, const struct corpus_case *test)
{
	edit_replace_modinfo(edit, test->text, test->more);
}

static const char *vermagic(struct edit *edit)
{
	const char *text = edit_modinfo(edit, "vermagic");

	if (!text)
		edit_fail(edit, "the stock module has no vermagic");
	return text;
}

void vermagic_release(struct edit *edit, const struct corpus_case *test)
{
	const char *flags = strchr(vermagic(edit), ' ');
	char text[256];

	snprintf(text, sizeof(text), "%s%s", test->text, flags ? flags : "");
	edit_replace_modinfo(edit, "vermagic", text);
}

void vermagic_release_unversioned(struct edit *edit, const struct corpus_case *test)
{
	vermagic_release(edit, test);
	edit_rename_section(edit, "__versions", "no_versions");
}

void vermagic_without(struct edit *edit, const struct corpus_case *test)
{
	const char *old = vermagic(edit), *word = strstr(old, test->text);
	char text[256];

	if (!word)
		edit_fail(edit, "no %s in vermagic", test->text);
	snprintf(text, sizeof(text), "%.*s%s", (int)(word - old), old, word + strlen(test->text));
	edit_replace_modinfo(edit, "vermagic", text);
}

void vermagic_cut(struct edit *edit, const struct corpus_case *test)
{
	char text[256];

	(void)test;
	snprintf(text, sizeof(text), "%s", vermagic(edit));
	if (*text)
		text[strlen(text) - 1] = 0;
	edit_replace_modinfo(edit, "vermagic", text);
}

void wrong_crc(struct edit *edit, const struct corpus_case *test)
{
	edit_version(edit, test->text)->crc ^= UINT64_C(1) << test->at;
}

void drop_version(struct edit *edit, const struct corpus_case *test)
{
	edit_drop_version(edit, test->text);
}

void wrong_crc_first(struct edit *edit, const struct corpus_case *test)
{
	struct edit_version wrong = *edit_version(edit, test->text), *all;
	unsigned int index = edit_index(edit, "__versions");
	const Elf64_Shdr *shdr = edit_grow(edit, index, sizeof(wrong));

	wrong.crc ^= 1;
	all = (void *)(edit->data + shdr->sh_offset);
	memmove(all + 1, all, shdr->sh_size - sizeof(wrong));
	all[0] = wrong;
}

/* symbols and exports */

void add_symbol(struct edit *edit, const struct corpus_case *test)
{
	edit_add_symbol(edit, test->text, (unsigned char)test->at, (uint16_t)test->value, 0);
}

void add_symbol_of(struct edit *edit, const struct corpus_case *test)
{
	unsigned int section = edit_index(edit, test->more);

	edit_add_symbol(edit, test->text, STB_GLOBAL, (uint16_t)section, 0);
}

void add_symbol_behind_count(struct edit *edit, const struct corpus_case *test)
{
	edit_add_symbol(edit, test->text, STB_GLOBAL, edit_ehdr(edit)->e_shnum, 0);
}

void add_two_symbols(struct edit *edit, const struct corpus_case *test)
{
	edit_add_symbol(edit, test->text, STB_GLOBAL, SHN_UNDEF, 0);
	edit_add_symbol(edit, test->more, STB_GLOBAL, SHN_UNDEF, 0);
}

void add_two_symbols_weak(struct edit *edit, const struct corpus_case *test)
{
	edit_add_symbol(edit, test->text, STB_GLOBAL, SHN_UNDEF, 0);
	edit_add_symbol(edit, test->more, STB_WEAK, SHN_UNDEF, 0);
}

void wrong_crc_and_unknown(struct edit *edit, const struct corpus_case *test)
{
	wrong_crc(edit, test);
	edit_add_symbol(edit, test->more, STB_GLOBAL, SHN_UNDEF, 0);
}

void unknown_and_wrong_crc(struct edit *edit, const struct corpus_case *test)
{
	edit_add_symbol(edit, test->more, STB_GLOBAL, SHN_UNDEF, 0);
	wrong_crc(edit, test);
	edit_add_symbol(edit, test->text, STB_GLOBAL, SHN_UNDEF, 0);
}

/* The name that the export table refers to: a whole string in a section that is loaded. */
static char *exported_name(struct edit *edit, const char *name)
{
	size_t len = strlen(name) + 1;

	for (unsigned int i = 1; i < edit_ehdr(edit)->e_shnum; i++) {
		const Elf64_Shdr *shdr = edit_shdr(edit, i);
		char *text = (char *)edit->data + shdr->sh_offset, *end = text + shdr->sh_size;

		if (shdr->sh_type != SHT_PROGBITS || !(shdr->sh_flags & SHF_ALLOC) ||
		    i == edit_find(edit, "__versions"))
			continue;
		for (; text + len <= end; text++)
			if (!memcmp(text, name, len) &&
			    (text == (char *)edit->data + shdr->sh_offset || !text[-1]))
				return text;
	}
	edit_fail(edit, "the stock module does not export %s", name);
}

void rename_export(struct edit *edit, const struct corpus_case *test)
{
	if (strlen(test->text) != strlen(test->more))
		edit_fail(edit, "names of two lengths");
	memcpy(exported_name(edit, test->text), test->more, strlen(test->more));
}

void wrong_export_crc(struct edit *edit, const struct corpus_case *test)
{
	edit_bytes(edit, test->text)[0] ^= 1;
}

/* relocations */

static Elf64_Rela *relocation(struct edit *edit, const struct corpus_case *test)
{
	const Elf64_Shdr *shdr = edit_section(edit, test->text);
	Elf64_Rela *rela = (void *)(edit->data + shdr->sh_offset);

	for (size_t i = 0; i < shdr->sh_size / sizeof(*rela); i++)
		if ((int64_t)ELF64_R_TYPE(rela[i].r_info) == test->at)
			return &rela[i];
	edit_fail(edit, "no relocation of type %d in %s", (int)test->at, test->text);
}

void set_relocation_type(struct edit *edit, const struct corpus_case *test)
{
	Elf64_Rela *rela = relocation(edit, test);

	rela->r_info = ELF64_R_INFO(ELF64_R_SYM(rela->r_info), test->value);
}

void set_relocation_addend(struct edit *edit, const struct corpus_case *test)
{
	Elf64_Rela *rela = relocation(edit, test);

	rela->r_addend = (int64_t)test->value;
	if (test->more)
		rela->r_info = ELF64_R_INFO(ELF64_R_SYM(rela->r_info), R_X86_64_32S);
}

void relocation_target_nonzero(struct edit *edit, const struct corpus_case *test)
{
	const Elf64_Shdr *target = edit_shdr(edit, edit_section(edit, test->text)->sh_info);

	edit->data[target->sh_offset + relocation(edit, test)->r_offset] = 1;
}
