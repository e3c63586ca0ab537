/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmlinux: the ELF file of a kernel, as addresses.
 *
 * Consumes the file's bytes; produces its load segments, so that a link address becomes bytes, and
 * its sections where their names are there. What stands behind the ELF file (a bzImage's relocation
 * lists) is kept as it is.
 */
#include <errno.h>
#include <stdlib.h>

#include "kernel/parts.h"

static int damaged(struct kocoon_report *report, const char *what)
{
	return kc_finding(report, KOCOON_STAGE_KERNEL, -ENOEXEC, "vmlinux: %s", what);
}

static int check_header(const struct kc_ehdr *ehdr, struct kocoon_report *report)
{
	if (memcmp(ehdr->ident, ELFMAG, SELFMAG) != 0)
		return damaged(report, "not an ELF file");
	if (ehdr->ident[EI_CLASS] != ELFCLASS64 || ehdr->ident[EI_DATA] != ELFDATA2LSB ||
	    ehdr->machine != EM_X86_64) {
		kc_finding(report, KOCOON_STAGE_KERNEL, -ENOTSUP,
			   "vmlinux: a kernel of an architecture that kocoon does not know");
		kc_expected(report, "x86-64");
		kc_found(report, "%s, ELF machine %u",
			 ehdr->ident[EI_CLASS] == ELFCLASS64 ? "64-bit" : "not 64-bit",
			 ehdr->machine);
		return -ENOTSUP;
	}
	if (ehdr->type != ET_EXEC && ehdr->type != ET_DYN)
		return damaged(report, "an ELF file, but not of an executable");
	return 0;
}

static int compare_segments(const void *left, const void *right)
{
	const struct kc_segment *a = left, *b = right;

	return a->address < b->address ? -1 : a->address > b->address;
}

static int read_segments(struct kc_span file, struct kocoon_report *report,
			 struct kc_vmlinux *vmlinux)
{
	const struct kc_ehdr *ehdr = &vmlinux->elf.ehdr;
	struct kc_span table;
	Elf64_Phdr phdr;

	if (ehdr->phentsize != sizeof(phdr) ||
	    !kc_span_sub(file, ehdr->phoff, (uint64_t)ehdr->phnum * sizeof(phdr), &table))
		return damaged(report, "its program headers are not inside the file");
	for (uint64_t i = 0; kc_elf_phdr(table, i, &phdr); i++) {
		struct kc_segment *segment = &vmlinux->segments[vmlinux->segment_count];

		if (phdr.p_type != PT_LOAD || !phdr.p_filesz)
			continue;
		if (vmlinux->segment_count == KC_SEGMENTS_MAX)
			return damaged(report, "it has too many segments");
		if (!kc_span_sub(file, phdr.p_offset, phdr.p_filesz, &segment->bytes))
			return damaged(report, "a segment is not inside the file");
		if (phdr.p_vaddr + phdr.p_filesz < phdr.p_vaddr)
			return damaged(report, "a segment ends behind the end of memory");
		segment->address = phdr.p_vaddr;
		vmlinux->segment_count++;
	}
	if (!vmlinux->segment_count)
		return damaged(report, "it has nothing to load");
	qsort(vmlinux->segments, vmlinux->segment_count, sizeof(vmlinux->segments[0]),
	      compare_segments);
	for (size_t i = 1; i < vmlinux->segment_count; i++)
		if (vmlinux->segments[i].address - vmlinux->segments[i - 1].address <
		    vmlinux->segments[i - 1].bytes.len)
			return damaged(report, "its segments overlap");
	return 0;
}

static void end_at(uint64_t *end, struct kc_span file, uint64_t offset, uint64_t size)
{
	if (kc_span_contains(file, offset, size) && offset + size > *end)
		*end = offset + size;
}

/* Where the ELF file ends: behind the last of its tables and contents. */
static uint64_t find_end(const struct kc_elf *elf, struct kc_span file)
{
	uint64_t end = sizeof(Elf64_Ehdr);
	struct kc_span segments;
	Elf64_Shdr shdr;
	Elf64_Phdr phdr;

	end_at(&end, file, elf->ehdr.shoff, elf->sections.len);
	for (uint64_t i = 1; kc_elf_shdr(elf->sections, i, &shdr); i++)
		if (shdr.sh_type != SHT_NOBITS)
			end_at(&end, file, shdr.sh_offset, shdr.sh_size);
	if (!kc_span_sub(file, elf->ehdr.phoff, (uint64_t)elf->ehdr.phnum * sizeof(phdr),
			 &segments))
		return end;
	end_at(&end, file, elf->ehdr.phoff, segments.len);
	for (uint64_t i = 0; kc_elf_phdr(segments, i, &phdr); i++)
		end_at(&end, file, phdr.p_offset, phdr.p_filesz);
	return end;
}

int kc_vmlinux_open(struct kc_span file, struct kocoon_report *report,
		    struct kc_vmlinux *vmlinux_ret)
{
	struct kc_vmlinux vmlinux = { 0 };
	uint64_t end;
	int err;

	if (!kc_elf_ehdr(file, &vmlinux.elf.ehdr))
		return damaged(report, "too short for an ELF file");
	err = check_header(&vmlinux.elf.ehdr, report);
	if (!err)
		err = read_segments(file, report, &vmlinux);
	if (err)
		return err;
	if (vmlinux.elf.ehdr.shnum && kc_elf_open(file, &vmlinux.elf))
		return damaged(report, "its section headers are not inside the file");
	vmlinux.elf.file = file;
	end = find_end(&vmlinux.elf, file);
	if (!kc_span_sub(file, end, file.len - end, &vmlinux.relocations))
		return damaged(report, "it ends behind the end of the file");
	*vmlinux_ret = vmlinux;
	return 0;
}

bool kc_vmlinux_rest(const struct kc_vmlinux *vmlinux, uint64_t address, struct kc_span *bytes_ret)
{
	size_t low = 0, high = vmlinux->segment_count;
	const struct kc_segment *segment;
	uint64_t offset;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (vmlinux->segments[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return false;
	segment = &vmlinux->segments[low - 1];
	offset = address - segment->address;
	if (offset >= segment->bytes.len)
		return false;
	*bytes_ret = kc_span(segment->bytes.data + offset, segment->bytes.len - (size_t)offset);
	return true;
}

bool kc_vmlinux_bytes(const struct kc_vmlinux *vmlinux, uint64_t address, uint64_t len,
		      struct kc_span *bytes_ret)
{
	struct kc_span rest;

	return kc_vmlinux_rest(vmlinux, address, &rest) && kc_span_sub(rest, 0, len, bytes_ret);
}

const char *kc_vmlinux_string(const struct kc_vmlinux *vmlinux, uint64_t address, size_t max)
{
	struct kc_span rest;

	if (!kc_vmlinux_rest(vmlinux, address, &rest))
		return NULL;
	if (rest.len > max)
		rest.len = max;
	return kc_span_string(rest, 0);
}

bool kc_vmlinux_rodata(const struct kc_vmlinux *vmlinux, size_t index, uint64_t *address_ret,
		       struct kc_span *bytes_ret)
{
	Elf64_Shdr shdr;
	struct kc_span bytes;

	/* One without bytes tells nothing. */
	if (kc_elf_find_section(&vmlinux->elf, ".rodata", &shdr, &bytes) && bytes.len) {
		if (index)
			return false;
		*address_ret = shdr.sh_addr;
		*bytes_ret = bytes;
		return true;
	}
	if (index >= vmlinux->segment_count)
		return false;
	*address_ret = vmlinux->segments[index].address;
	*bytes_ret = vmlinux->segments[index].bytes;
	return true;
}
