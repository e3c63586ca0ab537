/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The image in memory: at its physical address, relocated by the lists behind it; its symbols, and
 * the offsets of its structures' members.
 */
#include <bpf/btf.h>
#include <errno.h>
#include <string.h>

#include "kernel/parts.h"
#include "machine/machine.h"

uint64_t kc_symbol(const char *name)
{
	uint64_t address;

	if (!kc_kernel_find_symbol(kc_machine.kernel, name, &address))
		return 0;
	/* Per-CPU symbols are offsets. */
	return address >= KC_LINK_BASE ? address + kc_machine.shift : address;
}

uint64_t kc_needed(const char *name)
{
	uint64_t address = kc_symbol(name);

	if (!address)
		kc_machine_end(KC_EXIT_UNFIT, "the kernel has no symbol %s", name);
	return address;
}

void kc_set_variable(const char *name, uint64_t value)
{
	kc_store64(kc_pointer(kc_needed(name)), value);
}

static bool find_member(const struct btf *btf, uint32_t id, const char *member,
			uint32_t *offset_ret)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	while (type && (btf_is_mod(type) || btf_is_typedef(type)))
		type = btf__type_by_id(btf, type->type);
	if (!type || !btf_is_composite(type))
		return false;
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *found = &btf_members(type)[i];
		const char *name = btf__name_by_offset(btf, found->name_off);
		uint32_t offset = btf_member_bit_offset(type, i) / 8, inside;

		if (!strcmp(name, member)) {
			*offset_ret = offset;
			return true;
		}
		if (!*name && find_member(btf, found->type, member, &inside)) {
			*offset_ret = offset + inside;
			return true;
		}
	}
	return false;
}

uint32_t kc_offset(const char *structure, const char *member)
{
	const struct btf *btf = kc_kernel_btf(kc_machine.kernel);
	int id = btf ? btf__find_by_name_kind(btf, structure, BTF_KIND_STRUCT) : -ENOENT;
	uint32_t offset;

	if (id <= 0 || !find_member(btf, (uint32_t)id, member, &offset))
		kc_machine_end(KC_EXIT_UNFIT, "the kernel's BTF has no member %s.%s", structure,
			       member);
	return offset;
}

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
