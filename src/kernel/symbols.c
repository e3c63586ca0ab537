/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All symbols of a kernel as one array by address, with an index by name: from the image's own
 * table, from .symtab, or from System.map. Only made when somebody asks for all of them, or where
 * single names can't be looked up in place.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "kernel/parts.h"

enum {
	MAP_SIZE_MAX = 256 << 20,
	ADDRESS_DIGITS = 16,
};

/* A compiler's suffix starts at the first '.', but for names that start with one. */
static uint32_t hash_stem(const char *name)
{
	size_t len = *name ? 1 + strcspn(name + 1, ".") : 0;

	return kc_hash_bytes(name, len);
}

static int make_index(struct kc_symbols *symbols)
{
	int err = kc_index_init(&symbols->by_stem, symbols->count);

	for (size_t i = 0; !err && i < symbols->count; i++)
		err = kc_index_add(&symbols->by_stem, hash_stem(symbols->array[i].name),
				   (uint32_t)i);
	return err;
}

static int finish(struct kc_symbols *symbols, int err, struct kc_symbols *symbols_ret)
{
	if (!err)
		err = make_index(symbols);
	if (err)
		kc_symbols_deinit(symbols);
	else
		*symbols_ret = *symbols;
	return err;
}

void kc_symbols_deinit(struct kc_symbols *symbols)
{
	free(symbols->array);
	free(symbols->names);
	kc_index_deinit(&symbols->by_stem);
	*symbols = (struct kc_symbols){ 0 };
}

/* Bytes of all names, each with its NUL, without its type. */
static size_t measure_names(const struct kc_kallsyms *kallsyms)
{
	uint64_t place = 0;
	size_t size = 0;

	for (uint32_t i = 0; i < kallsyms->count; i++)
		size += kc_kallsyms_measure(kallsyms, place, &place);
	return size;
}

int kc_symbols_from_kallsyms(const struct kc_kallsyms *kallsyms, struct kc_symbols *symbols_ret)
{
	struct kc_symbols symbols = { .count = kallsyms->count };
	char text[KC_NAME_MAX + 1];
	uint64_t place = 0;
	char *name;

	symbols.array = calloc(symbols.count, sizeof(*symbols.array));
	symbols.names = malloc(measure_names(kallsyms));
	if (!symbols.array || !symbols.names)
		return finish(&symbols, -ENOMEM, symbols_ret);
	name = symbols.names;
	for (uint32_t i = 0; i < kallsyms->count; i++) {
		size_t len = kc_kallsyms_expand(kallsyms, place, text, &place);

		memcpy(name, text + 1, len);
		symbols.array[i] = (struct kocoon_symbol){
			.name = name,
			.address = kc_kallsyms_address(kallsyms, i),
			.type = text[0],
		};
		name += len;
	}
	if (!kallsyms->by_name.len)
		return finish(&symbols, 0, symbols_ret);
	*symbols_ret = symbols;
	return 0;
}

static int compare_symbols(const void *left, const void *right)
{
	const struct kocoon_symbol *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* The letter that nm prints. */
static char symbol_type(const struct kc_elf *elf, const Elf64_Sym *sym)
{
	bool global = ELF64_ST_BIND(sym->st_info) != STB_LOCAL;
	Elf64_Shdr shdr;
	char type;

	if (ELF64_ST_BIND(sym->st_info) == STB_WEAK)
		return ELF64_ST_TYPE(sym->st_info) == STT_OBJECT ? 'V' : 'W';
	if (sym->st_shndx == SHN_ABS || !kc_elf_shdr(elf->sections, sym->st_shndx, &shdr))
		type = 'a';
	else if (shdr.sh_flags & SHF_EXECINSTR)
		type = 't';
	else if (shdr.sh_type == SHT_NOBITS)
		type = 'b';
	else
		type = shdr.sh_flags & SHF_WRITE ? 'd' : 'r';
	return global ? (char)toupper(type) : type;
}

static bool is_wanted(const Elf64_Sym *sym, const char *name)
{
	unsigned int type = ELF64_ST_TYPE(sym->st_info);

	return name && *name && sym->st_shndx != SHN_UNDEF && type != STT_SECTION &&
	       type != STT_FILE && strlen(name) < KC_NAME_MAX;
}

int kc_symbols_from_elf(const struct kc_elf *elf, struct kc_symbols *symbols_ret)
{
	struct kc_symbols symbols = { 0 };
	struct kc_span table, strings;
	Elf64_Shdr shdr;
	Elf64_Sym sym;

	if (!kc_elf_find_section(elf, ".symtab", &shdr, &table) ||
	    !kc_elf_find_section(elf, ".strtab", &shdr, &strings) || !table.len)
		return -ENOENT;
	/* A hostile table could make each name as long as all: the last NUL ends them. */
	if (!strings.len || strings.data[strings.len - 1])
		return -ENOENT;
	symbols.array = calloc(table.len / sizeof(sym) + 1, sizeof(*symbols.array));
	if (!symbols.array)
		return -ENOMEM;
	for (uint64_t i = 1; kc_elf_sym(table, i, &sym); i++) {
		const char *name =
			sym.st_name < strings.len ? (const char *)strings.data + sym.st_name : NULL;

		if (is_wanted(&sym, name))
			symbols.array[symbols.count++] = (struct kocoon_symbol){
				.name = name,
				.address = sym.st_value,
				.type = symbol_type(elf, &sym),
			};
	}
	qsort(symbols.array, symbols.count, sizeof(*symbols.array), compare_symbols);
	return finish(&symbols, 0, symbols_ret);
}

/* "ffffffff81000000 T _text": cuts the line up. */
static bool parse_line(char *line, struct kocoon_symbol *symbol_ret)
{
	char *end;
	uint64_t address;

	if (!isxdigit((unsigned char)*line))
		return false;
	address = strtoull(line, &end, 16);
	if (end - line > ADDRESS_DIGITS || end[0] != ' ' || !end[1] || end[2] != ' ' || !end[3] ||
	    strchr(end + 3, ' '))
		return false;
	*symbol_ret = (struct kocoon_symbol){ .name = end + 3, .address = address, .type = end[1] };
	return true;
}

static size_t count_lines(const char *text)
{
	size_t count = 1;

	while ((text = strchr(text, '\n'))) {
		text++;
		count++;
	}
	return count;
}

static int parse_map(char *text, struct kc_symbols *symbols)
{
	char *rest = text, *line;

	symbols->array = calloc(count_lines(text), sizeof(*symbols->array));
	if (!symbols->array)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n")))
		if (parse_line(line, &symbols->array[symbols->count]))
			symbols->count++;
		else if (*line)
			return -EINVAL;
	qsort(symbols->array, symbols->count, sizeof(*symbols->array), compare_symbols);
	return 0;
}

int kc_symbols_from_map(const char *path, struct kocoon_report *report,
			struct kc_symbols *symbols_ret)
{
	struct kc_symbols symbols = { 0 };
	struct kc_buffer buffer = { 0 };
	int err = kc_read_file(path, MAP_SIZE_MAX, &buffer, report);

	if (!err)
		err = kc_buffer_append(&buffer, "", 1);
	if (err) {
		kc_buffer_deinit(&buffer);
		return err;
	}
	symbols.names = (char *)buffer.data;
	err = finish(&symbols, parse_map(symbols.names, &symbols), symbols_ret);
	if (err == -EINVAL) {
		kc_finding(report, KOCOON_STAGE_KERNEL, err, "%s: not a System.map", path);
		kc_expected(report, "lines of an address, a type and a name");
		kc_hint(report, "Debian's System.map is in the -dbg package of the kernel");
	}
	return err;
}

const struct kocoon_symbol *kc_symbols_find(const struct kc_symbols *symbols, const char *name,
					    bool clones)
{
	uint32_t hash = hash_stem(name), cursor = 0, index;
	size_t len = strlen(name);

	while ((index = kc_index_next(&symbols->by_stem, hash, &cursor)) != KC_INDEX_NONE) {
		const char *found = symbols->array[index].name;

		if (!strncmp(found, name, len) && (!found[len] || (clones && found[len] == '.')))
			return &symbols->array[index];
	}
	return NULL;
}

const struct kocoon_symbol *kc_symbols_find_global(const struct kc_symbols *symbols,
						   const char *name)
{
	uint32_t hash = hash_stem(name), cursor = 0, index;

	while ((index = kc_index_next(&symbols->by_stem, hash, &cursor)) != KC_INDEX_NONE) {
		const struct kocoon_symbol *symbol = &symbols->array[index];

		if (isupper((unsigned char)symbol->type) && !strcmp(symbol->name, name))
			return symbol;
	}
	return kc_symbols_find(symbols, name, false);
}
