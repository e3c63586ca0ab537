/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of architectures; see arch.h. */
#include "arch/arch.h"

#include "arch/x86_64/x86_64.h"

const struct kc_arch *kc_arch_find(const char *name)
{
	static const struct kc_arch *const table[] = { &kc_arch_x86_64 };

	for (size_t i = 0; i < KC_ARRAY_SIZE(table); i++)
		if (strcmp(table[i]->name, name) == 0)
			return table[i];
	return NULL;
}
