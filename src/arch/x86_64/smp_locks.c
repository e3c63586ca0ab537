/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * .smp_locks: on a machine with one CPU, lock prefixes in .text become a prefix that does nothing
 * (alternatives_smp_module_add()).
 */
#include "arch/x86_64/patch.h"

enum { LOCK_PREFIX = 0xf0, DS_PREFIX = 0x3e };

static int unlock(const struct kc_patch *patch, const char *table, uint64_t address,
		  const struct kc_place *place)
{
	struct kc_place text;

	(void)table;
	if (!patch->to->section(patch->to->context, ".text", &text))
		return 0;
	if (address >= text.address && address - text.address < text.size &&
	    place->bytes[0] == LOCK_PREFIX)
		place->bytes[0] = DS_PREFIX;
	return 0;
}

int kc_apply_smp_locks(const struct kc_patch *patch)
{
	return patch->to->smp ? 0 : kc_patch_sites(patch, ".smp_locks", unlock);
}
