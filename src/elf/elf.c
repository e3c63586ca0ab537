/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ELF: the only code that touches raw ELF bytes; see elf.h. Consumes spans, produces host
 * structures.
 */
#include "elf/elf.h"

#include <errno.h>

/* The host decodes by copying: all targets and hosts so far are 64-bit little-endian. */
/*@ requires readable(table) && size > 0 && \valid((uint8_t *)entry_ret + (0 .. size - 1));
    requires \separated((uint8_t *)entry_ret + (0 .. size - 1), table.data + (0 .. table.len - 1));
    assigns ((uint8_t *)entry_ret)[0 .. size - 1] \from table.data[0 .. table.len - 1], index;
    assigns \result \from table.len, index, size;
    ensures \result <==> index < table.len / size; */
static bool copy_entry(struct kc_span table, uint64_t index, size_t size, void *entry_ret)
{
	if (index >= table.len / size)
		return false;
	/*@ assert index * size + size <= table.len; */
	memcpy(entry_ret, table.data + index * size, size);
	return true;
}

bool kc_elf_ehdr(struct kc_span file, struct kc_ehdr *ehdr_ret)
{
	Elf64_Ehdr raw;

	if (!copy_entry(file, 0, sizeof(raw), &raw))
		return false;
	*ehdr_ret = (struct kc_ehdr){
		.type = raw.e_type,
		.machine = raw.e_machine,
		.entry = raw.e_entry,
		.phoff = raw.e_phoff,
		.shoff = raw.e_shoff,
		.phentsize = raw.e_phentsize,
		.phnum = raw.e_phnum,
		.shentsize = raw.e_shentsize,
		.shnum = raw.e_shnum,
		.shstrndx = raw.e_shstrndx,
	};
	memcpy(ehdr_ret->ident, raw.e_ident, EI_NIDENT);
	return true;
}

bool kc_elf_shdr(struct kc_span table, uint64_t index, Elf64_Shdr *shdr_ret)
{
	return copy_entry(table, index, sizeof(*shdr_ret), shdr_ret);
}

bool kc_elf_phdr(struct kc_span table, uint64_t index, Elf64_Phdr *phdr_ret)
{
	return copy_entry(table, index, sizeof(*phdr_ret), phdr_ret);
}

bool kc_elf_sym(struct kc_span table, uint64_t index, Elf64_Sym *sym_ret)
{
	return copy_entry(table, index, sizeof(*sym_ret), sym_ret);
}

bool kc_elf_rela(struct kc_span table, uint64_t index, Elf64_Rela *rela_ret)
{
	return copy_entry(table, index, sizeof(*rela_ret), rela_ret);
}

int kc_elf_open(struct kc_span file, struct kc_elf *elf_ret)
{
	struct kc_span sections, names;
	struct kc_ehdr ehdr;
	Elf64_Shdr shdr;

	if (!kc_elf_ehdr(file, &ehdr) || memcmp(ehdr.ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	if (ehdr.ident[EI_CLASS] != ELFCLASS64 || ehdr.ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	if (ehdr.shentsize != sizeof(shdr) ||
	    !kc_span_sub(file, ehdr.shoff, (uint64_t)ehdr.shnum * sizeof(shdr), &sections))
		return -ENOEXEC;
	if (!kc_elf_shdr(sections, ehdr.shstrndx, &shdr) ||
	    !kc_span_sub(file, shdr.sh_offset, shdr.sh_size, &names))
		return -ENOEXEC;
	*elf_ret =
		(struct kc_elf){ .file = file, .ehdr = ehdr, .sections = sections, .names = names };
	return 0;
}

bool kc_elf_find_section(const struct kc_elf *elf, const char *name, Elf64_Shdr *shdr_ret,
			 struct kc_span *bytes_ret)
{
	size_t size = strlen(name) + 1;
	Elf64_Shdr shdr;

	/*@ loop invariant 1 <= i <= elf->sections.len / sizeof(shdr) + 1;
	    loop assigns i, shdr;
	    loop variant elf->sections.len / sizeof(shdr) + 1 - i; */
	for (uint64_t i = 1; kc_elf_shdr(elf->sections, i, &shdr); i++) {
		struct kc_span found, bytes = { 0 };

		/* As many bytes as the name has, not up to a NUL that may be megabytes away. */
		if (!kc_span_sub(elf->names, shdr.sh_name, size, &found) ||
		    memcmp(found.data, name, size) != 0)
			continue;
		if (shdr.sh_type != SHT_NOBITS &&
		    !kc_span_sub(elf->file, shdr.sh_offset, shdr.sh_size, &bytes))
			return false;
		*shdr_ret = shdr;
		*bytes_ret = bytes;
		return true;
	}
	return false;
}
