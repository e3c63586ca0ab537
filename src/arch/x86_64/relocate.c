/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * x86-64 relocations of modules (psABI section 4.4; what arch/x86/kernel/module.c accepts of it).
 *
 * The kernel checks that a 32-bit absolute value fits, not that a PC-relative one does, and that
 * every place is zero before it is written. Both orders of these two checks that kernels have lead
 * to the same errno.
 */
#include "arch/x86_64/tables.h"
#include "arch/x86_64/x86_64.h"

#include <errno.h>

static int fail(struct kc_relocations *relocations, enum kc_relocation_fault fault,
		const Elf64_Rela *rela, uint64_t index, uint64_t value)
{
	relocations->fault = fault;
	relocations->at = *rela;
	relocations->at_index = index;
	relocations->value = value;
	return -ENOEXEC;
}

/* How many bytes a type writes: 0 for R_X86_64_NONE, -1 for a type that is not accepted. */
static int width(uint32_t type)
{
	switch (type) {
	case R_X86_64_NONE:
		return 0;
	case R_X86_64_32:
	case R_X86_64_32S:
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		return 4;
	case R_X86_64_64:
	case R_X86_64_PC64:
		return 8;
	default:
		return -1;
	}
}

static bool is_pc_relative(uint32_t type)
{
	return type == R_X86_64_PC32 || type == R_X86_64_PLT32 || type == R_X86_64_PC64;
}

static bool fits(uint32_t type, uint64_t value)
{
	if (type == R_X86_64_32)
		return value == (uint32_t)value;
	if (type == R_X86_64_32S)
		return (int64_t)value == (int32_t)value;
	return true;
}

/* Writes one value. False: something stood there already. */
static bool write_place(uint8_t *place, int bytes, uint64_t value, uint64_t *existing_ret)
{
	uint64_t existing = bytes == 8 ? kc_load64(place) : kc_load32(place);

	if (existing) {
		*existing_ret = existing;
		return false;
	}
	if (bytes == 8)
		kc_store64(place, value);
	else
		kc_store32(place, (uint32_t)value);
	return true;
}

static int apply_one(struct kc_relocations *to, const Elf64_Rela *rela, uint64_t index)
{
	uint32_t type = (uint32_t)ELF64_R_TYPE(rela->r_info);
	uint64_t symbol = ELF64_R_SYM(rela->r_info);
	int bytes = width(type);
	uint64_t value;

	to->counts[type < KC_RELOCATION_TYPES ? type : KC_RELOCATION_TYPES - 1]++;
	if (bytes == 0)
		return 0;
	if (bytes < 0)
		return fail(to, KC_RELOCATION_TYPE, rela, index, 0);
	/* Differs from Linux: places and symbols outside of their tables are refused, not followed.
	 */
	if (symbol >= to->symbols.len / sizeof(Elf64_Sym))
		return fail(to, KC_RELOCATION_SYMBOL, rela, index, 0);
	if (rela->r_offset > to->target_len || to->target_len - rela->r_offset < (uint64_t)bytes)
		return fail(to, KC_RELOCATION_PLACE, rela, index, 0);

	value = kc_load64(to->symbols.data + symbol * sizeof(Elf64_Sym) +
			  offsetof(Elf64_Sym, st_value)) +
		(uint64_t)rela->r_addend;
	if (!fits(type, value))
		return fail(to, KC_RELOCATION_OVERFLOW, rela, index, value);
	if (is_pc_relative(type))
		value -= to->target_address + rela->r_offset;
	if (!write_place(to->target + rela->r_offset, bytes, value, &to->existing))
		return fail(to, KC_RELOCATION_NONZERO, rela, index, value);
	to->applied++;
	return 0;
}

static int apply_relocate_add(struct kc_relocations *relocations)
{
	uint64_t count = relocations->entries.len / sizeof(Elf64_Rela);
	const uint8_t *entry = relocations->entries.data;

	for (uint64_t i = 0; i < count; i++, entry += sizeof(Elf64_Rela)) {
		Elf64_Rela rela;
		int err;

		memcpy(&rela, entry, sizeof(rela));
		err = apply_one(relocations, &rela, i);
		if (err)
			return err;
	}
	return 0;
}

static const char *relocation_name(uint32_t type)
{
#define NAME(type) [type] = #type
	static const char *const names[] = {
		NAME(R_X86_64_NONE),	  NAME(R_X86_64_64),	     NAME(R_X86_64_PC32),
		NAME(R_X86_64_GOT32),	  NAME(R_X86_64_PLT32),	     NAME(R_X86_64_COPY),
		NAME(R_X86_64_GLOB_DAT),  NAME(R_X86_64_JUMP_SLOT),  NAME(R_X86_64_RELATIVE),
		NAME(R_X86_64_GOTPCREL),  NAME(R_X86_64_32),	     NAME(R_X86_64_32S),
		NAME(R_X86_64_16),	  NAME(R_X86_64_PC16),	     NAME(R_X86_64_8),
		NAME(R_X86_64_PC8),	  NAME(R_X86_64_DTPMOD64),   NAME(R_X86_64_DTPOFF64),
		NAME(R_X86_64_TPOFF64),	  NAME(R_X86_64_TLSGD),	     NAME(R_X86_64_TLSLD),
		NAME(R_X86_64_DTPOFF32),  NAME(R_X86_64_GOTTPOFF),   NAME(R_X86_64_TPOFF32),
		NAME(R_X86_64_PC64),	  NAME(R_X86_64_GOTOFF64),   NAME(R_X86_64_GOTPC32),
		NAME(R_X86_64_GOT64),	  NAME(R_X86_64_GOTPCREL64), NAME(R_X86_64_GOTPC64),
		NAME(R_X86_64_PLTOFF64),  NAME(R_X86_64_SIZE32),     NAME(R_X86_64_SIZE64),
		NAME(R_X86_64_IRELATIVE), NAME(R_X86_64_GOTPCRELX),  NAME(R_X86_64_REX_GOTPCRELX),
	};
#undef NAME

	return type < KC_ARRAY_SIZE(names) ? names[type] : NULL;
}

const struct kc_arch kc_arch_x86_64 = {
	.name = "x86_64",
	.machine = EM_X86_64,
	.module_base = UINT64_C(0xffffffffc0000000),
	.module_space = UINT64_C(0x3f000000),
	.image_base = UINT64_C(0xffffc90000010000),
	.apply_relocate_add = apply_relocate_add,
	.relocation_name = relocation_name,
	.relocation_width = width,
	.cpu_host = kc_x86_cpu_host,
	.cpu_find = kc_x86_cpu_find,
	.cpu_is_smp = kc_x86_cpu_is_smp,
	.finalize = kc_x86_finalize,
	.sort_extable = kc_sort_extable,
};
