/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Last of a chain: calls through both others. */
#include "modules.h"

int chain_c_result(void)
{
	return chain_b_twice(1) + chain_a_count;
}

static int __init chain_c_init(void)
{
	pr_info("chain_c: %d\n", chain_c_result());
	return 0;
}

static void __exit chain_c_exit(void)
{
}

module_init(chain_c_init);
module_exit(chain_c_exit);
MODULE_DESCRIPTION("Third of a chain");
MODULE_LICENSE("GPL");
