/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * .static_call_sites: calls of a trampoline become calls of the function that the key holds, or
 * nothing where it holds none (static_call_add_module()). Sites are sorted by key; those that name
 * a trampoline, since the module may not see the key, are led to the key first.
 *
 * Differs from Linux: a key of the kernel's holds what it holds in the image. One that is in no
 * image, or in another module, isn't known: its sites go on to call the trampoline.
 */
#include "arch/x86_64/instruction.h"
#include "arch/x86_64/patch.h"
#include "arch/x86_64/tables.h"

#include <errno.h>

/* struct static_call_site: the place and the key (with two flags), both self-relative */
enum { SITE_SIZE = 8, SITE_KEY = 4, FLAG_TAIL = 1, FLAG_INIT = 2, FLAGS = 3, JCC_SIZE = 6 };

static const char table_name[] = ".static_call_sites";

/* What calls of __static_call_return0 become: xor %eax, %eax with three prefixes. */
static const uint8_t return_zero[] = { 0x2e, 0x2e, 0x2e, 0x31, 0xc0 };

static uint64_t key_of(const struct kc_place *table, uint64_t offset)
{
	return kc_relative32(table, offset + SITE_KEY) & ~(uint64_t)FLAGS;
}

static int compare_sites(const void *table, uint64_t a, uint64_t b)
{
	uint64_t key_a = key_of(table, a * SITE_SIZE), key_b = key_of(table, b * SITE_SIZE);

	return key_a < key_b ? -1 : key_a > key_b;
}

static void swap_sites(const void *table, uint64_t a, uint64_t b)
{
	a *= SITE_SIZE;
	b *= SITE_SIZE;
	kc_swap_relative32(table, a, b);
	kc_swap_relative32(table, a + SITE_KEY, b + SITE_KEY);
}

/* The kernel's table of pairs: a trampoline and its key, self-relative. 0: none of them. */
static uint64_t tramp_key_lookup(const struct kc_patch *patch, uint64_t trampoline)
{
	uint64_t start = kc_patch_symbol(patch, "__start_static_call_tramp_key");
	uint64_t stop = kc_patch_symbol(patch, "__stop_static_call_tramp_key");
	struct kc_span pairs;

	if (!start || stop < start ||
	    !patch->to->kernel_bytes(patch->to->context, start, stop - start, &pairs))
		return 0;
	for (uint64_t at = 0; at + 8 <= pairs.len; at += 8) {
		if (start + at + (uint64_t)(int32_t)kc_load32(pairs.data + at) == trampoline)
			return start + at + 4 + (uint64_t)(int32_t)kc_load32(pairs.data + at + 4);
	}
	return 0;
}

static void lead_to_keys(const struct kc_patch *patch, const struct kc_place *table)
{
	for (uint64_t at = 0; at + SITE_SIZE <= table->size; at += SITE_SIZE) {
		uint64_t named = key_of(table, at), key;
		uint8_t *place = table->bytes + at + SITE_KEY;

		if (kc_patch_owns(patch, named))
			continue;
		key = tramp_key_lookup(patch, named);
		if (key)
			kc_store32(place, kc_load32(place) + (uint32_t)(key - named));
	}
}

static bool can_be_call(const struct kc_patch *patch, const uint8_t *code)
{
	uint8_t nop[KC_BRANCH_SIZE];

	kc_write_nop(patch, nop, sizeof(nop));
	return code[0] == KC_OP_CALL || memcmp(code, nop, sizeof(nop)) == 0 ||
	       memcmp(code, return_zero, sizeof(return_zero)) == 0;
}

static void write_call(const struct kc_patch *patch, uint8_t *code, uint64_t address,
		       uint64_t function)
{
	if (!function)
		kc_write_nop(patch, code, KC_BRANCH_SIZE);
	else if (function == kc_patch_symbol(patch, "__static_call_return0"))
		memcpy(code, return_zero, sizeof(return_zero));
	else
		kc_write_branch(code, KC_OP_CALL, address, function);
}

static void write_tail_call(const struct kc_patch *patch, uint8_t *code, uint64_t address,
			    uint64_t function)
{
	uint64_t target = function ? function : kc_return_target(patch, address);

	if (target) {
		kc_write_branch(code, KC_OP_JMP, address, target);
		return;
	}
	code[0] = KC_OP_RET;
	memset(code + 1, KC_OP_INT3, KC_BRANCH_SIZE - 1);
}

/* A jump with a condition; there is no return with one, so it goes to a return. */
static void write_jcc(const struct kc_patch *patch, uint8_t *code, uint64_t address,
		      uint64_t function)
{
	if (!function)
		function = kc_return_target(patch, address);
	if (!function)
		function = kc_patch_symbol(patch, "__static_call_return");
	if (function)
		kc_store32(code + 2, (uint32_t)(function - (address + JCC_SIZE)));
}

static int transform(const struct kc_patch *patch, uint64_t address, uint64_t function, bool tail)
{
	struct kc_place place;
	uint8_t *code = kc_patch_at(patch, table_name, address, KC_BRANCH_SIZE, &place);

	if (!code)
		return -ENOEXEC;
	if (!tail) {
		if (!can_be_call(patch, code))
			return kc_patch_refuse(patch, table_name, address, "no call");
		write_call(patch, code, address, function);
	} else if (code[0] == KC_OP_JMP || code[0] == KC_OP_RET) {
		write_tail_call(patch, code, address, function);
	} else if (code[0] == 0x0f && (code[1] & 0xf0) == 0x80 && place.size >= JCC_SIZE) {
		write_jcc(patch, code, address, function);
	} else {
		return kc_patch_refuse(patch, table_name, address, "no jump");
	}
	return 0;
}

static int transform_site(const struct kc_patch *patch, const struct kc_place *table, uint64_t at,
			  const struct kc_place *init)
{
	uint64_t address = kc_relative32(table, at), key = key_of(table, at), function;
	uint8_t *flags = table->bytes + at + SITE_KEY;
	struct kc_place place;

	if (!kc_patch_at(patch, table_name, address, KC_BRANCH_SIZE, &place))
		return -ENOEXEC;
	if (kc_place_holds(init, address))
		*flags |= FLAG_INIT;
	if (!kc_patch_read64(patch, key, &function))
		return 0;
	return transform(patch, address, function, kc_relative32(table, at + SITE_KEY) & FLAG_TAIL);
}

int kc_static_call_add_module(const struct kc_patch *patch)
{
	struct kc_place table, init;
	const struct kc_sorting sorting = { &table, compare_sites, swap_sites, patch->sorts_pairs };
	int err = 0;

	if (!patch->to->section(patch->to->context, table_name, &table))
		return 0;
	init = kc_patch_init_code(patch);
	lead_to_keys(patch, &table);
	kc_sort_table(&sorting, table.size / SITE_SIZE);
	for (uint64_t at = 0; at + SITE_SIZE <= table.size && !err; at += SITE_SIZE)
		err = transform_site(patch, &table, at, &init);
	return err;
}
