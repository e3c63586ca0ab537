/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * __mcount_loc: sorted; the call of __fentry__ at the start of each function becomes a nop
 * (ftrace_module_init()), where the kernel has ftrace.
 */
#include "arch/x86_64/patch.h"
#include "arch/x86_64/tables.h"

#include <errno.h>

static int compare_sites(const void *table, uint64_t a, uint64_t b)
{
	const struct kc_place *sites = table;
	uint64_t at_a = kc_load64(sites->bytes + a * sizeof(uint64_t));
	uint64_t at_b = kc_load64(sites->bytes + b * sizeof(uint64_t));

	return at_a < at_b ? -1 : at_a > at_b;
}

static void swap_sites(const void *table, uint64_t a, uint64_t b)
{
	const struct kc_place *sites = table;

	kc_swap_bytes(sites->bytes + a * sizeof(uint64_t), sites->bytes + b * sizeof(uint64_t),
		      sizeof(uint64_t));
}

int kc_ftrace_module_init(const struct kc_patch *patch)
{
	static const char table[] = "__mcount_loc";
	uint64_t fentry = kc_patch_symbol(patch, "__fentry__");
	struct kc_place sites, place;
	const struct kc_sorting sorting = { &sites, compare_sites, swap_sites, patch->sorts_pairs };

	if (!fentry || !patch->to->section(patch->to->context, table, &sites))
		return 0;
	kc_sort_table(&sorting, sites.size / sizeof(uint64_t));
	for (uint64_t at = 0; at + sizeof(uint64_t) <= sites.size; at += sizeof(uint64_t)) {
		uint64_t address = kc_load64(sites.bytes + at);
		uint8_t *code;

		/* Linkers pad. */
		if (!address)
			continue;
		code = kc_patch_at(patch, table, address, KC_BRANCH_SIZE, &place);
		if (!code)
			return -ENOEXEC;
		if (code[0] == KC_OP_CALL &&
		    kc_branch_target(code, address, KC_BRANCH_SIZE) == fentry)
			kc_write_nop(patch, code, KC_BRANCH_SIZE);
	}
	return 0;
}
