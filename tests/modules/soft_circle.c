/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Wants the one before it that wants it behind itself. */
#include "modules.h"

static int __init soft_circle_init(void)
{
	pr_info("soft_circle: here\n");
	return 0;
}

static void __exit soft_circle_exit(void)
{
	pr_info("soft_circle: gone\n");
}

module_init(soft_circle_init);
module_exit(soft_circle_exit);
MODULE_SOFTDEP("pre: parameters soft");
MODULE_DESCRIPTION("Soft dependencies in a circle");
MODULE_LICENSE("GPL");
