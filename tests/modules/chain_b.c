/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Imports from chain_a, from a namespace too, and exports to chain_c. */
#include "modules.h"

int chain_b_twice(int value)
{
	return chain_a_plain(value) + chain_a_gpl(value) + chain_a_spaced(value);
}
EXPORT_SYMBOL_GPL(chain_b_twice);

static int __init chain_b_init(void)
{
	return chain_b_twice(0) == 111 ? 0 : -EINVAL;
}

static void __exit chain_b_exit(void)
{
}

module_init(chain_b_init);
module_exit(chain_b_exit);
MODULE_IMPORT_NS(KC_CHAIN);
MODULE_DESCRIPTION("Second of a chain");
MODULE_LICENSE("GPL");
