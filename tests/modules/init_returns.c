/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Its init returns what a parameter says. */
#include "modules.h"

static int value;
module_param(value, int, 0444);

static int __init init_returns_init(void)
{
	pr_info("init_returns: %d\n", value);
	return value;
}

static void __exit init_returns_exit(void)
{
	pr_info("init_returns: exit\n");
}

module_init(init_returns_init);
module_exit(init_returns_exit);
MODULE_DESCRIPTION("Init returns anything");
MODULE_LICENSE("GPL");
