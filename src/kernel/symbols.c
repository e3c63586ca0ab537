/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All symbols of a kernel as one array by address, with an order of names: from the image's own
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

static int compare_names(const void *left, const void *right, void *array)
{
	const uint32_t *a = left, *b = right;
	const struct kocoon_symbol *symbols = array;
	int order = strcmp(symbols[*a].name, symbols[*b].name);

	return order ? order : *a < *b ? -1 : *a > *b;
}

static int sort_names(struct kc_symbols *symbols)
{
	symbols->by_name = calloc(symbols->count + 1, sizeof(*symbols->by_name));
	if (!symbols->by_name)
		return -ENOMEM;
	for (size_t i = 0; i < symbols->count; i++)
		symbols->by_name[i] = (uint32_t)i;
	qsort_r(symbols->by_name, symbols->count, sizeof(*symbols->by_name), compare_names,
		symbols->array);
	return 0;
}

static int finish(struct kc_symbols *symbols, int err, struct kc_symbols *symbols_ret)
{
	if (!err)
		err = sort_names(symbols);
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
	free(symbols->by_name);
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
	size_t size = measure_names(kallsyms);
	char text[KC_NAME_MAX + 1];
	uint64_t place = 0;
	char *name;

	if (symbols.count > KC_KERNEL_SYMBOLS_MAX || size > KC_KERNEL_NAMES_MAX)
		return -ENOMEM;
	symbols.array = calloc(symbols.count, sizeof(*symbols.array));
	symbols.names = malloc(size);
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
	       type != STT_FILE && strnlen(name, KC_NAME_MAX) < KC_NAME_MAX;
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
	/* The last NUL ends every name. */
	if (!strings.len || strings.data[strings.len - 1])
		return -ENOENT;
	if (table.len / sizeof(sym) > KC_KERNEL_SYMBOLS_MAX)
		return -ENOMEM;
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

	size_t lines = count_lines(text);

	if (lines > KC_KERNEL_SYMBOLS_MAX)
		return -EFBIG;
	symbols->array = calloc(lines, sizeof(*symbols->array));
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
	int err = kc_read_text(path, MAP_SIZE_MAX, &buffer, report);

	if (err) {
		kc_buffer_deinit(&buffer);
		return err;
	}
	symbols.names = (char *)buffer.data;
	err = parse_map(symbols.names, &symbols);
	if (!err && !symbols.count)
		err = -EINVAL;
	err = finish(&symbols, err, symbols_ret);
	if (err == -EFBIG) {
		kc_finding(report, KOCOON_STAGE_KERNEL, err, "%s: more lines than any System.map",
			   path);
		kc_expected(report, "at most %d", KC_KERNEL_SYMBOLS_MAX);
	} else if (err == -EINVAL) {
		kc_finding(report, KOCOON_STAGE_KERNEL, err, "%s: not a System.map", path);
		kc_expected(report, "lines of an address, a type and a name");
		kc_hint(report, "Debian's System.map is in the -dbg package of the kernel");
	}
	return err;
}

/* Position in the order of names of the first that is not lower. */
static size_t lower_bound(const struct kc_symbols *symbols, const char *name)
{
	size_t low = 0, high = symbols->by_name ? symbols->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(symbols->array[symbols->by_name[middle]].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* NULL behind the last. */
static const struct kocoon_symbol *get_sorted(const struct kc_symbols *symbols, size_t position)
{
	if (!symbols->by_name || position >= symbols->count)
		return NULL;
	return &symbols->array[symbols->by_name[position]];
}

const struct kocoon_symbol *kc_symbols_find(const struct kc_symbols *symbols, const char *name,
					    bool clones)
{
	const struct kocoon_symbol *found = get_sorted(symbols, lower_bound(symbols, name));
	size_t len = strlen(name);

	if (!found || strncmp(found->name, name, len) != 0)
		return NULL;
	/* Nothing that a compiler puts into names is lower than '.'. */
	return !found->name[len] || (clones && found->name[len] == '.') ? found : NULL;
}

const struct kocoon_symbol *kc_symbols_find_nth(const struct kc_symbols *symbols, const char *name,
						uint64_t position)
{
	size_t first = lower_bound(symbols, name);
	const struct kocoon_symbol *found, *second = get_sorted(symbols, first + 1);

	if (position > symbols->count)
		return NULL;
	found = get_sorted(symbols, first + (size_t)(position ? position - 1 : 0));
	if (!found || strcmp(found->name, name) != 0)
		return NULL;
	return !position && second && strcmp(second->name, name) == 0 ? NULL : found;
}

const struct kocoon_symbol *kc_symbols_find_global(const struct kc_symbols *symbols,
						   const char *name)
{
	enum { LOOKED_AT_MAX = 1024 }; /* a hostile table has any number of one name */
	size_t first = lower_bound(symbols, name);
	const struct kocoon_symbol *found;

	for (size_t i = first; i - first < LOOKED_AT_MAX && (found = get_sorted(symbols, i)) &&
			       !strcmp(found->name, name);
	     i++)
		if (isupper((unsigned char)found->type))
			return found;
	found = get_sorted(symbols, first);
	return found && !strcmp(found->name, name) ? found : NULL;
}
