/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * elf/elf.c: the arithmetic on tables of any length by WP; that an entry fits the structure it is
 * copied to by Eva, for tables of up to SPAN_MAX bytes (four of the largest entries), any index.
 *
 * Assumed: what kc_elf_shdr() and its like return, which is what copy_entry() does, and that
 * kc_elf_ehdr() and its like write nothing but what their `assigns` says, which WP's
 * memory model can't express of a copy from bytes to a structure; it is seen by reading them.
 *
 * prove: wp copy_entry kc_elf_open kc_elf_find_section
 * prove: eva prove_ehdr prove_shdr prove_phdr prove_sym prove_rela
 */
#include "elf/elf.c"

#ifndef KC_PROVE_WP
#include "any.h"

void prove_ehdr(void)
{
	struct kc_ehdr ehdr;

	for (size_t len = 0; len <= SPAN_MAX; len++)
		(void)!kc_elf_ehdr(any_span(len), &ehdr);
}

void prove_shdr(void)
{
	Elf64_Shdr shdr;

	for (size_t len = 0; len <= SPAN_MAX; len++)
		(void)!kc_elf_shdr(any_span(len), any_number(), &shdr);
}

void prove_phdr(void)
{
	Elf64_Phdr phdr;

	for (size_t len = 0; len <= SPAN_MAX; len++)
		(void)!kc_elf_phdr(any_span(len), any_number(), &phdr);
}

void prove_sym(void)
{
	Elf64_Sym sym;

	for (size_t len = 0; len <= SPAN_MAX; len++)
		(void)!kc_elf_sym(any_span(len), any_number(), &sym);
}

void prove_rela(void)
{
	Elf64_Rela rela;

	for (size_t len = 0; len <= SPAN_MAX; len++)
		(void)!kc_elf_rela(any_span(len), any_number(), &rela);
}
#endif
