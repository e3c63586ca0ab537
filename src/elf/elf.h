/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ELF: the only code that touches raw ELF bytes. 64-bit little-endian files; other classes are told
 * from the header by the callers that must know.
 *
 * Section headers and symbols are decoded into structures of the host's; nothing here judges a file
 * beyond "these bytes lie inside it". What the kernel demands of a module is module/validity.c's
 * work, in the kernel's order.
 */
#ifndef KC_ELF_ELF_H
#define KC_ELF_ELF_H

#include <elf.h>

#include "base/span.h"

struct kc_ehdr {
	uint8_t ident[EI_NIDENT];
	uint16_t type;
	uint16_t machine;
	uint64_t entry;
	uint64_t phoff;
	uint64_t shoff;
	uint16_t phentsize;
	uint16_t phnum;
	uint16_t shentsize;
	uint16_t shnum;
	uint16_t shstrndx;
};

/* False: fewer than sizeof(Elf64_Ehdr) bytes. Nothing is judged, the magic included. */
/*@ requires readable(file) && \valid(ehdr_ret);
    assigns *ehdr_ret; */
KC_MUST_CHECK bool kc_elf_ehdr(struct kc_span file, struct kc_ehdr *ehdr_ret);

/*
 * The n-th entry of a table of Elf64_Shdr, Elf64_Phdr, Elf64_Sym, Elf64_Rela at its start. False:
 * not inside.
 */
/*@ requires readable(table) && \valid(shdr_ret);
    assigns *shdr_ret;
    ensures \result <==> index < table.len / sizeof(*shdr_ret); */
KC_MUST_CHECK bool kc_elf_shdr(struct kc_span table, uint64_t index, Elf64_Shdr *shdr_ret);
/*@ requires readable(table) && \valid(phdr_ret);
    assigns *phdr_ret;
    ensures \result <==> index < table.len / sizeof(*phdr_ret); */
KC_MUST_CHECK bool kc_elf_phdr(struct kc_span table, uint64_t index, Elf64_Phdr *phdr_ret);
/*@ requires readable(table) && \valid(sym_ret);
    assigns *sym_ret;
    ensures \result <==> index < table.len / sizeof(*sym_ret); */
KC_MUST_CHECK bool kc_elf_sym(struct kc_span table, uint64_t index, Elf64_Sym *sym_ret);
/*@ requires readable(table) && \valid(rela_ret);
    assigns *rela_ret;
    ensures \result <==> index < table.len / sizeof(*rela_ret); */
KC_MUST_CHECK bool kc_elf_rela(struct kc_span table, uint64_t index, Elf64_Rela *rela_ret);

/*
 * An ELF file whose section table has been found whole and whose section contents lie inside the
 * file: for files that kocoon reads for itself (vmlinux). -ENOEXEC otherwise.
 */
struct kc_elf {
	struct kc_span file;
	struct kc_ehdr ehdr;
	struct kc_span sections; /* the table of Elf64_Shdr */
	struct kc_span names; /* section names */
};

/*@ predicate opened(struct kc_elf *elf) =
	readable(elf->file) && readable(elf->sections) && readable(elf->names); */
/*@ requires readable(file) && \valid(elf_ret);
    assigns *elf_ret;
    ensures \result == 0 ==> opened(elf_ret); */
KC_MUST_CHECK int kc_elf_open(struct kc_span file, struct kc_elf *elf_ret);
/*
 * The section of this name: its header, and its bytes (empty where SHT_NOBITS). False: there is
 * none.
 */
/*@ requires \valid_read(elf) && opened(elf) && valid_read_string(name);
    requires \valid(shdr_ret) && \valid(bytes_ret);
    assigns *shdr_ret, *bytes_ret;
    ensures \result ==> readable(*bytes_ret); */
KC_MUST_CHECK bool kc_elf_find_section(const struct kc_elf *elf, const char *name,
				       Elf64_Shdr *shdr_ret, struct kc_span *bytes_ret);

#endif
