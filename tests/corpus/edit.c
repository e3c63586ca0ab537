/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The editor for module files; see edit.h. */
#include "edit.h"

#include <lzma.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODULE_MAX = 64 << 20 };

static const char marker[] = "~Module signature appended~\n";
enum { MARKER_LEN = sizeof(marker) - 1, TRAILER_LEN = 12 };

void edit_fail(const struct edit *edit, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "corpus: %s: ", edit->what);
	va_start(arguments, format);
	/* The analyzer of clang 14 loses va_start() in a function that does not return. */
	vfprintf(stderr, format, arguments); /* NOLINT(clang-analyzer-valist.Uninitialized) */
	va_end(arguments);
	fputc('\n', stderr);
	exit(2);
}

static void *grown(const struct edit *edit, void *data, size_t len)
{
	void *more = realloc(data, len ? len : 1);

	if (!more)
		edit_fail(edit, "out of memory");
	return more;
}

static void read_file(struct edit *edit, const char *path)
{
	FILE *file = fopen(path, "rbe");

	if (!file)
		edit_fail(edit, "can't open %s", path);
	edit->data = grown(edit, NULL, MODULE_MAX);
	edit->len = fread(edit->data, 1, MODULE_MAX, file);
	if (ferror(file) || edit->len == MODULE_MAX)
		edit_fail(edit, "can't read %s", path);
	fclose(file);
}

static void unpack(struct edit *edit)
{
	uint8_t *plain = grown(edit, NULL, MODULE_MAX);
	uint64_t limit = UINT64_MAX;
	size_t in = 0, out = 0;

	if (lzma_stream_buffer_decode(&limit, 0, NULL, edit->data, &in, edit->len, plain, &out,
				      MODULE_MAX) != LZMA_OK)
		edit_fail(edit, "the stock module can't be unpacked");
	free(edit->data);
	edit->data = plain;
	edit->len = out;
}

static size_t signature_start(const struct edit *edit)
{
	const uint8_t *trailer = edit->data + edit->len - MARKER_LEN - TRAILER_LEN;
	size_t len;

	if (edit->len < MARKER_LEN + TRAILER_LEN ||
	    memcmp(edit->data + edit->len - MARKER_LEN, marker, MARKER_LEN) != 0)
		return edit->len;
	len = (size_t)trailer[8] << 24 | (size_t)trailer[9] << 16 | (size_t)trailer[10] << 8 |
	      trailer[11];
	return edit->len - MARKER_LEN - TRAILER_LEN - len;
}

struct edit edit_open(const char *path, const char *what)
{
	static const uint8_t xz[] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
	struct edit edit = { .what = what };

	read_file(&edit, path);
	if (edit.len > sizeof(xz) && !memcmp(edit.data, xz, sizeof(xz)))
		unpack(&edit);
	edit.data = grown(&edit, edit.data, edit.len);
	edit.signature = signature_start(&edit);
	return edit;
}

void edit_close(struct edit *edit)
{
	free(edit->data);
	edit->data = NULL;
}

void edit_strip_signature(struct edit *edit)
{
	edit->len = edit->signature;
}

void edit_set(struct edit *edit, const void *data, size_t len)
{
	uint8_t *copy = grown(edit, NULL, len);

	memcpy(copy, data, len);
	free(edit->data);
	edit->data = copy;
	edit->len = len;
}

void edit_truncate(struct edit *edit, size_t len)
{
	if (len > edit->len)
		edit_fail(edit, "shorter than %zu bytes", len);
	edit->len = len;
}

size_t edit_append(struct edit *edit, const void *data, size_t len)
{
	size_t offset = (edit->len + 15) & ~(size_t)15;

	edit->data = grown(edit, edit->data, offset + len);
	memset(edit->data + edit->len, 0, offset + len - edit->len);
	if (data)
		memcpy(edit->data + offset, data, len);
	edit->len = offset + len;
	return offset;
}

void edit_append_exactly(struct edit *edit, const void *data, size_t len)
{
	size_t old = edit->len;

	edit_append(edit, NULL, len);
	if (data)
		memcpy(edit->data + old, data, len);
	edit->len = old + len;
}

Elf64_Ehdr *edit_ehdr(struct edit *edit)
{
	return (Elf64_Ehdr *)(void *)edit->data;
}

Elf64_Shdr *edit_shdr(struct edit *edit, unsigned int index)
{
	return (Elf64_Shdr *)(void *)(edit->data + edit_ehdr(edit)->e_shoff) + index;
}

/* "" where earlier damage took it out of the file. */
static const char *section_name(struct edit *edit, unsigned int index)
{
	const Elf64_Shdr *names = edit_shdr(edit, edit_ehdr(edit)->e_shstrndx);
	uint64_t at = names->sh_offset + edit_shdr(edit, index)->sh_name;

	if (at >= edit->len || !memchr(edit->data + at, 0, edit->len - at))
		return "";
	return (const char *)edit->data + at;
}

unsigned int edit_find(struct edit *edit, const char *section)
{
	for (unsigned int i = 1; i < edit_ehdr(edit)->e_shnum; i++)
		if (!strcmp(section_name(edit, i), section))
			return i;
	return 0;
}

unsigned int edit_index(struct edit *edit, const char *section)
{
	unsigned int index = edit_find(edit, section);

	if (!index)
		edit_fail(edit, "the stock module has no section %s", section);
	return index;
}

Elf64_Shdr *edit_section(struct edit *edit, const char *section)
{
	return edit_shdr(edit, edit_index(edit, section));
}

uint8_t *edit_bytes(struct edit *edit, const char *section)
{
	return edit->data + edit_section(edit, section)->sh_offset;
}

Elf64_Shdr *edit_grow(struct edit *edit, unsigned int index, size_t extra)
{
	Elf64_Shdr old = *edit_shdr(edit, index);
	size_t offset = edit_append(edit, NULL, old.sh_size + extra);
	Elf64_Shdr *shdr = edit_shdr(edit, index);

	memcpy(edit->data + offset, edit->data + old.sh_offset, old.sh_size);
	shdr->sh_offset = offset;
	shdr->sh_size = old.sh_size + extra;
	return shdr;
}

/* Adds a string to a string table; its offset there. */
static uint32_t add_string(struct edit *edit, unsigned int table, const char *text)
{
	uint32_t at = (uint32_t)edit_shdr(edit, table)->sh_size;
	const Elf64_Shdr *shdr = edit_grow(edit, table, strlen(text) + 1);

	memcpy(edit->data + shdr->sh_offset + at, text, strlen(text) + 1);
	return at;
}

unsigned int edit_add_section(struct edit *edit, const char *name, uint32_t type, uint64_t flags,
			      const void *data, size_t len)
{
	uint32_t name_at = add_string(edit, edit_ehdr(edit)->e_shstrndx, name);
	size_t offset = edit_append(edit, data, len);
	unsigned int count = edit_ehdr(edit)->e_shnum;
	size_t table = edit_append(edit, NULL, (count + 1) * sizeof(Elf64_Shdr));

	memcpy(edit->data + table, edit_shdr(edit, 0), count * sizeof(Elf64_Shdr));
	edit_ehdr(edit)->e_shoff = table;
	edit_ehdr(edit)->e_shnum++;
	*edit_shdr(edit, count) = (Elf64_Shdr){
		.sh_name = name_at,
		.sh_type = type,
		.sh_flags = flags,
		.sh_offset = offset,
		.sh_size = len,
		.sh_addralign = 1,
	};
	return count;
}

void edit_rename_section(struct edit *edit, const char *section, const char *name)
{
	unsigned int index = edit_index(edit, section);
	uint32_t name_at = add_string(edit, edit_ehdr(edit)->e_shstrndx, name);

	edit_shdr(edit, index)->sh_name = name_at;
}

unsigned int edit_symtab(struct edit *edit)
{
	for (unsigned int i = 1; i < edit_ehdr(edit)->e_shnum; i++)
		if (edit_shdr(edit, i)->sh_type == SHT_SYMTAB)
			return i;
	edit_fail(edit, "the stock module has no symbol table");
}

unsigned int edit_add_symbol(struct edit *edit, const char *name, unsigned char bind,
			     uint16_t section, uint64_t value)
{
	unsigned int symtab = edit_symtab(edit);
	uint32_t name_at = add_string(edit, edit_shdr(edit, symtab)->sh_link, name);
	const Elf64_Shdr *shdr = edit_grow(edit, symtab, sizeof(Elf64_Sym));
	unsigned int index = (unsigned int)(shdr->sh_size / sizeof(Elf64_Sym)) - 1;

	((Elf64_Sym *)(void *)(edit->data + shdr->sh_offset))[index] = (Elf64_Sym){
		.st_name = name_at,
		.st_info = ELF64_ST_INFO(bind, STT_NOTYPE),
		.st_shndx = section,
		.st_value = value,
	};
	return index;
}

const char *edit_symbol_name(struct edit *edit, const Elf64_Sym *symbol)
{
	const Elf64_Shdr *names = edit_shdr(edit, edit_shdr(edit, edit_symtab(edit))->sh_link);

	return (const char *)edit->data + names->sh_offset + symbol->st_name;
}

char *edit_modinfo(struct edit *edit, const char *tag)
{
	const Elf64_Shdr *shdr = edit_section(edit, ".modinfo");
	char *text = (char *)edit->data + shdr->sh_offset, *end = text + shdr->sh_size;
	size_t len = strlen(tag);

	for (; text < end; text += strlen(text) + 1)
		if (!strncmp(text, tag, len) && text[len] == '=')
			return text + len + 1;
	return NULL;
}

void edit_add_modinfo(struct edit *edit, const char *text)
{
	unsigned int index = edit_index(edit, ".modinfo");
	size_t at = edit_shdr(edit, index)->sh_size;
	const Elf64_Shdr *shdr = edit_grow(edit, index, strlen(text) + 1);

	memcpy(edit->data + shdr->sh_offset + at, text, strlen(text));
}

void edit_drop_modinfo(struct edit *edit, const char *tag)
{
	char *value = edit_modinfo(edit, tag);

	if (!value)
		edit_fail(edit, "the stock module has no %s in .modinfo", tag);
	value[-1 - (ptrdiff_t)strlen(tag)] = '?';
}

void edit_replace_modinfo(struct edit *edit, const char *tag, const char *value)
{
	char text[256];

	edit_drop_modinfo(edit, tag);
	snprintf(text, sizeof(text), "%s=%s", tag, value);
	edit_add_modinfo(edit, text);
}

struct edit_version *edit_version(struct edit *edit, const char *symbol)
{
	const Elf64_Shdr *shdr = edit_section(edit, "__versions");
	struct edit_version *versions = (void *)(edit->data + shdr->sh_offset);

	for (size_t i = 0; i < shdr->sh_size / sizeof(*versions); i++)
		if (!strcmp(versions[i].name, symbol))
			return &versions[i];
	edit_fail(edit, "the stock module has no version of %s", symbol);
}

void edit_drop_version(struct edit *edit, const char *symbol)
{
	struct edit_version *gone = edit_version(edit, symbol);
	Elf64_Shdr *shdr = edit_section(edit, "__versions");
	uint8_t *end = edit->data + shdr->sh_offset + shdr->sh_size;

	memmove(gone, gone + 1, (size_t)(end - (uint8_t *)(gone + 1)));
	shdr->sh_size -= sizeof(*gone);
}
