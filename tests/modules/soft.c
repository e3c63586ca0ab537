/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Soft dependencies: before it and behind it, one that nobody has, and a circle. */
#include "modules.h"

static int __init soft_init(void)
{
	pr_info("soft: here\n");
	return 0;
}

static void __exit soft_exit(void)
{
	pr_info("soft: gone\n");
}

module_init(soft_init);
module_exit(soft_exit);
MODULE_SOFTDEP("passed_over pre: chain-c soft_nobody init_returns post: hello soft_circle");
MODULE_DESCRIPTION("Soft dependencies");
MODULE_LICENSE("GPL");
