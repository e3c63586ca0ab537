/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Looks symbols up at run time, and holds their owner. */
#include "modules.h"

static int (*taken)(int value);

int getter_take(void)
{
	if (!taken)
		taken = symbol_get(chain_a_gpl);
	return taken ? 0 : -ENOENT;
}

int getter_call(int value)
{
	return taken(value);
}

void getter_drop(void)
{
	if (taken)
		symbol_put(chain_a_gpl);
	taken = NULL;
}

static int __init getter_init(void)
{
	return 0;
}

static void __exit getter_exit(void)
{
	getter_drop();
}

module_init(getter_init);
module_exit(getter_exit);
MODULE_DESCRIPTION("symbol_get");
MODULE_LICENSE("GPL");
