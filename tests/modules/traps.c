/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* WARN, BUG and faults, when called, or in init where a parameter says so. */
#include "modules.h"
#include <linux/bug.h>

static char *how = "";
module_param(how, charp, 0444);

int traps_warn(void)
{
	return WARN(1, "traps: warned\n");
}

int traps_warn_once(void)
{
	return WARN_ON_ONCE(1);
}

void traps_bug(void)
{
	BUG();
}

long traps_fault(long *address)
{
	return ++*address;
}

static int __init traps_init(void)
{
	if (!strcmp(how, "warn"))
		return traps_warn() ? 0 : -EINVAL;
	if (!strcmp(how, "bug"))
		traps_bug();
	if (!strcmp(how, "fault"))
		return traps_fault((long *)16L);
	return 0;
}

static void __exit traps_exit(void)
{
}

module_init(traps_init);
module_exit(traps_exit);
MODULE_DESCRIPTION("Traps");
MODULE_LICENSE("GPL");
