/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * __mcount_loc: the call of __fentry__ at the start of each function becomes a nop
 * (ftrace_module_init()), where the kernel has ftrace.
 */
#include "arch/x86_64/patch.h"

#include <errno.h>

int kc_ftrace_module_init(const struct kc_patch *patch)
{
	static const char table[] = "__mcount_loc";
	uint64_t fentry = kc_patch_symbol(patch, "__fentry__");
	struct kc_place sites, place;

	if (!fentry || !patch->to->section(patch->to->context, table, &sites))
		return 0;
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
