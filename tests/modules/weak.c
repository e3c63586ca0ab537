/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* A weak import, that may or may not be there. */
#include "modules.h"

extern int no_init_answer(void) __attribute__((weak));

int weak_is_there(void)
{
	return no_init_answer ? no_init_answer() : -1;
}

static int __init weak_init(void)
{
	pr_info("weak: %d\n", weak_is_there());
	return 0;
}

static void __exit weak_exit(void)
{
}

module_init(weak_init);
module_exit(weak_exit);
MODULE_DESCRIPTION("A weak import");
MODULE_LICENSE("GPL");
