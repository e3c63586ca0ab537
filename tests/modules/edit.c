/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Variants of modules that no compiler and no binutil makes.
 *
 *	edit livepatch IN OUT		relocations of a section .klp_OBJECT_ANY become
 *					.klp.rela.OBJECT..klp_OBJECT_ANY, to be applied when OBJECT
 *					is there, and symbols .klp.sym.* are left to livepatch
 *	edit version IN OUT NAME	the CRC that IN wants of the symbol NAME is another one
 *
 * IN is a file of Kbuild's, and trusted.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SHF_RELA_LIVEPATCH = 0x00100000,
	SHN_LIVEPATCH = 0xff20,
	ROOM = 1 << 16, /* for what is added */
};

struct file {
	unsigned char *bytes;
	size_t size;
};

static void die(const char *what, const char *which)
{
	fprintf(stderr, "edit: %s %s\n", what, which);
	exit(1);
}

static struct file read_file(const char *path)
{
	FILE *in = fopen(path, "rb");
	struct file file = { 0 };

	if (!in || fseek(in, 0, SEEK_END) || ftell(in) <= 0)
		die("can't read", path);
	file.size = (size_t)ftell(in);
	rewind(in);
	file.bytes = calloc(1, file.size + ROOM);
	if (!file.bytes || fread(file.bytes, 1, file.size, in) != file.size)
		die("can't read", path);
	fclose(in);
	return file;
}

static void write_file(const char *path, const struct file *file)
{
	FILE *out = fopen(path, "wb");

	if (!out || fwrite(file->bytes, 1, file->size, out) != file->size || fclose(out))
		die("can't write", path);
}

static Elf64_Ehdr *header(const struct file *file)
{
	return (Elf64_Ehdr *)file->bytes;
}

static Elf64_Shdr *section(const struct file *file, unsigned int index)
{
	return (Elf64_Shdr *)(file->bytes + header(file)->e_shoff) + index;
}

static const char *section_name(const struct file *file, unsigned int index)
{
	const Elf64_Shdr *names = section(file, header(file)->e_shstrndx);

	return (const char *)file->bytes + names->sh_offset + section(file, index)->sh_name;
}

/* The table of section names, moved to the end where it can grow. */
static void move_names(struct file *file)
{
	Elf64_Shdr *names = section(file, header(file)->e_shstrndx);

	memcpy(file->bytes + file->size, file->bytes + names->sh_offset, names->sh_size);
	names->sh_offset = file->size;
	file->size += names->sh_size;
}

static void rename_section(struct file *file, unsigned int index, const char *name)
{
	Elf64_Shdr *names = section(file, header(file)->e_shstrndx);
	size_t len = strlen(name) + 1;

	memcpy(file->bytes + file->size, name, len);
	section(file, index)->sh_name = (Elf64_Word)names->sh_size;
	names->sh_size += len;
	file->size += len;
}

static void livepatch_symbols(struct file *file, const Elf64_Shdr *table)
{
	Elf64_Sym *symbols = (Elf64_Sym *)(file->bytes + table->sh_offset);
	const char *names = (const char *)file->bytes + section(file, table->sh_link)->sh_offset;

	for (size_t i = 1; i < table->sh_size / sizeof(*symbols); i++)
		if (!strncmp(names + symbols[i].st_name, ".klp.sym.", 9))
			symbols[i].st_shndx = SHN_LIVEPATCH;
}

static void livepatch(struct file *file)
{
	char object[56], name[256];
	unsigned int done = 0;

	move_names(file);
	for (unsigned int i = 1; i < header(file)->e_shnum; i++) {
		if (section(file, i)->sh_type == SHT_SYMTAB)
			livepatch_symbols(file, section(file, i));
		if (section(file, i)->sh_type != SHT_RELA ||
		    sscanf(section_name(file, i), ".rela.klp_%55[^_]", object) != 1)
			continue;
		snprintf(name, sizeof(name), ".klp.rela.%s.%s", object,
			 section_name(file, i) + strlen(".rela"));
		rename_section(file, i, name);
		section(file, i)->sh_flags |= SHF_RELA_LIVEPATCH | SHF_ALLOC;
		done++;
	}
	if (!done)
		die("no section", ".klp_*");
}

static void other_version(struct file *file, const char *symbol)
{
	struct version {
		unsigned long crc;
		char name[64 - sizeof(unsigned long)];
	};

	for (unsigned int i = 1; i < header(file)->e_shnum; i++) {
		struct version *versions =
			(struct version *)(file->bytes + section(file, i)->sh_offset);

		if (strcmp(section_name(file, i), "__versions") != 0)
			continue;
		for (size_t n = 0; n < section(file, i)->sh_size / sizeof(*versions); n++)
			if (!strcmp(versions[n].name, symbol)) {
				versions[n].crc ^= 1;
				return;
			}
	}
	die("no version of", symbol);
}

int main(int argc, char **argv)
{
	struct file file;

	if (argc < 4)
		die("usage:", "edit livepatch|version IN OUT [NAME]");
	file = read_file(argv[2]);
	if (!strcmp(argv[1], "livepatch"))
		livepatch(&file);
	else if (!strcmp(argv[1], "version") && argc == 5)
		other_version(&file, argv[4]);
	else
		die("no such verb", argv[1]);
	write_file(argv[3], &file);
	free(file.bytes);
	return 0;
}
