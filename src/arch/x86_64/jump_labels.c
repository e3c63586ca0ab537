/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * __jump_table: sorted by key; code in init regions is marked; where a key of the kernel's is not
 * as it was at first, its nops and jumps are changed (jump_label_add_module()). The code of a
 * module's own keys is right as it was built, and each is led to the first of its entries.
 *
 * Differs from Linux: a key of the kernel's has the value that it has in the image, and one that is
 * in no image is as it was at first.
 */
#include "arch/x86_64/instruction.h"
#include "arch/x86_64/patch.h"
#include "arch/x86_64/tables.h"

#include <errno.h>

/* struct jump_entry: code, target (32 bits, self-relative), key (64, with two flags) */
enum { ENTRY_SIZE = 16, ENTRY_TARGET = 4, ENTRY_KEY = 8, FLAG_BRANCH = 1, FLAG_INIT = 2 };

/* struct static_key: a count, then a type and a pointer in one word */
enum { KEY_TYPE = 8, TYPE_TRUE = 1, TYPE_MASK = 3 };

static const char table_name[] = "__jump_table";

static uint64_t key_of(const struct kc_place *table, uint64_t offset)
{
	return kc_relative64(table, offset + ENTRY_KEY) & ~UINT64_C(3);
}

static int compare_jumps(const void *table, uint64_t a, uint64_t b)
{
	uint64_t key_a = key_of(table, a * ENTRY_SIZE), key_b = key_of(table, b * ENTRY_SIZE);
	uint64_t code_a = kc_relative32(table, a * ENTRY_SIZE);
	uint64_t code_b = kc_relative32(table, b * ENTRY_SIZE);

	if (key_a != key_b)
		return key_a < key_b ? -1 : 1;
	return code_a < code_b ? -1 : code_a > code_b;
}

static void swap_jumps(const void *table, uint64_t a, uint64_t b)
{
	a *= ENTRY_SIZE;
	b *= ENTRY_SIZE;
	kc_swap_relative32(table, a, b);
	kc_swap_relative32(table, a + ENTRY_TARGET, b + ENTRY_TARGET);
	kc_swap_relative64(table, a + ENTRY_KEY, b + ENTRY_KEY);
}

/* Whether the key is in another state than the code was built for. */
static bool key_changed(const struct kc_patch *patch, uint64_t key, bool *enabled_ret)
{
	uint32_t count;
	uint64_t type;

	if (kc_patch_owns(patch, key) || !kc_patch_read32(patch, key, &count) ||
	    !kc_patch_read64(patch, key + KEY_TYPE, &type))
		return false;
	*enabled_ret = (int32_t)count > 0;
	return *enabled_ret != (bool)(type & TYPE_TRUE);
}

static int write_jump(const struct kc_patch *patch, uint64_t address, uint64_t target, bool jump,
		      const struct kc_place *place)
{
	struct kc_instruction found;
	uint8_t *code = place->bytes;

	if (!kc_instruction_decode(kc_span(code, place->size), &found) ||
	    (found.length != 2 && found.length != KC_BRANCH_SIZE))
		return kc_patch_refuse(patch, table_name, address, "no jump or nop");
	if (!jump) {
		kc_write_nop(patch, code, found.length);
	} else if (found.length == KC_BRANCH_SIZE) {
		kc_write_branch(code, KC_OP_JMP, address, target);
	} else {
		code[0] = KC_OP_JMP_SHORT;
		code[1] = (uint8_t)(target - (address + 2));
	}
	return 0;
}

static int add_entry(const struct kc_patch *patch, const struct kc_place *table, uint64_t offset,
		     const struct kc_place *init)
{
	uint64_t address = kc_relative32(table, offset), key = key_of(table, offset);
	uint64_t target = kc_relative32(table, offset + ENTRY_TARGET);
	uint8_t *flags = table->bytes + offset + ENTRY_KEY;
	struct kc_place place;
	bool enabled;

	if (!kc_patch_at(patch, table_name, address, 2, &place))
		return -ENOEXEC;
	if (!kc_patch_owns(patch, target))
		return kc_patch_refuse(patch, table_name, target, "a jump out of the module");
	*flags = (uint8_t)((*flags & ~FLAG_INIT) | (kc_place_holds(init, address) ? FLAG_INIT : 0));
	if (!key_changed(patch, key, &enabled))
		return 0;
	return write_jump(patch, address, target, enabled != (bool)(*flags & FLAG_BRANCH), &place);
}

/* The module's own key, at its first entry: static_key_set_entries(). */
static void set_entries(const struct kc_patch *patch, const struct kc_place *table, uint64_t offset)
{
	uint64_t key = key_of(table, offset);
	struct kc_place place;
	uint8_t *type;

	if ((offset && key_of(table, offset - ENTRY_SIZE) == key) ||
	    !patch->to->at(patch->to->context, key, &place) || place.size < KEY_TYPE + 8)
		return;
	type = place.bytes + KEY_TYPE;
	kc_store64(type, (table->address + offset) | (kc_load64(type) & TYPE_MASK));
}

int kc_jump_label_add_module(const struct kc_patch *patch)
{
	struct kc_place table, init;
	const struct kc_sorting sorting = { &table, compare_jumps, swap_jumps, patch->sorts_pairs };
	int err = 0;

	if (!patch->to->section(patch->to->context, table_name, &table))
		return 0;
	init = kc_patch_init_code(patch);
	kc_sort_table(&sorting, table.size / ENTRY_SIZE);
	for (uint64_t at = 0; at + ENTRY_SIZE <= table.size && !err; at += ENTRY_SIZE) {
		set_entries(patch, &table, at);
		err = add_entry(patch, &table, at, &init);
	}
	return err;
}
