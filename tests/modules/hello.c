/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* As small as a module can be that says something. */
#include "modules.h"

static int __init hello_init(void)
{
	pr_info("hello: here\n");
	return 0;
}

static void __exit hello_exit(void)
{
	pr_info("hello: gone\n");
}

module_init(hello_init);
module_exit(hello_exit);
MODULE_DESCRIPTION("Says hello");
MODULE_AUTHOR("The kocoon project");
MODULE_VERSION("1.0");
MODULE_LICENSE("GPL");
