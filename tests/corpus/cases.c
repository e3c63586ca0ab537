/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The damaged modules as one list, in about the order of the kernel's checks. What kernels answer
 * to each is in answers.tsv, learnt from them by tests/corpus/learn.
 *
 * Left out, since the kernel does not check them and writes or reads outside of the module, so
 * that it may die: relocation offsets and symbol indices out of range, st_name behind the string
 * table, an unterminated string table, a read-only or unallocated section that code is run from,
 * sections whose sum is more than 32 bits hold (the kernel wraps it).
 */
#include "cases.h"

const struct corpus_case *corpus_case(size_t index)
{
	if (index < corpus_wrapping_case_count)
		return &corpus_wrapping_cases[index];
	index -= corpus_wrapping_case_count;
	if (index < corpus_elf_case_count)
		return &corpus_elf_cases[index];
	index -= corpus_elf_case_count;
	return index < corpus_module_case_count ? &corpus_module_cases[index] : NULL;
}
