/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * .smp_locks: on a machine with one CPU, lock prefixes become a prefix that does nothing
 * (alternatives_smp_module_add()): in .text, or, of kernels whose modules have regions (struct
 * module_memory), in all of the region that .text is in.
 */
#include "arch/x86_64/patch.h"

enum { LOCK_PREFIX = 0xf0, DS_PREFIX = 0x3e };

static int unlock(const struct kc_patch *patch, const char *table, uint64_t address,
		  const struct kc_place *place)
{
	const struct kc_finalize *to = patch->to;
	struct kc_place text;

	(void)table;
	if (!to->section(to->context, ".text", &text))
		return 0;
	if (to->struct_size(to->context, "module_memory"))
		to->at(to->context, text.address, &text);
	if (address >= text.address && address - text.address < text.size &&
	    place->bytes[0] == LOCK_PREFIX)
		place->bytes[0] = DS_PREFIX;
	return 0;
}

int kc_apply_smp_locks(const struct kc_patch *patch)
{
	return patch->to->smp ? 0 : kc_patch_sites(patch, ".smp_locks", unlock);
}
