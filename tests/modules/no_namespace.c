/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Imports from a namespace that it does not name. */
#include "modules.h"

static int __init no_namespace_init(void)
{
	return chain_a_spaced(0) == 100 ? 0 : -EINVAL;
}

static void __exit no_namespace_exit(void)
{
}

module_init(no_namespace_init);
module_exit(no_namespace_exit);
MODULE_DESCRIPTION("Imports without a namespace");
MODULE_LICENSE("GPL");
