/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "finalize_fake.h"

#include <string.h>

const struct kc_arch *arch(void)
{
	return kc_arch_find("x86_64");
}

static bool find_section(void *context, const char *name, struct kc_place *place_ret)
{
	struct fake *fake = context;

	for (size_t i = 0; i < fake->section_count; i++) {
		if (strcmp(fake->sections[i].name, name) != 0)
			continue;
		*place_ret = (struct kc_place){ BASE + fake->sections[i].offset,
						fake->bytes + fake->sections[i].offset,
						fake->sections[i].size };
		return true;
	}
	return false;
}

static bool find_place(void *context, uint64_t address, struct kc_place *place_ret)
{
	struct fake *fake = context;

	if (address < BASE || address - BASE >= SIZE)
		return false;
	*place_ret = (struct kc_place){ address, fake->bytes + (address - BASE),
					SIZE - (address - BASE) };
	return true;
}

static uint64_t find_symbol(void *context, const char *name)
{
	static const struct {
		const char *name;
		uint64_t address;
	} symbols[] = {
		{ "__x86_indirect_thunk_rax", THUNK_RAX },
		{ "__x86_indirect_thunk_r11", THUNK_R11 },
		{ "__x86_return_thunk", RETURN_THUNK },
		{ "retbleed_return_thunk", UNRET_THUNK },
		{ "__fentry__", FENTRY },
		{ "__static_call_return0", RETURN0 },
		{ "pv_ops", PV_OPS },
		{ "nop_func", NOP_FUNC },
		{ "_paravirt_nop", NOP_FUNC },
		{ "apply_alternatives", 1 },
	};
	const struct fake *fake = context;

	if (!strcmp(name, "sort_r"))
		return fake->sort_r ? SORT_R : 0;
	for (size_t i = 0; i < KC_ARRAY_SIZE(symbols); i++)
		if (!strcmp(symbols[i].name, name))
			return symbols[i].address;
	return !fake->old_kernel && !strcmp(name, "text_poke_apply_relocation");
}

static bool kernel_bytes(void *context, uint64_t address, uint64_t size, struct kc_span *bytes_ret)
{
	const struct fake *fake = context;
	static uint8_t code[512];

	if (address == SORT_R) {
		memcpy(code, fake->sort_r, 4);
		return kc_span_sub(kc_span(code, sizeof(code)), 0, size, bytes_ret);
	}
	return address >= PV_OPS && kc_span_sub(kc_span(fake->pv_ops, sizeof(fake->pv_ops)),
						address - PV_OPS, size, bytes_ret);
}

static uint32_t struct_size(void *context, const char *name)
{
	const struct fake *fake = context;

	if (!strcmp(name, "alt_instr"))
		return fake->alt_instr_size;
	return !strcmp(name, "module_memory") && fake->with_regions ? 72 : 0;
}

struct kc_finalize callbacks(struct fake *fake)
{
	return (struct kc_finalize){
		.context = fake,
		.section = find_section,
		.at = find_place,
		.symbol = find_symbol,
		.kernel_bytes = kernel_bytes,
		.struct_size = struct_size,
		.cpu = &fake->cpu,
		.smp = !fake->up,
		.report = fake->report,
	};
}

int finalize(struct fake *fake)
{
	const struct kc_finalize finalize = callbacks(fake);

	return arch()->finalize(&finalize);
}

void fake_start(struct fake *fake, const char *cpu)
{
	*fake = (struct fake){ .alt_instr_size = 14 };
	fake->sections[fake->section_count++].name = ".text";
	fake->sections[0].size = REPLACEMENTS;
	assert_int_equal(arch()->cpu_find(cpu, NULL, &fake->cpu), 0);
	fake->up = !arch()->cpu_is_smp(&fake->cpu);
}

void add_section(struct fake *fake, const char *name, uint64_t offset, uint64_t size)
{
	assert_true(fake->section_count < MAX_SECTIONS);
	fake->sections[fake->section_count].name = name;
	fake->sections[fake->section_count].offset = offset;
	fake->sections[fake->section_count++].size = size;
}

void fake_put(struct fake *fake, uint64_t at, const char *bytes, size_t len)
{
	memcpy(fake->bytes + at, bytes, len);
}

void put_branch(struct fake *fake, uint64_t at, uint8_t opcode, uint64_t target)
{
	fake->bytes[at] = opcode;
	kc_store32(fake->bytes + at + 1, (uint32_t)(target - (BASE + at + 5)));
}

void assert_branch(const struct fake *fake, uint64_t at, uint8_t opcode, uint64_t target)
{
	assert_int_equal(fake->bytes[at], opcode);
	assert_int_equal(BASE + at + 5 + (uint64_t)(int32_t)kc_load32(fake->bytes + at + 1),
			 target);
}

void put_offset(struct fake *fake, uint64_t at, uint64_t target)
{
	kc_store32(fake->bytes + at, (uint32_t)(target - at));
}

void add_site(struct fake *fake, const char *name, uint64_t target)
{
	add_section(fake, name, TABLE, 4);
	put_offset(fake, TABLE, target);
}

void put_alternative(struct fake *fake, unsigned int number, uint64_t target, uint16_t feature,
		     uint16_t flags, uint8_t len, uint8_t replacement_len)
{
	uint64_t at = TABLE + number * UINT64_C(14);

	put_offset(fake, at, target);
	put_offset(fake, at + 4, REPLACEMENTS);
	memcpy(fake->bytes + at + 8, &feature, 2);
	memcpy(fake->bytes + at + 10, &flags, 2);
	fake->bytes[at + 12] = len;
	fake->bytes[at + 13] = replacement_len;
}
