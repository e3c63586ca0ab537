/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image in memory: at its physical address, relocated by the lists behind it. */
#include <errno.h>
#include <string.h>

#include "kernel/parts.h"
#include "machine/machine.h"

static int copy_segments(const struct kc_elf *elf)
{
	struct kc_span table;
	Elf64_Phdr phdr;

	if (!kc_span_sub(elf->file, elf->ehdr.phoff, (uint64_t)elf->ehdr.phnum * sizeof(phdr),
			 &table))
		return -ENOEXEC;
	for (uint64_t i = 0; kc_elf_phdr(table, i, &phdr); i++) {
		struct kc_span bytes;

		if (phdr.p_type != PT_LOAD)
			continue;
		if (!kc_span_sub(elf->file, phdr.p_offset, phdr.p_filesz, &bytes) ||
		    phdr.p_paddr > kc_state.ram_size ||
		    phdr.p_memsz > kc_state.ram_size - phdr.p_paddr || phdr.p_filesz > phdr.p_memsz)
			return -ENOEXEC;
		memcpy(kc_pointer(KC_RAM_BASE + phdr.p_paddr), bytes.data, bytes.len);
	}
	return 0;
}

enum list { PLACES_32, INVERSE_32, PLACES_64, LISTS };

static int relocate(enum list list, uint32_t word)
{
	uint64_t at = (uint64_t)(int64_t)(int32_t)word - KC_LINK_BASE;
	uint8_t *place = kc_pointer(KC_RAM_BASE + at);

	if (at > kc_state.ram_size - sizeof(uint64_t))
		return -ENOEXEC;
	if (list == PLACES_64)
		kc_store64(place, kc_load64(place) + kc_machine.shift);
	else if (list == PLACES_32)
		kc_store32(place, kc_load32(place) + (uint32_t)kc_machine.shift);
	else
		kc_store32(place, kc_load32(place) - (uint32_t)kc_machine.shift);
	return 0;
}

/* The last words first, each list ended by a zero. */
static int relocate_all(struct kc_span lists)
{
	size_t at = lists.len & ~(sizeof(uint32_t) - 1);

	for (enum list list = PLACES_32; list < LISTS;) {
		uint32_t word;

		if (at < sizeof(word))
			return -ENOEXEC;
		at -= sizeof(word);
		word = kc_load32(lists.data + at);
		if (!word)
			list++;
		else if (relocate(list, word))
			return -ENOEXEC;
	}
	return 0;
}

int kc_load_image(void)
{
	int err = copy_segments(&kc_machine.kernel->vmlinux.elf);

	return err ? err : relocate_all(kc_machine.kernel->vmlinux.relocations);
}
